//! What the hands of all units share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::agents::Agents;
use super::census::Census;
use super::environment::{self, Environment};
use super::log_keeping::LogKeeping;
use super::plan::Plan;
use super::telling::Telling;
use super::told::chain;
use crate::config::{Config, Phase, Unit};
use crate::decide::{Entry, Event, Now, Process, Record, UnitName};
use crate::world::cgroup::{Cgroups, Leaf};
use crate::world::clock;
use crate::world::group::Group;
use crate::world::journal::{self, Journal};
use crate::world::leases::Leases;
use crate::world::reaper::Reaper;
use crate::world::records::{Anchor, Records};
use crate::world::scope::{self, NoScope};
use crate::world::spawn::{Gated, Launch, LaunchError, Stream};
use crate::world::systemd::{Bus, Systemd};
use crate::world::tmux::{Spawned, Spawner, Stdio, Tmux};

/// How long the kernel may take to end a killed group; beyond it a process hangs in the kernel.
pub(super) const KILL_CEILING: Duration = Duration::from_secs(10);
/// The exit of a group's main process is told within this time of the group's end.
pub(super) const TOLD_CEILING: Duration = Duration::from_secs(2);
/// A unit starts uncapped rather than later than this.
const SCOPE_CEILING: Duration = Duration::from_secs(10);

/// The one set of things that there is once a daemon.
pub(super) struct Shared {
    pub(super) config: Config,
    /// The mark of this supervisor's units: a digest of the state directory.
    pub(super) instance: String,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// How many events have been sent there, and how many of them the loop has handled.
    pub(super) posted: Cell<u64>,
    pub(super) handled: tokio::sync::watch::Sender<u64>,
    pub(super) records: RefCell<Records>,
    pub(super) reaper: Rc<RefCell<Reaper>>,
    pub(super) cgroups: Option<Cgroups>,
    pub(super) tmux: Option<Tmux>,
    /// Where this very binary was when it was started.
    pub(super) binary: PathBuf,
    pub(super) journal: RefCell<Journal>,
    /// Entries that are still to be written.
    pub(super) unwritten: RefCell<Vec<(Now, Entry)>>,
    pub(super) logs: LogKeeping,
    pub(super) census: Census,
    /// What a unit was promised and does not get, in words.
    pub(super) limits: RefCell<BTreeMap<UnitName, Vec<String>>>,
    pub(super) agents: Agents,
    pub(super) plan: Plan,
    pub(super) telling: Telling,
    pub(super) boot_id: String,
}

impl Shared {
    pub(super) fn post(&self, event: Event) {
        self.posted.set(self.posted.get() + 1);
        // The loop is gone only when the process is about to be.
        let _ = self.events.send(event);
    }

    /// Waits until everything that has been posted so far has been handled: what followed from it
    /// is saved.
    pub(super) async fn all_handled(&self) {
        let posted = self.posted.get();
        // The sender lives as long as we do.
        let _ = self.handled.subscribe().wait_for(|handled| *handled >= posted).await;
    }

    /// The phase that the plan is in. One that the config does not name any more has no plan file.
    pub(super) fn phase(&self) -> Option<Phase> {
        let name = self.plan.phase()?;
        let known = self.config.plan.phases.iter().find(|phase| phase.name == name);
        Some(known.cloned().unwrap_or_else(|| Phase { name, ..Phase::default() }))
    }

    /// What a unit was promised and does not get is found anew at each start.
    pub(super) fn clear_limits(&self, unit: &UnitName) {
        self.limits.borrow_mut().remove(unit);
    }

    pub(super) fn limit(&self, unit: &UnitName, what: String) {
        tracing::warn!(%unit, "{what}");
        self.limits.borrow_mut().entry(unit.clone()).or_default().push(what);
    }

    pub(super) fn anchor(&self, unit: &UnitName) -> Anchor {
        self.records.borrow().anchor(unit)
    }

    pub(super) fn record(&self, unit: &UnitName) -> Option<Record> {
        self.records.borrow().units().get(unit).map(|kept| kept.record.clone())
    }

