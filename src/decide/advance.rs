//! Which actions follow from what is believed: at most one under way for each unit, and each with
//! a deadline.

use std::time::Duration;

use super::event::{Action, Ticket};
use super::unit::{Flight, FlightKind, State, StopReason, Unit, Wait};
use super::watchdog::{Watchdog, journal};
use super::{Dependency, Mono, Now, UnitName};

/// A look asks /proc, tmux or systemd: milliseconds. One that takes longer hangs.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);
/// A start may have to end the leftovers of the last life first, and to read files.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// What a stop may take beyond the grace: force, and the kernel's own time to let go.
const STOP_SLACK: Duration = Duration::from_secs(20);
/// A dependency seen to be there is believed for so long.
const FOUND_HOLDS: Duration = Duration::from_secs(5);
/// A watch for a dependency that said nothing for so long is begun anew.
const AWAIT_DEADLINE: Duration = Duration::from_secs(60);

impl Watchdog {
    /// Begins whatever can be begun now.
    pub(super) fn advance(&mut self, now: Now, actions: &mut Vec<Action>) {
        for outside in self.outside.values_mut() {
            outside.awaited.take_if(|at| now.mono.since(*at) >= AWAIT_DEADLINE);
        }
        self.mind_accounts(now, actions);
        self.turn_phase(now, actions);
        self.mind_progress(now, actions);
        let names: Vec<UnitName> = self.units.keys().cloned().collect();
        for name in names {
            self.expire(now, &name, actions);
            self.remedy(now, &name, actions);
            self.free(now, &name, actions);
            self.follow_phase(&name, actions);
            self.begin(now, &name, actions);
            self.take_pen(now, &name, actions);
        }
    }

    /// Gives up on an action that did not answer in time. What it has done is not known: that is
    /// for a look to find out.
    fn expire(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(flight) = unit.flight.take_if(|flight| now.mono >= flight.deadline) else {
            return;
        };
        unit.nameless |= flight.kind == FlightKind::Start;
        let what = match flight.kind {
            FlightKind::Look => "look",
            FlightKind::Start => "start",
            FlightKind::Stop => "stop",
        };
        actions.push(journal(name, "no-answer", format!("the {what} did not answer in time")));
        unit.unseen(format!("a {what} did not answer in time"), now);
    }

    fn begin(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get(name) else { return };
        if unit.flight.is_some() {
            return;
        }
        let wanted = unit.wanted();
        match unit.state.clone() {
            State::Unseen(at) => {
                if now.mono >= at {
                    self.look(now, name, actions);
                }
            }
            State::Up => {
                if !wanted {
                    self.stop(now, name, StopReason::Wish, actions);
                } else if unit.bounce.is_some() {
                    self.stop(now, name, StopReason::Bounce, actions);
                } else if unit.yields {
                    self.stop(now, name, StopReason::Yield, actions);
                } else if unit.may_be_held() {
                    self.stop(now, name, StopReason::Tokens, actions);
                } else if unit.overdue {
                    self.stop(now, name, StopReason::NotReady, actions);
                } else if unit.ready_by.is_some_and(|by| now.mono >= by) {
                    self.look(now, name, actions);
                }
            }
            State::Stopped | State::Waiting(_) | State::GivenUp(_) | State::Held => {
                if wanted && unit.policy.agent.as_ref().is_some_and(|agent| agent.unwatched) {
                    if unit.state != State::Stopped {
                        self.rest(now, name);
                    }
                } else if wanted && !unit.retired {
                    self.start_if_free(now, name, actions);
                } else if unit.state != State::Stopped {
                    self.rest(now, name);
                }
            }
            // These have an action under way, or have just lost it and become unseen.
            State::Starting | State::Stopping(_) => {}
        }
    }

    fn rest(&mut self, now: Now, name: &UnitName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let unwatched = unit.policy.agent.as_ref().is_some_and(|agent| agent.unwatched);
        let why = match (unit.drained, unwatched) {
            (true, _) => "drained; `start` brings it back",
            (false, true) => "watch = false: it is left alone",
            (false, false) => "",
        };
        unit.enter(State::Stopped, why, now);
    }

