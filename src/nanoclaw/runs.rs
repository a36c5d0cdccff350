//! What NanoClaw 1.x notes of every container that has ended, in
//! `groups/FOLDER/logs/container-TIME.log`: when, and how. Not here: what follows from it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::files;

/// So much of a note is read; what is of interest stands at its beginning.
const NOTE_MAX: u64 = 256 * 1024;

/// So many notes are read at once, the newest: a group has one container at a time.
const NOTES_MAX: usize = 50;

/// A container that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it was started.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// With which code; `None` if by a signal.
    pub code: Option<i32>,
    /// NanoClaw ended it because it took too long.
    pub timed_out: bool,
    /// The note says that its agent answered something. Most notes of good ends do not say it.
    pub output: bool,
}

impl Run {
    /// Whether it came to its end by itself, without an error. A container that was ended for
    /// idling has done its work too, if it has answered.
    pub const fn is_good(&self) -> bool {
        if self.timed_out { self.output } else { matches!(self.code, Some(0)) }
    }
}

/// The containers of a group that ended at `after` or later, in order.
pub fn since(directory: &Path, folder: &str, after: SystemTime) -> Vec<Run> {
    let logs = directory.join("groups").join(folder).join("logs");
    let first = Timestamp::try_from(after).unwrap_or(Timestamp::UNIX_EPOCH);
    let first = first.strftime("container-%Y-%m-%dT%H-%M-%S").to_string();
    let entries = std::fs::read_dir(&logs).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".log") && *name >= first)
        .collect();
    names.sort();
    let newest = names.split_off(names.len().saturating_sub(NOTES_MAX));
    let notes = newest.iter().filter_map(|name| files::begin(&logs.join(name), NOTE_MAX).ok());
    let runs = notes.filter_map(|note| parse(&String::from_utf8_lossy(&note)));
    runs.filter(|run| run.ended >= after).collect()
}

/// What a note says; `None` for what is none, or is not whole.
pub(crate) fn parse(note: &str) -> Option<Run> {
    let field = |name: &str| {
        let mut lines = note.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let ended = SystemTime::from(field("Timestamp")?.parse::<Timestamp>().ok()?);
    let took = field("Duration").and_then(|it| it.strip_suffix("ms")?.parse().ok());
    let took = Duration::from_millis(took.unwrap_or(0));
    let code = field("Exit Code")?.parse().ok();
    let output = field("Had Streaming Output") == Some("true")
        || note.contains("Agent output")
        || note.contains("---NANOCLAW_OUTPUT_START---");
    let timed_out = note.lines().next().is_some_and(|first| first.contains("TIMEOUT"));
    Some(Run { began: ended.checked_sub(took).unwrap_or(ended), ended, code, timed_out, output })
}