    /// Writes a record. One that cannot be written is no reason not to act: a successor finds
    /// the unit by its marks.
    pub(super) fn write(&self, unit: &UnitName, record: &Record, anchor: &Anchor) {
        let limits = self.limits.borrow().get(unit).cloned().unwrap_or_default();
        let anchor = Anchor { limits, ..anchor.clone() };
        if let Err(error) = self.records.borrow_mut().set(unit, record, &anchor) {
            tracing::warn!(%unit, error = chain(&error), "cannot write the unit's record");
        }
    }

    pub(super) fn forget(&self, unit: &UnitName) {
        if let Err(error) = self.records.borrow_mut().forget(unit) {
            tracing::warn!(%unit, error = chain(&error), "cannot remove the unit's record");
        }
    }

    /// Has what was seen or done written into the journal and into our own log, as soon as what
    /// was begun before it is under way: a start must not wait for the disk.
    pub(super) fn journal(self: &Rc<Self>, entry: Entry) {
        let mut unwritten = self.unwritten.borrow_mut();
        unwritten.push((clock::now(), entry));
        if unwritten.len() == 1 {
            let shared = Rc::clone(self);
            tokio::task::spawn_local(async move {
                // Behind whatever is begun in this turn.
                tokio::task::yield_now().await;
                shared.write_journal();
            });
        }
    }

    /// Writes the entries that are still to be written.
    pub(super) fn write_journal(&self) {
        for (at, Entry { unit, event, why }) in self.unwritten.take() {
            match &unit {
                Some(unit) => tracing::info!("{unit}: {event}{}", after_dash(&why)),
                None => tracing::info!("{event}{}", after_dash(&why)),
            }
            let mut line = journal::Entry::new(at.wall, event, why);
            line.unit = unit.map(|unit| unit.to_string());
            self.journal.borrow_mut().append(&line);
        }
    }

    /// What a unit was promised and does not get, or what stands in its way, for `status`.
    pub(super) fn limits_of(&self, unit: &UnitName) -> Vec<String> {
        let mut limits = self.limits.borrow().get(unit).cloned().unwrap_or_default();
        limits.extend(self.agents.notes(unit));
        limits
    }

    /// Makes `bin/supervisor` in the runtime directory name this very binary. Agents are told to
    /// call it there: they outlive our upgrades.
    pub(super) fn link_binary(&self) {
        let link = self.config.supervisor.runtime_dir.join("bin/supervisor");
        let half = link.with_extension("new");
        // Left over by a predecessor that died here.
        let _ = std::fs::remove_file(&half);
        let made = std::os::unix::fs::symlink(self.binary(), &half)
            .and_then(|()| std::fs::rename(&half, &link));
        if let Err(error) = made {
            tracing::warn!(link = %link.display(), %error, "agents cannot call their hooks");
        }
    }

    /// The leases in a folder, as we see and take them.
    pub(super) fn leases(&self, folder: &Path) -> Leases {
        Leases::new(folder, &self.boot_id, &self.config.supervisor.state_dir)
    }

    /// This very binary, as a path that can be executed: after an upgrade the file may be gone,
    /// and then the running image is still to be had through /proc.
    pub(super) fn binary(&self) -> PathBuf {
        if self.binary.exists() {
            return self.binary.clone();
        }
        PathBuf::from(format!("/proc/{}/exe", std::process::id()))
    }

    /// What is wrong with our own surroundings, in words.
    pub(super) fn troubles(&self) -> Vec<String> {
        let journal = self.journal.borrow();
        let lost = journal.trouble().map(|trouble| {
            format!("cannot write the journal ({} entries lost): {}", trouble.lost, trouble.why)
        });
        lost.into_iter().chain(self.telling.trouble()).collect()
    }

    /// Ends what is left of a unit's last life, less the spared processes.
    pub(super) async fn end_leftovers(
        self: &Rc<Self>,
        unit: &UnitName,
        spare: &[Process],
    ) -> Result<(), String> {
        let mut group = self.group(unit);
        group.spare = spare.to_vec();
        let left = match group.look().await {
            Some(left) if left.is_empty() => return Ok(()),
            Some(left) => format!(": {}", left.len()),
            None => String::new(),
        };
        let why = format!("ended what was left of its last life{left}");
        self.journal(Entry { unit: Some(unit.clone()), event: "leftovers", why });
        group.end_now(KILL_CEILING).await.map_err(|error| error.to_string())
    }

