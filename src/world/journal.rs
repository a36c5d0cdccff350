//! `state_dir/events.jsonl`: what was seen and done, and why, one JSON object a line; rotated by
//! renaming. Not here: what deserves an entry.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{clock, files};

mod follow;

pub use follow::{Follower, tail};

/// The size at which a part is closed.
const PART_MAX: u64 = 8 * 1024 * 1024;

/// How many closed parts are kept: `events.jsonl.1` is the newest.
const PARTS: u32 = 3;

/// The event of the entry that stands for those which could not be written.
const LOST: &str = "journal-lost";

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: SystemTime,
    /// In which boot, where that matters.
    pub boot_id: Option<String>,
    /// About which unit; `None` = the supervisor itself.
    pub unit: Option<String>,
    /// What, in one word.
    pub event: String,
    /// Why, for people.
    pub why: String,
    /// Anything more.
    pub fields: BTreeMap<String, Value>,
}

impl Entry {
    /// An entry with nothing but the necessary.
    pub fn new(at: SystemTime, event: &str, why: impl Into<String>) -> Self {
        Self {
            at,
            boot_id: None,
            unit: None,
            event: event.into(),
            why: why.into(),
            fields: BTreeMap::new(),
        }
    }

    /// The entry that a line of the file is; `None` if it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Self {
            at: clock::parse_rfc3339(&line.at)?,
            boot_id: line.boot_id,
            unit: line.unit,
            event: line.event,
            why: line.why,
            fields: line.fields,
        })
    }
}

/// Entries that could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How many.
    pub lost: u64,
    /// Why the last of them was not.
    pub why: String,
}

/// The journal, for its one writer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    part_max: u64,
    file: Option<File>,
    trouble: Option<Trouble>,
}

impl Journal {
    /// The journal in `state_dir`. Nothing is opened until the first entry.
    pub fn new(state_dir: &Path) -> Self {
        Self { path: path(state_dir), part_max: PART_MAX, file: None, trouble: None }
    }

    /// Writes one entry. A failure is no error, because nothing that is supervised may suffer
    /// from it: it is kept as [`Journal::trouble`], and the next entry that can be written is
    /// preceded by one that says how many are missing.
    pub fn append(&mut self, entry: &Entry) {
        let mut text = match &self.trouble {
            Some(trouble) => line(&lost(entry.at, trouble)),
            None => Vec::new(),
        };
        text.extend(line(entry));
        match self.write(&text) {
            Ok(()) => self.trouble = None,
            Err(err) => {
                self.file = None;
                let lost = self.trouble.as_ref().map_or(0, |trouble| trouble.lost) + 1;
                self.trouble = Some(Trouble { lost, why: err.to_string() });
            }
        }
    }

    /// Says how many entries are missing, if that can be written by now: the trouble is over with
    /// its cause, not with the next entry.
    pub fn catch_up(&mut self, at: SystemTime) {
        let Some(trouble) = &self.trouble else { return };
        let text = line(&lost(at, trouble));
        match self.write(&text) {
            Ok(()) => self.trouble = None,
            Err(_) => self.file = None,
        }
    }

    /// What could not be written since the last entry that could.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        // One whose file somebody removed would write where nobody reads.
        let kept = self.file.take().filter(|file| file.metadata().is_ok_and(|m| m.nlink() > 0));
        let mut file = match kept {
            Some(file) => file,
            None => open(&self.path)?,
        };
        let mut size = file.metadata()?.len();
        if size > 0 && size + text.len() as u64 > self.part_max {
            shift(&self.path)?;
            file = open(&self.path)?;
            size = 0;
        }
        let written = file.write(text)?;
        if written < text.len() {
            // Half an entry is worse than none.
            file.set_len(size)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file = Some(file);
        Ok(())
    }
}

/// Where the newest part lies.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("events.jsonl")
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    event: String,
    #[serde(default)]
    why: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, Value>,
}

fn line(entry: &Entry) -> Vec<u8> {
    let Entry { at, boot_id, unit, event, why, fields } = entry.clone();
    let line = Line { at: clock::rfc3339(at), boot_id, unit, event, why, fields };
    // Strings and JSON values are always writable as JSON.
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    text
}

fn lost(at: SystemTime, trouble: &Trouble) -> Entry {
    let Trouble { lost, why } = trouble;
    let mut entry =
        Entry::new(at, LOST, format!("{lost} entries before this one could not be written: {why}"));
    entry.fields.insert("lost".into(), (*lost).into());
    entry
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// `events.jsonl` becomes `.1`, `.1` becomes `.2` and so on; the last is overwritten.
fn shift(path: &Path) -> io::Result<()> {
    for n in (0..PARTS).rev() {
        match fs::rename(part(path, n), part(path, n + 1)) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Part 0 is the one that is written.
fn part(path: &Path, n: u32) -> PathBuf {
    if n == 0 { path.into() } else { files::with_suffix(path, &format!(".{n}")) }
}

#[cfg(test)]
mod tests;
