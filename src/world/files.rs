//! Whole files: written so that a reader sees the old one or the new one and nothing between;
//! set aside when they cannot be read. Not here: what is in them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{Pid, test_kill_process};
use thiserror::Error;

use super::clock;

/// The word between a file's name and its writer's pid while it is being written.
const TMP: &str = ".tmp-";

/// How many files of one name and one second can be set aside.
const MOST_ASIDE: u32 = 1000;

/// What a written file must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: the file and its folder are synced.
    Power,
    /// Our own death only.
    Process,
}

/// What could not be done with a file.
#[derive(Debug, Error)]
pub enum FileError {
    /// Writing, syncing or renaming the new contents.
    #[error("cannot write {path}")]
    Write {
        /// The file that was to be replaced.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Renaming it out of the way.
    #[error("cannot set {path} aside")]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Replaces `path` by `bytes` at once: written beside it, then renamed. `mode` is less the umask.
///
/// # Errors
/// [`FileError::Write`]; the old file is untouched then, and nothing is left beside it.
pub fn write_atomic(
    path: &Path,
    bytes: &[u8],
    durability: Durability,
    mode: u32,
) -> Result<(), FileError> {
    let tmp = tmp_beside(path);
    replace(path, &tmp, bytes, durability, mode).map_err(|source| {
        // A tmp that cannot be removed is removed at the next start.
        let _ = fs::remove_file(&tmp);
        FileError::Write { path: path.into(), source }
    })
}

/// The contents of `path`; `None` if there is no such file.
///
/// # Errors
/// [`FileError::Read`]: it is there and cannot be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.into(), source }),
    }
}

/// Renames `path` to `NAME.SUFFIX-TIME` beside itself and answers with the new path. An earlier
/// one of that name is never overwritten.
///
/// # Errors
/// [`FileError::SetAside`].
pub fn set_aside(path: &Path, suffix: &str) -> Result<PathBuf, FileError> {
    let first = with_suffix(path, &format!(".{suffix}-{}", clock::stamp(SystemTime::now())));
    let fail = |source| FileError::SetAside { path: path.into(), source };
    for n in 1..MOST_ASIDE {
        let aside = if n == 1 { first.clone() } else { with_suffix(&first, &format!("-{n}")) };
        match rename_to_new(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(fail(err)),
        }
    }
    Err(fail(io::Error::from(io::ErrorKind::AlreadyExists)))
}

/// Removes from `folder` what writers that died left half-written. To be called before the first
/// write of this process: a tmp with our own pid is then a dead predecessor's too. A folder that
/// is not there holds nothing.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if let Some(pid) = name.to_str().and_then(writer_of)
            && (pid == Pid::as_raw(Some(rustix::process::getpid())) || is_gone(pid))
        {
            // What cannot be removed is harmless.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Syncs a folder, so that a rename in it survives the power.
///
/// # Errors
/// As `open` and `fsync` have them.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// The folder that `path` is in; `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// `path` with `suffix` after its whole name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// A name beside `path` that no other writer uses.
pub fn tmp_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    with_suffix(path, &format!("{TMP}{}-{count}", std::process::id()))
}

fn replace(
    path: &Path,
    tmp: &Path,
    bytes: &[u8],
    durability: Durability,
    mode: u32,
) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(tmp)?;
    file.write_all(bytes)?;
    if durability == Durability::Power {
        file.sync_all()?;
    }
    drop(file);
    fs::rename(tmp, path)?;
    if durability == Durability::Power {
        sync_folder_of(path)?;
    }
    Ok(())
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network filesystems have no such flag.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

/// The pid in `NAME.tmp-PID-N`.
fn writer_of(name: &str) -> Option<i32> {
    let (pid, count) = name.rsplit_once(TMP)?.1.split_once('-')?;
    count.parse::<u32>().ok()?;
    pid.parse().ok()
}

fn is_gone(pid: i32) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one", Durability::Process, 0o600).unwrap();
        write_atomic(&path, b"two", Durability::Power, 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn a_write_that_fails_names_the_file_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("full"), "").unwrap();
        let err = write_atomic(&path, b"one", Durability::Process, 0o600).unwrap_err();
        assert_eq!(err.to_string(), format!("cannot write {}", path.display()));
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn files_set_aside_never_overwrite_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let mut aside = Vec::new();
        for text in ["one", "two", "three"] {
            fs::write(&path, text).unwrap();
            aside.push(set_aside(&path, "corrupt").unwrap());
        }
        assert!(!path.exists());
        let texts: Vec<_> = aside.iter().map(|p| fs::read_to_string(p).unwrap()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        assert!(aside[0].to_str().unwrap().contains("a.json.corrupt-2"));
    }

    #[test]
    fn what_dead_writers_left_is_removed_and_what_living_ones_write_is_not() {
        let dir = tempfile::tempdir().unwrap();
        // Larger than any pid can be.
        let dead = "a.json.tmp-2000000000-0";
        let ours = format!("a.json.tmp-{}-7", std::process::id());
        let living = "a.json.tmp-1-0";
        for name in [dead, &ours, living, "a.json", "b.tmp-x"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_leftovers(dir.path());
        assert_eq!(names(dir.path()), ["a.json", living, "b.tmp-x"]);
    }
}
