//! The spool of hooks: each call of an agent's hook leaves one file in a folder, whether a daemon
//! runs or not, and the daemon reads them in order and removes what it has handled. Not here: what
//! a call says.

pub(crate) mod drop;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::boot;
use super::files;
use super::inotify::{AsyncWatcher, WatchMask, is_used_up};
use crate::decide::{Mono, Process};

pub use drop::drop_from_stdin;

/// The variable that names the spool to the hooks of a session.
pub const SPOOL_VARIABLE: &str = "SUPERVISOR_HOOKS";

/// The version in every file. The reader knows the older ones for ever: an agent calls the
/// program that it was started with.
const VERSION: u32 = 1;

/// The end of the name of a whole file.
const WHOLE: &str = ".json";

/// So many are read at once; what is left wakes [`HookSpool::changed`] again.
const BATCH: usize = 256;

/// Between two looks at a spool that cannot be watched.
const UNTOLD: Duration = Duration::from_secs(1);

/// A file that was not finished within this time never will be.
const UNFINISHED: Duration = Duration::from_secs(60);

/// The kernel's word on which boot this is: a stamp means nothing in another one.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why there is no spool.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The folder cannot be made, or be made ours alone.
    #[error("cannot make {path} for the hooks of agents")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be watched.
    #[error("cannot watch {path} for the hooks of agents")]
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {path}, where hooks leave their files")]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One call of a hook.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropped {
    /// The unit whose environment the agent had. It is inherited by whatever the agent starts:
    /// `parents` tell who called.
    pub unit: String,
    /// The supervisor that the unit belongs to.
    pub instance: String,
    /// When it was called.
    pub at: Mono,
    /// The caller, its parent, and so on, a few of them.
    pub parents: Vec<Process>,
    /// What the agent said.
    pub payload: Value,
    /// The file's name, for [`HookSpool::done`].
    pub file: OsString,
}

/// What lay in the spool.
#[derive(Debug, Default)]
pub struct Drained {
    /// The calls, oldest first.
    pub dropped: Vec<Dropped>,
    /// What was thrown away, and why; for the log.
    pub notes: Vec<String>,
}

/// The daemon's end of the spool.
#[derive(Debug)]
pub struct HookSpool {
    folder: PathBuf,
    /// None if the user has no more instances of inotify.
    watcher: Option<AsyncWatcher>,
    boot_id: Option<String>,
    more: bool,
}

impl HookSpool {
    /// Makes `folder` if need be, for its owner alone, and watches it from here on. Needs a tokio
    /// runtime. What lies in it already is [`HookSpool::drain`]'s.
    ///
    /// # Errors
    /// [`SpoolError::Folder`] and [`SpoolError::Watch`].
    pub fn open(folder: &Path) -> Result<Self, SpoolError> {
        let made = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        };
        made().map_err(|source| SpoolError::Folder { path: folder.into(), source })?;
        let watcher = watch(folder)?;
        let boot_id = boot::boot_id(Path::new(BOOT_ID)).ok();
        Ok(Self { folder: folder.into(), watcher, boot_id, more: false })
    }

    /// Waits until there is something new in the spool since the last [`HookSpool::drain`]: for
    /// ever, if no agent does anything. Cancel-safe.
    ///
    /// # Errors
    /// As `read` has them.
    pub async fn changed(&mut self) -> io::Result<()> {
        match &mut self.watcher {
            _ if self.more => {}
            Some(watcher) => drop(watcher.changed().await?),
            None => {
                tokio::time::sleep(UNTOLD).await;
                // As long as it cannot be watched, it is looked at.
                self.watcher = watch(&self.folder).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Whether the kernel tells of changes. If not, the spool is looked at each second.
    pub fn is_told(&self) -> bool {
        self.watcher.is_some()
    }

    /// What lies in the spool, in the order of the calls. A file is given again and again until
    /// it is [`done`](HookSpool::done) with. Files that say nothing are removed.
    ///
    /// # Errors
    /// [`SpoolError::Read`]. A folder that somebody removed is made anew, or it is
    /// [`HookSpool::open`]'s error.
    pub fn drain(&mut self) -> Result<Drained, SpoolError> {
        let names = match self.names() {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
                *self = Self::open(&self.folder)?;
                return Ok(Drained::default());
            }
            Err(source) => {
                return Err(SpoolError::Read { path: self.folder.clone(), source });
            }
            Ok(names) => names,
        };
        let mut drained = Drained::default();
        self.more = names.len() > BATCH;
        for name in names.into_iter().take(BATCH) {
            let path = self.folder.join(&name);
            let why = match files::read_if_there(&path) {
                Ok(None) => continue,
                Ok(Some(bytes)) => match self.read(&bytes) {
                    Ok(dropped) => {
                        drained.dropped.push(Dropped { file: name, ..dropped });
                        continue;
                    }
                    Err(why) => why,
                },
                Err(error) => error.to_string(),
            };
            self.done(&name);
            drained.notes.push(format!("{}: {why}: removed", path.display()));
        }
        Ok(drained)
    }

    /// Removes a file that has been handled.
    pub fn done(&self, file: &OsStr) {
        // One that cannot be removed is handled again; so is one after a sudden death.
        let _ = fs::remove_file(self.folder.join(file));
    }

    /// The names of whole files, in order. What died half-written is removed.
    fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_whole(&name) {
                names.push(name);
            } else if entry.metadata().is_ok_and(|metadata| is_old(&metadata)) {
                self.done(&name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, bytes: &[u8]) -> Result<Dropped, String> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.version > VERSION {
            return Err(format!("version {}, and this supervisor knows {VERSION}", file.version));
        }
        if self.boot_id.is_some() && file.boot_id.is_some() && self.boot_id != file.boot_id {
            return Err("of an earlier boot".to_owned());
        }
        Ok(Dropped {
            unit: file.unit,
            instance: file.instance,
            at: Mono::from_boot(Duration::from_nanos(file.at)),
            parents: file.parents.iter().map(|&(pid, start)| Process { pid, start }).collect(),
            payload: file.payload,
            file: OsString::new(),
        })
    }
}

/// None if the user has no more instances.
fn watch(folder: &Path) -> Result<Option<AsyncWatcher>, SpoolError> {
    let watched = || -> io::Result<AsyncWatcher> {
        let mut watcher = AsyncWatcher::new()?;
        let lost = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF;
        watcher.add(folder, WatchMask::MOVED_TO | WatchMask::ONLYDIR | lost)?;
        Ok(watcher)
    };
    match watched() {
        Ok(watcher) => Ok(Some(watcher)),
        Err(error) if is_used_up(&error) => Ok(None),
        Err(source) => Err(SpoolError::Watch { path: folder.into(), source }),
    }
}

/// The file's own shape.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    version: u32,
    unit: String,
    instance: String,
    boot_id: Option<String>,
    /// Nanoseconds since boot.
    at: u64,
    /// Pid and start time.
    parents: Vec<(i32, u64)>,
    payload: Value,
}

fn is_whole(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(WHOLE))
}

fn is_old(metadata: &fs::Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    metadata.is_file() && age.is_some_and(|age| age > UNFINISHED)
}

#[cfg(test)]
mod tests;
