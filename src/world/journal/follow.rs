//! Reading the journal: its last entries, and those that come.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{PARTS, part};
use crate::world::files;
use crate::world::inotify::{WatchMask, Watcher, is_used_up};
use crate::world::tail::{self, Stretch};

/// How much is read at a time.
const BLOCK: usize = 64 * 1024;

/// Longer entries than this are cut: ours never are.
const LINE_MAX: usize = 1024 * 1024;

/// Between two looks of who cannot be told of changes.
const UNTOLD: Duration = Duration::from_millis(200);

/// How often a reading is begun anew because the parts were renamed meanwhile.
const MOST_TRIES: u32 = 8;

/// The last `n` lines of the journal whose newest part is `path`, without reading the rest. A
/// missing journal has none.
///
/// # Errors
/// A part cannot be read.
pub fn tail(path: &Path, n: usize) -> io::Result<Vec<String>> {
    let mut stretches = Vec::new();
    for _ in 0..MOST_TRIES {
        let (before, opened) = open_all(path)?;
        stretches = opened;
        if inodes(path) == before {
            break;
        }
    }
    let text = tail::last_lines(&stretches, n)?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// The oldest first, with the inodes as [`inodes`] lists them.
fn open_all(path: &Path) -> io::Result<(Vec<u64>, Vec<Stretch>)> {
    let mut stretches = Vec::new();
    let mut inodes = Vec::new();
    for n in (0..=PARTS).rev() {
        if let Some(file) = open_if_there(&part(path, n))? {
            let meta = file.metadata()?;
            inodes.push(meta.ino());
            stretches.push(Stretch { file, from: 0, to: meta.len() });
        }
    }
    Ok((inodes, stretches))
}

fn inodes(path: &Path) -> Vec<u64> {
    (0..=PARTS).rev().filter_map(|n| Some(part(path, n).metadata().ok()?.ino())).collect()
}

/// Waits for the entries that come, each one once, over rotations and from before there is a
/// journal. An iterator that ends only by an error; it blocks.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// None until it is waited for the first time: who never waits takes none of the few that the
    /// kernel has for a user.
    watcher: Option<Watcher>,
    file: Option<File>,
    /// There has been a journal. If there was none, all that there is has come since.
    begun: bool,
    offset: u64,
    unended: Vec<u8>,
    ready: VecDeque<String>,
}

impl Follower {
    /// From the end of the journal on.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub fn new(path: &Path) -> io::Result<Self> {
        let file = open_if_there(path)?;
        let offset =
            file.as_ref().map_or(Ok(0), |file| Ok::<_, io::Error>(file.metadata()?.len()))?;
        Ok(Self {
            path: path.into(),
            watcher: None,
            begun: file.is_some(),
            file,
            offset,
            unended: Vec::new(),
            ready: VecDeque::new(),
        })
    }

    /// The next line, waited for at most for `ceiling`.
    ///
    /// # Errors
    /// A part cannot be read, or inotify fails.
    pub fn next_within(&mut self, ceiling: Duration) -> io::Result<Option<String>> {
        self.read()?;
        if self.ready.is_empty() && self.wait(ceiling)? {
            self.read()?;
        }
        Ok(self.ready.pop_front())
    }

    /// The next line, if there is one already.
    ///
    /// # Errors
    /// A part cannot be read.
    pub fn next_now(&mut self) -> io::Result<Option<String>> {
        self.read()?;
        Ok(self.ready.pop_front())
    }

    /// Whether something may have come.
    fn wait(&mut self, ceiling: Duration) -> io::Result<bool> {
        if let Some(watcher) = &mut self.watcher {
            return watcher.wait(Some(ceiling));
        }
        match watch(&self.path) {
            // What came before it watched is to be read first.
            Ok(watcher) => self.watcher = Some(watcher),
            // The user has too many of them already: then it is looked again and again.
            Err(error) if is_used_up(&error) => {
                std::thread::sleep(ceiling.min(UNTOLD));
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        while self.ready.is_empty() {
            if self.file.is_none() {
                let first = if self.begun { 0 } else { self.oldest() };
                self.file = open_if_there(&part(&self.path, first))?;
                self.begun |= self.file.is_some();
                self.offset = 0;
            }
            let Some(file) = &self.file else { return Ok(()) };
            let n = file.read_at(&mut block, self.offset)?;
            if n == 0 && !self.next_part()? {
                return Ok(());
            }
            self.offset += n as u64;
            self.take(&block[..n]);
        }
        Ok(())
    }

    /// Goes on to the part after the one that is read to its end, if that was closed.
    fn next_part(&mut self) -> io::Result<bool> {
        for _ in 0..MOST_TRIES {
            let Some(file) = &self.file else { return Ok(false) };
            let index = index_of(&self.path, file)?;
            // Asked only now: once a part is renamed its writer adds nothing more.
            let len = file.metadata()?.len();
            if len > self.offset {
                return Ok(true);
            }
            let next = match index {
                // Cut short by hand: what is new begins at its beginning.
                Some(0) if len < self.offset => {
                    self.offset = 0;
                    return Ok(true);
                }
                Some(0) => return Ok(false),
                Some(n) => n - 1,
                // So many rotations behind that ours is gone: the oldest there is comes next.
                None => self.oldest(),
            };
            let opened = open_if_there(&part(&self.path, next))?;
            // Another rotation in between would have put a later part there.
            if index_of(&self.path, file)? == index {
                self.file = opened;
                self.offset = 0;
                return Ok(self.file.is_some());
            }
        }
        Ok(false)
    }

    fn oldest(&self) -> u32 {
        (0..=PARTS).rev().find(|n| part(&self.path, *n).exists()).unwrap_or(0)
    }

    fn take(&mut self, block: &[u8]) {
        for piece in block.split_inclusive(|b| *b == b'\n') {
            let room = LINE_MAX.saturating_sub(self.unended.len()).min(piece.len());
            self.unended.extend_from_slice(&piece[..room]);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.unended);
                self.ready.push_back(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
        }
    }
}

impl Iterator for Follower {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        /// The kernel wakes us; this only bounds what a lost wake-up could cost.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        loop {
            match self.next_within(LOOK_AGAIN) {
                Ok(None) => {}
                Ok(Some(line)) => return Some(Ok(line)),
                Err(err) => return Some(Err(err)),
            }
        }
    }
}

fn watch(path: &Path) -> io::Result<Watcher> {
    let mut watcher = Watcher::new()?;
    let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO;
    watcher.add(files::folder_of(path), mask)?;
    Ok(watcher)
}

fn index_of(path: &Path, file: &File) -> io::Result<Option<u32>> {
    let ours = file.metadata()?.ino();
    Ok((0..=PARTS).find(|n| part(path, *n).metadata().is_ok_and(|meta| meta.ino() == ours)))
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}
