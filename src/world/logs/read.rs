//! Reading a log as one text: its archives, then the log itself, whatever is rotated meanwhile.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parts::{self, Archive, archives};
use super::{first_text, open_if_there};
use crate::world::files;
use crate::world::inotify::{WatchMask, Watcher};
use crate::world::tail::{self, Stretch};

/// How much is read at a time.
const BLOCK: usize = 64 * 1024;

/// How often a reading is begun anew because the log was rotated meanwhile.
const MOST_TRIES: u32 = 8;

/// The last `lines` lines of the log, archives included, and the offset in the log at which they
/// end. A log that is not there has none.
///
/// # Errors
/// The log or an archive cannot be read.
pub fn read(path: &Path, lines: usize) -> io::Result<(Vec<u8>, u64)> {
    let mut result = (Vec::new(), 0);
    for _ in 0..MOST_TRIES {
        let before = archives_if_there(path)?;
        let (stretches, end) = stretches(path, &before)?;
        result = (tail::last_lines(&stretches, lines)?, end);
        // A rotation makes its archive before its hole: no new archive, no new hole.
        if archives_if_there(path)? == before {
            break;
        }
    }
    Ok(result)
}

/// The whole log from the oldest archive on, block by block: it may be larger than memory.
#[derive(Debug)]
pub struct Whole {
    archived: VecDeque<Stretch>,
    log: Reader,
    end: u64,
}

impl Whole {
    /// Up to where the log ends now.
    ///
    /// # Errors
    /// The log or an archive cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let before = archives_if_there(path)?;
            let (stretches, end) = stretches(path, &before)?;
            tries += 1;
            if tries < MOST_TRIES && archives_if_there(path)? != before {
                continue;
            }
            let mut archived = VecDeque::from(stretches);
            // The log itself may be rotated while it is read: its archives must be looked for then.
            let from = match path.exists() {
                true => archived.pop_back().map_or(end, |log| log.from),
                false => end,
            };
            return Ok(Self { archived, log: Reader::new(path, from), end });
        }
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// As [`Whole::open`].
    pub fn next_block(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(stretch) = self.archived.front_mut() {
            let to = stretch.to.min(stretch.from + BLOCK as u64);
            let block = tail::read_range(&stretch.file, stretch.from, to)?;
            stretch.from = to;
            if !block.is_empty() {
                return Ok(Some(block));
            }
            self.archived.pop_front();
        }
        if self.log.offset() >= self.end {
            return Ok(None);
        }
        let mut block = vec![0; BLOCK];
        let n = self.log.read(&mut block)?;
        block.truncate(n);
        Ok(Some(block).filter(|block| !block.is_empty()))
    }

    /// Where in the log the next byte is that has not been read.
    pub fn offset(&self) -> u64 {
        self.log.offset()
    }
}

fn stretches(path: &Path, parts: &[Archive]) -> io::Result<(Vec<Stretch>, u64)> {
    let mut stretches = Vec::new();
    let (mut generation, mut read_to) = (0, 0);
    for part in parts {
        if part.generation != generation {
            (generation, read_to) = (part.generation, 0);
        }
        // One that was removed meanwhile was the oldest.
        let Some(file) = open_if_there(&part.path)? else { continue };
        let text = if part.from == 0 { first_text(&file)? } else { 0 };
        let from = read_to.max(part.from).saturating_sub(part.from).max(text);
        stretches.push(Stretch { from, to: file.metadata()?.len(), file });
        read_to = part.to;
    }
    let mut end = 0;
    if let Some(file) = open_if_there(path)? {
        end = file.metadata()?.len();
        stretches.push(Stretch { from: parts::begin(&file, parts)?, to: end, file });
    }
    Ok((stretches, end))
}

