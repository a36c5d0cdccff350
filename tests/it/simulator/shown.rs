//! The laws about what is shown, what is recorded, and what an event must lead to at once.

use agent_supervisor::decide::{
    Action, Dependency, Event, Exit, Process, Record, StateView, UnitKind, UnitName, UnitView,
    Watchdog,
};

use super::house::House;
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::remedies;
use super::story::Kind;
use super::world::World;

pub(super) fn judge(
    watchdog: &Watchdog,
    judge: &Judge,
    world: &World,
    house: &House,
) -> Result<(), Breach> {
    let now = world.now();
    if let Some((at, what)) = watchdog.next_wake()
        && at <= now.mono
    {
        return Breach::err(Law::NoBusyLoop, format!("{what} is due at {at:?}, now {now:?}"));
    }
    for view in watchdog.view(now) {
        unit(&view, judge, house)?;
    }
    Ok(())
}

fn unit(view: &UnitView, judge: &Judge, house: &House) -> Result<(), Breach> {
    let name = &view.name;
    if let Some(process) = view.process.filter(|process| judge.told.contains(process)) {
        return Breach::err(Law::DeadIsNotShownAlive, format!("{name}: {process:?}"));
    }
    let known = &judge.units[name];
    remedies::judge_up(view, known.down || known.drained)?;
    if known.down || known.drained || view.state == StateView::Up {
        return Ok(());
    }
    if view.why.is_empty() {
        return Breach::err(
            Law::SaysWhy,
            format!("{name} is {:?} and does not say why", view.state),
        );
    }
    let when_known = match view.state {
        StateView::Waiting => view.next_wake.is_some() || view.why.starts_with("waits for "),
        StateView::Starting | StateView::Stopping => {
            view.next_wake.is_some() || known.flight.is_some() || house.named(name).is_none()
        }
        StateView::Held => {
            known.talk.refused
                || judge.login.is_held(&view.name)
                || house.named(name).is_some_and(|policy| policy.hold.is_some())
        }
        StateView::GivenUp => {
            let retry = house.of(name).restart.loop_retry;
            retry.is_none() || view.next_wake.is_some()
        }
        // Wished up, and yet shown as if it were not.
        StateView::Stopped => house.named(name).is_none(),
        StateView::Up => true,
    };
    if !when_known {
        return Breach::err(Law::SaysWhy, format!("{name} waits for nothing: {view:?}"));
    }
    let deaths = house.of(name).restart.loop_starts;
    if view.state == StateView::GivenUp && known.mishaps < deaths {
        let how = format!("{name} is given up after {} of {deaths} deaths", known.mishaps);
        return Breach::err(Law::GivesUpForDeaths, how);
    }
    Ok(())
}

/// The records that an action writes or drops, before it does.
pub(super) fn judge_record(action: &Action, world: &World, house: &House) -> Result<(), Breach> {
    match action {
        Action::Record { unit, record } => keeps(unit, Some(record), world, house),
        Action::Forget { unit } => {
            if world.living(unit).is_some() || house.named(unit).is_some() {
                return Breach::err(Law::RecordsHold, format!("{unit} is forgotten"));
            }
            Ok(())
        }
        Action::Start { unit, record, .. } => {
            if house.named(unit).is_some_and(|policy| policy.spec != record.spec) {
                return Breach::err(Law::RecordsHold, format!("{unit}: another spec is recorded"));
            }
            Ok(())
        }
        Action::Save(_)
        | Action::Look { .. }
        | Action::Stop { .. }
        | Action::Await { .. }
        | Action::Lease { .. }
        | Action::ReadScreen { .. }
        | Action::Answer { .. }
        | Action::Kickoff { .. }
        | Action::Type { .. }
        | Action::Journal(_)
        | Action::Notify(_) => Ok(()),
    }
}

/// Only a service is lost with its record: a session is found in its tmux.
fn keeps(
    unit: &UnitName,
    record: Option<&Record>,
    world: &World,
    house: &House,
) -> Result<(), Breach> {
    let living = world.living(unit).filter(|_| house.of(unit).kind == UnitKind::Service);
    match (living, record.and_then(|record| record.process)) {
        (Some(living), recorded) if recorded != Some(living) => {
            Breach::err(Law::RecordsHold, format!("{unit}: {living:?} is recorded as {recorded:?}"))
        }
        _ => Ok(()),
    }
}

/// The unit whose stable life ends with this event, where nothing stands in the way of a restart.
pub(super) fn must_restart_at_once(
    event: &Event,
    watchdog: &Watchdog,
    judge: &Judge,
    world: &World,
    house: &House,
) -> Option<UnitName> {
    let Event::Exited { unit, process, exit } = event else { return None };
    let known = judge.units.get(unit).filter(|known| known.process == Some(*process))?;
    let policy = house.named(unit)?;
    let stopping = known.flight.as_ref().is_some_and(|flight| flight.kind == Kind::Stop);
    let by_hand = policy.ends_by_hand && *exit == Exit::Code(0);
    let lost = judge.login.is_held(unit);
    let held = policy.hold.is_some() || known.down || known.drained || lost;
    if stopping
        || by_hand
        || held
        || known.bounce.is_some()
        || !lived_stably(*process, world, house)
    {
        return None;
    }
    let views = watchdog.view(world.now());
    let is_up = |other: &UnitName| {
        views.iter().any(|view| view.name == *other && view.state == StateView::Up)
    };
    let free = policy.after.iter().all(|dependency| match dependency {
        Dependency::Unit(other) => is_up(other),
        // They are asked first.
        Dependency::Docker
        | Dependency::Network
        | Dependency::Conversation(_)
        | Dependency::Alone(_)
        | Dependency::Requirements => false,
    });
    let recent = |at: &&std::time::Duration| world.time - **at < house.cap.within;
    let in_cap = judge.starts.iter().filter(recent).count() < house.cap.restarts as usize;
    (free && in_cap).then(|| unit.clone())
}

/// A session whose start the supervisor did not outlive is as old as its adoption.
fn lived_stably(process: Process, world: &World, house: &House) -> bool {
    let Some(it) = world.procs.get(&process) else { return false };
    let since = world.disk.records.get(&it.unit).and_then(|record| record.since);
    let born = since.map_or(world.time, |since| world.moment(since)).max(it.born);
    world.time - born > house.of(&it.unit).restart.stable_after
}
