//! `runtime_dir/units/NAME.json`: one file a unit, enough for a successor in the same boot to
//! adopt it. Written by a rename and without a sync: after a loss of power no process lives. Not
//! here: what must survive the power (saved.rs).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{self, Durability, FileError};
use crate::decide::{Exit, Mono, Process, Record, UnitKind, UnitName};

/// The version that is written.
const VERSION: u64 = 1;

/// Where the world finds a unit's things again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// Its leaf cgroup.
    pub cgroup: Option<PathBuf>,
    /// How far its log had been read for readiness, in bytes.
    pub log_offset: Option<u64>,
    /// The tmux server of a session.
    pub tmux_server: Option<Process>,
    /// The pane's id in that server.
    pub pane: Option<String>,
    /// The systemd unit that it is, if we command one instead of forking.
    pub systemd_unit: Option<String>,
    /// What it was to have at its start and the machine did not grant, in words.
    pub limits: Vec<String>,
}

/// The records of this boot.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
    boot_id: String,
    units: BTreeMap<UnitName, Kept>,
}

/// What is kept of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The watchdog's part.
    pub record: Record,
    /// The world's part.
    pub anchor: Anchor,
}

impl Records {
    /// Reads every record in `runtime_dir/units`, which is made if missing. Those of another boot
    /// are removed; what cannot be understood is set aside, with a note.
    ///
    /// # Errors
    /// [`FileError`]: the folder cannot be made or read, or a record cannot be read.
    pub fn load_all(runtime_dir: &Path, boot_id: &str) -> Result<(Self, Vec<String>), FileError> {
        let folder = runtime_dir.join("units");
        let fail = |source| FileError::Read { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(fail)?;
        files::remove_leftovers(&folder);
        let mut units = BTreeMap::new();
        let mut notes = Vec::new();
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let Some(name) = unit_of(&path) else { continue };
            let Some(bytes) = files::read_if_there(&path)? else { continue };
            match serde_json::from_slice::<UnitFile>(&bytes) {
                Ok(file) if file.boot_id == boot_id => {
                    units.insert(name, file.into());
                }
                // A removal that fails costs nothing: the boot_id is compared at each start.
                Ok(_) => drop(fs::remove_file(&path)),
                Err(err) => {
                    let aside = files::set_aside(&path, "corrupt")?;
                    notes.push(format!(
                        "the record of {name} is corrupt ({err}): set aside as {}",
                        aside.display()
                    ));
                }
            }
        }
        Ok((Self { folder, boot_id: boot_id.into(), units }, notes))
    }

    /// Every unit that has a record.
    pub fn units(&self) -> &BTreeMap<UnitName, Kept> {
        &self.units
    }

    /// The anchor of `unit`; an empty one if it has none.
    pub fn anchor(&self, unit: &UnitName) -> Anchor {
        self.units.get(unit).map(|kept| kept.anchor.clone()).unwrap_or_default()
    }

    /// Writes the watchdog's part; the anchor stays.
    ///
    /// # Errors
    /// [`FileError::Write`]. The new record counts in memory all the same, and is in the file
    /// with the next write that succeeds.
    pub fn set_record(&mut self, unit: &UnitName, record: &Record) -> Result<(), FileError> {
        let anchor = self.anchor(unit);
        self.keep(unit, Kept { record: record.clone(), anchor })
    }

    /// Writes the world's part; the record stays (an empty one of `kind`, if there is none yet).
    ///
    /// # Errors
    /// As [`Records::set_record`].
    pub fn set_anchor(
        &mut self,
        unit: &UnitName,
        kind: UnitKind,
        anchor: Anchor,
    ) -> Result<(), FileError> {
        let record =
            self.units.get(unit).map_or_else(|| Record::new(kind), |kept| kept.record.clone());
        self.keep(unit, Kept { record, anchor })
    }

    /// Writes both parts at once.
    ///
    /// # Errors
    /// As [`Records::set_record`].
    pub fn set(
        &mut self,
        unit: &UnitName,
        record: &Record,
        anchor: &Anchor,
    ) -> Result<(), FileError> {
        self.keep(unit, Kept { record: record.clone(), anchor: anchor.clone() })
    }

    /// Removes the record of `unit`; one that is not there is no error.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn forget(&mut self, unit: &UnitName) -> Result<(), FileError> {
        self.units.remove(unit);
        let path = self.path(unit);
        match fs::remove_file(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| FileError::Write { path, source }),
        }
    }

    fn keep(&mut self, unit: &UnitName, kept: Kept) -> Result<(), FileError> {
        let path = self.path(unit);
        let file = UnitFile::new(&self.boot_id, &kept);
        self.units.insert(unit.clone(), kept);
        let bytes = serde_json::to_vec(&file)
            .map_err(|err| FileError::Write { path: path.clone(), source: err.into() })?;
        files::write_atomic(&path, &bytes, Durability::Process, 0o600)
    }

    fn path(&self, unit: &UnitName) -> PathBuf {
        self.folder.join(format!("{unit}.json"))
    }
}

fn unit_of(path: &Path) -> Option<UnitName> {
    UnitName::new(path.file_name()?.to_str()?.strip_suffix(".json")?).ok()
}

/// The file. Unknown fields are left unread: the file does not outlive the boot.
#[derive(Serialize, Deserialize)]
struct UnitFile {
    version: u64,
    boot_id: String,
    record: RecordFile,
    #[serde(default)]
    anchor: AnchorFile,
}

