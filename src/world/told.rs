//! What the operator was told lately, over our own deaths: whoever begins anew sees the same causes
//! again, and must not tell them again. Not here: what is told, and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::clock;
use super::files::{self, Durability, FileError};

/// The same words about the same cause are told again after this time at the earliest.
const WITHIN: Duration = Duration::from_secs(12 * 60 * 60);
/// How many are remembered.
const MOST: usize = 500;

/// The memory.
#[derive(Debug)]
pub struct Told {
    path: PathBuf,
    /// When each was told, by its words.
    at: BTreeMap<String, SystemTime>,
    /// What lasts, and which time of it was told.
    lasting: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct ToldFile {
    version: u32,
    #[serde(default)]
    told: BTreeMap<String, String>,
    #[serde(default)]
    lasting: BTreeMap<String, String>,
}

impl Told {
    /// Reads `state_dir/told.json`. One that cannot be read is begun anew: to tell something twice
    /// is better than not at all.
    pub fn open(state_dir: &Path) -> Self {
        let path = state_dir.join("told.json");
        let bytes = files::read_if_there(&path).ok().flatten().unwrap_or_default();
        let file: ToldFile = serde_json::from_slice(&bytes).unwrap_or_default();
        let at =
            file.told.into_iter().filter_map(|(key, at)| Some((key, clock::parse_rfc3339(&at)?)));
        Self { path, at: at.collect(), lasting: file.lasting }
    }

    /// Whether these words about this cause were told lately.
    pub fn is_known(&self, key: &str, text: &str, now: SystemTime) -> bool {
        self.at.get(&words(key, text)).is_some_and(|at| is_lately(*at, now))
    }

    /// Whether these words about this cause are news; from here on they are not.
    pub fn is_news(&mut self, key: &str, text: &str, now: SystemTime) -> bool {
        if self.is_known(key, text, now) {
            return false;
        }
        let words = words(key, text);
        let lately = |at: &SystemTime| is_lately(*at, now);
        self.at.retain(|_, at| lately(at));
        while self.at.len() >= MOST {
            let oldest = self.at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.at.remove(&oldest);
        }
        self.at.insert(words, now);
        true
    }

    /// Whether it was told that this lasts, this time.
    pub fn lasts(&self, key: &str, mark: &str) -> bool {
        self.lasting.get(key).is_some_and(|told| told == mark)
    }

    /// It was told that this lasts: for as long as it does, it is not told again.
    pub fn begins(&mut self, key: &str, mark: &str) {
        self.lasting.insert(key.to_owned(), mark.to_owned());
    }

    /// Forgets of what lasted all that does not last any more; what that was.
    pub fn ended(&mut self, lasts: impl Fn(&str) -> bool) -> Vec<String> {
        let ended: Vec<_> = self.lasting.keys().filter(|key| !lasts(key)).cloned().collect();
        self.lasting.retain(|key, _| lasts(key));
        ended
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`FileError`]: then it may be told again after our death.
    pub fn save(&self) -> Result<(), FileError> {
        let told = self.at.iter().map(|(key, at)| (key.clone(), clock::rfc3339(*at)));
        let lasting = self.lasting.clone();
        let file = ToldFile { version: 1, told: told.collect(), lasting };
        let bytes = serde_json::to_vec(&file)
            .map_err(|error| FileError::Write { path: self.path.clone(), source: error.into() })?;
        files::write_atomic(&self.path, &bytes, Durability::Process, 0o640)
    }
}

fn words(key: &str, text: &str) -> String {
    format!("{key}\n{text}")
}

fn is_lately(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_known_for_as_long_as_it_does_also_for_who_comes_after_us() {
        let folder = tempfile::tempdir().unwrap();
        let mut told = Told::open(folder.path());
        told.begins("held a", "1");
        told.begins("held b", "1");
        told.save().unwrap();
        let mut next = Told::open(folder.path());
        assert!(next.lasts("held a", "1") && !next.lasts("held a", "2"));
        assert_eq!(next.ended(|key| key == "held b"), ["held a"]);
        next.save().unwrap();
        let last = Told::open(folder.path());
        assert!(!last.lasts("held a", "1") && last.lasts("held b", "1"));
    }

    #[test]
    fn the_same_words_are_news_once_and_again_after_half_a_day_also_for_who_comes_after_us() {
        let folder = tempfile::tempdir().unwrap();
        let start = clock::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let mut told = Told::open(folder.path());
        assert!(told.is_news("blocked", "no key", start));
        assert!(!told.is_news("blocked", "no key", start));
        assert!(told.is_news("blocked", "no disk", start));
        told.save().unwrap();
        let mut next = Told::open(folder.path());
        assert!(!next.is_news("blocked", "no key", start + WITHIN / 2));
        assert!(next.is_news("blocked", "no key", start + WITHIN));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("told.json"), "{").unwrap();
        assert!(Told::open(folder.path()).is_news("a", "b", SystemTime::UNIX_EPOCH));
    }
}
