//! One unit: what is believed of it, and how each thing seen changes that. Which action follows
//! is in `advance.rs`.

use std::time::{Duration, SystemTime};

use super::budget::{Budget, Random, Verdict};
use super::policy::UnitPolicy;
use super::{Exit, Mono, Now, Process, Record, Ticket, Wish};

/// How long to wait before looking or stopping again after it could not be done.
const AGAIN_FROM: Duration = Duration::from_secs(1);
/// The longest such wait.
const AGAIN_TO: Duration = Duration::from_secs(60);

pub(super) struct Unit {
    pub(super) policy: UnitPolicy,
    /// In no config any more: it is left running, and forgotten when it ends.
    pub(super) retired: bool,
    pub(super) wish: Wish,
    pub(super) drained: bool,
    pub(super) state: State,
    pub(super) flight: Option<Flight>,
    pub(super) process: Option<Process>,
    /// The last process known to have ended, and how: an answer that comes late and still saw it
    /// alive is not believed.
    pub(super) gone: Option<(Process, Exit)>,
    pub(super) ready: bool,
    /// The process that said so before the answer that names it.
    pub(super) early: Option<Process>,
    pub(super) ready_by: Option<Mono>,
    /// It did not say in time that it is ready, and a confirming look says the same.
    pub(super) overdue: bool,
    pub(super) bounce: Option<Bounce>,
    /// We have told the living process to end, whether it has heard or not.
    pub(super) ending: bool,
    /// A start was not answered: an end that a look finds may be that of the process before.
    pub(super) nameless: bool,
    /// The digest of the spec that the living process was started with.
    pub(super) running_spec: String,
    pub(super) budget: Budget,
    /// The next start is the answer to a death, and so counts as a restart.
    pub(super) is_restart: bool,
    /// The next start was asked to be a fresh one.
    pub(super) fresh: bool,
    /// The record does not yet say that the budget was forgiven.
    pub(super) unrecorded: bool,
    pub(super) last_exit: Option<(Exit, SystemTime)>,
    /// When the process was started of whose end nothing is known yet.
    pub(super) born: Option<Mono>,
    /// What to go on with if the first look finds nothing alive, and why.
    pub(super) resume: (State, String),
    pub(super) since: SystemTime,
    pub(super) why: String,
    /// Nobody could look: why.
    pub(super) blind: Option<String>,
    failures: u32,
}

/// What we are doing about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not known whether it lives; looked at next at this time.
    Unseen(Mono),
    /// Not running, as wished.
    Stopped,
    /// To be started as soon as nothing stands in the way.
    Waiting(Wait),
    Starting,
    Up,
    Stopping(StopReason),
    /// Not to be started, whatever the wish.
    Held,
    /// Crash loop; tried again then.
    GivenUp(Option<Mono>),
}

/// What a start waits for. Each but the first is found anew at every turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until then, and then whatever else stands in the way.
    Until(Mono),
    /// A dependency.
    For(String),
    /// The cap over all units.
    Cap(Mono),
    /// The pace of agent starts.
    Turn(Mono),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    Wish,
    Bounce,
    NotReady,
}

/// The one action under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) ticket: Ticket,
    pub(super) deadline: Mono,
    pub(super) kind: FlightKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlightKind {
    Look,
    Start,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounce {
    pub(super) fresh: bool,
}

/// What a death led to, for the journal and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// As wished.
    Stopped,
    /// Started again at once or later.
    Again,
    /// A crash loop.
    GivenUp,
    /// A person ended it: the wish is down.
    EndedByHand,
}

impl Unit {
    pub(super) fn new(
        policy: UnitPolicy,
        wish: Wish,
        drained: bool,
        record: Option<&Record>,
        now: Now,
    ) -> Self {
        let mut unit = Self {
            retired: false,
            wish,
            drained,
            state: State::Unseen(now.mono),
            flight: None,
            process: None,
            gone: None,
            ready: false,
            early: None,
            ready_by: None,
            overdue: false,
            bounce: None,
            ending: false,
            nameless: false,
            running_spec: policy.spec.clone(),
            budget: Budget::default(),
            is_restart: false,
            fresh: false,
            unrecorded: false,
            last_exit: None,
            born: None,
            resume: (State::Waiting(Wait::Until(now.mono)), String::new()),
            since: now.wall,
            why: String::from("not looked at yet"),
            blind: None,
            failures: 0,
            policy,
        };
        if let Some(record) = record {
            unit.running_spec.clone_from(&record.spec);
            unit.budget = Budget::from_record(record);
            unit.last_exit = record.last_exit;
            if record.process.is_some() {
                unit.ending = record.ending;
                unit.born = record.since.or(Some(now.mono));
                unit.since = record.since_wall.unwrap_or(now.wall);
            } else if record.looping && !record.why.is_empty() {
                let retry = unit.policy.restart.loop_retry;
                let at = retry.map(|wait| record.not_before.unwrap_or(now.mono + wait));
                unit.resume = (State::GivenUp(at), record.why.clone());
                unit.is_restart = true;
            } else if let Some(at) = record.not_before {
                unit.resume = (State::Waiting(Wait::Until(at)), record.why.clone());
                unit.is_restart = true;
            }
        }
        unit
    }

    /// Whether it shall run.
    pub(super) fn wanted(&self) -> bool {
        self.wish == Wish::Up && !self.drained
    }

    /// Whether those that come after it may start: it is up, and nothing is about to end it.
    pub(super) fn serves(&self) -> bool {
        self.state == State::Up && self.ready && self.wanted() && self.bounce.is_none()
    }

