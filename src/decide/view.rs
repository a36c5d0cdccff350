//! What can be asked of the watchdog: the state of each unit, and whether a request is fulfilled.

use std::time::{Duration, SystemTime};

use super::unit::{State, Unit, Wait};
use super::watchdog::Watchdog;
use super::{Channel, Exit, Mono, Now, Process, Reading, Remedy, UnitKind, UnitName, Wish};

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
    /// The conversation of an agent session.
    pub conversation: Option<String>,
    /// Which channel says what it is doing, how long ago, and what was seen.
    pub source: Option<(Channel, Duration, String)>,
    /// Messages that are still to be typed into it.
    pub messages: usize,
    /// How often each remedy was used within a day.
    pub remedies: Vec<(Remedy, usize)>,
}

/// The plan, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanView {
    /// The phase now.
    pub phase: Option<String>,
    /// All phases of the config.
    pub phases: Vec<String>,
    /// The last phase is done, with consent.
    pub done: bool,
    /// The phase is done, and the next one waits for a person.
    pub waits: bool,
    /// What stands under `## Blocked`.
    pub blocked: Option<String>,
    /// What the DONE that stands there lacks.
    pub missing: Vec<String>,
    /// Nothing has moved for long although somebody is there who could.
    pub stalled: bool,
    /// What cannot be looked at, and why.
    pub blind: Vec<String>,
    /// The hand-offs, as in the config.
    pub handoffs: Vec<HandoffView>,
}

/// A hand-off, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffView {
    /// The file.
    pub file: String,
    /// Who is woken.
    pub to: UnitName,
    /// How often, by this supervisor.
    pub pings: u64,
    /// At which commit the last time.
    pub commit: String,
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
    /// The plan.
    pub fn plan_view(&self) -> PlanView {
        let course = &self.course;
        let handoffs = course.handoffs.iter().map(|it| {
            let (pings, commit) = course.pings.get(&it.key).cloned().unwrap_or_default();
            HandoffView { file: it.file.clone(), to: it.to.clone(), pings, commit }
        });
        let phases = course.policy.phases.iter();
        PlanView {
            phase: course.saved.phase.clone(),
            phases: phases.map(|phase| phase.name.clone()).collect(),
            done: course.saved.done.is_some(),
            waits: course.saved.waits.is_some(),
            blocked: course.blocked.clone(),
            missing: course.missing.clone(),
            stalled: course.stalled,
            blind: course.blind.iter().map(|(what, why)| format!("{what}: {why}")).collect(),
            handoffs: handoffs.collect(),
        }
    }

    /// Every unit, by name.
    pub fn view(&self, now: Now) -> Vec<UnitView> {
        let shown = |(name, unit)| {
            let stalled = self.is_stalled(name, now.mono);
            let view = unit_view(name, unit, now);
            let reading = if stalled { Reading::Stalled } else { view.reading };
            UnitView { reading, ..view }
        };
        self.units.iter().map(shown).collect()
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
        State::Waiting(Wait::Tokens(_)) => Outcome::Missed(unit.why.clone()),
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
        wish: match unit.policy.agent.as_ref().is_some_and(|agent| agent.unwatched) {
            true if unit.process.is_none() => Wish::Down,
            true | false => unit.wish,
        },
        state,
        reading: reading(unit),
        process: unit.process,
        since: unit.since,
        why: if !unit.care.says.is_empty() {
            unit.care.says.clone()
        } else if unit.why.is_empty() {
            unit.overspent().unwrap_or_default()
        } else {
            unit.why.clone()
        },
        next_wake,
        changed: unit.changed(),
        restarts: unit.budget.total(),
        in_window: unit.budget.in_window(&unit.policy.restart, now.mono),
        last_exit: unit.last_exit,
        conversation: unit.conversation.clone(),
        source: unit
            .sightings
            .best()
            .map(|it| (it.channel, now.mono.since(it.at), it.evidence.clone())),
        messages: unit.queue.len(),
        remedies: unit.care.spent.in_a_day(now.mono),
    }
}

fn state_view(unit: &Unit, now: Mono) -> (StateView, Option<(Duration, &'static str)>) {
    let then = |at: Mono, what| Some((at.since(now), what));
    match &unit.state {
        State::Unseen(at) => (StateView::Waiting, then(*at, "looks again")),
        State::Stopped => (StateView::Stopped, None),
        State::Waiting(Wait::Until(at) | Wait::Cap(at) | Wait::Turn(at) | Wait::Tokens(at)) => {
            (StateView::Waiting, then(*at, "starts"))
        }
        State::Waiting(Wait::For(_)) => (StateView::Waiting, None),
        State::Starting => (StateView::Starting, None),
        State::Up if unit.ready => {
            (StateView::Up, unit.care.next.and_then(|(at, what)| then(at, what)))
        }
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
        (Some(_), UnitKind::Session | UnitKind::Orchestrator) if unit.policy.agent.is_none() => {
            Reading::Idle
        }
        (Some(_), UnitKind::Session | UnitKind::Orchestrator) => {
            unit.sightings.best().map_or(Reading::Starting, |it| it.doing.reading())
        }
    }
}
