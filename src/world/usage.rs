//! `state_dir/usage.json`: what each agent session has spent, and how far its transcripts have been
//! counted for that. Both are in one file, so that after any death nothing is lost or counted twice:
//! what was not saved is read again. Not here: what a record says, and what a budget is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock;
use super::files::{self, Durability, FileError};
use super::saved::keep_copy;
use crate::decide::{DAY, SLOT, Spent, Tokens, UnitName, Usage};

/// The version that is written.
const VERSION: u64 = 1;

/// So many transcripts are remembered of a session: its conversations and their sub-agents.
const FILES_MAX: usize = 64;
/// So many answers are remembered of a transcript: their further parts are still to come.
const ANSWERS_MAX: usize = 8;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// By session.
    pub units: BTreeMap<UnitName, Counted>,
    /// What a later release wrote into a file of our version: kept and written back.
    unread: Map<String, Value>,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What it has spent.
    pub usage: Usage,
    /// How far.
    pub files: Files,
}

/// How far the transcripts of a session have been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// By their path below the folder of all transcripts.
    pub known: BTreeMap<String, FileCount>,
    /// What is no younger was counted, if it is in none of them.
    pub settled: Option<SystemTime>,
}

/// One transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCount {
    /// The first byte that has not been counted.
    pub offset: u64,
    /// The date of the latest record that has.
    pub latest: SystemTime,
    /// The answers that were counted last.
    pub answers: Vec<AnswerCount>,
}

/// An answer of which something was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerCount {
    /// Which one.
    pub message: String,
    /// So much of it.
    pub tokens: Tokens,
    /// And that it ended a turn.
    pub ended: bool,
}

impl Files {
    /// Forgets the oldest of too many.
    pub fn tidy(&mut self) {
        while self.known.len() > FILES_MAX {
            let oldest = self.known.iter().min_by_key(|(_, count)| count.latest);
            let Some((name, latest)) = oldest.map(|(name, it)| (name.clone(), it.latest)) else {
                return;
            };
            self.known.remove(&name);
            self.settled = self.settled.max(Some(latest));
        }
    }
}

impl FileCount {
    /// A transcript that is counted from `offset` on.
    pub fn new(offset: u64) -> Self {
        Self { offset, latest: SystemTime::UNIX_EPOCH, answers: Vec::new() }
    }

    /// Counts an answer, or what a further part of it tells beyond the parts before.
    pub fn count(&mut self, message: &str, tokens: Tokens, ends_turn: bool) -> Spent {
        let known = self.answers.iter().position(|it| it.message == message);
        let mut answer = match known {
            Some(at) => self.answers.remove(at),
            None => {
                AnswerCount { message: message.to_owned(), tokens: Tokens::default(), ended: false }
            }
        };
        let turns = u64::from(ends_turn && !answer.ended);
        let spent = Spent { turns, tokens: tokens.beyond(answer.tokens) };
        answer.tokens = answer.tokens.max(tokens);
        answer.ended |= ends_turn;
        self.answers.push(answer);
        if self.answers.len() > ANSWERS_MAX {
            self.answers.remove(0);
        }
        spent
    }
}

/// Where the file lies.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("usage.json")
}

/// Reads `state_dir/usage.json`, and what the operator must hear about it. A missing file is empty.
/// A corrupt one is set aside and is empty. Of one with a later version a copy is kept.
///
/// # Errors
/// [`FileError`]: it is there and cannot be read (or set aside).
pub fn load(state_dir: &Path) -> Result<(Kept, Vec<String>), FileError> {
    let path = path(state_dir);
    let Some(bytes) = files::read_if_there(&path)? else {
        return Ok((Kept::default(), Vec::new()));
    };
    let value: Result<Value, _> = serde_json::from_slice(&bytes);
    let version = value.as_ref().ok().and_then(|value| value.get("version")?.as_u64());
    let file = value.and_then(serde_json::from_value::<UsageFile>);
    let why = match (version, file) {
        (Some(VERSION), Ok(file)) => return Ok((understand(file), Vec::new())),
        (Some(version), file) if version > VERSION => {
            let kept = keep_copy(&path, &bytes, version)?;
            let note = format!(
                "{} has version {version} and this release knows {VERSION}: what it understands \
                 is used; the original is kept as {}",
                path.display(),
                kept.display()
            );
            let file = file.map(|file| UsageFile { unread: Map::new(), ..file });
            return Ok((file.map(understand).unwrap_or_default(), vec![note]));
        }
        (Some(_) | None, Err(error)) => error.to_string(),
        (Some(_) | None, Ok(_)) => "no version that ever was".to_owned(),
    };
    let aside = files::set_aside(&path, "corrupt")?;
    let note = format!(
        "{} is corrupt ({why}): set aside as {}; what was spent before is not known",
        path.display(),
        aside.display()
    );
    Ok((Kept::default(), vec![note]))
}

