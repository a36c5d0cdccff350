//! One daemon on one state_dir: a flock that dies with its holder. Not here: the answer on the
//! control socket.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use thiserror::Error;

/// How often a lock file that was replaced while we took it is opened again.
pub(super) const MOST_TRIES: u32 = 8;

/// Why the state_dir is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another one has it.
    #[error(
        "another supervisor{} runs on {dir}: stop that one, or give this one a state_dir of its own",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Held {
        /// The holder, if it wrote its pid.
        pid: Option<i32>,
        /// The state_dir.
        dir: PathBuf,
    },
    /// The lock file cannot be made, locked or written.
    #[error("cannot lock {path}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The state_dir is ours as long as this (or its descriptor in a successor) lives.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes `state_dir/lock`, without waiting.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        let fail = |source| LockError::Io { path: path.clone(), source };
        for _ in 0..MOST_TRIES {
            let file = open(&path).map_err(fail)?;
            if !lock(&file).map_err(fail)? {
                return Err(LockError::Held { pid: holder(&file), dir: state_dir.into() });
            }
            // Somebody may have removed the file between the opening and the locking: then we
            // hold a lock that nobody else would see.
            if is_at(&file, &path) {
                return Self::sign(file).map_err(fail);
            }
        }
        Err(fail(io::Error::other("the file is being replaced again and again")))
    }

    /// The lock that was inherited over a re-exec.
    ///
    /// # Errors
    /// The descriptor is not `state_dir/lock`, or somebody else holds that.
    pub fn from_fd(fd: OwnedFd, state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        let fail = |source| LockError::Io { path: path.clone(), source };
        let file = File::from(fd);
        if !is_at(&file, &path) {
            return Err(fail(io::Error::other("the inherited descriptor is another file")));
        }
        if !lock(&file).map_err(fail)? {
            return Err(LockError::Held { pid: holder(&file), dir: state_dir.into() });
        }
        fcntl_setfd(&file, FdFlags::CLOEXEC).map_err(|errno| fail(errno.into()))?;
        Self::sign(file).map_err(fail)
    }

    /// The pid is for people: what counts is the flock, so a full disk does not matter.
    fn sign(file: File) -> io::Result<Self> {
        file.set_len(0)?;
        let _ = file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0);
        Ok(Self(file))
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Lock> for OwnedFd {
    fn from(lock: Lock) -> Self {
        lock.0.into()
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

/// Whether it is ours.
pub(super) fn lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn holder(file: &File) -> Option<i32> {
    let mut text = [0; 16];
    let n = file.read_at(&mut text, 0).ok()?;
    str::from_utf8(&text[..n]).ok()?.trim().parse().ok()
}

pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_supervisor_on_one_state_dir_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let err = Lock::take(dir.path()).unwrap_err().to_string();
        let begin = format!(
            "another supervisor (pid {}) runs on {}: ",
            std::process::id(),
            dir.path().display()
        );
        assert!(err.starts_with(&begin), "{err}");
        drop(first);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn the_lock_goes_on_in_an_inherited_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let inherited = lock.as_fd().try_clone_to_owned().unwrap();
        drop(lock);
        assert!(matches!(Lock::take(dir.path()), Err(LockError::Held { .. })));
        let lock = Lock::from_fd(inherited, dir.path()).unwrap();
        assert!(matches!(Lock::take(dir.path()), Err(LockError::Held { .. })));
        drop(lock);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_descriptor_of_another_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = Lock::take(dir.path()).unwrap();
        let other = File::create(dir.path().join("other")).unwrap();
        assert!(matches!(Lock::from_fd(other.into(), dir.path()), Err(LockError::Io { .. })));
    }

    #[test]
    fn a_state_dir_that_is_not_there_is_named() {
        let err = Lock::take(Path::new("/nonexistent/state")).unwrap_err();
        assert_eq!(err.to_string(), "cannot lock /nonexistent/state/lock");
    }
}
