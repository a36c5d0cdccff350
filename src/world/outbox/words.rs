//! What a target is told: one notice, or one message for many. Not here: whom, and over which wire.

use super::Severity;
use super::kept::{Kept, TEXT_MAX, cut};
use super::shelf::Entry;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The same for the same news, so that a repeat can be told from them.
    pub(super) id: String,
    pub(super) key: String,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) severity: Severity,
    pub(super) count: u64,
    /// When it happened last, in UTC.
    pub(super) time: String,
}

impl Message {
    /// One message for these; `None` for none.
    pub(super) fn of(entries: &[Entry]) -> Option<Self> {
        match entries {
            [] => None,
            [one] => Some(Self::single(one)),
            many => Some(Self::digest(many)),
        }
    }

    /// The title behind the name of this machine: a phone hears of many.
    pub(super) fn headline(&self) -> String {
        format!("{}: {}", host(), self.title)
    }

    fn single(entry: &Entry) -> Self {
        let Kept { key, title, text, severity, count, first, last, .. } = &entry.kept;
        let text = match count {
            1 => text.clone(),
            times => {
                let tail = format!("\n({times} times since {first})");
                cut(text, TEXT_MAX.saturating_sub(tail.len())) + &tail
            }
        };
        Self {
            id: format!("{}-{count}", stem(entry)),
            key: key.clone(),
            title: title.clone(),
            text,
            severity: *severity,
            count: *count,
            time: last.clone(),
        }
    }

    fn digest(entries: &[Entry]) -> Self {
        let mut text = String::new();
        for (index, Entry { kept, .. }) in entries.iter().enumerate() {
            let times =
                if kept.count > 1 { format!(" ({} times)", kept.count) } else { String::new() };
            let line = format!("{} {}{times}\n", kept.last, kept.title);
            let rest = format!("and {} more", entries.len() - index);
            if text.len() + line.len() + rest.len() > TEXT_MAX {
                text.push_str(&rest);
                break;
            }
            text.push_str(&line);
        }
        let newest = entries.iter().map(|entry| entry.kept.last.as_str()).max();
        let last = entries.last().map(stem).unwrap_or_default();
        Self {
            id: format!("{last}-{}", entries.len()),
            key: "digest".to_owned(),
            title: format!("{} notices", entries.len()),
            text: text.trim_end().to_owned(),
            severity: entries.iter().map(|entry| entry.kept.severity).max().unwrap_or_default(),
            count: entries.iter().map(|entry| entry.kept.count).sum(),
            time: newest.unwrap_or_default().to_owned(),
        }
    }
}

/// What this machine calls itself.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn stem(entry: &Entry) -> &str {
    entry.name.trim_end_matches(".json")
}

#[cfg(test)]
mod tests;
