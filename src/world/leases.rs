//! Leases: which process has a conversation, as the supervisors of one user tell each other. A
//! lease holds as long as that very process lives in this boot; a lock guards only its taking. Not
//! here: those who open a conversation and take no lease ([`super::holders`]).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::files::{self, Durability, FileError};
use super::{lock, procs};
use crate::decide::Process;

/// The version that is written.
const VERSION: u32 = 1;

/// The longest id of a conversation; those that we know have 36 bytes.
const ID_MAX: usize = 128;

/// Who has a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process; it lives.
    pub process: Process,
    /// Which program it is.
    pub agent: String,
    /// Of which supervisor.
    pub state_dir: PathBuf,
}

/// Why there is no lease.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Somebody has the conversation.
    #[error(
        "the conversation {conversation} is open in process {}, of the supervisor in {}",
        .holder.process.pid, .holder.state_dir.display()
    )]
    Taken {
        /// Which.
        conversation: String,
        /// Who.
        holder: Holder,
    },
    /// Somebody is about to have it.
    #[error("another supervisor is just about to open the conversation {conversation}")]
    BeingTaken {
        /// Which.
        conversation: String,
    },
    /// No conversation can be called so.
    #[error(
        "{0:?} is no id of a conversation: it has letters, digits, `-` and `_`, at most {ID_MAX}"
    )]
    BadId(String),
    /// A newer supervisor wrote the record, and it cannot be understood.
    #[error(
        "the lease {path} has version {version}, and this supervisor knows {VERSION}: use the newer one"
    )]
    TooNew {
        /// The record.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The folder or the lock cannot be had.
    #[error("cannot lock {path}")]
    Lock {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record cannot be read, written or set aside.
    #[error(transparent)]
    File(#[from] FileError),
    /// The record cannot be removed.
    #[error("cannot remove the lease {path}")]
    Remove {
        /// The record.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where the leases of the user with this environment lie; none if it names no home.
pub fn folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("agent-supervisor/leases"))
}

/// The leases of one user.
#[derive(Debug)]
pub struct Leases {
    folder: PathBuf,
    boot_id: String,
    state_dir: PathBuf,
}

impl Leases {
    /// Those in `folder`, as seen in the boot `boot_id` by the supervisor of `state_dir`. Nothing
    /// is read or made yet.
    pub fn new(folder: &Path, boot_id: &str, state_dir: &Path) -> Self {
        Self { folder: folder.into(), boot_id: boot_id.into(), state_dir: state_dir.into() }
    }

    /// Keeps all other supervisors from opening `conversation` with the program `agent`, until
    /// the claim is signed or dropped. Never waits.
    ///
    /// # Errors
    /// [`LeaseError::Taken`] and [`LeaseError::BeingTaken`], by our own units too; or the others.
    pub fn take(&self, conversation: &str, agent: &str) -> Result<Claim, LeaseError> {
        let path = self.path(conversation)?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| LeaseError::Lock { path: self.folder.clone(), source })?;
        let Some(guard) = Guard::take(&path)? else {
            return Err(LeaseError::BeingTaken { conversation: conversation.into() });
        };
        let mut set_aside = None;
        match read(&path)? {
            Found::Nothing => {}
            Found::Corrupt => set_aside = Some(files::set_aside(&path, "corrupt")?),
            Found::Record(record) => {
                if let Some(holder) = self.living(record) {
                    return Err(LeaseError::Taken { conversation: conversation.into(), holder });
                }
            }
        }
        let record = Record {
            version: VERSION,
            conversation: conversation.into(),
            agent: agent.into(),
            pid: 0,
            start: 0,
            boot_id: self.boot_id.clone(),
            state_dir: self.state_dir.clone(),
        };
        Ok(Claim { path, record, set_aside, _guard: guard })
    }

    /// Who has `conversation`; a record of a process that is gone, or of another boot, is nobody.
    ///
    /// # Errors
    /// [`LeaseError::BadId`], [`LeaseError::TooNew`], [`LeaseError::File`]. A record that is
    /// corrupt says nothing; the next taking sets it aside.
    pub fn holder(&self, conversation: &str) -> Result<Option<Holder>, LeaseError> {
        Ok(match read(&self.path(conversation)?)? {
            Found::Record(record) => self.living(record),
            Found::Nothing | Found::Corrupt => None,
        })
    }

    /// Gives up the lease of `process` on `conversation`. One that has gone to somebody else stays.
    ///
    /// # Errors
    /// [`LeaseError`]. A lease that could not be given up ends with its process all the same.
    pub fn release(&self, conversation: &str, process: Process) -> Result<(), LeaseError> {
        let path = self.path(conversation)?;
        if !path.exists() {
            return Ok(());
        }
        // Whoever is taking it judges by the process, and replaces the record or leaves it stale.
        let Some(_guard) = Guard::take(&path)? else { return Ok(()) };
        match read(&path)? {
            Found::Record(record) if record.process() == process => {
                fs::remove_file(&path).map_err(|source| LeaseError::Remove { path, source })
            }
            Found::Record(_) | Found::Nothing | Found::Corrupt => Ok(()),
        }
    }

    /// Removes the records of processes that are gone. What cannot be removed now is stale all the
    /// same.
    pub fn tidy(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            // Whoever is taking it sees to it.
            let Ok(Some(_guard)) = Guard::take(&path) else { continue };
            if let Ok(Found::Record(record)) = read(&path)
                && self.living(record).is_none()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn living(&self, record: Record) -> Option<Holder> {
        let process = record.process();
        let lives = record.boot_id == self.boot_id && procs::is_alive(process);
        lives.then_some(Holder { process, agent: record.agent, state_dir: record.state_dir })
    }

    fn path(&self, conversation: &str) -> Result<PathBuf, LeaseError> {
        let well = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = (1..=ID_MAX).contains(&conversation.len());
        if !fits || !conversation.bytes().all(well) {
            return Err(LeaseError::BadId(conversation.into()));
        }
        Ok(self.folder.join(format!("{conversation}.json")))
    }
}

/// The right to open a conversation, before there is a process that has it.
#[derive(Debug)]
#[must_use = "a claim that is dropped is given up"]
pub struct Claim {
    path: PathBuf,
    record: Record,
    set_aside: Option<PathBuf>,
    _guard: Guard,
}

impl Claim {
    /// The process that has it from here on, as long as it lives.
    ///
    /// # Errors
    /// [`LeaseError::File`]: nobody has it then.
    pub fn sign(self, process: Process) -> Result<(), LeaseError> {
        let record = Record { pid: process.pid, start: process.start, ..self.record };
        let mut bytes = serde_json::to_vec(&record)
            .map_err(|error| FileError::Write { path: self.path.clone(), source: error.into() })?;
        bytes.push(b'\n');
        // It ends with the process: no power loss needs to be survived.
        files::write_atomic(&self.path, &bytes, Durability::Process, 0o600)?;
        Ok(())
    }

    /// Where an earlier record went that could not be read, for a notice.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }
}

/// The lock beside a record. It is gone when nobody takes anything.
#[derive(Debug)]
struct Guard {
    file: File,
    path: PathBuf,
}

impl Guard {
    /// None if somebody else has it.
    fn take(record: &Path) -> Result<Option<Self>, LeaseError> {
        let path = record.with_extension("lock");
        let fail = |source| LeaseError::Lock { path: path.clone(), source };
        for _ in 0..lock::MOST_TRIES {
            let file = lock::open(&path).map_err(fail)?;
            if !lock::lock(&file).map_err(fail)? {
                return Ok(None);
            }
            // Whoever had it may have removed it in between: then others lock another file.
            if lock::is_at(&file, &path) {
                return Ok(Some(Self { file, path }));
            }
        }
        Ok(None)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // One that stays is empty and locks nothing. It is unlocked in so many words because a
        // child that is being born holds the same open file.
        let _ = fs::remove_file(&self.path);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    conversation: String,
    agent: String,
    pid: i32,
    start: u64,
    boot_id: String,
    state_dir: PathBuf,
}

impl Record {
    fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }
}

enum Found {
    Nothing,
    Corrupt,
    Record(Record),
}

fn read(path: &Path) -> Result<Found, LeaseError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Some(bytes) = files::read_if_there(path)? else { return Ok(Found::Nothing) };
    if let Ok(record) = serde_json::from_slice(&bytes) {
        return Ok(Found::Record(record));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Version { version }) if version > VERSION => {
            Err(LeaseError::TooNew { path: path.into(), version })
        }
        Ok(_) | Err(_) => Ok(Found::Corrupt),
    }
}

#[cfg(test)]
mod tests;
