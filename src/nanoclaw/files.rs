//! Reading files that a container may have put there: no link is followed, nothing but a file is
//! opened, and nobody makes us wait or grow. Not here: what is in them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// Opens a plain file; a pipe that nobody writes to does not hold us up.
///
/// # Errors
/// As `open` has them; [`io::ErrorKind::InvalidInput`] for what is no plain file.
pub fn plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(File::from(file))
}

/// At most the first `most` bytes of a file.
///
/// # Errors
/// As [`plain`].
pub fn begin(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// At most the last `most` bytes of a file.
///
/// # Errors
/// As [`plain`].
pub fn end(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = plain(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The date of the oldest file of `folder` whose name ends in `suffix`; `None` if there is none, or
/// no such folder.
pub fn oldest(folder: &Path, suffix: &str) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let named = entries.filter(|it| it.file_name().to_str().is_some_and(|n| n.ends_with(suffix)));
    named.filter_map(|entry| entry.metadata().ok()?.modified().ok()).min()
}
