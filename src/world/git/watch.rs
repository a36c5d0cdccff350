//! Being told when something is committed, fetched or checked out in any of the clones: one instance
//! of inotify for all, for a user has few of them. Not here: looking at what changed, and the slow
//! look for what the kernel did not tell.
//!
//! The reflog is not watched: git writes it just before it moves the ref, so it would only wake
//! us for a look that comes too early.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::watched::{Cares, Watched, places};
use crate::world::inotify::{Adder, AsyncWatcher, EventMask, Told, WatchDescriptor, WatchMask};

/// The first change is told at once, and what follows it in so long a time together.
const GATHER: Duration = Duration::from_millis(20);

/// Between two tries to get an instance of inotify, when the user has no more.
const AGAIN: Duration = Duration::from_secs(30);

/// Watches clones.
#[derive(Debug)]
pub struct Watch {
    /// None while there is none to be had.
    watcher: Option<AsyncWatcher>,
    wanted: BTreeSet<Watched>,
    held: BTreeMap<Watched, Held>,
    /// Those whose folders are to be found anew.
    astray: BTreeSet<Watched>,
    finding: Option<JoinHandle<Vec<(Watched, Found)>>>,
    /// All that the kernel watches for us.
    added: Vec<WatchDescriptor>,
    /// Those of which not all folders are watched.
    lacking: BTreeSet<Watched>,
    due: BTreeSet<Watched>,
    quiet_until: Instant,
}

type Held = Vec<(WatchDescriptor, Cares)>;

#[derive(Debug)]
struct Found {
    held: Held,
    /// A folder is there and cannot be watched.
    lacking: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// One that watches nothing yet. Inside a runtime.
    pub fn new() -> Self {
        Self {
            watcher: AsyncWatcher::new().ok(),
            wanted: BTreeSet::new(),
            held: BTreeMap::new(),
            astray: BTreeSet::new(),
            finding: None,
            added: Vec::new(),
            lacking: BTreeSet::new(),
            due: BTreeSet::new(),
            quiet_until: Instant::now(),
        }
    }

    /// Watches these from now on, and no others. Each new one is told once as changed, as soon as it
    /// is watched: what happened before is seen by a look then.
    pub fn set(&mut self, wanted: BTreeSet<Watched>) {
        self.held.retain(|watched, _| wanted.contains(watched));
        self.due.retain(|watched| wanted.contains(watched));
        self.astray.retain(|watched| wanted.contains(watched));
        self.astray.extend(wanted.difference(&self.wanted).cloned());
        self.wanted = wanted;
        self.let_go();
    }

    /// Whether the kernel tells of this one at all: not if the user has no more watches or
    /// instances, or the folder may not be read. Then only a look by the clock helps.
    pub fn is_told_of(&self, watched: &Watched) -> bool {
        self.watcher.is_some() && self.held.contains_key(watched) && !self.lacking.contains(watched)
    }

