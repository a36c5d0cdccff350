//! The kernel's word on NanoClaw's files: its database, the input of its containers, the notes of
//! their ends. Without it the courier looks by the clock. Not here: what has changed.

use std::fs;
use std::path::PathBuf;

use super::Settings;
use crate::nanoclaw::Generation;
use crate::world::inotify::{AsyncWatcher, WatchMask};

/// Watches on folders that are there.
#[derive(Debug)]
pub(super) struct Watches(Option<AsyncWatcher>);

impl Watches {
    pub(super) fn new() -> Self {
        let watcher = AsyncWatcher::new();
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no inotify: NanoClaw is looked at by the clock");
        }
        Self(watcher.ok())
    }

    pub(super) const fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// Watches all folders that are there by now; those that are watched already stay so.
    pub(super) fn watch(&mut self, settings: &Settings, generation: Generation) {
        let Some(watcher) = &mut self.0 else { return };
        let mask = WatchMask::MODIFY
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::ONLYDIR;
        for folder in folders(settings, generation) {
            // One that is not there is watched when it is; until then the clock is enough.
            let _ = watcher.add(&folder, mask);
        }
    }

    /// Waits until something changed; for ever without inotify. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        match &mut self.0 {
            Some(watcher) => {
                if let Err(error) = watcher.changed().await {
                    tracing::warn!(%error, "inotify fails: NanoClaw is looked at by the clock");
                    self.0 = None;
                }
            }
            None => std::future::pending().await,
        }
    }
}

fn folders(settings: &Settings, generation: Generation) -> Vec<PathBuf> {
    let directory = &settings.directory;
    match generation {
        Generation::V1 => {
            let mut folders = vec![directory.join("store")];
            for it in &settings.addressees {
                folders.push(directory.join("data/ipc").join(&it.folder).join("input"));
                folders.push(directory.join("groups").join(&it.folder).join("logs"));
            }
            folders
        }
        Generation::V2 => {
            let mut folders = vec![directory.join("data")];
            let sessions = directory.join("data/v2-sessions");
            for group in fs::read_dir(sessions).into_iter().flatten().flatten() {
                folders.push(group.path());
                let inner = fs::read_dir(group.path()).into_iter().flatten().flatten();
                folders.extend(inner.map(|session| session.path()));
            }
            folders
        }
    }
}
