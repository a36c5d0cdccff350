//! The notices on the disk, a file each, their names in the order in which they came. Whoever has
//! something to tell puts it here, be it the daemon or a verb. Not here: who is told, and when.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::kept::Kept;
use super::{Notice, OutboxError, Posted, Severity};
use crate::world::{files, lock, random};

/// More notices than this are not kept: the oldest are dropped, and that is said.
pub(super) const MOST: usize = 200;
/// Another writer needs some milliseconds. One that was stopped keeps the lock for ever, and then
/// files are written without: no notice is lost by it, at worst one is told twice.
const LOCK_WITHIN: Duration = Duration::from_secs(2);
/// Between two tries to get the lock.
const LOCK_AGAIN: Duration = Duration::from_millis(20);
/// The notice that says what was dropped.
const DROPPED: &str = "outbox: dropped";
/// The notice that says what could not be read.
const CORRUPT: &str = "outbox: corrupt";

/// Where they lie.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    /// The one that survives the power.
    state: PathBuf,
    /// The one for what that does not take: it outlives us, though not the power.
    aside: PathBuf,
}

/// A notice and its file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The file's name: it is never used again.
    pub(super) name: String,
    pub(super) kept: Kept,
    path: PathBuf,
}

impl Shelf {
    pub(super) fn new(state_dir: &Path, runtime_dir: &Path) -> Self {
        Self { state: state_dir.join("outbox"), aside: runtime_dir.join("outbox") }
    }

    /// The folders, the durable one first.
    pub(super) fn folders(&self) -> [&Path; 2] {
        [&self.state, &self.aside]
    }

    /// Makes the folders; one that cannot be made is noticed when something is to be put there.
    pub(super) fn make(&self) {
        for folder in self.folders() {
            if folder.exists() {
                continue;
            }
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            if made.is_ok() {
                hand_over(folder);
            }
        }
    }

    /// Puts a notice on the shelf, so that it survives the power if that can be had.
    pub(super) fn post(&self, notice: &Notice, at: SystemTime) -> Result<Posted, OutboxError> {
        self.make();
        let _lock = self.lock();
        let mut waiting = self.read();
        if let Some(entry) = waiting.iter_mut().find(|entry| entry.kept.key == notice.key) {
            entry.kept.again(notice, at);
            return self.write(&entry.name, &entry.kept);
        }
        let kept = Kept::new(notice, at);
        let posted = self.write(&next_name(&waiting), &kept)?;
        if waiting.len() >= MOST {
            self.drop_oldest(&waiting, at);
        }
        Ok(posted)
    }

    /// All that wait, in order. What cannot be understood is set aside, and a notice says so.
    pub(super) fn waiting(&self) -> Vec<Entry> {
        self.read()
    }

    /// Notes that `target` was told of these as they were read. Who has been told by all is removed.
    /// With the disk full a part of that may fail, which costs one repeat after our death.
    pub(super) fn told(&self, entries: &[Entry], target: &str, all: &[String]) -> io::Result<()> {
        let _lock = self.lock();
        let mut result = Ok(());
        for entry in entries {
            // It may have happened again meanwhile.
            let Ok(Some(bytes)) = files::read_if_there(&entry.path) else { continue };
            let Ok(mut kept) = Kept::read(&bytes) else { continue };
            kept.told.insert(target.to_owned(), entry.kept.count);
            if all.iter().any(|target| kept.waits_for(target)) {
                let durability = files::Durability::Power;
                let written = files::write_atomic(&entry.path, &kept.written(), durability, 0o600);
                result = result.and(written.map_err(io::Error::other));
            } else {
                result = result.and(remove(&entry.path));
            }
        }
        for folder in self.folders() {
            // Unsynced, the removal is done again by who comes after a loss of power: a repeat.
            let _ = files::sync_folder_of(&folder.join("x"));
        }
        result
    }

    fn write(&self, name: &str, kept: &Kept) -> Result<Posted, OutboxError> {
        let bytes = kept.written();
        let [state, aside] = self.folders().map(|folder| folder.join(name));
        let durable = files::write_atomic(&state, &bytes, files::Durability::Power, 0o600);
        let Err(why) = durable else {
            hand_over(&state);
            // An older state of it may lie there since the disk was full.
            let _ = fs::remove_file(&aside);
            return Ok(Posted { name: name.to_owned(), durable: true });
        };
        if files::write_atomic(&aside, &bytes, files::Durability::Process, 0o600).is_err() {
            return Err(OutboxError::Write(why));
        }
        hand_over(&aside);
        // It would come back with fewer counts, and be told again.
        let _ = fs::remove_file(&state);
        Ok(Posted { name: name.to_owned(), durable: false })
    }

