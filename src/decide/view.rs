//! What can be asked of the watchdog: the state of each unit, and whether a request is fulfilled.

use std::time::{Duration, SystemTime};

use super::unit::{State, Unit, Wait};
use super::watchdog::Watchdog;
use super::{Exit, Mono, Now, Process, Reading, UnitKind, UnitName, Wish};

/// One unit, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitView {
    /// Its name.
    pub name: UnitName,
    /// Its kind.
    pub kind: UnitKind,
    /// The operator's wish.
    pub wish: Wish,
    /// What we are doing about it.
    pub state: StateView,
    /// What it is doing.
    pub reading: Reading,
    /// Its process.
    pub process: Option<Process>,
    /// Since when it is in this state.
    pub since: SystemTime,
    /// Why, in words.
    pub why: String,
    /// When something happens by itself next, from now, and what.
    pub next_wake: Option<(Duration, &'static str)>,
    /// The start spec changed under it.
    pub changed: bool,
    /// Restarts in this boot.
    pub restarts: u64,
    /// Deaths that count towards a crash loop now.
    pub in_window: u32,
    /// How its last process ended.
    pub last_exit: Option<(Exit, SystemTime)>,
}

/// The states as they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateView {
    /// Down, as wished.
    Stopped,
    /// Being started, or not yet ready.
    Starting,
    /// Running.
    Up,
    /// Being stopped.
    Stopping,
    /// To be started, and something stands in the way.
    Waiting,
    /// Not to be started until a person acts.
    Held,
    /// Crash loop.
    GivenUp,
}

/// What an operator waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Up and ready.
    Up,
    /// Nothing of it left.
    Down,
}

/// Whether it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet; what it waits for, in words.
    Pending(String),
    /// It is so.
    Reached,
    /// It is not, and will not be soon: why.
    Missed(String),
}

impl Watchdog {
    /// Every unit, by name.
    pub fn view(&self, now: Now) -> Vec<UnitView> {
        self.units.iter().map(|(name, unit)| unit_view(name, unit, now)).collect()
    }

    /// Whether every unit has been looked at since the start, or could not be.
    pub fn has_looked(&self) -> bool {
        let seen = |unit: &Unit| !matches!(unit.state, State::Unseen(_)) || unit.blind.is_some();
        self.units.values().all(seen)
    }

    /// Whether a unit is in no config any more: it can be stopped, but not be started again.
    pub fn is_retired(&self, name: &UnitName) -> bool {
        self.units.get(name).is_some_and(|unit| unit.retired)
    }

    /// Whether nothing of any unit is left, and nothing is to be started.
    pub fn is_all_down(&self) -> bool {
        self.units.values().all(|unit| outcome_down(unit) == Outcome::Reached)
    }

    /// Whether `goal` is reached for a unit; none = there is no such unit.
    pub fn outcome(&self, name: &UnitName, goal: Goal) -> Option<Outcome> {
        let unit = self.units.get(name)?;
        Some(match goal {
            Goal::Up => outcome_up(unit),
            Goal::Down => outcome_down(unit),
        })
    }

    /// The names of all units.
    pub fn names(&self) -> impl Iterator<Item = &UnitName> {
        self.units.keys()
    }
}

fn outcome_up(unit: &Unit) -> Outcome {
    if unit.retired {
        return Outcome::Missed("no longer in the config".to_owned());
    }
    match &unit.state {
        State::Up if unit.ready && unit.bounce.is_none() => Outcome::Reached,
        State::Held | State::GivenUp(_) => Outcome::Missed(unit.why.clone()),
        State::Waiting(Wait::Until(_) | Wait::Cap(_)) if unit.is_restart => {
            Outcome::Missed(format!("{}; it is tried again by itself", unit.why))
        }
        State::Stopped if unit.wish == Wish::Down => {
            Outcome::Missed("stopped meanwhile".to_owned())
        }
        State::Unseen(_)
        | State::Stopped
        | State::Waiting(_)
        | State::Starting
        | State::Up
        | State::Stopping(_) => Outcome::Pending(unit.why.clone()),
    }
}

fn outcome_down(unit: &Unit) -> Outcome {
    if unit.wanted() {
        return Outcome::Missed("started meanwhile".to_owned());
    }
    match &unit.state {
        State::Stopped | State::Held => Outcome::Reached,
        State::Unseen(_)
        | State::Waiting(_)
        | State::Starting
        | State::Up
        | State::Stopping(_)
        | State::GivenUp(_) => Outcome::Pending(unit.why.clone()),
    }
}

fn unit_view(name: &UnitName, unit: &Unit, now: Now) -> UnitView {
    let (state, next_wake) = state_view(unit, now.mono);
    UnitView {
        name: name.clone(),
        kind: unit.policy.kind,
        wish: unit.wish,
        state,
        reading: reading(unit),
        process: unit.process,
        since: unit.since,
        why: unit.why.clone(),
        next_wake,
        changed: unit.changed(),
        restarts: unit.budget.total(),
        in_window: unit.budget.in_window(&unit.policy.restart, now.mono),
        last_exit: unit.last_exit,
    }
}

fn state_view(unit: &Unit, now: Mono) -> (StateView, Option<(Duration, &'static str)>) {
    let then = |at: Mono, what| Some((at.since(now), what));
    match &unit.state {
        State::Unseen(at) => (StateView::Waiting, then(*at, "looks again")),
        State::Stopped => (StateView::Stopped, None),
        State::Waiting(Wait::Until(at) | Wait::Cap(at) | Wait::Turn(at)) => {
            (StateView::Waiting, then(*at, "starts"))
        }
        State::Waiting(Wait::For(_)) => (StateView::Waiting, None),
        State::Starting => (StateView::Starting, None),
        State::Up if unit.ready => (StateView::Up, None),
        State::Up => {
            let wake = unit.ready_by.and_then(|at| then(at, "restarts unless ready"));
            (StateView::Starting, wake)
        }
        State::Stopping(_) => (StateView::Stopping, None),
        State::Held => (StateView::Held, None),
        State::GivenUp(at) => (StateView::GivenUp, at.and_then(|at| then(at, "tries again"))),
    }
}

fn reading(unit: &Unit) -> Reading {
    if unit.blind.is_some() || matches!(unit.state, State::Unseen(_)) {
        return Reading::Unknown;
    }
    match (unit.process, unit.policy.kind) {
        (None, UnitKind::Service) if unit.state == State::Starting => Reading::Unready,
        (None, UnitKind::Session | UnitKind::Orchestrator) if unit.state == State::Starting => {
            Reading::Starting
        }
        (None, _) => Reading::Dead,
        (Some(_), UnitKind::Service) if unit.ready => Reading::Ready,
        (Some(_), UnitKind::Service) => Reading::Unready,
        (Some(_), UnitKind::Session | UnitKind::Orchestrator) => Reading::Idle,
    }
}
