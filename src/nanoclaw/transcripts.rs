//! Whether an agent of NanoClaw 1.x has answered a letter, from the transcripts that its Claude
//! keeps in `data/sessions/FOLDER/.claude/projects/`. Not here: everything else in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files;

/// So much of each transcript is read, from its end: they have grown to hundreds of megabytes.
const READ_MAX: u64 = 4 * 1024 * 1024;

/// So many transcripts are looked at, the newest.
const FILES_MAX: usize = 4;

/// Whether an assistant's record follows the one that `mark` stands in, in a transcript that was
/// written since `since`.
pub fn answered(directory: &Path, folder: &str, mark: &str, since: SystemTime) -> bool {
    let projects = directory.join("data/sessions").join(folder).join(".claude/projects");
    let mut found: Vec<(SystemTime, PathBuf)> = entries(&projects)
        .flat_map(|project| entries(&project).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .filter_map(|path| Some((fs::symlink_metadata(&path).ok()?.modified().ok()?, path)))
        .filter(|(modified, _)| *modified >= since)
        .collect();
    found.sort();
    found.iter().rev().take(FILES_MAX).any(|(_, path)| {
        files::end(path, READ_MAX)
            .is_ok_and(|bytes| follows(&String::from_utf8_lossy(&bytes), mark))
    })
}

/// Whether an answer follows the line in which `mark` was asked.
pub(crate) fn follows(transcript: &str, mark: &str) -> bool {
    let mut lines = transcript.lines();
    let asked = lines.any(|line| line.contains(mark) && !is_answer(line));
    asked && lines.any(is_answer)
}

fn is_answer(line: &str) -> bool {
    line.contains("\"type\":\"assistant\"")
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
