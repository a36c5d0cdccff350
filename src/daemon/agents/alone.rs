//! Whether somebody else does a session's work: another orchestrator, or an agent that was started by
//! hand in a session's directory. Not here: what follows from that.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::config::{Config, Unit};
use crate::daemon::presence as places;
use crate::daemon::shared::Shared;
use crate::decide::{Dependency, Event, Process, UnitKind, UnitName};
use crate::world::pidfd;
use crate::world::presence::{Presence, Survey, Whose, presence, takeover};

/// Whoever is there is looked for again so often, unless its end is told before.
const AGAIN: Duration = Duration::from_secs(30);
/// While an orchestrator runs, somebody else is looked for so often, and whenever a registry changes.
const WATCH: Duration = Duration::from_secs(60);

/// Says whether a session is alone in its place, and goes on until it is.
pub(in crate::daemon) async fn wait_until_alone(shared: Rc<Shared>, unit: UnitName) {
    let dependency = Dependency::Alone(unit.clone());
    loop {
        let found = look(&shared, &unit, Some(unit.clone())).await;
        let (outcome, process) = match found {
            Presence::Absent => (Ok(()), None),
            Presence::Present { pid, start, why } => {
                shared.post(Event::Stranger { unit: unit.clone(), who: why.clone() });
                (Err(why), Some(Process { pid, start }))
            }
            Presence::Unknown(why) => {
                (Err(format!("it cannot be told whether somebody is there: {why}")), None)
            }
        };
        let alone = outcome.is_ok();
        shared.post(Event::Found { dependency: dependency.clone(), outcome });
        if alone {
            return;
        }
        let ended = async {
            match process.map(pidfd::open) {
                Some(Ok(Some(handle))) => pidfd::exited(&handle).await.is_ok(),
                // It has ended meanwhile.
                Some(Ok(None)) => true,
                Some(Err(_)) | None => std::future::pending().await,
            }
        };
        // A time-out only means that it is looked for again.
        let _ = tokio::time::timeout(AGAIN, ended).await;
    }
}

/// Tells of somebody else for as long as an orchestrator of ours runs, for ever.
pub(in crate::daemon) async fn watch(shared: Rc<Shared>) {
    let units = shared.config.units.values();
    let only = units.filter(|unit| unit.kind == UnitKind::Orchestrator).map(|it| it.name.clone());
    let only: Vec<UnitName> = only.collect();
    if only.is_empty() {
        return;
    }
    loop {
        // A time-out only means that it is looked for again.
        let _ = tokio::time::timeout(WATCH, shared.agents.listed.notified()).await;
        for unit in &only {
            if shared.record(unit).is_none_or(|record| record.process.is_none()) {
                continue;
            }
            if let Presence::Present { why, .. } = look(&shared, unit, None).await {
                shared.post(Event::Stranger { unit: unit.clone(), who: why });
            }
        }
    }
}

/// Who is in the place of a session. Its own processes count if `own` says so.
async fn look(shared: &Rc<Shared>, unit: &UnitName, own: Option<UnitName>) -> Presence {
    let (config, instance) = (shared.config.clone(), shared.instance.clone());
    let names = names(shared, unit);
    let of = config.units.get(unit).cloned();
    let scope = config.clone();
    let survey = Survey::take(move || places::scope(&scope, &instance)).await;
    match of {
        Some(of) => who(&survey, &config, &of, names, own),
        None => Presence::Absent,
    }
}

/// The same under a lease, by whoever is about to start it. Blocks.
pub(super) fn before_start(config: &Config, instance: &str, unit: &Unit, name: &str) -> Presence {
    let survey = Survey::now(&places::scope(config, instance));
    let names = [name.to_owned()].into_iter().chain(resumed(unit)).collect();
    who(&survey, config, unit, names, Some(unit.name.clone()))
}

fn who(
    survey: &Survey,
    config: &Config,
    unit: &Unit,
    names: BTreeSet<String>,
    own: Option<UnitName>,
) -> Presence {
    if unit.kind == UnitKind::Orchestrator {
        return match places::wanted(config, &unit.name, names) {
            Some(mut wanted) => {
                wanted.unit = own;
                presence(survey, &wanted)
            }
            None => Presence::Absent,
        };
    }
    let directories = places::directories(config);
    let here: BTreeMap<_, _> =
        directories.into_iter().filter(|(name, _)| *name == unit.name).collect();
    // Two supervisors keep out of each other's way by their leases.
    let mut survey = survey.clone();
    survey.agents.retain(|agent| agent.whose == Whose::Hand);
    let in_the_way = takeover::strangers(&survey, &here).into_iter();
    match in_the_way.chain(takeover::watchdogs(&survey)).next() {
        Some(found) => {
            let Process { pid, start } = found.process.unwrap_or(Process { pid: 0, start: 0 });
            Presence::Present { pid, start, why: found.to_string() }
        }
        None => Presence::Absent,
    }
}

/// What its conversation is called, by id and by name.
fn names(shared: &Shared, unit: &UnitName) -> BTreeSet<String> {
    let name = shared.config.units.get(unit).and_then(resumed);
    shared.agents.conversation(unit).into_iter().chain(name).collect()
}

fn resumed(unit: &Unit) -> Option<String> {
    unit.session.as_ref().and_then(|keys| keys.resume.clone())
}