    fn start_if_free(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let obstacle = self.obstacle(now, name, actions);
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(obstacle) = obstacle else {
            return self.start(now, name, actions);
        };
        if unit.state == obstacle {
            return;
        }
        let why = match &obstacle {
            State::Waiting(Wait::For(what)) => format!("waits for {what}"),
            State::Waiting(Wait::Cap(_)) => "waits for the cap over all units".to_owned(),
            State::Waiting(Wait::Turn(_)) => "waits for its turn after other agents".to_owned(),
            State::Waiting(Wait::Tokens(_)) => unit.overspent().unwrap_or_default(),
            State::Held => unit.held().unwrap_or_default(),
            State::Unseen(_)
            | State::Stopped
            | State::Waiting(Wait::Until(_))
            | State::Starting
            | State::Up
            | State::Stopping(_)
            | State::GivenUp(_) => unit.why.clone(),
        };
        let event = if obstacle == State::Held { "held" } else { "waits" };
        actions.push(journal(name, event, why.clone()));
        unit.enter(obstacle, why, now);
    }

    /// What stands in the way of a start, as the state it puts the unit in.
    fn obstacle(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) -> Option<State> {
        let unit = self.units.get(name)?;
        // A login that is lost and found again forgives no crash loop.
        let loops = match unit.state {
            State::GivenUp(retry) => retry.is_none_or(|at| now.mono < at),
            State::Unseen(_)
            | State::Stopped
            | State::Waiting(_)
            | State::Starting
            | State::Up
            | State::Stopping(_)
            | State::Held => false,
        };
        let by_login = unit.policy.hold.is_none() && unit.refused.is_none();
        if unit.held().is_some() && !(loops && by_login) {
            return Some(State::Held);
        }
        match &unit.state {
            State::Waiting(Wait::Until(at)) if now.mono < *at => return Some(unit.state.clone()),
            State::GivenUp(None) => return Some(State::GivenUp(None)),
            State::GivenUp(Some(at)) if now.mono < *at => return Some(unit.state.clone()),
            State::Waiting(_)
            | State::GivenUp(_)
            | State::Unseen(_)
            | State::Stopped
            | State::Starting
            | State::Up
            | State::Stopping(_)
            | State::Held => {}
        }
        if let Some(until) = unit.holds_until() {
            return Some(State::Waiting(Wait::Tokens(until)));
        }
        let (is_restart, paced) = (unit.is_restart, unit.policy.paced);
        if unit.waits_for_a_person() {
            // Whoever comes is seen, and kept alive from then on.
            let _ = self.missing(now, Dependency::Alone(name.clone()), actions);
            return Some(State::Waiting(Wait::For("a person to start it".to_owned())));
        }
        let taken = unit.taken.then(|| Dependency::Conversation(name.clone()));
        let alone = unit.stands_back().then(|| Dependency::Alone(name.clone()));
        let required =
            (unit.policy.agent.is_some() && self.requires).then_some(Dependency::Requirements);
        let after = unit.policy.after.clone().into_iter();
        for dependency in after.chain(required).chain(taken).chain(alone) {
            if let Some(missing) = self.missing(now, dependency, actions) {
                return Some(State::Waiting(Wait::For(missing)));
            }
        }
        if is_restart {
            let turn = self.turnstile.pass(self.cap, now.mono);
            return turn.err().map(|at| State::Waiting(Wait::Cap(at)));
        }
        if paced {
            let turn = self.last_paced.map(|last| last + self.stagger);
            if let Some(turn) = turn.filter(|turn| now.mono < *turn) {
                return Some(State::Waiting(Wait::Turn(turn)));
            }
            self.last_paced = Some(now.mono);
        }
        None
    }

    /// Whether a dependency is missing, in words; watched for if it lies outside.
    fn missing(
        &mut self,
        now: Now,
        dependency: Dependency,
        actions: &mut Vec<Action>,
    ) -> Option<String> {
        if let Dependency::Unit(other) = &dependency {
            let there = self.units.get(other).is_some_and(Unit::serves);
            return (!there).then(|| other.to_string());
        }
        let outside = self.outside.entry(dependency.clone()).or_default();
        // What is required is looked at before the first start alone.
        let holds = dependency == Dependency::Requirements;
        if outside.there.is_some_and(|there| holds || now.mono.since(there) < FOUND_HOLDS) {
            return None;
        }
        if outside.awaited.is_none() {
            outside.awaited = Some(now.mono);
            actions.push(Action::Await { dependency: dependency.clone() });
        }
        Some(match outside.why.as_str() {
            "" => dependency.to_string(),
            why => format!("{dependency}: {why}"),
        })
    }

