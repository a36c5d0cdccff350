//! `state_dir/state.json`: what must survive the power. The file has types of its own, apart from
//! those of decide, and a version: whatever we once wrote we can read for ever. Not here: what a
//! wish leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock;
use super::files::{self, Durability, FileError};
use crate::decide::{UnitName, Wish};

/// The version that is written.
const VERSION: u64 = 1;

/// What the file holds, for the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// What the operator wants, by unit; a unit that is not there was never spoken of.
    pub wishes: BTreeMap<UnitName, Wish>,
    /// The boot in which `drain` was called last.
    pub drained_boot: Option<String>,
    /// The units that it stopped.
    pub drained: BTreeSet<UnitName>,
    /// What a later release wrote into a file of our version: kept and written back.
    unread: Map<String, Value>,
}

/// A file that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What could be understood.
    pub saved: Saved,
    /// What the operator must hear about it.
    pub notes: Vec<String>,
}

/// Where the file lies.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("state.json")
}

/// Reads `state_dir/state.json`. A missing file is empty. A corrupt one is set aside and is
/// empty. Of one with a later version what is understood is taken, and a copy is kept. Each with
/// a note.
///
/// # Errors
/// [`FileError`]: it is there and cannot be read (or set aside), so nobody knows what is wished.
pub fn load(state_dir: &Path) -> Result<Loaded, FileError> {
    let path = path(state_dir);
    let mut notes = Vec::new();
    let Some(bytes) = files::read_if_there(&path)? else {
        return Ok(Loaded { saved: Saved::default(), notes });
    };
    let saved = match decode(&bytes, &mut notes) {
        Decoded::Ours(saved) => saved,
        Decoded::Later { version, saved } => {
            let kept = keep_copy(&path, &bytes, version)?;
            notes.push(format!(
                "{} has version {version} and this release knows {VERSION}: what it understands \
                 is used; the original is kept as {}",
                path.display(),
                kept.display()
            ));
            saved
        }
        Decoded::Corrupt(why) => {
            let aside = files::set_aside(&path, "corrupt")?;
            notes.push(format!(
                "{} is corrupt ({why}): set aside as {}; every unit of the configuration is \
                 wished up",
                path.display(),
                aside.display()
            ));
            Saved::default()
        }
    };
    Ok(Loaded { saved, notes })
}

/// Writes `state_dir/state.json` so that it survives the power.
///
/// # Errors
/// [`FileError`]; the old file is whole then.
pub fn save(state_dir: &Path, saved: &Saved) -> Result<(), FileError> {
    let path = path(state_dir);
    let file = StateFile::from(saved);
    let bytes = serde_json::to_vec_pretty(&file)
        .map_err(|err| FileError::Write { path: path.clone(), source: err.into() })?;
    files::write_atomic(&path, &bytes, Durability::Power, 0o644)
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    version: u64,
    #[serde(default)]
    wishes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drained: Option<DrainedFile>,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DrainedFile {
    boot_id: String,
    units: Vec<String>,
}

enum Decoded {
    Ours(Saved),
    Later { version: u64, saved: Saved },
    Corrupt(String),
}

fn decode(bytes: &[u8], notes: &mut Vec<String>) -> Decoded {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(err) => return Decoded::Corrupt(err.to_string()),
    };
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => match serde_json::from_value::<StateFile>(value) {
            Ok(file) => Decoded::Ours(understand(file, notes)),
            Err(err) => Decoded::Corrupt(err.to_string()),
        },
        Some(version) if version > VERSION => {
            // Its other fields mean what a later release says: they stay in the kept copy only.
            let file = StateFile {
                version,
                wishes: field(&value, "wishes").unwrap_or_default(),
                drained: field(&value, "drained"),
                unread: Map::new(),
            };
            Decoded::Later { version, saved: understand(file, notes) }
        }
        Some(_) | None => Decoded::Corrupt("no version that ever was".into()),
    }
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    serde_json::from_value(value.get(name)?.clone()).ok()
}

fn understand(file: StateFile, notes: &mut Vec<String>) -> Saved {
    let mut saved = Saved { unread: file.unread, ..Saved::default() };
    for (name, wish) in file.wishes {
        let wished = match wish.as_str() {
            "up" => Ok(Wish::Up),
            "down" => Ok(Wish::Down),
            _ => Err(format!("the wish {wish:?} of {name:?} is not understood: it is dropped")),
        };
        match (UnitName::new(&name), wished) {
            (Ok(name), Ok(wish)) => {
                saved.wishes.insert(name, wish);
            }
            (Ok(_), Err(note)) => notes.push(note),
            (Err(bad), _) => notes.push(format!("a wish is dropped: {bad}")),
        }
    }
    if let Some(drained) = file.drained {
        saved.drained_boot = Some(drained.boot_id);
        for name in drained.units {
            match UnitName::new(&name) {
                Ok(name) => {
                    saved.drained.insert(name);
                }
                Err(bad) => notes.push(format!("a drained unit is dropped: {bad}")),
            }
        }
    }
    saved
}

impl From<&Saved> for StateFile {
    fn from(saved: &Saved) -> Self {
        let word = |wish: &Wish| match wish {
            Wish::Up => "up".to_owned(),
            Wish::Down => "down".to_owned(),
        };
        Self {
            version: VERSION,
            wishes: saved.wishes.iter().map(|(n, wish)| (n.to_string(), word(wish))).collect(),
            drained: saved.drained_boot.clone().map(|boot_id| DrainedFile {
                boot_id,
                units: saved.drained.iter().map(UnitName::to_string).collect(),
            }),
            unread: saved.unread.clone(),
        }
    }
}

/// Copies the original to `state.json.version-N-TIME`, unless that was done at an earlier start.
fn keep_copy(path: &Path, bytes: &[u8], version: u64) -> Result<PathBuf, FileError> {
    let begin = format!(".version-{version}-");
    let stem = files::with_suffix(path, &begin);
    let same = fs::read_dir(files::folder_of(path)).into_iter().flatten().flatten().find(|entry| {
        entry.path().as_os_str().as_encoded_bytes().starts_with(stem.as_os_str().as_encoded_bytes())
            && fs::read(entry.path()).is_ok_and(|kept| kept == bytes)
    });
    if let Some(same) = same {
        return Ok(same.path());
    }
    let mut kept = files::with_suffix(&stem, &clock::stamp(SystemTime::now()));
    while kept.exists() {
        kept = files::with_suffix(&kept, "-2");
    }
    files::write_atomic(&kept, bytes, Durability::Power, 0o644)?;
    Ok(kept)
}

#[cfg(test)]
mod tests;
