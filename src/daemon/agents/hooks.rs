//! What the agents' hooks leave in the spool, and what follows from it.

use std::rc::Rc;

use super::Known;
use crate::agents::HookNews;
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::decide::{Channel, Event, Mono, Process, Sighting, UnitName};
use crate::world::clock;
use crate::world::hook_spool::{Dropped, HookSpool};

/// Hears the hooks for ever. What they left while nobody listened comes first; nothing is taken
/// away before it has been heard.
pub(in crate::daemon) async fn listen(shared: Rc<Shared>, mut spool: HookSpool) {
    loop {
        match spool.drain() {
            Ok(drained) => {
                drained.notes.iter().for_each(|note| tracing::warn!("{note}"));
                drained.dropped.iter().for_each(|dropped| hear(&shared, dropped));
                shared.all_handled().await;
                drained.dropped.iter().for_each(|dropped| spool.done(&dropped.file));
            }
            Err(error) => tracing::warn!("the hooks cannot be read: {}", chain(&error)),
        }
        if let Err(error) = spool.changed().await {
            // Without it the readings of all agents would be stale; systemd starts us anew.
            tracing::error!(%error, "cannot watch the folder of the hooks");
            std::process::abort();
        }
    }
}

fn hear(shared: &Rc<Shared>, dropped: &Dropped) {
    let Ok(unit) = UnitName::new(&dropped.unit) else { return };
    // A stranger's supervisor has a folder of its own.
    if dropped.instance != shared.instance {
        return;
    }
    let Some(known) = shared.agents.of(&unit) else { return };
    let at = clock::now().wall_of(dropped.at);
    let Some(news) = known.profile.hook(&dropped.payload, at) else { return };
    tracing::debug!(%unit, hook = news.name, "a hook");
    // Another program of the same kind, started by the agent itself, inherits the unit's marks; and
    // what a process was told that is gone, it may have taken with it.
    let process = shared.record(&unit).and_then(|record| record.process);
    let Some(process) = process.filter(|it| dropped.parents.contains(it)) else { return };
    // It may have begun its transcript just now.
    shared.follow_transcripts();
    say(shared, &unit, &known, process, news, dropped.at);
    // There may be a transcript by now.
    shared.follow_transcripts();
}

fn say(
    shared: &Rc<Shared>,
    unit: &UnitName,
    known: &Known,
    process: Process,
    news: HookNews,
    at: Mono,
) {
    if let Some(prompt) = news.prompt {
        known.heard.add(process, &prompt);
        shared.post(Event::Prompted { unit: unit.clone(), process, prompt });
    }
    if let Some(how) = news.begins {
        known.followed.set(Some(at));
        let (unit, conversation) = (unit.clone(), news.conversation);
        shared.post(Event::Opened { unit, process, conversation, how });
    }
    if let Some(doing) = news.doing {
        let sighting = Sighting { channel: Channel::Hook, at, doing, evidence: news.evidence };
        shared.post(Event::Sighted { unit: unit.clone(), process, sighting });
    }
}

/// Says so in the log, once, if there can be no spool: the other channels must do.
pub(in crate::daemon) fn open(folder: &std::path::Path) -> Option<HookSpool> {
    let spool = HookSpool::open(folder).inspect_err(|error| {
        tracing::error!("the hooks of agents are not heard: {}", chain(error));
    });
    let spool = spool.ok()?;
    if !spool.is_told() {
        tracing::warn!(
            "all inotify instances of this user are taken (fs.inotify.max_user_instances): hooks \
             and logs are looked at by the clock"
        );
    }
    Some(spool)
}
