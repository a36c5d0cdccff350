//! Keeping logs within their size without waking up for those that are idle.

use std::collections::BTreeMap;
use std::future::pending;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::inotify::WatchDescriptor;
use tokio::time::{Instant, sleep_until};

use super::{LogError, end, first_data, open_if_there, rotate, supports_punching};
use crate::world::files;
use crate::world::inotify::{AsyncWatcher, WatchMask, is_used_up};

/// The least time between two looks at one log.
const SOONEST: Duration = Duration::from_secs(1);

/// The most time between a change of a log and the look at it.
const LATEST: Duration = Duration::from_secs(60);

/// By how much the delay may grow from one look to the next, whatever the last rate was.
const SLOWER: u32 = 4;

/// Watches logs, and says when one must be looked at. A log that nobody writes to costs nothing:
/// the kernel reports its first change only, and only after the look that follows is it asked to
/// report again.
#[derive(Debug)]
pub struct LogKeeper {
    /// None if the user has no more instances: then all is looked at by the clock.
    watcher: Option<AsyncWatcher>,
    max: u64,
    keep: u32,
    logs: BTreeMap<PathBuf, Kept>,
}

#[derive(Debug)]
struct Kept {
    watch: Option<WatchDescriptor>,
    due: Option<Instant>,
    rotating: bool,
    delay: Duration,
    looked: Instant,
    end: u64,
}

/// A rotation that is to be done. It may block for seconds: `spawn_blocking`.
#[derive(Debug)]
pub struct Rotation {
    path: PathBuf,
    max: u64,
    keep: u32,
}

impl Rotation {
    /// Which log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does it. Then call [`LogKeeper::rotated`], however it went.
    ///
    /// # Errors
    /// [`LogError::Rotate`]; it is tried again when the log has grown further.
    pub fn run(&self) -> Result<bool, LogError> {
        rotate(&self.path, self.max, self.keep)
    }
}

impl LogKeeper {
    /// Keeps every log at about `max` bytes, and `keep` archives of each.
    ///
    /// # Errors
    /// inotify fails for another reason than the user's limit of instances.
    pub fn new(max: u64, keep: u32) -> std::io::Result<Self> {
        let watcher = match AsyncWatcher::new() {
            Err(error) if is_used_up(&error) => None,
            watcher => Some(watcher?),
        };
        Ok(Self { watcher, max, keep, logs: BTreeMap::new() })
    }

    /// Begins to watch a log, which must be there. One where holes cannot be punched is left
    /// alone. To be called again when the log was begun anew.
    ///
    /// # Errors
    /// [`LogError::Watch`].
    pub fn watch(&mut self, path: &Path) -> Result<(), LogError> {
        self.unwatch(path);
        if !supports_punching(files::folder_of(path)) {
            return Ok(());
        }
        let now = Instant::now();
        let kept = Kept {
            watch: None,
            // It may have grown while nobody watched.
            due: Some(now),
            rotating: false,
            delay: SOONEST,
            looked: now,
            end: end(path),
        };
        self.logs.insert(path.into(), kept);
        self.arm(path)
    }

    /// Watches a log no more.
    pub fn unwatch(&mut self, path: &Path) {
        if let Some(kept) = self.logs.remove(path)
            && let Some((watch, watcher)) = kept.watch.zip(self.watcher.as_mut())
        {
            watcher.remove(watch);
        }
    }

    /// Waits until a log must be looked at: for ever, if nobody writes. Cancel-safe.
    pub async fn due(&mut self) {
        loop {
            let next = self.logs.values().filter_map(|kept| kept.due).min();
            if next.is_some_and(|next| next <= Instant::now()) {
                return;
            }
            let alarm = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => pending().await,
                }
            };
            let watched = async {
                match &mut self.watcher {
                    Some(watcher) => watcher.changed().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = alarm => return,
                changed = watched => match changed {
                    Ok(changed) => self.note(&changed),
                    // Without the kernel's word, by the clock.
                    Err(_) => self.note_all(),
                },
            }
        }
    }

    /// Looks at the logs that are due, and answers which must be rotated.
    ///
    /// # Errors
    /// [`LogError::Watch`] for the logs that could not be watched again: they are looked at by
    /// the clock.
    pub fn check(&mut self) -> (Vec<Rotation>, Vec<LogError>) {
        let now = Instant::now();
        let is_due = |kept: &Kept| kept.due.is_some_and(|due| due <= now);
        let due: Vec<_> =
            self.logs.iter().filter(|(_, kept)| is_due(kept)).map(|(p, _)| p.clone()).collect();
        let (mut rotations, mut errors) = (Vec::new(), Vec::new());
        for path in due {
            // Before the look, so that no change falls between.
            if let Err(err) = self.arm(&path) {
                errors.push(err);
            }
            let Some(kept) = self.logs.get_mut(&path) else { continue };
            kept.due = kept.watch.is_none().then(|| now + LATEST);
            let held = held(&path);
            kept.learn(now, end(&path), self.max.saturating_sub(held));
            if held > self.max && !kept.rotating {
                kept.rotating = true;
                rotations.push(Rotation { path, max: self.max, keep: self.keep });
            }
        }
        (rotations, errors)
    }

    /// A rotation has ended, well or not.
    pub fn rotated(&mut self, rotation: &Rotation) {
        if let Some(kept) = self.logs.get_mut(&rotation.path) {
            kept.rotating = false;
            // What came during the rotation may be too much again.
            let soon = Instant::now() + kept.delay;
            kept.due = Some(kept.due.map_or(soon, |due| due.min(soon)));
        }
    }

    fn arm(&mut self, path: &Path) -> Result<(), LogError> {
        let Some(kept) = self.logs.get_mut(path) else { return Ok(()) };
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        let armed = watcher.add(path, WatchMask::MODIFY | WatchMask::ONESHOT);
        let (watch, result) = match armed {
            Ok(watch) => (Some(watch), Ok(())),
            Err(source) => (None, Err(LogError::Watch { path: path.into(), source })),
        };
        kept.watch = watch;
        result
    }

    fn note(&mut self, changed: &[WatchDescriptor]) {
        let now = Instant::now();
        for kept in self.logs.values_mut() {
            if kept.watch.as_ref().is_some_and(|watch| changed.contains(watch)) {
                kept.watch = None;
                kept.due.get_or_insert(now + kept.delay);
            }
        }
    }

    fn note_all(&mut self) {
        let now = Instant::now();
        for kept in self.logs.values_mut() {
            kept.due.get_or_insert(now + LATEST);
        }
    }
}

impl Kept {
    /// How long the next look may wait: half the time in which the room would be filled at the
    /// rate of late.
    fn learn(&mut self, now: Instant, end: u64, room: u64) {
        let grown = end.saturating_sub(self.end);
        let filled = if grown == 0 {
            LATEST
        } else {
            let times = room as f64 / grown as f64 / 2.0;
            let seconds = (now - self.looked).as_secs_f64() * times;
            Duration::try_from_secs_f64(seconds).unwrap_or(LATEST)
        };
        self.delay = filled.min(self.delay * SLOWER).clamp(SOONEST, LATEST);
        (self.looked, self.end) = (now, end);
    }
}

/// How many bytes the log holds, less its hole and the block in which that ends; 0 if it cannot be
/// looked at.
fn held(path: &Path) -> u64 {
    let Ok(Some(file)) = open_if_there(path) else { return 0 };
    let (Ok(meta), Ok(from)) = (file.metadata(), first_data(&file, 0)) else { return 0 };
    meta.len().saturating_sub(from).saturating_sub(meta.blksize())
}
