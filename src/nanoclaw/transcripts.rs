//! Whether an agent of NanoClaw has dealt with a letter, from the transcripts that its Claude keeps.
//! Not here: everything else in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Generation, files};

/// So much of each transcript is read, from its end: they have grown to hundreds of megabytes.
const READ_MAX: u64 = 4 * 1024 * 1024;

/// So many transcripts are looked at, the newest.
const FILES_MAX: usize = 4;

/// Where the transcripts of a group are: `name` is its folder in 1.x and its id in 2.x.
pub fn folder(directory: &Path, generation: Generation, name: &str) -> PathBuf {
    match generation {
        Generation::V1 => directory.join("data/sessions").join(name).join(".claude/projects"),
        Generation::V2 => {
            directory.join("data/v2-sessions").join(name).join(".claude-shared/projects")
        }
    }
}

/// What the transcripts of a group say.
#[derive(Debug)]
pub struct Transcripts(pub(crate) Vec<String>);

/// Reads the transcripts of `folder` that were written since `since`.
pub fn read(folder: &Path, since: SystemTime) -> Transcripts {
    let mut found: Vec<(SystemTime, PathBuf)> = entries(folder)
        .flat_map(|project| entries(&project).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .filter_map(|path| Some((fs::symlink_metadata(&path).ok()?.modified().ok()?, path)))
        .filter(|(modified, _)| *modified >= since)
        .collect();
    found.sort();
    let newest = found.iter().rev().take(FILES_MAX);
    let texts = newest.filter_map(|(_, path)| files::end(path, READ_MAX).ok());
    Transcripts(texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect())
}

impl Transcripts {
    /// Whether an assistant's record follows the one that `mark` stands in. It may be the first of
    /// many.
    pub fn answer(&self, mark: &str) -> bool {
        self.0.iter().any(|text| follows(text, mark, is_answer))
    }

    /// Whether a turn that read `mark` has come to its end.
    pub fn end_turn(&self, mark: &str) -> bool {
        self.0.iter().any(|text| follows(text, mark, is_end))
    }
}

fn follows(transcript: &str, mark: &str, is: fn(&str) -> bool) -> bool {
    let mut lines = transcript.lines();
    let asked = lines.any(|line| line.contains(mark) && !is_answer(line) && !is_queue(line));
    asked && lines.any(is)
}

fn is_answer(line: &str) -> bool {
    line.contains("\"type\":\"assistant\"")
}

/// What is said while another turn is under way stands in a queue first: the rest of that turn is no
/// answer to it.
fn is_queue(line: &str) -> bool {
    line.contains("\"type\":\"queue-operation\"")
}

/// The end of a turn of the agent itself. An error of the service has another reason to stop, and
/// the helpers of an agent have turns of their own.
fn is_end(line: &str) -> bool {
    is_answer(line)
        && line.contains("\"stop_reason\":\"end_turn\"")
        && !line.contains("\"isSidechain\":true")
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