    fn look(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let ticket = self.take_off(now, name, FlightKind::Look, LOOK_DEADLINE);
        actions.push(Action::Look { unit: name.clone(), ticket });
    }

    fn start(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let ticket = self.take_off(now, name, FlightKind::Start, START_DEADLINE);
        let conversation = self.conversation_to_open(name, actions);
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.is_restart {
            unit.budget.count_restart();
        }
        let was_waiting = matches!(unit.state, State::Waiting(Wait::For(_)));
        let why = match std::mem::take(&mut unit.why) {
            why if unit.is_restart && !was_waiting => why,
            _ if was_waiting => "what it waited for is there".to_owned(),
            _ => "as wished".to_owned(),
        };
        actions.push(journal(name, "starting", why.clone()));
        unit.enter(State::Starting, why, now);
        unit.born = Some(now.mono);
        unit.ending = false;
        unit.yields = false;
        unit.unrecorded = false;
        unit.running_spec.clone_from(&unit.policy.spec);
        unit.ready = unit.policy.ready_within.is_none();
        actions.push(Action::Start {
            unit: name.clone(),
            ticket,
            record: unit.record(),
            conversation,
            by_name: !unit.renewed,
            because: unit.because.clone(),
        });
    }

    fn stop(&mut self, now: Now, name: &UnitName, reason: StopReason, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let grace = unit.policy.grace;
        let why = match reason {
            StopReason::Wish => "as asked".to_owned(),
            StopReason::Bounce => "to be restarted".to_owned(),
            StopReason::Tokens => unit.overspent().unwrap_or_default(),
            StopReason::Yield => "somebody else is there".to_owned(),
            StopReason::NotReady => {
                let within = unit.policy.ready_within.unwrap_or_default();
                format!("not ready within {within:?}")
            }
        };
        actions.push(journal(name, "stopping", why.clone()));
        unit.enter(State::Stopping(reason), why, now);
        unit.ending = true;
        actions.push(Action::Record { unit: name.clone(), record: unit.record() });
        let ticket = self.take_off(now, name, FlightKind::Stop, grace + STOP_SLACK);
        actions.push(Action::Stop { unit: name.clone(), ticket, grace });
    }

    fn take_off(&mut self, now: Now, name: &UnitName, kind: FlightKind, limit: Duration) -> Ticket {
        let ticket = self.ticket();
        if let Some(unit) = self.units.get_mut(name) {
            unit.flight = Some(Flight { ticket, deadline: now.mono + limit, kind });
        }
        ticket
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// When something happens by itself next, and what. Whoever feeds the watchdog sends a
    /// [`super::Event::Tick`] then.
    pub fn next_wake(&self) -> Option<(Mono, &'static str)> {
        let units = self.units.values().filter_map(|unit| {
            if let Some(flight) = unit.flight {
                return Some((flight.deadline, "an action must have answered"));
            }
            match &unit.state {
                State::Unseen(at) => Some((*at, "look again")),
                State::Waiting(
                    Wait::Until(at) | Wait::Cap(at) | Wait::Turn(at) | Wait::Tokens(at),
                ) => Some((*at, "start")),
                State::GivenUp(at) => at.map(|at| (at, "try a given-up unit once")),
                State::Up => unit.ready_by.map(|at| (at, "must be ready")),
                State::Waiting(Wait::For(_))
                | State::Stopped
                | State::Starting
                | State::Stopping(_)
                | State::Held => None,
            }
        });
        let waiting = |unit: &Unit| matches!(unit.state, State::Waiting(Wait::For(_)));
        let outside = self
            .outside
            .values()
            .filter(|_| self.units.values().any(waiting))
            .filter_map(|it| it.awaited.map(|at| (at + AWAIT_DEADLINE, "watch for it anew")));
        let pens = self.units.values().filter_map(Unit::pen_wake);
        let care = self.units.values().filter_map(|unit| unit.care.next);
        let account = self.accounts.next_wake().map(|at| (at, "try whether a login is back"));
        let remedies = care.chain(account).chain(self.phase_wake()).chain(self.progress_wake());
        units.chain(pens).chain(remedies).chain(outside).min_by_key(|(at, _)| *at)
    }
}
