//! REBOOTS.md: one line a boot under `## Reboots`, in a file that also belongs to others. Every
//! other byte stays as it is, and what others write meanwhile is not lost. Not here: which boot
//! this is (boot.rs); a commit of the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use thiserror::Error;

use super::boot::After;
use super::{clock, files};

pub(crate) mod section;

pub use section::Entry;

/// How often we begin anew because somebody else changed the file at that very moment.
const MOST_TRIES: u32 = 50;

/// How long another holder of the file's flock is waited for; it is only advice, so then we go on.
const LOCK_CEILING: Duration = Duration::from_secs(2);

/// Between two looks at the flock; the kernel can wait for it, but not with a ceiling.
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// What a file that we make begins with.
const HEAD: &str = "\
# Reboots

The supervisor adds one line below for each boot of the machine; a boot is known by its boot_id.
Write what you like above the heading and between the lines: it is never touched.

## Reboots

";

/// What is to be said about one boot.
#[derive(Clone, Debug)]
pub struct Reboot<'a> {
    /// The boot.
    pub boot_id: &'a str,
    /// When we first saw it.
    pub at: SystemTime,
    /// The kernel's release.
    pub kernel: &'a str,
    /// How the boot before it ended.
    pub after: After,
    /// How long that one was up, if known.
    pub previous_uptime: Option<Duration>,
}

/// Whether there was anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// The boot was in the file.
    Already,
    /// It is in the file now.
    Appended,
}

/// Why a reboot is not logged, or the log cannot be read.
#[derive(Debug, Error)]
pub enum RebootsError {
    /// Reading.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing.
    #[error("cannot log this boot in {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else changes the file all the time.
    #[error("cannot log this boot in {path}: the file changed under each of {MOST_TRIES} tries")]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

/// Sees to it that `path` has a line about this boot, which has one if its boot_id is anywhere in
/// the file. A missing file is made. Survives the power once it has answered. Blocks, for two
/// seconds at most where somebody else holds the file's flock.
///
/// # Errors
/// [`RebootsError`].
pub fn ensure_logged(path: &Path, reboot: &Reboot<'_>) -> Result<Logged, RebootsError> {
    let fail = |source| RebootsError::Write { path: path.into(), source };
    let target = behind_links(path).map_err(fail)?;
    for _ in 0..MOST_TRIES {
        match attempt(&target, reboot).map_err(fail)? {
            Attempt::Done(logged) => return Ok(logged),
            Attempt::Again => {}
        }
    }
    Err(RebootsError::Busy { path: path.into() })
}

/// The entries of `path`, in the file's order: every list item under `## Reboots`. A missing file
/// has none.
///
/// # Errors
/// [`RebootsError::Read`].
pub fn read(path: &Path) -> Result<Vec<Entry>, RebootsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(section::entries(&bytes)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(RebootsError::Read { path: path.into(), source }),
    }
}

enum Attempt {
    Done(Logged),
    Again,
}

fn attempt(path: &Path, reboot: &Reboot<'_>) -> io::Result<Attempt> {
    let mut file = match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return create(path, reboot),
        Err(err) => return Err(err),
    };
    lock(&file)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if contains(&text, reboot.boot_id.as_bytes()) {
        return Ok(Attempt::Done(Logged::Already));
    }
    let place = section::place(&text);
    let inserted = place.dress(&line(reboot));
    if place.at == text.len() {
        append(path, &file, &text, &inserted)
    } else {
        let mut changed = text.clone();
        changed.splice(place.at..place.at, inserted);
        replace(path, &text, &changed)
    }
}

