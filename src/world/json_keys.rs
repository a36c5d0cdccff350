//! Keys that must stand in a JSON file which is somebody else's: what is missing is put in, and
//! not a byte of the rest is changed. Not here: which keys, and why.

pub(crate) mod edit;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use serde_json::Value;
use thiserror::Error;

use super::files::{folder_of, sync_folder_of, tmp_beside, with_suffix};
use super::inotify::{WatchMask, Watcher};

/// Writers hold their locks for milliseconds; who waits longer stands behind a dead one.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// A lock folder that was not touched for so long is a dead writer's. Living ones touch theirs
/// every few seconds, and the writers themselves take one over after ten.
const LOCK_STALE: Duration = Duration::from_secs(15);

/// How often the file may change under our hands before we give up.
const TRIES_MAX: u32 = 8;

/// A file of more bytes is something else.
const FILE_MAX: u64 = 64 * 1024 * 1024;

/// What must be at a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Exactly this.
    Is(Value),
    /// This, unless there is anything already.
    Default(Value),
    /// A list with this in it.
    Contains(Value),
}

/// A key, by its way from the top of the file, and what must be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The names from the top.
    pub path: Vec<String>,
    /// What must be there.
    pub wanted: Wanted,
}

/// Why a key is not there.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not JSON, so that nothing can be put in without a loss.
    #[error(
        "{path} is not valid JSON: it was not touched; repair it, or move it away and start again"
    )]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// There is something of another kind on the way to a key.
    #[error("{path}: `{key}` is not {wanted}: it was not touched; correct it by hand")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// Another program is writing it and does not come to an end.
    #[error("{lock} is held by another program that writes the same file: if none runs, remove it")]
    Locked {
        /// The lock.
        lock: PathBuf,
    },
    /// The file changes again and again.
    #[error("{path} was changed by other programs each time it was to be written")]
    Restless {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Which of `keys` are not in `path` as they must be. Writes nothing.
///
/// # Errors
/// All of [`KeysError`] but those of writing.
pub fn missing(path: &Path, keys: &[Key]) -> Result<Vec<Vec<String>>, KeysError> {
    Ok(look(path, keys)?.1)
}

/// Puts in what is missing and answers with the keys that were put in; a file that lacks nothing
/// is not written. It is made if need be, else its mode, its owner and its place behind a symbolic
/// link stay.
///
/// Blocks: for milliseconds, or for a few seconds where another program holds a lock.
///
/// # Errors
/// [`KeysError`]; the file is as it was then.
pub fn ensure(path: &Path, keys: &[Key]) -> Result<Vec<Vec<String>>, KeysError> {
    let lacking = missing(path, keys)?;
    if lacking.is_empty() {
        return Ok(lacking);
    }
    let write = |source| KeysError::Write { path: path.into(), source };
    let folder = folder_of(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(write)?;
    let _ours = lock_folder(folder)?;
    let _theirs = LockFolder::take(path)?;
    for _ in 0..TRIES_MAX {
        let (read, lacking) = look(path, keys)?;
        if lacking.is_empty() || replace(&read.path, read.identity, &read.text).map_err(write)? {
            return Ok(lacking);
        }
    }
    Err(KeysError::Restless { path: path.into() })
}

/// What a file was when it was read; none if it was not there.
type Identity = Option<(u64, u64, i64, i64, u64)>;

struct Looked {
    /// Behind all links.
    path: PathBuf,
    identity: Identity,
    /// With what is missing.
    text: String,
}

fn look(path: &Path, keys: &[Key]) -> Result<(Looked, Vec<Vec<String>>), KeysError> {
    let (real, identity, text) =
        read(path).map_err(|source| KeysError::Read { path: path.into(), source })?;
    let mut text = if text.trim().is_empty() { "{}".to_owned() } else { text };
    let mut lacking = Vec::new();
    for key in keys {
        let edited = edit::edit(&text, &key.path, &key.wanted).map_err(|why| match why {
            edit::Refused::NotJson(source) => KeysError::NotJson { path: path.into(), source },
            edit::Refused::Kind { depth, wanted } => {
                let names = &key.path[..depth];
                let key = if depth == 0 { "the whole".to_owned() } else { names.join(".") };
                KeysError::Kind { path: path.into(), key, wanted }
            }
        })?;
        if let Some(edited) = edited {
            text = edited;
            lacking.push(key.path.clone());
        }
    }
    Ok((Looked { path: real, identity, text }, lacking))
}

fn read(path: &Path) -> io::Result<(PathBuf, Identity, String)> {
    let real = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((path.into(), None, String::new()));
        }
        Err(error) => return Err(error),
        // A link to nowhere is an error: nobody knows what it is meant to become.
        Ok(_) => fs::canonicalize(path)?,
    };
    // A pipe of that name would be waited for without end.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(&real)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return Err(io::Error::other("it is no file, or too large for one of settings"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((real, Some(identity(&metadata)), text))
}