    /// Waits until something changes, for ever if nothing does. Cancel-safe.
    pub async fn changed(&mut self) -> BTreeSet<Watched> {
        loop {
            if !self.due.is_empty() && Instant::now() >= self.quiet_until {
                self.quiet_until = Instant::now() + GATHER;
                return std::mem::take(&mut self.due);
            }
            let Some(watcher) = &mut self.watcher else {
                sleep(AGAIN).await;
                self.begin_anew();
                continue;
            };
            if self.finding.is_none() && !self.astray.is_empty() {
                let astray = std::mem::take(&mut self.astray);
                let adder = watcher.adder();
                self.finding = Some(tokio::task::spawn_blocking(move || find(astray, adder)));
            }
            let finding = async {
                match &mut self.finding {
                    Some(finding) => finding.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = watcher.told() => match told {
                    Ok(told) => told.iter().for_each(|told| self.take(told)),
                    Err(_) => {
                        self.watcher = None;
                        self.due.extend(self.wanted.iter().cloned());
                    }
                },
                found = finding => {
                    self.finding = None;
                    // It panicked, which ends the process anyway.
                    found.into_iter().flatten().for_each(|(watched, found)| self.hold(watched, found));
                    self.let_go();
                }
                () = sleep_until(self.quiet_until), if !self.due.is_empty() => {}
            }
        }
    }

    fn begin_anew(&mut self) {
        self.watcher = AsyncWatcher::new().ok();
        self.held.clear();
        self.added.clear();
        self.finding = None;
        self.astray = self.wanted.clone();
    }

    fn take(&mut self, told: &Told) {
        if told.mask.contains(EventMask::Q_OVERFLOW) {
            self.due.extend(self.wanted.iter().cloned());
            self.astray.extend(self.wanted.iter().cloned());
            return;
        }
        let gone =
            EventMask::IGNORED | EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT;
        for (watched, held) in &self.held {
            for (_, cares) in held.iter().filter(|(watch, _)| *watch == told.watch) {
                let name = told.name.as_deref();
                // What git writes before it renames it.
                let lock = name.is_some_and(|name| name.as_bytes().ends_with(b".lock"));
                let way = name.is_some_and(|name| cares.ways.contains(name))
                    || cares.refs && told.mask.contains(EventMask::ISDIR);
                let lost = told.mask.intersects(gone);
                if way || lost {
                    self.astray.insert(watched.clone());
                }
                let news =
                    cares.refs && !lock || name.is_some_and(|name| cares.names.contains(name));
                if way || lost || news {
                    self.due.insert(watched.clone());
                }
            }
        }
    }

    fn hold(&mut self, watched: Watched, found: Found) {
        let new = found.held.iter().filter(|(watch, _)| !self.added.contains(watch));
        let new: Vec<WatchDescriptor> = new.map(|(watch, _)| watch.clone()).collect();
        self.added.extend(new.iter().cloned());
        if !self.wanted.contains(&watched) {
            return;
        }
        if !new.is_empty() || !self.held.contains_key(&watched) {
            // It may have changed before it was watched, and folders may have been made in those
            // that were found.
            self.due.insert(watched.clone());
        }
        if !new.is_empty() {
            self.astray.insert(watched.clone());
        }
        match found.lacking {
            true => drop(self.lacking.insert(watched.clone())),
            false => drop(self.lacking.remove(&watched)),
        }
        self.held.insert(watched, found.held);
    }

    /// Ends the watches that nobody needs any more.
    fn let_go(&mut self) {
        // What is being found may need one of them.
        let (None, Some(watcher)) = (&self.finding, &mut self.watcher) else { return };
        let used =
            |watch: &WatchDescriptor| self.held.values().flatten().any(|(it, _)| it == watch);
        let (used, unused) = std::mem::take(&mut self.added).into_iter().partition(used);
        self.added = used;
        let unused: Vec<WatchDescriptor> = unused;
        unused.into_iter().for_each(|watch| watcher.remove(watch));
    }
}

/// Finds the folders and watches them. On a thread of its own, for a mount may hang.
fn find(astray: BTreeSet<Watched>, mut adder: Adder) -> Vec<(Watched, Found)> {
    let mask = WatchMask::CREATE
        | WatchMask::MOVED_TO
        | WatchMask::MOVED_FROM
        | WatchMask::DELETE
        | WatchMask::CLOSE_WRITE
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR;
    let mut one = |watched: &Watched| {
        let mut found = Found { held: Vec::new(), lacking: false };
        for (folder, cares) in places(watched) {
            match adder.add(&folder, mask) {
                Ok(watch) => found.held.push((watch, cares)),
                // It is gone again, which the folder above tells.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => found.lacking = true,
            }
        }
        found
    };
    let found = astray.iter().map(&mut one).collect::<Vec<_>>();
    astray.into_iter().zip(found).collect()
}