    pub(super) fn changed(&self) -> bool {
        self.process.is_some() && !self.retired && self.running_spec != self.policy.spec
    }

    pub(super) fn enter(&mut self, state: State, why: impl Into<String>, now: Now) {
        self.state = state;
        self.since = now.wall;
        self.why = why.into();
    }

    /// An operator wants it up now, whatever happened before.
    pub(super) fn wish_up(&mut self, now: Now) {
        self.wish = Wish::Up;
        self.drained = false;
        self.budget.clear();
        self.unrecorded = true;
        self.is_restart = false;
        self.resume = (State::Stopped, String::new());
        if matches!(self.state, State::Waiting(_) | State::GivenUp(_)) {
            self.enter(State::Stopped, "", now);
        }
    }

    /// The record to be written because an operator forgave, as soon as none can lose a process
    /// whose name is not known yet.
    pub(super) fn forgiven(&mut self) -> Option<Record> {
        let named = self.process.is_some() || self.born.is_none();
        (named && std::mem::take(&mut self.unrecorded)).then(|| self.record())
    }

    /// It lives: just born, or found alive.
    pub(super) fn lives(&mut self, process: Process, ready: bool, now: Now) {
        let ready = ready || self.early == Some(process);
        self.process = Some(process);
        self.nameless = false;
        self.ready = ready;
        self.overdue = false;
        self.blind = None;
        self.failures = 0;
        self.ready_by = match self.policy.ready_within {
            Some(within) if !ready => Some(now.mono + within),
            _ => None,
        };
    }

    /// How a process ended, if that is already known.
    pub(super) fn end_of(&self, process: Process) -> Option<Exit> {
        self.gone.filter(|(gone, _)| *gone == process).map(|(_, exit)| exit)
    }

    /// Its process ended, or never came to life; what follows, by the wish and the budget.
    pub(super) fn died(
        &mut self,
        exit: Option<Exit>,
        how: &str,
        now: Now,
        random: &mut Random,
    ) -> Aftermath {
        let born = self.born.take();
        let by_us = std::mem::take(&mut self.ending);
        self.nameless = false;
        let ended = self.process.take().map(|process| (process, exit.unwrap_or(Exit::Unknown)));
        self.gone = ended.or(self.gone);
        self.ready = false;
        self.ready_by = None;
        self.overdue = false;
        if let Some(exit) = exit {
            self.last_exit = Some((exit, now.wall));
        }
        if !self.wanted() || self.retired {
            self.bounce = None;
            let why = if self.drained { "drained; `start` brings it back" } else { "" };
            self.enter(State::Stopped, why, now);
            return Aftermath::Stopped;
        }
        if let Some(bounce) = self.bounce.take() {
            self.fresh = bounce.fresh;
            self.enter(State::Waiting(Wait::Until(now.mono)), "restarting, as asked", now);
            return Aftermath::Again;
        }
        if exit == Some(Exit::Code(0)) && self.policy.ends_by_hand && !by_us {
            self.wish = Wish::Down;
            self.enter(State::Stopped, "ended by hand; `start` brings it back", now);
            return Aftermath::EndedByHand;
        }
        self.is_restart = true;
        match self.budget.spend(&self.policy.restart, born, now.mono, random) {
            Verdict::After(wait) => {
                self.enter(State::Waiting(Wait::Until(now.mono + wait)), how, now);
                Aftermath::Again
            }
            Verdict::GiveUp(retry) => {
                let deaths = self.budget.in_window(&self.policy.restart, now.mono);
                let why = match deaths {
                    0 | 1 => format!("crash loop: {how} again"),
                    _ => format!("crash loop: {how}, {deaths} deaths in a short time"),
                };
                self.enter(State::GivenUp(retry.map(|wait| now.mono + wait)), why, now);
                Aftermath::GivenUp
            }
        }
    }

    /// Nobody could look, or the last action did not answer: look again later.
    pub(super) fn unseen(&mut self, why: String, now: Now) {
        let wait = AGAIN_FROM.saturating_mul(1 << self.failures.min(6)).min(AGAIN_TO);
        self.failures = self.failures.saturating_add(1);
        self.blind = Some(why.clone());
        match self.state {
            // A living unit whose readiness could not be looked at goes on living.
            State::Up => self.ready_by = Some(now.mono + wait),
            State::Unseen(_)
            | State::Stopped
            | State::Waiting(_)
            | State::Starting
            | State::Stopping(_)
            | State::Held
            | State::GivenUp(_) => self.enter(State::Unseen(now.mono + wait), why, now),
        }
    }

    /// What a record of this unit says now.
    pub(super) fn record(&self) -> Record {
        let mut record = Record {
            process: self.process,
            since: self.born,
            since_wall: self.born.map(|_| self.since),
            ready: self.ready,
            ending: self.ending,
            spec: self.running_spec.clone(),
            kind: self.policy.kind,
            crashes: Vec::new(),
            level: 0,
            looping: false,
            total: 0,
            last_exit: self.last_exit,
            not_before: match self.state {
                State::Waiting(Wait::Until(at)) => Some(at),
                State::GivenUp(retry) => retry,
                State::Unseen(_)
                | State::Stopped
                | State::Waiting(_)
                | State::Starting
                | State::Up
                | State::Stopping(_)
                | State::Held => None,
            },
            why: match self.state {
                State::Waiting(_) | State::GivenUp(_) => self.why.clone(),
                State::Unseen(_)
                | State::Stopped
                | State::Starting
                | State::Up
                | State::Stopping(_)
                | State::Held => String::new(),
            },
        };
        self.budget.write(&mut record);
        record
    }
}
