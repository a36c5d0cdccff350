//! What must be so some time after the last fault.

use std::time::Duration;

use agent_supervisor::decide::{Dependency, StateView, UnitName, UnitView, Watchdog};

use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::world::World;

/// After how much calm every wait but the retry of a crash loop is over; and that, too.
pub(super) fn bounds(house: &House) -> (Duration, Duration) {
    let backoffs = house.cast.values().map(|member| member.policy.restart.backoff_to);
    let waits = backoffs.max().unwrap_or_default();
    // A deadline, a wait for a look, a dependency to be asked anew, and to become ready; each for
    // the units before it too.
    let short = waits + secs(600);
    (short, short * 3 + secs(2200))
}

pub(super) fn judge(
    patient: bool,
    watchdog: &Watchdog,
    judge: &Judge,
    world: &World,
    house: &House,
) -> Result<(), Breach> {
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
            None => may_rest(name, &views, house) || (!patient && soon(name, &views, house)),
        };
        if !well {
            return Breach::err(Law::ComesToRest, format!("{living:?}, but {view:?}"));
        }
    }
    Ok(())
}

/// Whether a wished unit is down for good reason, until a person acts.
fn may_rest(name: &UnitName, views: &[UnitView], house: &House) -> bool {
    let Some(view) = views.iter().find(|view| view.name == *name) else { return false };
    let Some(policy) = house.named(name) else { return false };
    let waits_for = |dependency: &Dependency| match dependency {
        Dependency::Unit(other) => view.why == format!("waits for {other}") && !is_up(other, views),
        Dependency::Docker | Dependency::Network => false,
    };
    match view.state {
        StateView::Held => policy.hold.is_some(),
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