/// Writes `state_dir/usage.json` so that it survives the power.
///
/// # Errors
/// [`FileError`]; the old file is whole then.
pub fn save(state_dir: &Path, kept: &Kept) -> Result<(), FileError> {
    let path = path(state_dir);
    let bytes = serde_json::to_vec(&UsageFile::from(kept))
        .map_err(|err| FileError::Write { path: path.clone(), source: err.into() })?;
    files::write_atomic(&path, &bytes, Durability::Power, 0o644)
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct UsageFile {
    version: u64,
    #[serde(default)]
    units: BTreeMap<String, UnitFile>,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct UnitFile {
    days: BTreeMap<String, SpentFile>,
    /// The tokens of the ten minutes that begin then.
    spent: BTreeMap<String, u64>,
    counted: BTreeMap<String, CountFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SpentFile {
    turns: u64,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct CountFile {
    offset: u64,
    latest: String,
    #[serde(default)]
    answers: Vec<AnswerFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AnswerFile {
    message: String,
    /// `turns` = 1: it ended one.
    #[serde(flatten)]
    spent: SpentFile,
}

/// What cannot be understood is not known, and no reason to lose the rest.
fn understand(file: UsageFile) -> Kept {
    let units = file.units.into_iter().filter_map(|(name, unit)| {
        let days = unit.days.into_iter().filter_map(|(day, spent)| {
            let begin = clock::parse_rfc3339(&format!("{day}T00:00:00Z"))?;
            Some((seconds(begin) / DAY, Spent::from(spent)))
        });
        let slots = unit.spent.into_iter().filter_map(|(begin, tokens)| {
            Some((seconds(clock::parse_rfc3339(&begin)?) / SLOT, tokens))
        });
        let usage = Usage { days: days.collect(), slots: slots.collect() };
        let known = unit.counted.into_iter().map(|(name, count)| (name, count.into()));
        let settled = unit.settled.as_deref().and_then(clock::parse_rfc3339);
        let files = Files { known: known.collect(), settled };
        Some((UnitName::new(&name).ok()?, Counted { usage, files }))
    });
    Kept { units: units.collect(), unread: file.unread }
}

impl From<&Kept> for UsageFile {
    fn from(kept: &Kept) -> Self {
        let units = kept.units.iter().map(|(name, unit)| (name.to_string(), unit.into()));
        Self { version: VERSION, units: units.collect(), unread: kept.unread.clone() }
    }
}

impl From<&Counted> for UnitFile {
    fn from(unit: &Counted) -> Self {
        let days = unit.usage.days.iter();
        let slots = unit.usage.slots.iter();
        let known = unit.files.known.iter();
        Self {
            days: days.map(|(day, spent)| (date(*day), (*spent).into())).collect(),
            spent: slots.map(|(slot, tokens)| (exact(at(*slot * SLOT)), *tokens)).collect(),
            counted: known.map(|(name, count)| (name.clone(), count.into())).collect(),
            settled: unit.files.settled.map(exact),
        }
    }
}

impl From<Spent> for SpentFile {
    fn from(Spent { turns, tokens }: Spent) -> Self {
        let Tokens { input, output, cache_read, cache_write } = tokens;
        Self { turns, input, output, cache_read, cache_write }
    }
}

impl From<SpentFile> for Spent {
    fn from(file: SpentFile) -> Self {
        let SpentFile { turns, input, output, cache_read, cache_write } = file;
        Self { turns, tokens: Tokens { input, output, cache_read, cache_write } }
    }
}

impl From<&FileCount> for CountFile {
    fn from(count: &FileCount) -> Self {
        let answers = count.answers.iter().map(|it| AnswerFile {
            message: it.message.clone(),
            spent: Spent { turns: it.ended.into(), tokens: it.tokens }.into(),
        });
        Self { offset: count.offset, latest: exact(count.latest), answers: answers.collect() }
    }
}

impl From<CountFile> for FileCount {
    fn from(file: CountFile) -> Self {
        let answers = file.answers.into_iter().map(|it| {
            let spent = Spent::from(it.spent);
            AnswerCount { message: it.message, tokens: spent.tokens, ended: spent.turns > 0 }
        });
        let latest = clock::parse_rfc3339(&file.latest).unwrap_or(SystemTime::UNIX_EPOCH);
        Self { offset: file.offset, latest, answers: answers.collect() }
    }
}

/// The date that [`Usage`] counts days by, as `status` shows it: `2026-11-21`.
pub fn date(day: u64) -> String {
    clock::rfc3339(at(day * DAY)).split('T').next().unwrap_or_default().to_owned()
}

/// The day of a moment, counted as in [`Usage`].
pub fn day_of(wall: SystemTime) -> u64 {
    seconds(wall) / DAY
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// With its fraction of a second.
fn exact(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests;
