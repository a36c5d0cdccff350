//! One unit: what is believed of it, and how each thing seen changes that. Which action follows
//! is in `advance.rs`.

use std::time::{Duration, SystemTime};

use super::allowance::Allowance;
use super::budget::{Budget, Random, Verdict};
use super::care::Care;
use super::fusion::Sightings;
use super::hearsay::Hearsay;
use super::message::Queue;
use super::pen::{Glances, Pen};
use super::policy::UnitPolicy;
pub(super) use super::state::{Aftermath, Bounce, Flight, FlightKind, State, StopReason, Wait};
use super::{Exit, Mono, Now, Process, Record, Wish};

/// How long to wait before looking or stopping again after it could not be done.
const AGAIN_FROM: Duration = Duration::from_secs(1);
/// The longest such wait.
const AGAIN_TO: Duration = Duration::from_secs(60);
/// How long to wait before the next start of what cannot reach its service: that is no crash. It
/// doubles.
const OUTAGE_FROM: Duration = Duration::from_secs(5);
/// The longest such wait.
const OUTAGE_TO: Duration = Duration::from_secs(5 * 60);

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
    /// The process that was known to be ours before the next start.
    pub(super) former: Option<Process>,
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
    pub(super) allowance: Allowance,
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
    /// The conversation of an agent session.
    pub(super) conversation: Option<String>,
    /// The conversation is open in another process.
    pub(super) taken: bool,
    /// Why it would be refused every time; until an operator asks for it again.
    pub(super) refused: Option<String>,
    pub(super) sightings: Sightings,
    pub(super) hearsay: Hearsay,
    pub(super) glances: Glances,
    pub(super) pen: Option<Pen>,
    pub(super) queue: Queue,
    pub(super) care: Care,
    /// Its login, as a digest.
    pub(super) account: Option<String>,
    /// Why nothing is typed into it, and it is not started: its login is not accepted.
    pub(super) account_hold: Option<String>,
    /// Its process said before it ended that its service cannot be reached.
    pub(super) cut_off: bool,
    /// Ends of that kind in a row.
    outages: u32,
    /// Why the next conversation is not the last one, for its first prompt.
    pub(super) because: Option<String>,
    /// Its conversation was begun because another one was wanted than the last.
    pub(super) renewed: bool,
    /// It was seen to live, by us or in a person's hands, or an operator has asked for it.
    pub(super) met: bool,
    /// Who else was seen in its place.
    pub(super) stranger: Option<String>,
    /// It makes room for somebody else.
    pub(super) yields: bool,
    failures: u32,
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
            former: None,
            ready: false,
            early: None,
            ready_by: None,
            overdue: false,
            bounce: None,
            ending: false,
            nameless: false,
            running_spec: policy.spec.clone(),
            budget: Budget::default(),
            allowance: Allowance::default(),
            is_restart: false,
            fresh: false,
            unrecorded: false,
            last_exit: None,
            born: None,
            resume: (State::Waiting(Wait::Until(now.mono)), String::new()),
            since: now.wall,
            why: String::from("not looked at yet"),
            blind: None,
            conversation: None,
            taken: false,
            refused: None,
            sightings: Sightings::default(),
            hearsay: Hearsay::default(),
            glances: Glances::default(),
            pen: None,
            queue: Queue::default(),
            care: Care::default(),
            account: None,
            account_hold: None,
            cut_off: false,
            outages: 0,
            because: None,
            renewed: false,
            met: false,
            stranger: None,
            yields: false,
            failures: 0,
            policy,
        };
        if let Some(record) = record {
            unit.running_spec.clone_from(&record.spec);
            unit.budget = Budget::from_record(record);
            unit.last_exit = record.last_exit;
            unit.former = record.process;
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

    /// Why it is not to be started until a person acts.
    pub(super) fn held(&self) -> Option<String> {
        let hold = || self.refused.clone().or_else(|| self.account_hold.clone());
        self.policy.hold.clone().or_else(hold)
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
        self.refused = None;
        self.because = None;
        self.forget_command();
        self.care.forgive();
        self.outages = 0;
        self.taken = false;
        self.met = true;
        self.resume = (State::Stopped, String::new());
        if matches!(self.state, State::Waiting(_) | State::GivenUp(_)) {
            self.enter(State::Stopped, "", now);
        }
    }

    /// A command that was to be typed as a remedy and has not been begun is not typed any more:
    /// whatever it was for, it would meet something else.
    fn forget_command(&mut self) {
        if let Some(line) = self.care.line {
            self.queue.withdraw_command(line);
        }
    }

    /// It lives: just born, or found alive.
    pub(super) fn lives(&mut self, process: Process, ready: bool, now: Now) {
        let ready = ready || self.early == Some(process);
        if self.process != Some(process) {
            self.unlisten(now);
            self.forget_command();
            self.care.begin_life();
            self.cut_off = false;
        }
        self.process = Some(process);
        self.taken = false;
        self.met = true;
        self.stranger = None;
        self.listen(now);
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

    /// It has come as far as its prompt: its service can be reached.
    pub(super) fn is_connected(&mut self) {
        self.outages = 0;
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
        self.yields = false;
        self.unlisten(now);
        self.former = self.process.or(self.former);
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
            self.fresh |= bounce.fresh;
            self.enter(State::Waiting(Wait::Until(now.mono)), "restarting, as asked", now);
            return Aftermath::Again;
        }
        if exit == Some(Exit::Code(0)) && self.policy.ends_by_hand && !by_us {
            self.wish = Wish::Down;
            self.enter(State::Stopped, "ended by hand; `start` brings it back", now);
            return Aftermath::EndedByHand;
        }
        if std::mem::take(&mut self.cut_off) {
            let wait = OUTAGE_FROM.saturating_mul(1 << self.outages.min(8)).min(OUTAGE_TO);
            self.outages = self.outages.saturating_add(1);
            let at = now.mono + random.jitter(wait);
            let why = "its service cannot be reached: tried again by itself";
            self.enter(State::Waiting(Wait::Until(at)), why, now);
            return Aftermath::Again;
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
}