/// Points on the boot's clock are nanoseconds after the boot, dates nanoseconds after the epoch.
#[derive(Serialize, Deserialize)]
struct RecordFile {
    process: Option<ProcessFile>,
    since_ns: Option<u64>,
    since_wall_ns: Option<u64>,
    ready: bool,
    #[serde(default)]
    ending: bool,
    spec: String,
    kind: KindFile,
    crashes_ns: Vec<u64>,
    level: u32,
    looping: bool,
    total: u64,
    last_exit: Option<LastExitFile>,
    not_before_ns: Option<u64>,
    #[serde(default)]
    why: String,
}

#[derive(Default, Serialize, Deserialize)]
struct AnchorFile {
    cgroup: Option<PathBuf>,
    log_offset: Option<u64>,
    tmux_server: Option<ProcessFile>,
    pane: Option<String>,
    #[serde(default)]
    systemd_unit: Option<String>,
    #[serde(default)]
    limits: Vec<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct ProcessFile {
    pid: i32,
    start: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindFile {
    Service,
    Session,
    Orchestrator,
}

#[derive(Serialize, Deserialize)]
struct LastExitFile {
    exit: ExitFile,
    at_ns: u64,
    /// The signal was for memory. Beside the exit, so that an earlier release reads a signal.
    #[serde(default)]
    oom: bool,
}

impl LastExitFile {
    fn exit(&self) -> Exit {
        if self.oom { Exit::OutOfMemory } else { self.exit.into() }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExitFile {
    Code(i32),
    Signal(i32),
    Unknown,
}

impl UnitFile {
    fn new(boot_id: &str, kept: &Kept) -> Self {
        let Kept { record, anchor } = kept;
        Self {
            version: VERSION,
            boot_id: boot_id.into(),
            record: RecordFile {
                process: record.process.map(ProcessFile::from),
                since_ns: record.since.map(mono_ns),
                since_wall_ns: record.since_wall.map(wall_ns),
                ready: record.ready,
                ending: record.ending,
                spec: record.spec.clone(),
                kind: record.kind.into(),
                crashes_ns: record.crashes.iter().copied().map(mono_ns).collect(),
                level: record.level,
                looping: record.looping,
                total: record.total,
                last_exit: record.last_exit.map(|(exit, at)| LastExitFile {
                    exit: exit.into(),
                    at_ns: wall_ns(at),
                    oom: exit == Exit::OutOfMemory,
                }),
                not_before_ns: record.not_before.map(mono_ns),
                why: record.why.clone(),
            },
            anchor: AnchorFile {
                cgroup: anchor.cgroup.clone(),
                log_offset: anchor.log_offset,
                tmux_server: anchor.tmux_server.map(ProcessFile::from),
                pane: anchor.pane.clone(),
                systemd_unit: anchor.systemd_unit.clone(),
                limits: anchor.limits.clone(),
            },
        }
    }
}

impl From<UnitFile> for Kept {
    fn from(file: UnitFile) -> Self {
        let UnitFile { version: _, boot_id: _, record, anchor } = file;
        Self {
            record: Record {
                process: record.process.map(Process::from),
                since: record.since_ns.map(mono),
                since_wall: record.since_wall_ns.map(wall),
                ready: record.ready,
                ending: record.ending,
                spec: record.spec,
                kind: record.kind.into(),
                crashes: record.crashes_ns.into_iter().map(mono).collect(),
                level: record.level,
                looping: record.looping,
                total: record.total,
                last_exit: record.last_exit.as_ref().map(|last| (last.exit(), wall(last.at_ns))),
                not_before: record.not_before_ns.map(mono),
                why: record.why,
            },
            anchor: Anchor {
                cgroup: anchor.cgroup,
                log_offset: anchor.log_offset,
                tmux_server: anchor.tmux_server.map(Process::from),
                pane: anchor.pane,
                systemd_unit: anchor.systemd_unit,
                limits: anchor.limits,
            },
        }
    }
}

impl From<Process> for ProcessFile {
    fn from(Process { pid, start }: Process) -> Self {
        Self { pid, start }
    }
}

impl From<ProcessFile> for Process {
    fn from(ProcessFile { pid, start }: ProcessFile) -> Self {
        Self { pid, start }
    }
}

impl From<UnitKind> for KindFile {
    fn from(kind: UnitKind) -> Self {
        match kind {
            UnitKind::Service => Self::Service,
            UnitKind::Session => Self::Session,
            UnitKind::Orchestrator => Self::Orchestrator,
        }
    }
}

impl From<KindFile> for UnitKind {
    fn from(kind: KindFile) -> Self {
        match kind {
            KindFile::Service => Self::Service,
            KindFile::Session => Self::Session,
            KindFile::Orchestrator => Self::Orchestrator,
        }
    }
}

impl From<Exit> for ExitFile {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal),
            Exit::OutOfMemory => Self::Signal(nix::libc::SIGKILL),
            Exit::Unknown => Self::Unknown,
        }
    }
}

impl From<ExitFile> for Exit {
    fn from(exit: ExitFile) -> Self {
        match exit {
            ExitFile::Code(code) => Self::Code(code),
            ExitFile::Signal(signal) => Self::Signal(signal),
            ExitFile::Unknown => Self::Unknown,
        }
    }
}

fn mono_ns(at: Mono) -> u64 {
    ns(at.since_boot())
}

fn mono(ns: u64) -> Mono {
    Mono::from_boot(Duration::from_nanos(ns))
}

fn wall_ns(at: SystemTime) -> u64 {
    ns(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn wall(ns: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)
}

fn ns(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
