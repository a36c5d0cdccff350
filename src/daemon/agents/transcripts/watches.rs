//! What the kernel tells of, for whom: one instance of inotify for all sessions, for a user has few
//! of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::followed::Wanted;
use crate::decide::UnitName;
use crate::world::inotify::{AsyncWatcher, WatchDescriptor, WatchMask};

/// Between two looks at transcripts that cannot be watched.
const UNTOLD: Duration = Duration::from_secs(5);

pub(super) struct Watches {
    /// None if there is none to be had: then all is looked at by the clock.
    watcher: Option<AsyncWatcher>,
    held: BTreeMap<Wanted, Held>,
}

struct Held {
    watch: WatchDescriptor,
    by: BTreeSet<UnitName>,
}

impl Watches {
    pub(super) fn new() -> Self {
        let watcher = AsyncWatcher::new().inspect_err(|error| {
            tracing::warn!(%error, "transcripts cannot be watched: they are looked at by the clock");
        });
        Self { watcher: watcher.ok(), held: BTreeMap::new() }
    }

    /// Watches this for a unit from here on, and nothing else. Answers whether something of it was
    /// not watched before: it may have changed since it was looked at.
    pub(super) fn set(&mut self, unit: &UnitName, wanted: Vec<Wanted>) -> bool {
        let wanted: BTreeSet<Wanted> = wanted.into_iter().collect();
        let Some(watcher) = &mut self.watcher else { return false };
        for (_, held) in self.held.iter_mut().filter(|(what, _)| !wanted.contains(*what)) {
            held.by.remove(unit);
        }
        let mut news = false;
        for what in wanted {
            if let Some(held) = self.held.get_mut(&what) {
                held.by.insert(unit.clone());
                continue;
            }
            // What is not there any more is looked for again at the next change.
            if let Ok(watch) = watcher.add(what.path(), what.mask()) {
                self.held.insert(what, Held { watch, by: BTreeSet::from([unit.clone()]) });
                news = true;
            }
        }
        let (mut used, mut unused) = (BTreeMap::new(), Vec::new());
        for (what, held) in std::mem::take(&mut self.held) {
            match held.by.is_empty() {
                true => unused.push(held.watch),
                false => drop(used.insert(what, held)),
            }
        }
        self.held = used;
        for watch in unused {
            // Two paths may lead to one file.
            if self.held.values().all(|it| it.watch != watch) {
                watcher.remove(watch);
            }
        }
        news
    }

    /// Waits until something changes, and for whom; none if that cannot be told.
    pub(super) async fn changed(&mut self) -> Option<Vec<UnitName>> {
        let Some(watcher) = &mut self.watcher else {
            sleep(UNTOLD).await;
            self.watcher = AsyncWatcher::new().ok();
            return None;
        };
        match watcher.changed().await {
            Ok(changed) => Some(self.whose(&changed)).filter(|units| !units.is_empty()),
            Err(error) => {
                tracing::warn!(%error, "transcripts cannot be watched any more");
                self.watcher = None;
                self.held.clear();
                None
            }
        }
    }

    fn whose(&self, changed: &[WatchDescriptor]) -> Vec<UnitName> {
        let held = self.held.values().filter(|held| changed.contains(&held.watch));
        held.flat_map(|held| held.by.iter().cloned()).collect()
    }
}

impl Wanted {
    fn path(&self) -> &Path {
        match self {
            Self::Written(path) | Self::Made(path) => path,
        }
    }

    fn mask(&self) -> WatchMask {
        let made = WatchMask::CREATE | WatchMask::MOVED_TO;
        let gone = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF;
        match self {
            // A file that we hold open is not gone when it is removed; its count of links changes.
            Self::Written(_) => WatchMask::MODIFY | WatchMask::ATTRIB | made | gone,
            Self::Made(_) => made | gone,
        }
    }
}
