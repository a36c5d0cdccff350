//! One notice as it lies on the disk. The file has a version, and what a later release wrote into it
//! is written back.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Notice, Severity};
use crate::world::clock;

/// The version that is written.
const VERSION: u64 = 1;

/// The longest title, in bytes; phones show less.
const TITLE_MAX: usize = 200;
/// The longest text, in bytes: ntfy makes a file of more than 4096.
pub(super) const TEXT_MAX: usize = 3500;

/// A notice that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u64,
    pub(super) key: String,
    pub(super) title: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) severity: Severity,
    /// How often it has happened since it was first put here.
    #[serde(default = "once")]
    pub(super) count: u64,
    /// When first, and when last.
    pub(super) first: String,
    pub(super) last: String,
    /// The targets that were told, and how many of `count` it was then.
    #[serde(default)]
    pub(super) told: BTreeMap<String, u64>,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

const fn once() -> u64 {
    1
}

impl Kept {
    pub(super) fn new(notice: &Notice, at: SystemTime) -> Self {
        let at = clock::rfc3339(at);
        Self {
            version: VERSION,
            key: notice.key.clone(),
            title: cut(&notice.title, TITLE_MAX),
            text: cut(&notice.text, TEXT_MAX),
            severity: notice.severity,
            count: 1,
            first: at.clone(),
            last: at,
            told: BTreeMap::new(),
            unread: Map::new(),
        }
    }

    /// It has happened again: the newest words stand, in the place of the first.
    pub(super) fn again(&mut self, notice: &Notice, at: SystemTime) {
        let newer = Self::new(notice, at);
        self.title = newer.title;
        self.text = newer.text;
        self.severity = self.severity.max(newer.severity);
        self.last = newer.last;
        self.count = self.count.saturating_add(1);
    }

    /// Whether this target has still to be told.
    pub(super) fn waits_for(&self, target: &str) -> bool {
        self.told.get(target).is_none_or(|told| *told < self.count)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(super) fn written(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// At most so many bytes of a text, the end marked, between two characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let most = most.saturating_sub('…'.len_utf8());
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_each_released_version_is_read() {
        let kept = Kept::read(include_bytes!("../../../tests/saved/notice-v1.json")).unwrap();
        assert_eq!((kept.key.as_str(), kept.count), ("crash-loop web", 3));
        assert_eq!(kept.severity, Severity::Urgent);
        assert!(!kept.waits_for("ntfy-1f00aa30c2d1") && kept.waits_for("command-0a4b"));
    }

    #[test]
    fn fields_of_a_later_release_are_written_back() {
        let text =
            r#"{"version":2,"key":"k","title":"t","text":"x","first":"","last":"","colour":"red"}"#;
        let kept = Kept::read(text.as_bytes()).unwrap();
        assert_eq!(kept.count, 1);
        let written = String::from_utf8(kept.written()).unwrap();
        assert!(written.contains(r#""colour":"red""#) && written.contains(r#""version":2"#));
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äöü", 5), "ä…");
        assert!(cut(&"ü".repeat(4000), TEXT_MAX).len() <= TEXT_MAX);
    }
}
