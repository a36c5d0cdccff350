//! `state_dir/state.json`: what must survive the power. The file has types of its own, apart from
//! those of decide, and a version: whatever we once wrote we can read for ever. Not here: what a
//! wish leads to.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::plan::PlanFile;
use super::clock;
use super::files::{self, Durability, FileError};
use crate::decide::{Message, MessageId, PlanSaved, Remedy, RemedyUse, UnitName, Wish};

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
    /// The conversation of each agent session.
    pub conversations: BTreeMap<UnitName, String>,
    /// What was done about each agent session that could not go on.
    pub remedies: BTreeMap<UnitName, Vec<RemedyUse>>,
    /// Why a session's conversation is another than the last, until it has been told.
    pub because: BTreeMap<UnitName, String>,
    /// What is still to be typed, in order.
    pub messages: BTreeMap<UnitName, Vec<Message>>,
    /// How far the plan is.
    pub plan: PlanSaved,
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
    write(state_dir, saved, Durability::Power)
}

/// Writes the same into `runtime_dir`, for as long as `state_dir` cannot take it: there it outlives
/// us, though not the power.
///
/// # Errors
/// [`FileError`].
pub fn save_aside(runtime_dir: &Path, saved: &Saved) -> Result<(), FileError> {
    write(runtime_dir, saved, Durability::Process)
}

/// Removes what [`save_aside`] wrote. To be called once `state_dir` holds the same or newer.
pub fn forget_aside(runtime_dir: &Path) {
    // If it cannot be removed, a successor reads what it held when it was written last.
    let _ = fs::remove_file(path(runtime_dir));
}

/// As [`load`], but for what a predecessor could write into `runtime_dir` alone; and whether it
/// was that.
///
/// # Errors
/// As [`load`].
pub fn load_newest(state_dir: &Path, runtime_dir: &Path) -> Result<(Loaded, bool), FileError> {
    let aside = path(runtime_dir);
    if !aside.exists() {
        return Ok((load(state_dir)?, false));
    }
    let loaded = load(runtime_dir)?;
    if aside.exists() {
        return Ok((loaded, true));
    }
    // It was corrupt, and is set aside by now.
    let mut older = load(state_dir)?;
    older.notes.extend(loaded.notes);
    Ok((older, false))
}

fn write(folder: &Path, saved: &Saved, durability: Durability) -> Result<(), FileError> {
    let path = path(folder);
    let file = StateFile::from(saved);
    let bytes = serde_json::to_vec_pretty(&file)
        .map_err(|err| FileError::Write { path: path.clone(), source: err.into() })?;
    files::write_atomic(&path, &bytes, durability, 0o644)
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    version: u64,
    #[serde(default)]
    wishes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drained: Option<DrainedFile>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    conversations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    remedies: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    because: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    messages: BTreeMap<String, Vec<MessageFile>>,
    #[serde(default, skip_serializing_if = "PlanFile::is_empty")]
    plan: PlanFile,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DrainedFile {
    boot_id: String,
    units: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MessageFile {
    /// Its name, then those of what was folded into it.
    ids: Vec<String>,
    text: String,
    since: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default)]
    begun: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<String>,
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
                conversations: field(&value, "conversations").unwrap_or_default(),
                remedies: field(&value, "remedies").unwrap_or_default(),
                because: field(&value, "because").unwrap_or_default(),
                messages: field(&value, "messages").unwrap_or_default(),
                plan: field(&value, "plan").unwrap_or_default(),
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
    let plan = file.plan.into();
    let mut saved = Saved { unread: file.unread, plan, ..Saved::default() };
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
    for (name, conversation) in file.conversations {
        match UnitName::new(&name) {
            Ok(name) => {
                saved.conversations.insert(name, conversation);
            }
            Err(bad) => notes.push(format!("a conversation is dropped: {bad}")),
        }
    }
    // What was done about a unit that cannot be is of no account.
    for (name, spent) in file.remedies {
        let Ok(name) = UnitName::new(&name) else { continue };
        saved.remedies.insert(name, spent.iter().filter_map(|text| spent_of(text)).collect());
    }
    for (name, because) in file.because {
        let Ok(name) = UnitName::new(&name) else { continue };
        saved.because.insert(name, because);
    }
    for (name, messages) in file.messages {
        match UnitName::new(&name) {
            Ok(name) => {
                let messages = messages.into_iter().map(Message::from).collect();
                saved.messages.insert(name, messages);
            }
            Err(bad) => notes.push(format!("{} messages are dropped: {bad}", messages.len())),
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
            conversations: by_text(&saved.conversations, Clone::clone),
            remedies: by_text(&saved.remedies, |spent| spent.iter().map(spent_text).collect()),
            because: by_text(&saved.because, Clone::clone),
            messages: by_text(&saved.messages, |messages| {
                messages.iter().map(MessageFile::from).collect()
            }),
            plan: PlanFile::from(&saved.plan),
            unread: saved.unread.clone(),
        }
    }
}

fn spent_text(spent: &RemedyUse) -> String {
    format!("{} {}", spent.remedy.as_str(), clock::rfc3339(spent.at))
}

/// In the first release there was one remedy, and its date alone was written.
fn spent_of(text: &str) -> Option<RemedyUse> {
    let (word, date) = text.split_once(' ').unwrap_or((Remedy::Fresh.as_str(), text));
    let remedy = Remedy::ALL.into_iter().find(|remedy| remedy.as_str() == word)?;
    Some(RemedyUse { remedy, at: clock::parse_rfc3339(date)? })
}

fn by_text<V, W>(of: &BTreeMap<UnitName, V>, to: impl Fn(&V) -> W) -> BTreeMap<String, W> {
    of.iter().map(|(name, value)| (name.to_string(), to(value))).collect()
}

impl From<&Message> for MessageFile {
    fn from(message: &Message) -> Self {
        Self {
            ids: message.ids.iter().map(ToString::to_string).collect(),
            text: message.text.clone(),
            since: clock::rfc3339(message.since),
            expires: message.expires.map(clock::rfc3339),
            begun: message.begun,
            about: message.about.clone(),
        }
    }
}

/// A date that cannot be read is no reason to lose a message.
impl From<MessageFile> for Message {
    fn from(file: MessageFile) -> Self {
        Self {
            ids: file.ids.iter().filter_map(|id| MessageId::parse(id)).collect(),
            text: file.text,
            since: clock::parse_rfc3339(&file.since).unwrap_or(SystemTime::UNIX_EPOCH),
            expires: file.expires.as_deref().and_then(clock::parse_rfc3339),
            begun: file.begun,
            about: file.about,
        }
    }
}

/// Copies the original to `state.json.version-N-TIME`, unless that was done at an earlier start.
pub(super) fn keep_copy(path: &Path, bytes: &[u8], version: u64) -> Result<PathBuf, FileError> {
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
pub(super) mod tests;
