//! What each thing seen changes in what is believed.

use super::event::{Action, Look, NoStart, Ticket};
use super::unit::{Aftermath, Bounce, FlightKind, State, StopReason, Unit, Wait};
use super::watchdog::{Watchdog, journal};
use super::{Dependency, Exit, Now, Process, UnitName};

impl Watchdog {
    pub(super) fn looked(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        look: Look,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.landed(name, ticket, FlightKind::Look) else { return };
        match look {
            Look::Alive { process, .. } if unit.end_of(process).is_some() => {
                let exit = unit.end_of(process);
                self.absent(now, name, exit, actions);
            }
            Look::Alive { process, ready } if unit.state == State::Up => {
                let was_ready = unit.ready;
                let late = unit.ready_by.is_some_and(|by| now.mono >= by);
                unit.lives(process, ready, now);
                unit.overdue = late && !unit.ready;
                let newly_ready = unit.ready && !was_ready;
                if newly_ready {
                    unit.why.clear();
                    actions.push(journal(name, "ready", "seen by a confirming look"));
                    actions.push(Action::Record { unit: name.clone(), record: unit.record() });
                }
                self.recall(now, name, actions);
            }
            Look::Alive { process, ready } => {
                let since = if unit.born.is_some() { unit.since } else { now.wall };
                unit.lives(process, ready, now);
                unit.born = unit.born.or(Some(now.mono));
                let why = if unit.retired {
                    "no longer in the config: left running; `stop` ends it"
                } else if unit.ready {
                    ""
                } else {
                    "not ready yet"
                };
                unit.enter(State::Up, why, now);
                unit.since = since;
                if unit.changed() && unit.policy.restart_on_change {
                    unit.bounce.get_or_insert(Bounce { fresh: false });
                }
                actions.push(journal(name, "adopted", format!("pid {}", process.pid)));
                actions.push(Action::Record { unit: name.clone(), record: unit.record() });
                self.recall(now, name, actions);
            }
            Look::Absent { exit } => self.absent(now, name, exit, actions),
            Look::Failed(why) => {
                actions.push(journal(name, "could-not-look", why.clone()));
                unit.unseen(format!("could not look: {why}"), now);
            }
        }
    }

    pub(super) fn started(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        outcome: Result<Process, NoStart>,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.landed(name, ticket, FlightKind::Start) else { return };
        match outcome {
            Ok(process) => {
                unit.lives(process, unit.policy.ready_within.is_none(), now);
                let why = if unit.ready { "" } else { "not ready yet" };
                unit.enter(State::Up, why, now);
                unit.is_restart = false;
                let told = unit.because.take().is_some();
                actions.push(journal(name, "started", format!("pid {}", process.pid)));
                self.brief(now, name, actions);
                if told {
                    // Or it is told once more by whoever comes after us.
                    actions.push(Action::Save(self.saved()));
                }
                self.recall(now, name, actions);
                let Some(unit) = self.units.get_mut(name) else { return };
                if let Some(exit) = unit.end_of(process) {
                    actions.push(journal(name, "exited", exit.to_string()));
                    self.death(now, name, Some(exit), &exit.to_string(), actions);
                } else if unit.ready && unit.policy.ready_within.is_some() {
                    actions.push(journal(name, "ready", ""));
                    actions.push(Action::Record { unit: name.clone(), record: unit.record() });
                } else {
                    let record = unit.forgiven();
                    actions
                        .extend(record.map(|record| Action::Record { unit: name.clone(), record }));
                }
            }
            Err(NoStart::Taken(why)) => self.taken(now, name, &why, actions),
            Err(NoStart::Refused(why)) => {
                actions.push(journal(name, "could-not-start", why.clone()));
                actions.push(journal(name, "held", why.clone()));
                unit.refused = Some(why.clone());
                unit.not_born();
                unit.enter(State::Held, why, now);
                self.record(name, actions);
            }
            Err(NoStart::Failed(why)) => {
                actions.push(journal(name, "could-not-start", why.clone()));
                self.death(now, name, None, &format!("could not start: {why}"), actions);
            }
        }
    }

    pub(super) fn stopped(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        outcome: Result<Option<Exit>, String>,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.landed(name, ticket, FlightKind::Stop) else { return };
        match outcome {
            Ok(exit) => {
                let reason = match unit.state {
                    State::Stopping(reason) => reason,
                    State::Unseen(_)
                    | State::Stopped
                    | State::Waiting(_)
                    | State::Starting
                    | State::Up
                    | State::Held
                    | State::GivenUp(_) => StopReason::Wish,
                };
                let how = match reason {
                    StopReason::NotReady => unit.why.clone(),
                    StopReason::Wish
                    | StopReason::Bounce
                    | StopReason::Tokens
                    | StopReason::Yield => {
                        // Wished up again while it was being stopped: that is no death.
                        unit.bounce.get_or_insert(Bounce { fresh: false });
                        String::new()
                    }
                };
                let ended = exit.map_or_else(String::new, |exit| exit.to_string());
                actions.push(journal(name, "stopped", ended));
                self.death(now, name, exit, &how, actions);
                if reason == StopReason::Tokens {
                    // No start follows that would write it.
                    self.record(name, actions);
                }
            }
            Err(why) => {
                actions.push(journal(name, "could-not-stop", why.clone()));
                unit.unseen(format!("could not stop: {why}"), now);
            }
        }
    }

