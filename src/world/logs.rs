//! The services' logs: `state_dir/logs/NAME.log`. The service itself writes there (`O_APPEND`), so
//! that no line is lost while the supervisor is away. A log is rotated under its writer: its old
//! part is copied to an archive, then a hole is punched where that was, so offsets stay what they
//! were. Not here: whose logs there are, and how large they may become.
//!
//! An archive is called `NAME.log.GENERATION-FROM-TO`: the bytes FROM to TO of the log's
//! GENERATION, which counts how often the log was begun anew at offset 0. One rename thus makes
//! the archive and records what it holds: whoever is killed before the hole is punched leaves
//! nothing that could be read twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, seek};
use thiserror::Error;

use super::files;

mod keeper;
mod parts;
mod read;

pub use keeper::{LogKeeper, Rotation};
pub use read::{Follower, Reader, Whole, read};

use parts::{Archive, archives};

/// The mode of a log and of its archives: the group may read.
const MODE: u32 = 0o640;

/// How far before its end a log is searched for the end of a line.
const LINE_SEARCH: u64 = 1024 * 1024;

/// How much is copied at a time.
const BLOCK: usize = 256 * 1024;

/// A log that has come so far, with holes or not, is begun anew when no writer lives: filesystems
/// end at 16 TiB.
const OFFSET_MAX: u64 = 1 << 40;

/// What could not be done with a log.
#[derive(Debug, Error)]
pub enum LogError {
    /// Opening it for its writer.
    #[error("cannot open the log {path}")]
    Open {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Rotating it. No line is lost or doubled.
    #[error("cannot rotate the log {path}")]
    Rotate {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Watching it.
    #[error("cannot watch the log {path}")]
    Watch {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Opens the log for a child to write to.
///
/// # Errors
/// [`LogError::Open`].
pub fn open_for_child(path: &Path) -> Result<OwnedFd, LogError> {
    open_appending(path)
        .map(OwnedFd::from)
        .map_err(|source| LogError::Open { path: path.into(), source })
}

/// Where the next byte of the log will be: the offset at which a new start's output begins. Zero
/// for a log that is not there.
pub fn end(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}

/// Whether holes can be punched into the files of `folder`. If not, logs are rotated by
/// [`begin_anew`] only.
pub fn supports_punching(folder: &Path) -> bool {
    let tmp = files::tmp_beside(&folder.join("punch"));
    let try_it = || {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&tmp)?;
        (&file).write_all(&[b'x'; 16 * 1024])?;
        punch(&file, 8 * 1024)
    };
    let result = try_it();
    // A tmp that stays is removed at the next start.
    let _ = fs::remove_file(&tmp);
    result.is_ok()
}

/// Moves the whole log to an archive, so that the next one begins at offset 0, if it is larger
/// than `max` and cannot be punched, or has come very far. Only where no writer lives: one that
/// does would go on writing into the archive. Keeps `keep` archives.
///
/// # Errors
/// [`LogError::Rotate`].
pub fn begin_anew(path: &Path, max: u64, keep: u32) -> Result<(), LogError> {
    let move_it = || {
        let Some(file) = open_if_there(path)? else { return Ok(()) };
        let len = file.metadata()?.len();
        let large = len - first_data(&file, 0)?.min(len) > max;
        let punches = supports_punching(files::folder_of(path));
        if len < OFFSET_MAX && (punches || !large) {
            return Ok(());
        }
        let parts = archives(path)?;
        prune(&parts, keep.saturating_sub(1));
        let generation = parts::generation_of(&file, &parts)?;
        // The archive's offsets are the log's, its holes included.
        fs::rename(path, Archive::name(path, generation, 0, len))
    };
    move_it().map_err(|source| LogError::Rotate { path: path.into(), source })
}

/// Moves what the log holds, up to the end of a line near its end, to an archive, if it holds more
/// than `max` bytes; keeps `keep` archives. It may be killed at any moment. Only one rotator at a
/// time may be at one log. Blocks for as long as the copying takes. Answers whether it did.
///
/// # Errors
/// [`LogError::Rotate`].
pub fn rotate(path: &Path, max: u64, keep: u32) -> Result<bool, LogError> {
    rotate_io(path, max, keep).map_err(|source| LogError::Rotate { path: path.into(), source })
}

fn rotate_io(path: &Path, max: u64, keep: u32) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    finish_last(&file, path)?;
    let parts = archives(path)?;
    let from = parts::begin(&file, &parts)?;
    let len = file.metadata()?.len();
    if len.saturating_sub(from) <= max {
        return Ok(false);
    }
    let to = line_end(&file, from, len)?;
    if keep > 0 {
        // Before the copying, because the room may be needed for it.
        prune(&parts, keep - 1);
        let generation = parts::generation_of(&file, &parts)?;
        archive(&file, path, generation, from, to)?;
    }
    punch(&file, to)?;
    Ok(true)
}

/// Punches the hole that a rotator did not come to punch.
fn finish_last(file: &File, path: &Path) -> io::Result<()> {
    match parts::cut(file, &archives(path)?)? {
        Some(cut) if first_data(file, 0)? < cut => punch(file, cut),
        Some(_) | None => Ok(()),
    }
}

/// Copies a range of the log into an archive, whole or not at all. Its contents are synced, so
/// that a loss of power cannot take them after the hole was made.
fn archive(file: &File, path: &Path, generation: u64, from: u64, to: u64) -> io::Result<()> {
    let tmp = files::tmp_beside(path);
    let copy_it = || {
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&tmp)?;
        copy_range(file, &mut copy, from, to)?;
        copy.sync_data()?;
        fs::rename(&tmp, Archive::name(path, generation, from, to))
    };
    let result = copy_it();
    if result.is_err() {
        let _ = fs::remove_file(&tmp);
    }
    result
}

fn copy_range(file: &File, copy: &mut File, from: u64, to: u64) -> io::Result<()> {
    // A descriptor of its own would share the offset: reading at offsets shares nothing.
    let mut block = vec![0; BLOCK];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK);
        let n = file.read_at(&mut block[..want], at)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the log became shorter"));
        }
        copy.write_all(&block[..n])?;
        at += n as u64;
    }
    Ok(())
}

