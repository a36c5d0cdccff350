//! What must be so some time after the last fault.

use std::time::Duration;

use agent_supervisor::decide::{
    Dependency, Doing, Reading, StateView, UnitKind, UnitName, UnitView, Watchdog,
};

use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::world::World;

/// After how much calm every wait but the retry of a crash loop is over; that, too; and every wait
/// for a remedy.
pub(super) fn bounds(house: &House) -> [Duration; 3] {
    let backoffs = house.cast.values().map(|member| member.policy.restart.backoff_to);
    let waits = backoffs.max().unwrap_or_default();
    // A deadline, a wait for a look, a dependency to be asked anew, and to become ready; each for
    // the units before it too.
    let short = waits + secs(900);
    let long = short * 3 + secs(2200);
    // The limits of a session hold for six hours, and what is tried ever less often waits for four.
    [short, long, long.max(secs(16 * 3600))]
}

pub(super) fn judge(
    stage: usize,
    watchdog: &Watchdog,
    judge: &Judge,
    world: &World,
    house: &House,
) -> Result<(), Breach> {
    let patient = stage > 0;
    let views = watchdog.view(world.now());
    for view in &views {
        let name = &view.name;
        let known = &judge.units[name];
        let living = world.living(name);
        if living.is_some() && known.bounce.is_some_and(|asked| asked == living) {
            return Breach::err(Law::Restarted, format!("{name} is still {living:?}"));
        }
        if known.down || known.drained {
            if living.is_some() || view.state != StateView::Stopped {
                return Breach::err(Law::ComesToRest, format!("{living:?}, but {view:?}"));
            }
            continue;
        }
        if house.named(name).is_none() {
            continue;
        }
        let well = match living {
            Some(_) => {
                // What was given up may be tried again at this very moment.
                let tried = !patient && view.state == StateView::Starting;
                (tried || view.state == StateView::Up) && view.process == living
            }
            None => may_rest(name, &views, judge, house) || (!patient && soon(name, &views, house)),
        };
        if !well {
            return Breach::err(Law::ComesToRest, format!("{living:?}, but {view:?}"));
        }
        drains(view, stage == 2, judge, world)?;
    }
    judge.judge_plan_calm(watchdog, world, house)
}

fn drains(view: &UnitView, at_last: bool, judge: &Judge, world: &World) -> Result<(), Breach> {
    let Some(process) = view.process.filter(|_| view.kind != UnitKind::Service) else {
        return Ok(());
    };
    let Some(client) = world.agents.clients.get(&process) else {
        return match view.messages {
            0 => Ok(()),
            _ => Breach::err(Law::Drains, format!("{view:?}")),
        };
    };
    // It may have done something else a moment ago, and work on a line of ours now.
    let recent = client.works_for(world.time) < secs(60);
    if recent {
        return Ok(());
    }
    let failing = !matches!(view.reading, Reading::Idle | Reading::Working | Reading::Starting);
    let idle = client.doing == Some(Doing::Idle);
    // What a supervisor has known that is dead, nobody knows.
    let idle = idle || (client.forgotten && view.reading == Reading::Idle);
    let well = idle && view.messages == 0 && view.reading == Reading::Idle;
    // What waits for another conversation is told then.
    let fresh = judge.units[&view.name].talk.may_begin_another();
    let owed = !fresh && world.disk.saved.because.contains_key(&view.name);
    let waits = failing || judge.login.is_held(&view.name);
    if (idle && !waits && !well) || (at_last && (!well || owed || judge.login.is_held(&view.name)))
    {
        let how = format!("{:?}, owed {owed}, but {view:?}", client.doing);
        return Breach::err(Law::Drains, how);
    }
    Ok(())
}

/// Whether a wished unit is down for good reason, until a person acts.
fn may_rest(name: &UnitName, views: &[UnitView], judge: &Judge, house: &House) -> bool {
    let Some(view) = views.iter().find(|view| view.name == *name) else { return false };
    let Some(policy) = house.named(name) else { return false };
    let waits_for = |dependency: &Dependency| match dependency {
        Dependency::Unit(other) => view.why == format!("waits for {other}") && !is_up(other, views),
        Dependency::Docker
        | Dependency::Network
        | Dependency::Conversation(_)
        | Dependency::Alone(_)
        | Dependency::Requirements => false,
    };
    match view.state {
        StateView::Held => {
            policy.hold.is_some()
                || judge.units[name].talk.refused
                || judge.login.is_held(&view.name)
        }
        StateView::GivenUp => policy.restart.loop_retry.is_none(),
        StateView::Waiting => policy.after.iter().any(waits_for),
        StateView::Stopped | StateView::Starting | StateView::Up | StateView::Stopping => false,
    }
}

/// Whether it is tried again by itself.
fn soon(name: &UnitName, views: &[UnitView], house: &House) -> bool {
    let view = views.iter().find(|view| view.name == *name);
    let retried = house.of(name).restart.loop_retry.is_some();
    view.is_some_and(|view| view.state == StateView::GivenUp && view.next_wake.is_some()) && retried
}

fn is_up(name: &UnitName, views: &[UnitView]) -> bool {
    views.iter().any(|view| view.name == *name && view.state == StateView::Up)
}
