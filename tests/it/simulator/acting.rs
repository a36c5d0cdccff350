//! The laws that are checked when an action begins, against what may be known.

use std::time::Duration;

use agent_supervisor::decide::{Action, Dependency, StateView, UnitName, UnitView, Watchdog};

use super::house::{House, secs};
use super::judge::{Flight, Judge};
use super::laws::{Breach, Law};
use super::story::Kind;
use super::world::World;

impl Judge {
    pub(super) fn before(
        &mut self,
        action: &Action,
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let (unit, kind, ticket, limit) = match action {
            Action::Look { unit, ticket } => (unit, Kind::Look, ticket, secs(10)),
            Action::Start { unit, ticket, .. } => (unit, Kind::Start, ticket, secs(60)),
            Action::Stop { unit, ticket, grace } => (unit, Kind::Stop, ticket, *grace + secs(20)),
            Action::Type { unit, ticket, message, suspected } => {
                return self.before_type(unit, *ticket, (message, *suspected), world, house);
            }
            Action::ReadScreen { unit, ticket } => {
                return self.before_glance(unit, *ticket, world, house);
            }
            // Whoever comes back into the config begins anew.
            Action::Forget { unit } => {
                self.of(unit).starts.clear();
                return Ok(());
            }
            Action::Save(_)
            | Action::Record { .. }
            | Action::Await { .. }
            | Action::Lease { .. }
            | Action::Kickoff { .. } => return Ok(()),
            Action::Answer { unit, ticket, dialog, answer } => {
                let how = (*dialog, *answer);
                return self.before_answer(unit, *ticket, how, world, house);
            }
            Action::Journal(entry) => {
                self.reads(entry)?;
                return self.reads_of_plan(entry, world, house);
            }
            Action::Notify(notice) => return self.course.hears_notice(notice),
        };
        if self.of(unit).flight.is_some() {
            return Breach::err(Law::OneAction, format!("{action:?}"));
        }
        match kind {
            Kind::Look if self.of(unit).failed == Some(world.time) => {
                let how = format!("{unit} is looked at again without a pause");
                return Breach::err(Law::NoBusyLoop, how);
            }
            Kind::Look | Kind::Type | Kind::Screen | Kind::Answer => {}
            Kind::Start => self.before_start(unit, watchdog, world, house)?,
            Kind::Stop => self.before_stop(unit, world, house)?,
        }
        if let Action::Start { conversation, because, .. } = action {
            let (conversation, because) = (conversation.as_ref(), because.as_ref());
            self.before_talk(unit, conversation, because, world, house)?;
        }
        let deadline = world.time + limit;
        self.of(unit).talk.pen = None;
        self.of(unit).tended.answering = None;
        self.of(unit).flight = Some(Flight { ticket: *ticket, kind, deadline });
        Ok(())
    }

    fn before_start(
        &mut self,
        unit: &UnitName,
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        if let Some(process) = world.living(unit) {
            return Breach::err(Law::OneProcess, format!("{unit} is started beside {process:?}"));
        }
        let known = self.of(unit);
        let (sure, process) = (known.sure, known.process);
        if !sure || process.is_some() {
            let how = format!("{unit} is started; known: {sure}, its process: {process:?}");
            return Breach::err(Law::KnowsBeforeActing, how);
        }
        if known.down || known.drained {
            return Breach::err(Law::StartsOnlyWhatMayRun, format!("{unit} is not wished up"));
        }
        let Some(policy) = house.named(unit).filter(|policy| policy.hold.is_none()) else {
            return Breach::err(
                Law::StartsOnlyWhatMayRun,
                format!("{unit} is held or in no config"),
            );
        };
        for dependency in &policy.after {
            let there = match dependency {
                Dependency::Unit(other) => {
                    let is_up = |it: &UnitView| it.name == *other && it.state == StateView::Up;
                    // A look at it that is not answered is no death.
                    self.units.get(other).is_some_and(|it| it.process.is_some())
                        && watchdog.view(world.now()).iter().any(is_up)
                }
                Dependency::Docker
                | Dependency::Network
                | Dependency::Conversation(_)
                | Dependency::Alone(_)
                | Dependency::Requirements => self.there.get(dependency) == Some(&true),
            };
            if !there {
                let how = format!("{unit} is started without {dependency}");
                return Breach::err(Law::StartsOnlyWhatMayRun, how);
            }
        }
        self.counts_start(unit, world, house)
    }

    fn counts_start(
        &mut self,
        unit: &UnitName,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let restart = house.of(unit).restart.clone();
        let within = |at: &Duration, window: Duration| world.time - *at < window;
        let kills = self.kills.iter().filter(|at| within(at, restart.loop_within)).count();
        self.starts.push(world.time);
        let known = self.of(unit);
        known.starts.retain(|at| within(at, restart.loop_within));
        // What a phase asks for is no restart, nor a death.
        let for_phase = std::mem::take(&mut known.for_phase);
        if !known.tended.is_ended() && !for_phase {
            known.starts.push(world.time);
        }
        known.bounce = None;
        // The first start, the restarts, and none by a retry: those are further apart. A kill loses
        // the start under way and the death before it, which that start's record was to tell.
        if known.starts.len() > restart.loop_starts as usize + 2 * kills {
            let how = format!("{unit}: {} starts with {kills} kills", known.starts.len());
            return Breach::err(Law::BoundedRestarts, how);
        }
        known.was_first = std::mem::replace(&mut known.first, false);
        if !known.was_first {
            self.restarts.retain(|at| within(at, house.cap.within));
            self.restarts.push(world.time);
            if self.restarts.len() > house.cap.restarts as usize {
                let how = format!("{} restarts, the last of {unit}", self.restarts.len());
                return Breach::err(Law::Cap, how);
            }
        }
        Ok(())
    }

    fn before_stop(&mut self, unit: &UnitName, world: &World, house: &House) -> Result<(), Breach> {
        let known = self.of(unit);
        if known.down || known.drained || known.bounce.is_some() {
            return Ok(());
        }
        let process = known.process;
        if !known.sure || process.is_none() {
            let how = format!("{unit} is stopped unasked; it is known: {}", known.sure);
            return Breach::err(Law::KnowsBeforeActing, how);
        }
        let agent = house.named(unit).is_some_and(|policy| policy.agent.is_some());
        if !agent && known.unready != Some(world.time) && !self.is_changed(unit, world, house) {
            let how = format!("{unit} is stopped without a confirming look");
            return Breach::err(Law::KnowsBeforeActing, how);
        }
        // It is not ready, or changed: that is a death, or like one.
        self.of(unit).mishaps += 1;
        let changed = self.is_changed(unit, world, house);
        self.of(unit).first |= changed;
        let it = process.and_then(|process| world.procs.get(&process));
        // The confirming look before a stop is no older than a look may take.
        let ready = it.and_then(|it| it.ready).is_some_and(|at| world.time - at > secs(11));
        match process {
            Some(process) if agent => self.stops_for_a_remedy(unit, process, world, house),
            _ if ready && !changed => {
                Breach::err(Law::LeavesTheGoodAlone, format!("{unit} is stopped"))
            }
            _ => Ok(()),
        }
    }

    fn is_changed(&self, unit: &UnitName, world: &World, house: &House) -> bool {
        let process = self.units.get(unit).and_then(|known| known.process);
        let it = process.and_then(|process| world.procs.get(&process));
        let policy = house.named(unit);
        policy
            .zip(it)
            .is_some_and(|(policy, it)| policy.restart_on_change && policy.spec != it.spec)
    }
}