/// The end of the last line in the range; the range's end, where that line is very long.
fn line_end(file: &File, from: u64, to: u64) -> io::Result<u64> {
    let begin = to.saturating_sub(LINE_SEARCH).max(from);
    let block = super::tail::read_range(file, begin, to)?;
    let end = block.iter().rposition(|b| *b == b'\n').map(|at| begin + at as u64 + 1);
    Ok(end.unwrap_or(to))
}

fn punch(file: &File, to: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, 0, to)?)
}

/// Removes all but the newest `keep` archives.
fn prune(parts: &[Archive], keep: u32) {
    let holding: Vec<_> = parts.iter().filter(|part| part.to > part.from).collect();
    let surplus = holding.len().saturating_sub(keep as usize);
    for part in &holding[..surplus] {
        // One that cannot be removed is tried again at the next rotation.
        let _ = fs::remove_file(&part.path);
    }
}

fn open_appending(path: &Path) -> io::Result<File> {
    if !path.exists() {
        parts::begin_generation(path)?;
    }
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// The first byte at or after `from` that is not in a hole; the file's end if there is none.
fn first_data(file: &File, from: u64) -> io::Result<u64> {
    let len = file.metadata()?.len();
    match seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(at) => Ok(at),
        Err(rustix::io::Errno::NXIO) => Ok(len),
        // A filesystem that knows no holes.
        Err(rustix::io::Errno::INVAL) => Ok(from.min(len)),
        Err(errno) => Err(errno.into()),
    }
}

/// The first byte that is neither in a hole nor one of the zeros that a hole leaves in the block
/// where it ends.
fn first_text(file: &File) -> io::Result<u64> {
    let mut at = first_data(file, 0)?;
    let mut block = vec![0; 64 * 1024];
    loop {
        let n = file.read_at(&mut block, at)?;
        let zeros = block[..n].iter().take_while(|b| **b == 0).count();
        at += zeros as u64;
        if n == 0 || zeros < n {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests;