fn identity(metadata: &fs::Metadata) -> (u64, u64, i64, i64, u64) {
    (metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}

/// Replaces the file at once, unless it is no longer what was read; answers whether it did.
fn replace(path: &Path, was: Identity, text: &str) -> io::Result<bool> {
    let tmp = tmp_beside(path);
    let done = write_beside(path, &tmp, was, text);
    if !matches!(done, Ok(true)) {
        // What cannot be removed is harmless.
        let _ = fs::remove_file(&tmp);
    }
    done
}

fn write_beside(path: &Path, tmp: &Path, was: Identity, text: &str) -> io::Result<bool> {
    let there = || match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(tmp)?;
    file.write_all(text.as_bytes())?;
    let old = there()?;
    if let Some(old) = &old {
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
    }
    file.sync_all()?;
    drop(file);
    if there()?.as_ref().map(identity) != was {
        return Ok(false);
    }
    fs::rename(tmp, path)?;
    sync_folder_of(path)?;
    Ok(true)
}

/// Keeps other supervisors out, and leaves nothing behind in the user's folder. None where folders
/// cannot be locked, as on some network filesystems: then the agents' lock must do.
fn lock_folder(folder: &Path) -> Result<Option<OwnedFd>, KeysError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::open(folder, flags, Mode::empty()) else { return Ok(None) };
    let deadline = Instant::now() + LOCK_WITHIN;
    loop {
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(fd)),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => pause(folder, deadline),
            Err(Errno::WOULDBLOCK) => return Err(KeysError::Locked { lock: folder.into() }),
            Err(_) => return Ok(None),
        }
    }
}

/// The lock that the agents themselves take around their writing: a folder beside the file.
struct LockFolder(PathBuf);

impl LockFolder {
    fn take(path: &Path) -> Result<Self, KeysError> {
        let lock = with_suffix(path, ".lock");
        let deadline = Instant::now() + LOCK_WITHIN;
        loop {
            match fs::create_dir(&lock) {
                Ok(()) => return Ok(Self(lock)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(KeysError::Write { path: lock, source }),
            }
            if is_stale(&lock) && fs::remove_dir(&lock).is_ok() {
                continue;
            }
            if Instant::now() >= deadline {
                return Err(KeysError::Locked { lock });
            }
            pause(folder_of(path), deadline);
        }
    }
}

impl Drop for LockFolder {
    fn drop(&mut self) {
        // One that stays is stale in a few seconds.
        let _ = fs::remove_dir(&self.0);
    }
}

fn is_stale(lock: &Path) -> bool {
    let touched = lock.symlink_metadata().and_then(|metadata| metadata.modified()).ok();
    let age = touched.and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > LOCK_STALE)
}

/// Until something happens in the folder, where both kinds of holders rename and remove; for a
/// moment only, because it may have happened just now.
fn pause(folder: &Path, deadline: Instant) {
    const MOMENT: Duration = Duration::from_millis(20);
    let left = deadline.saturating_duration_since(Instant::now()).min(MOMENT);
    let waited = Watcher::new().and_then(|mut watcher| {
        watcher.add(folder, WatchMask::DELETE | WatchMask::MOVED_TO)?;
        watcher.wait(Some(left))
    });
    if waited.is_err() {
        std::thread::sleep(left);
    }
}

#[cfg(test)]
mod tests;
