//! What only a remote has: fetched by the git program into mirrors of our own, again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::source::Place;
use crate::daemon::shared::{LeafSpawner, Shared};
use crate::daemon::told::chain;
use crate::decide::Event;
use crate::world::git::mirror::{self, Programs, Remote};

/// After a fetch that failed the next one comes later, at most so much.
const LATEST: Duration = Duration::from_secs(15 * 60);
/// Making a mirror takes milliseconds; beyond this the disk hangs.
const PREPARE_CEILING: Duration = Duration::from_secs(60);

/// The remotes, and how often each is fetched.
pub(super) struct Remotes {
    state_dir: PathBuf,
    every: BTreeMap<Remote, Duration>,
}

impl Remotes {
    pub(super) fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, every: BTreeMap::new() }
    }

    /// One that is fetched so often, or oftener if others need that.
    pub(super) fn add(&mut self, remote: Remote, every: Duration) {
        let known = self.every.entry(remote).or_insert(every);
        *known = every.min(*known);
    }

    /// The mirror of a remote.
    pub(super) fn place(&self, remote: &Remote) -> Place {
        Place { path: remote.mirror(&self.state_dir), tips: remote.tips() }
    }

    /// Fetches each for ever, and says so.
    pub(super) fn follow(&self, shared: &Rc<Shared>, fetched: &mpsc::UnboundedSender<PathBuf>) {
        for (remote, every) in &self.every {
            let (shared, fetched) = (Rc::clone(shared), fetched.clone());
            tokio::task::spawn_local(keep(shared, remote.clone(), *every, fetched));
        }
    }

    /// The same for one that was not known when that began.
    pub(super) fn follow_late(
        &mut self,
        remote: Remote,
        every: Duration,
        shared: &Rc<Shared>,
        fetched: &mpsc::UnboundedSender<PathBuf>,
    ) {
        if !self.every.contains_key(&remote) {
            self.every.insert(remote.clone(), every);
            tokio::task::spawn_local(keep(Rc::clone(shared), remote, every, fetched.clone()));
        }
    }
}

/// What a clone is fetched from; none if it has no remote, is not there yet, or lies where looking
/// hangs.
pub(super) async fn of_clone(clone: &Path) -> Option<Remote> {
    let clone = clone.to_owned();
    let look = tokio::task::spawn_blocking(move || Remote::of(&clone).ok().flatten());
    tokio::time::timeout(PREPARE_CEILING, look).await.ok()?.ok()?
}

async fn keep(
    shared: Rc<Shared>,
    remote: Remote,
    every: Duration,
    fetched: mpsc::UnboundedSender<PathBuf>,
) {
    let what = format!("the remote {}", remote.shown());
    let mut wait = every;
    loop {
        let outcome = fetch(&shared, &remote).await;
        wait = if outcome.is_ok() { every } else { (wait * 2).min(LATEST.max(every)) };
        if let Ok(mirror) = &outcome {
            // Whoever waits for it lives as long as we do.
            let _ = fetched.send(mirror.clone());
        }
        shared.post(Event::Reached { what: what.clone(), outcome: outcome.map(drop) });
        tokio::time::sleep(wait).await;
    }
}

async fn fetch(shared: &Rc<Shared>, remote: &Remote) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = Programs::find(&path).map_err(|name| format!("there is no {name} on PATH"))?;
    let (state_dir, of) = (shared.config.supervisor.state_dir.clone(), remote.clone());
    let making = tokio::task::spawn_blocking(move || mirror::prepare(&state_dir, &of));
    let mirror = match tokio::time::timeout(PREPARE_CEILING, making).await {
        Ok(Ok(made)) => made.map_err(|error| chain(&error))?,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("making its mirror hangs".to_owned()),
    };
    let spawner = LeafSpawner { leaf: None };
    let inherited = std::env::vars_os().collect();
    let done = mirror::fetch(&spawner, &programs, &mirror, remote, inherited).await;
    done.map_err(|error| chain(&error))?;
    Ok(mirror)
}