    /// Caps the memory of a unit, if it is to be capped and somebody can; says whether.
    pub(super) async fn cap_memory(&self, unit: &Unit, pids: &[i32]) -> bool {
        let Some(memory_max) = unit.memory_max else { return false };
        let name = format!("supervisor-{}-{}.scope", self.instance, unit.name);
        let capped = async {
            let bus = Bus::ours();
            let systemd = Systemd::connect(bus.clone()).await;
            let systemd = systemd.map_err(|source| NoScope::NoManager { bus, source })?;
            scope::cap(&systemd, &name, pids, memory_max).await
        };
        match tokio::time::timeout(SCOPE_CEILING, capped).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                self.limit(&unit.name, format!("memory_max is not kept: {}", chain(&error)));
            }
            Err(_) => {
                self.limit(&unit.name, "memory_max is not kept: systemd does not answer".into());
            }
        }
        false
    }

    /// The leaf that a unit is to be born into; none where there are no cgroups for us.
    pub(super) fn leaf(&self, unit: &UnitName) -> Option<Leaf> {
        match self.cgroups.as_ref()?.leaf(unit) {
            Ok(leaf) => Some(leaf),
            Err(error) => {
                tracing::warn!(%unit, %error, "no cgroup for the unit: it is grouped by its marks");
                None
            }
        }
    }

    /// Everything that belongs to a unit, as its record and its marks say.
    pub(super) fn group(&self, unit: &UnitName) -> Group {
        let anchor = self.anchor(unit);
        let leaf = anchor.cgroup.and_then(|path| Leaf::at(path, &self.instance));
        let main = self.record(unit).and_then(|record| record.process);
        Group { unit: unit.clone(), instance: self.instance.clone(), leaf, main, spare: Vec::new() }
    }

    pub(super) fn log_path(&self, unit: &UnitName) -> PathBuf {
        self.config.supervisor.state_dir.join("logs").join(format!("{unit}.log"))
    }

    /// What a unit may have of our own environment, with its marks, for what carries the unit's program.
    pub(super) fn marked(&self, unit: &UnitName) -> Vec<(OsString, OsString)> {
        let marks = environment::marks(unit, &self.instance);
        let inherited = std::env::vars_os().filter(|(name, _)| !environment::is_ours_alone(name));
        inherited.chain(marks).collect()
    }

    /// The environment of a unit's next process. Reads its environment file, on a thread of its
    /// own: the file may lie on a mount that hangs.
    pub(super) async fn environment(&self, unit: &Unit) -> Result<Environment, String> {
        let inherited: Vec<_> = std::env::vars_os().collect();
        if unit.environment_file.is_none() {
            return environment::of_unit(unit, &self.instance, inherited)
                .map_err(|error| chain(&error));
        }
        let (unit, instance) = (unit.clone(), self.instance.clone());
        let read = tokio::task::spawn_blocking(move || {
            environment::of_unit(&unit, &instance, inherited).map_err(|error| chain(&error))
        });
        read.await.map_err(|error| error.to_string())?
    }
}

/// Forks into the leaf, or without one where that cannot be opened.
pub(super) fn fork(mut launch: Launch, leaf: Option<&Leaf>) -> Result<Gated, LaunchError> {
    launch.cgroup = leaf.and_then(|leaf| leaf.open().ok());
    launch.fork()
}

/// Gives the tmux hands their child processes, born into the unit's leaf.
pub(super) struct LeafSpawner {
    pub(super) leaf: Option<Leaf>,
}

impl Spawner for LeafSpawner {
    fn spawn(
        &self,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        stdio: Stdio,
    ) -> io::Result<Spawned> {
        let launch = Launch {
            argv,
            env,
            directory: None,
            stdin: Stream::Fd(stdio.stdin),
            stdout: Stream::Fd(stdio.stdout),
            stderr: Stream::Fd(stdio.stderr),
            cgroup: None,
        };
        let gated = fork(launch, self.leaf.as_ref()).map_err(io::Error::other)?;
        let running = gated.open();
        Ok(Spawned { process: running.process, pidfd: running.pidfd })
    }
}

fn after_dash(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" - {why}") }
}

/// The digest by which the units of one state directory are marked, by whatever links it is
/// reached.
pub fn instance(state_dir: &Path) -> String {
    use sha2::Digest as _;
    use std::os::unix::ffi::OsStrExt as _;
    let state_dir = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    let digest = sha2::Sha256::digest(state_dir.as_os_str().as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