    pub(super) fn is_ready(
        &mut self,
        name: &UnitName,
        process: Process,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.process.is_none() {
            unit.early = Some(process);
        }
        if unit.process == Some(process) && !unit.ready && unit.state == State::Up {
            unit.ready = true;
            unit.ready_by = None;
            unit.overdue = false;
            unit.why.clear();
            actions.push(journal(name, "ready", ""));
            actions.push(Action::Record { unit: name.clone(), record: unit.record() });
        }
    }

    pub(super) fn exited(
        &mut self,
        now: Now,
        name: &UnitName,
        process: Process,
        exit: Exit,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.process != Some(process) {
            // The answer that names this process is still on its way, or not waited for any more.
            if unit.process.is_none() {
                unit.gone = Some((process, exit));
            }
            return;
        }
        actions.push(journal(name, "exited", exit.to_string()));
        match unit.flight.map(|flight| flight.kind) {
            // The rest of its group is being ended; the answer to that is awaited.
            Some(FlightKind::Stop) => {
                unit.gone = Some((process, exit));
                unit.former = unit.process.take();
                unit.last_exit = Some((exit, now.wall));
            }
            Some(FlightKind::Look | FlightKind::Start) | None => {
                unit.flight = None;
                self.death(now, name, Some(exit), &exit.to_string(), actions);
            }
        }
    }

    pub(super) fn found(
        &mut self,
        now: Now,
        dependency: Dependency,
        outcome: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        let outside = self.outside.entry(dependency.clone()).or_default();
        match outcome {
            Ok(()) => {
                outside.there = Some(now.mono);
                outside.awaited = None;
                outside.why.clear();
            }
            Err(why) => {
                outside.there = None;
                if outside.why != why {
                    actions.push(Action::Journal(super::event::Entry {
                        unit: None,
                        event: "not-there",
                        why: format!("{dependency}: {why}"),
                    }));
                }
                outside.why = why;
            }
        }
    }

    /// A look found nothing alive.
    fn absent(&mut self, now: Now, name: &UnitName, exit: Option<Exit>, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.blind = None;
        if unit.born.is_some() {
            let exit = exit.filter(|_| !unit.nameless).unwrap_or(Exit::Unknown);
            actions.push(journal(name, "exited", format!("{exit}, while nobody watched")));
            self.death(now, name, Some(exit), &exit.to_string(), actions);
        } else if unit.retired {
            self.forget(name, actions);
        } else if let Some(bounce) = unit.bounce.take() {
            unit.fresh |= bounce.fresh;
            unit.enter(State::Waiting(Wait::Until(now.mono)), "", now);
        } else {
            let otherwise = (State::Waiting(Wait::Until(now.mono)), String::new());
            let (resume, why) = std::mem::replace(&mut unit.resume, otherwise);
            unit.enter(resume, why, now);
        }
    }

    fn death(
        &mut self,
        now: Now,
        name: &UnitName,
        exit: Option<Exit>,
        how: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.retired {
            return self.forget(name, actions);
        }
        let aftermath = unit.died(exit, how, now, &mut self.random);
        let at_once = matches!(&unit.state, State::Waiting(Wait::Until(at)) if *at <= now.mono);
        match aftermath {
            Aftermath::Again if at_once => return,
            Aftermath::Again | Aftermath::Stopped => {}
            Aftermath::GivenUp => {
                actions.push(journal(name, "gave-up", unit.why.clone()));
            }
            Aftermath::EndedByHand => {
                actions.push(journal(name, "ended-by-hand", "its wish is down"));
                let saved = self.saved();
                actions.push(Action::Save(saved));
            }
        }
        self.record(name, actions);
    }

    fn record(&mut self, name: &UnitName, actions: &mut Vec<Action>) {
        if let Some(unit) = self.units.get(name) {
            actions.push(Action::Record { unit: name.clone(), record: unit.record() });
        }
    }

    fn forget(&mut self, name: &UnitName, actions: &mut Vec<Action>) {
        if let Some(unit) = self.units.remove(name) {
            self.others.wishes.insert(name.clone(), unit.wish);
        }
        actions.push(journal(name, "forgotten", "it has ended, and no config names it"));
        actions.push(Action::Forget { unit: name.clone() });
    }

    /// The unit whose awaited answer this is, the action no longer under way.
    fn landed(&mut self, name: &UnitName, ticket: Ticket, kind: FlightKind) -> Option<&mut Unit> {
        let unit = self.units.get_mut(name)?;
        let awaited = unit.flight.is_some_and(|it| it.ticket == ticket && it.kind == kind);
        if !awaited {
            return None;
        }
        unit.flight = None;
        Some(unit)
    }
}