/// One write at the end of the very file. If the file is replaced at the same moment, our line is
/// not in the new one, and the next attempt sees that.
fn append(path: &Path, mut file: &File, text: &[u8], inserted: &[u8]) -> io::Result<Attempt> {
    if fs::read(path)? != text || !is_at(file, path) {
        return Ok(Attempt::Again);
    }
    let before = file.metadata()?.len();
    let written = file.write(inserted)?;
    if written < inserted.len() {
        // A full disk took a part of the line. It is taken back, if nobody wrote behind it.
        if file.metadata()?.len() == before + written as u64 {
            file.set_len(before)?;
        }
        return Err(io::ErrorKind::StorageFull.into());
    }
    file.sync_all()?;
    if is_at(file, path) { Ok(Attempt::Done(Logged::Appended)) } else { Ok(Attempt::Again) }
}

/// Puts the changed text in the place of the old one, and the old one back if somebody changed it
/// since we read it.
fn replace(path: &Path, text: &[u8], changed: &[u8]) -> io::Result<Attempt> {
    let tmp = files::tmp_beside(path);
    let result = replace_by(&tmp, path, text, changed);
    // After an exchange it is the old file that lies here.
    let _ = fs::remove_file(&tmp);
    result
}

fn replace_by(tmp: &Path, path: &Path, text: &[u8], changed: &[u8]) -> io::Result<Attempt> {
    let meta = fs::metadata(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(tmp)?;
    file.write_all(changed)?;
    if (meta.uid(), meta.gid()) != file.metadata().map(|m| (m.uid(), m.gid()))? {
        chown(tmp, Some(meta.uid()), Some(meta.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
    file.sync_all()?;
    if fs::read(path)? != text {
        return Ok(Attempt::Again);
    }
    match renameat_with(CWD, tmp, CWD, path, RenameFlags::EXCHANGE) {
        Ok(()) if fs::read(tmp)? == text => {}
        Ok(()) => {
            renameat_with(CWD, tmp, CWD, path, RenameFlags::EXCHANGE)?;
            return Ok(Attempt::Again);
        }
        // Some network filesystems cannot exchange.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(tmp, path)?,
        Err(errno) => return Err(errno.into()),
    }
    files::sync_folder_of(path)?;
    Ok(Attempt::Done(Logged::Appended))
}

fn create(path: &Path, reboot: &Reboot<'_>) -> io::Result<Attempt> {
    let tmp = files::tmp_beside(path);
    let result = create_by(&tmp, path, format!("{HEAD}{}\n", line(reboot)).as_bytes());
    let _ = fs::remove_file(&tmp);
    result
}

/// By a link, which (unlike a rename) never replaces what another has made meanwhile.
fn create_by(tmp: &Path, path: &Path, text: &[u8]) -> io::Result<Attempt> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(tmp)?;
    file.write_all(text)?;
    file.sync_all()?;
    match fs::hard_link(tmp, path) {
        Ok(()) => {}
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(Attempt::Again),
        Err(err) => return Err(err),
    }
    files::sync_folder_of(path)?;
    Ok(Attempt::Done(Logged::Appended))
}

fn line(reboot: &Reboot<'_>) -> String {
    format!(
        "- {} boot_id={} kernel={} after={} previous_uptime={}",
        clock::rfc3339(reboot.at),
        reboot.boot_id,
        reboot.kernel,
        reboot.after.as_str(),
        reboot.previous_uptime.map_or_else(|| "unknown".into(), duration),
    )
}

/// `2d3h4m5s`, without what is zero.
fn duration(duration: Duration) -> String {
    let s = duration.as_secs();
    let parts = [(s / 86400, 'd'), (s / 3600 % 24, 'h'), (s / 60 % 60, 'm'), (s % 60, 's')];
    let text: String =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".into() } else { text }
}

/// The file behind symbolic links, so that a link is followed and not replaced; also where the
/// last link leads to nothing yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // As many as the kernel follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = files::folder_of(&path).join(target),
            // No link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn lock(file: &File) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            // A filesystem without locks is no reason not to log.
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK) => return Ok(()),
            Err(Errno::WOULDBLOCK) if waited >= LOCK_CEILING => return Ok(()),
            Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(errno.into()),
        }
        thread::sleep(LOCK_LOOK);
        waited += LOCK_LOOK;
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests;
