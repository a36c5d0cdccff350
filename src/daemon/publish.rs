//! The published snapshot: what the watchdog shows, in the words of the protocol.

use std::time::SystemTime;

use crate::decide::{Exit, PlanView, Spent, StateView, UnitKind, UnitView, Wish, signal_name};
use crate::protocol::{
    HandoffStatus, LastExit, NextWake, PlanStatus, RestartCount, Source, TokenCount, UnitStatus,
    Usage,
};
use crate::world::clock::rfc3339;
use crate::world::usage::{date, day_of};

/// One unit as `status --json` shows it. `limits` is what it was promised and does not get, `spent`
/// what it has spent today.
pub(super) fn unit_status(
    view: UnitView,
    wall: SystemTime,
    limits: Vec<String>,
    spent: Option<Spent>,
) -> UnitStatus {
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
        reading: view.reading.as_str().to_owned(),
        pid: view.process.map(|process| process.pid),
        since: rfc3339(view.since),
        why: view.why,
        next_wake,
        changed: view.changed,
        restarts: RestartCount { total: view.restarts, window: view.in_window },
        conversation: view.conversation,
        source: view.source.map(|(channel, age, evidence)| Source {
            channel: channel.to_string(),
            at: rfc3339(wall.checked_sub(age).unwrap_or(wall)),
            evidence,
        }),
        messages: view.messages,
        remedies: view
            .remedies
            .iter()
            .map(|(remedy, times)| (remedy.as_str().to_owned(), *times as u64))
            .collect(),
        last_exit: view.last_exit.map(|(exit, at)| last_exit(exit, at)),
        limits,
        usage: spent.map(|spent| usage(spent, wall)),
    }
}

/// The plan as `status --json` shows it.
pub(super) fn plan_status(view: PlanView) -> PlanStatus {
    let handoffs = view.handoffs.into_iter().map(|it| HandoffStatus {
        file: it.file,
        to: it.to.to_string(),
        pings: it.pings,
        commit: it.commit,
    });
    PlanStatus {
        phase: view.phase,
        phases: view.phases,
        done: view.done,
        blocked: view.blocked.is_some(),
        blocked_by: view.blocked,
        waits: view.waits,
        missing: view.missing,
        stalled: view.stalled,
        unknown: view.blind,
        handoffs: handoffs.collect(),
    }
}

fn usage(Spent { turns, tokens }: Spent, wall: SystemTime) -> Usage {
    Usage {
        day: date(day_of(wall)),
        turns,
        tokens: TokenCount {
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_write: tokens.cache_write,
        },
        total: tokens.total(),
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

fn last_exit(exit: Exit, at: SystemTime) -> LastExit {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(number) => {
            let name = signal_name(number).map_or_else(|| number.to_string(), str::to_owned);
            (None, Some(name))
        }
        Exit::OutOfMemory => (None, Some("KILL".to_owned())),
        Exit::Unknown => (None, None),
    };
    let oom = exit == Exit::OutOfMemory;
    LastExit { known: exit != Exit::Unknown, code, signal, oom, at: rfc3339(at) }
}