    fn read(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for folder in self.folders() {
            let Ok(listed) = fs::read_dir(folder) else { continue };
            for file in listed.flatten() {
                let Some(name) = file.file_name().to_str().map(str::to_owned) else { continue };
                if number(&name).is_none() {
                    continue;
                }
                let path = file.path();
                // One that is gone was told; one that may not be read is another user's for a moment.
                let Ok(Some(bytes)) = files::read_if_there(&path) else { continue };
                match Kept::read(&bytes) {
                    Ok(kept) => entries.push(Entry { name, kept, path }),
                    Err(_) => self.set_aside(&path),
                }
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        entries.dedup_by(|later, first| later.name == first.name);
        entries
    }

    fn set_aside(&self, path: &Path) {
        // Somebody else may have done so.
        let Ok(aside) = files::set_aside(path, "corrupt") else { return };
        let notice = Notice {
            key: CORRUPT.to_owned(),
            title: "A notice was lost".to_owned(),
            text: format!("A file of the outbox is corrupt: set aside as {}", aside.display()),
            severity: Severity::Warning,
        };
        let name = format!("{:012}-{:08x}.json", 0, random::short());
        // With no room for it the file that was set aside still tells.
        let _ = self.write(&name, &Kept::new(&notice, SystemTime::now()));
    }

    /// Two of the oldest make room for the one that came and the one that says so.
    fn drop_oldest(&self, waiting: &[Entry], at: SystemTime) {
        let old = waiting.iter().filter(|entry| entry.kept.key != DROPPED);
        let old: Vec<_> = old.take(waiting.len().saturating_sub(MOST) + 2).collect();
        let titles: Vec<_> = old.iter().map(|entry| entry.kept.title.as_str()).collect();
        let last = titles.last().copied().unwrap_or_default();
        let text = format!(
            "Nobody took them for too long, so the oldest notices were dropped, the last of them: \
             {last}. The journal has them all: `supervisor events`"
        );
        let notice = Notice {
            key: DROPPED.to_owned(),
            title: "Notices were dropped".to_owned(),
            text,
            severity: Severity::Warning,
        };
        let earlier = waiting.iter().find(|entry| entry.kept.key == DROPPED);
        let (name, mut kept) = match earlier {
            Some(entry) => (entry.name.clone(), entry.kept.clone()),
            None => (old.first().map_or_else(|| next_name(waiting), |entry| entry.name.clone()), {
                Kept::new(&notice, at)
            }),
        };
        let before = if earlier.is_some() { kept.count } else { 0 };
        kept.again(&notice, at);
        kept.count = before.saturating_add(titles.len() as u64);
        if self.write(&name, &kept).is_err() {
            return;
        }
        for entry in old.iter().filter(|entry| entry.name != name) {
            // It is dropped with the next one then.
            let _ = remove(&entry.path);
        }
    }

    /// `None` where there is none to be had.
    fn lock(&self) -> Option<File> {
        match take(&self.state.join("lock"), LOCK_WITHIN) {
            Taken::Ours(file) => Some(file),
            Taken::Held | Taken::NoFile => None,
        }
    }
}

/// What became of a try to get a lock.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is ours, until this is dropped.
    Ours(File),
    /// Another process has it.
    Held,
    /// There is no such file to be had.
    NoFile,
}

/// The lock on a file, waited for at most so long.
pub(super) fn take(path: &Path, within: Duration) -> Taken {
    let deadline = Instant::now() + within;
    let new = !path.exists();
    let Ok(file) = lock::open(path) else { return Taken::NoFile };
    if new {
        hand_over(path);
    }
    loop {
        match lock::lock(&file) {
            Ok(true) => return Taken::Ours(file),
            Ok(false) if Instant::now() < deadline => std::thread::sleep(LOCK_AGAIN),
            Ok(false) => return Taken::Held,
            Err(_) => return Taken::NoFile,
        }
    }
}

/// What root writes into the folder of another user belongs to that user, or the daemon could not
/// read it.
fn hand_over(path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(folder) = fs::metadata(files::folder_of(path)) else { return };
    if folder.uid() != 0 {
        // The daemon says then what it cannot read.
        let _ = chown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sorts behind all others, and is no other's.
fn next_name(waiting: &[Entry]) -> String {
    let last = waiting.iter().filter_map(|entry| number(&entry.name)).max().unwrap_or(0);
    format!("{:012}-{:08x}.json", last + 1, random::short())
}

/// The number in `000000000017-1a2b3c4d.json`.
fn number(name: &str) -> Option<u64> {
    let (number, rest) = name.strip_suffix(".json")?.split_once('-')?;
    u32::from_str_radix(rest, 16).ok()?;
    (number.len() == 12).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests;
