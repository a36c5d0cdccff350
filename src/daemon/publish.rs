//! The published snapshot: what the watchdog shows, in the words of the protocol.

use std::time::SystemTime;

use crate::decide::{Exit, Reading, StateView, UnitKind, UnitView, Wish, signal_name};
use crate::protocol::{LastExit, NextWake, RestartCount, UnitStatus};
use crate::world::clock::rfc3339;

/// One unit as `status --json` shows it. `limits` is what it was promised and does not get.
pub(super) fn unit_status(view: UnitView, wall: SystemTime, limits: Vec<String>) -> UnitStatus {
    let next_wake = view
        .next_wake
        .map(|(wait, what)| NextWake { at: rfc3339(wall + wait), why: what.to_owned() });
    UnitStatus {
        name: view.name.to_string(),
        kind: kind(view.kind).to_owned(),
        wish: match view.wish {
            Wish::Up => "up",
            Wish::Down => "down",
        }
        .to_owned(),
        state: state(view.state).to_owned(),
        reading: reading(view.reading).to_owned(),
        pid: view.process.map(|process| process.pid),
        since: rfc3339(view.since),
        why: view.why,
        next_wake,
        changed: view.changed,
        restarts: RestartCount { total: view.restarts, window: view.in_window },
        conversation: None,
        last_exit: view.last_exit.map(|(exit, at)| last_exit(exit, at)),
        limits,
    }
}

fn kind(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Service => "service",
        UnitKind::Session => "session",
        UnitKind::Orchestrator => "orchestrator",
    }
}

fn state(state: StateView) -> &'static str {
    match state {
        StateView::Stopped => "stopped",
        StateView::Starting => "starting",
        StateView::Up => "up",
        StateView::Stopping => "stopping",
        StateView::Waiting => "waiting",
        StateView::Held => "held",
        StateView::GivenUp => "given_up",
    }
}

fn reading(reading: Reading) -> &'static str {
    match reading {
        Reading::Ready => "ready",
        Reading::Unready => "unready",
        Reading::Starting => "starting",
        Reading::Idle => "idle",
        Reading::Dead => "dead",
        Reading::Unknown => "unknown",
    }
}

fn last_exit(exit: Exit, at: SystemTime) -> LastExit {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(number) => {
            let name = signal_name(number).map_or_else(|| number.to_string(), str::to_owned);
            (None, Some(name))
        }
        Exit::Unknown => (None, None),
    };
    LastExit { known: exit != Exit::Unknown, code, signal, at: rfc3339(at) }
}
