//! The registries: folders in which an agent program keeps one file for each living session of it,
//! ours and other people's.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::{Agents, Known};
use crate::agents::Live;
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::daemon::watched::Slot;
use crate::decide::{Channel, Entry, Event, Now, Process, Sighting, UnitName};
use crate::world::inotify::{AsyncWatcher, WatchMask};
use crate::world::{clock, holders, procs};

/// A file of the registry that was written so long after a hook had told of another conversation
/// knows better; one that was written sooner may be old news.
const HOOK_LEADS: Duration = Duration::from_secs(5);

/// The watch over one registry.
#[derive(Default)]
pub(super) struct Watch {
    task: Slot,
    /// Somebody wants it to be read now.
    wanted: Notify,
}

impl Shared {
    /// Has a registry read now, and again whenever it changes.
    pub(in crate::daemon) fn watch_registry(self: &Rc<Self>, folder: Option<&Path>) {
        let Some(folder) = folder else { return };
        let mut watches = self.agents.watches.borrow_mut();
        if let Some(watch) = watches.get(folder) {
            // Kept for whoever is not waiting at this very moment.
            watch.wanted.notify_one();
            return;
        }
        let watch = Rc::new(Watch::default());
        watches.insert(folder.to_owned(), Rc::clone(&watch));
        let (shared, folder) = (Rc::clone(self), folder.to_owned());
        let waiting = Rc::clone(&watch);
        watch.task.run(async move { keep(shared, folder, waiting).await });
    }
}

async fn keep(shared: Rc<Shared>, folder: PathBuf, watch: Rc<Watch>) {
    // The program makes it too, but only when its first session begins.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    let watcher = made.and_then(|()| {
        let mut watcher = AsyncWatcher::new()?;
        let changes = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO | WatchMask::DELETE;
        watcher.add(&folder, changes)?;
        Ok(watcher)
    });
    let mut watcher = match watcher {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "cannot watch a registry; hooks and screens must do");
            None
        }
    };
    loop {
        read(&shared, &folder);
        let changed = async {
            match &mut watcher {
                Some(watcher) => watcher.changed().await.map(drop),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changed => if let Err(error) = changed {
                tracing::warn!(%error, "cannot watch a registry any more");
                watcher = None;
            },
            () = watch.wanted.notified() => {}
        }
    }
}

fn read(shared: &Rc<Shared>, folder: &Path) {
    let now = clock::now();
    shared.agents.listed.notify_one();
    let units = shared.agents.units_of(folder);
    // Who keeps a registry there is one kind of program.
    let Some(profile) = units.first().map(|(_, known)| known.profile) else { return };
    let files = match holders::registry(folder) {
        Ok(files) => files,
        Err(error) => return tracing::warn!("{}", chain(&error)),
    };
    let process = |unit| shared.record(unit).and_then(|record| record.process);
    let ours: BTreeMap<Process, &(UnitName, Rc<Known>)> =
        units.iter().filter_map(|it| Some((process(&it.0)?, it))).collect();
    let mut strangers: BTreeMap<String, Vec<Process>> = BTreeMap::new();
    for file in files {
        let live = profile.live(&file.bytes).filter(|live| procs::is_alive(live.process));
        let Some(live) = live else { continue };
        match ours.get(&live.process) {
            Some((unit, known)) => say(shared, unit, known, live, file.written, now),
            None => strangers.entry(live.conversation).or_default().push(live.process),
        }
    }
    for (unit, _) in &units {
        let conversation = process(unit).and_then(|_| shared.agents.conversation(unit));
        let here = conversation.and_then(|it| strangers.get(&it)).cloned().unwrap_or_default();
        shared.note_strangers(unit, here);
    }
}

fn say(
    shared: &Rc<Shared>,
    unit: &UnitName,
    known: &Known,
    live: Live,
    written: SystemTime,
    now: Now,
) {
    let Live { process, conversation, doing, since, evidence, .. } = live;
    let told = known.followed.get().is_none_or(|at| now.mono_of(written) > at + HOOK_LEADS);
    if told && shared.agents.conversation(unit).as_ref() != Some(&conversation) {
        let (unit, how) = (unit.clone(), "registry".to_owned());
        shared.post(Event::Opened { unit, process, conversation, how });
    }
    if let Some(doing) = doing {
        let at = now.mono_of(since.unwrap_or(written));
        let sighting = Sighting { channel: Channel::Registry, at, doing, evidence };
        shared.post(Event::Sighted { unit: unit.clone(), process, sighting });
    }
}

impl Agents {
    fn units_of(&self, registry: &Path) -> Vec<(UnitName, Rc<Known>)> {
        let known = self.known.borrow();
        let here = known.iter().filter(|(_, it)| it.places.registry.as_deref() == Some(registry));
        here.map(|(unit, it)| (unit.clone(), Rc::clone(it))).collect()
    }
}

impl Shared {
    fn note_strangers(self: &Rc<Self>, unit: &UnitName, now: Vec<Process>) {
        let mut all = self.agents.strangers.borrow_mut();
        let before = all.remove(unit).unwrap_or_default();
        for stranger in now.iter().filter(|it| !before.contains(it)) {
            let why = format!("also open in pid {}, which is not ours", stranger.pid);
            self.journal(Entry { unit: Some(unit.clone()), event: "conversation-shared", why });
        }
        if !now.is_empty() {
            all.insert(unit.clone(), now.into_iter().collect());
        }
    }
}