fn archives_if_there(path: &Path) -> io::Result<Vec<Archive>> {
    match archives(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// Reads a log from an offset on, each byte once. It never waits: at the end it answers 0, and
/// more when there is more.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
}

impl Reader {
    /// From `offset` on; from the beginning of what there is, if the log never came so far.
    pub fn new(path: &Path, offset: u64) -> Self {
        Self { path: path.into(), file: None, offset }
    }

    /// Where the next byte to be read is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads what comes next into `block`; 0 = nothing yet.
    ///
    /// # Errors
    /// The log or an archive cannot be read.
    pub fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.file.is_none() {
                self.file = open_if_there(&self.path)?;
            }
            let Some(file) = &self.file else { return Ok(0) };
            if file.metadata()?.len() < self.offset {
                self.offset = first_text(file)?;
            }
            let n = file.read_at(block, self.offset)?;
            if n == 0 {
                if !self.next_file()? {
                    return Ok(0);
                }
            } else if !block[..n].contains(&0) {
                // No hole was read, so nothing need be looked for elsewhere.
                self.offset += n as u64;
                return Ok(n);
            } else if let Some(n) = self.read_around_hole(block, n)? {
                return Ok(n);
            }
        }
    }

    /// What was read has zeros in it: the service's own, or those of a hole whose text is in an
    /// archive. `None` if nothing was read and the offset was moved on.
    fn read_around_hole(&mut self, block: &mut [u8], n: usize) -> io::Result<Option<usize>> {
        let Some(file) = &self.file else { return Ok(None) };
        let parts = archives_if_there(&self.path)?;
        let cut = parts::begin(file, &parts)?;
        if self.offset >= cut {
            self.offset += n as u64;
            return Ok(Some(n));
        }
        let generation = parts::generation_of(file, &parts)?;
        let Some((at, n)) = parts::read_at(&parts, generation, self.offset, block)? else {
            // The archive that held it is gone for good.
            self.offset = cut;
            return Ok(None);
        };
        self.offset = at + n as u64;
        Ok(Some(n))
    }

    /// At the end of a log that was moved or removed: goes on to the one in its place.
    fn next_file(&mut self) -> io::Result<bool> {
        let (Some(file), Some(next)) = (&self.file, open_if_there(&self.path)?) else {
            return Ok(false);
        };
        let (ours, there) = (file.metadata()?, next.metadata()?);
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) || ours.len() > self.offset {
            return Ok(ours.len() > self.offset);
        }
        self.offset = first_text(&next)?;
        self.file = Some(next);
        Ok(true)
    }
}

/// Waits for what is written to a log, over rotations and from before there is a log. An iterator
/// over pieces of any length that ends only by an error; it blocks.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    watcher: Watcher,
    watched: bool,
}

impl Follower {
    /// From `offset` on.
    ///
    /// # Errors
    /// The folder cannot be watched.
    pub fn new(path: &Path, offset: u64) -> io::Result<Self> {
        let mut watcher = Watcher::new()?;
        let mask = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::DELETE;
        watcher.add(files::folder_of(path), mask)?;
        Ok(Self { reader: Reader::new(path, offset), watcher, watched: false })
    }

    /// The next piece, waited for at most for `ceiling`.
    ///
    /// # Errors
    /// The log cannot be read, or inotify fails.
    pub fn next_within(&mut self, ceiling: Duration) -> io::Result<Option<Vec<u8>>> {
        if !self.watched {
            self.watch()?;
        }
        if let Some(piece) = self.piece()? {
            return Ok(Some(piece));
        }
        if self.watcher.wait(Some(ceiling))? {
            // It may be another file by now.
            self.watch()?;
        }
        self.piece()
    }

    fn watch(&mut self) -> io::Result<()> {
        match self.watcher.add(&self.reader.path, WatchMask::MODIFY) {
            Ok(()) => self.watched = true,
            Err(err) if err.kind() == io::ErrorKind::NotFound => self.watched = false,
            Err(err) => return Err(err),
        }
        Ok(())
    }

    fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = vec![0; BLOCK];
        let n = self.reader.read(&mut block)?;
        block.truncate(n);
        Ok((n > 0).then_some(block))
    }
}

impl Iterator for Follower {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        /// The kernel wakes us; this only bounds what a lost wake-up could cost.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        loop {
            match self.next_within(LOOK_AGAIN) {
                Ok(None) => {}
                Ok(Some(piece)) => return Some(Ok(piece)),
                Err(err) => return Some(Err(err)),
            }
        }
    }
}
