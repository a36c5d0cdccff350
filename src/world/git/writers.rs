//! Which commits wrote a file, and in which clone each was made. Two sessions may commit under one
//! author's name; the reflog of a clone tells them apart. Not here: who may write what.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::{Commit, Oid, Sort};

use super::open::{Opened, Tips, short, time};
use super::{GitError, reflog, sections};

/// How many commits between two looks are told of at most; the youngest are.
const TOLD_MAX: usize = 1000;

/// The longest subject that is handed on, in characters.
const SUBJECT_MAX: usize = 200;

/// What somebody alone may write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guarded {
    /// The file, from the repository's folder.
    pub file: String,
    /// Only what is under the heading of this text, at whatever level; the whole file without one.
    pub heading: Option<String>,
}

/// What was written since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writers {
    /// Where to go on from at the next look: all commits that were looked at.
    pub heads: Vec<String>,
    /// The commits, the oldest first.
    pub written: Vec<Written>,
}

/// A commit that wrote what is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// 40 digits.
    pub commit: String,
    /// The same for people.
    pub short: String,
    /// The first line of its message. Hostile text.
    pub subject: String,
    /// Its author's name. Hostile text.
    pub author: String,
    /// When it was committed.
    pub committed_at: SystemTime,
    /// Which of what was asked for it wrote, by their places.
    pub wrote: BTreeSet<usize>,
    /// In which of the clones it was made, by their places: none if none of them knows.
    pub made_in: BTreeSet<usize>,
}

/// The commits of `repo` (HEAD and the remote's branch) that wrote something `guarded`, and are not
/// reached from `since`. With an empty `since` nothing is told: that is the first look. What was
/// pruned of `since` is left out. Blocks.
///
/// # Errors
/// [`GitError`] of `repo`. A clone that cannot be opened has made nothing, as far as is known.
pub fn writers(
    repo: &Path,
    guarded: &[Guarded],
    since: &[String],
    clones: &[PathBuf],
) -> Result<Writers, GitError> {
    let opened = Opened::at(repo)?;
    let tips: Vec<Oid> = opened.tips(&Tips::Clone)?.into_iter().map(|(_, tip)| tip).collect();
    let heads = tips.iter().map(Oid::to_string).collect();
    let known: Vec<Oid> = since.iter().filter_map(|it| Oid::from_str(it).ok()).collect();
    let known: Vec<Oid> =
        known.into_iter().filter(|id| opened.repo.find_commit(*id).is_ok()).collect();
    if known.is_empty() || tips.iter().all(|tip| known.contains(tip)) {
        return Ok(Writers { heads, written: Vec::new() });
    }
    let mut written = Vec::new();
    for id in between(&opened, &tips, &known).map_err(opened.corrupt("the history"))? {
        let commit = opened.commit(id)?;
        let mut wrote = BTreeSet::new();
        for (place, what) in guarded.iter().enumerate() {
            if wrote_it(&opened, &commit, what)? {
                wrote.insert(place);
            }
        }
        if !wrote.is_empty() {
            written.push(told(&commit, wrote));
        }
    }
    if !written.is_empty() {
        let made = made(clones);
        for it in &mut written {
            let places = made.iter().enumerate().filter(|(_, made)| made.contains(&it.commit));
            it.made_in = places.map(|(place, _)| place).collect();
        }
    }
    Ok(Writers { heads, written })
}

fn between(opened: &Opened, tips: &[Oid], known: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = opened.repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    tips.iter().try_for_each(|tip| walk.push(*tip))?;
    known.iter().try_for_each(|id| walk.hide(*id))?;
    let mut found = walk.take(TOLD_MAX).collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

/// Whether this commit wrote what is guarded: made it another than in its parent. A merge has
/// written it only if it has lines that no parent has.
fn wrote_it(opened: &Opened, commit: &Commit<'_>, what: &Guarded) -> Result<bool, GitError> {
    let file = opened.in_tree(&what.file);
    let here = opened.blob_at(commit, &file)?;
    let mut theirs = Vec::new();
    for parent in commit.parent_ids() {
        // The boundary of a shallow clone: not to be known.
        let Ok(parent) = opened.repo.find_commit(parent) else { return Ok(false) };
        theirs.push(opened.blob_at(&parent, &file)?);
    }
    if theirs.contains(&here) {
        return Ok(false);
    }
    let read = |blob: Option<Oid>| under(opened, blob, &file, what.heading.as_deref());
    let now = read(here)?;
    let theirs = theirs.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(match theirs.as_slice() {
        [] => !now.is_empty(),
        [parent] => *parent != now,
        parents => {
            let theirs: BTreeSet<&String> = parents.iter().flatten().collect();
            now.iter().any(|line| !theirs.contains(line))
        }
    })
}

/// The lines under each heading of this text, whatever its level; without one, all lines.
fn under(
    opened: &Opened,
    blob: Option<Oid>,
    file: &Path,
    heading: Option<&str>,
) -> Result<Vec<String>, GitError> {
    let Some(blob) = blob else { return Ok(Vec::new()) };
    let lines = sections::lines(&opened.content(blob, file)?);
    let Some(heading) = heading else { return Ok(lines) };
    let wanted = heading.trim().trim_start_matches('#').trim();
    let headings = lines.iter().map(|line| line.trim());
    let headings: BTreeSet<&str> = headings
        .filter(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == wanted)
        .collect();
    let mut found = Vec::new();
    for range in headings.into_iter().flat_map(|heading| sections::sections(&lines, heading)) {
        // Empty lines at its end come and go with what follows.
        let section = &lines[range];
        let end = section.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
        found.extend_from_slice(&section[..end]);
    }
    Ok(found)
}

fn told(commit: &Commit<'_>, wrote: BTreeSet<usize>) -> Written {
    let id = commit.id().to_string();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(SUBJECT_MAX).collect();
    Written {
        short: short(&id),
        commit: id,
        subject: text(commit.summary_bytes().unwrap_or_default()),
        author: text(commit.author().name_bytes()),
        committed_at: time(commit.time().seconds()),
        wrote,
        made_in: BTreeSet::new(),
    }
}

/// What was made in each clone.
fn made(clones: &[PathBuf]) -> Vec<BTreeSet<String>> {
    let git = |clone: &PathBuf| Opened::at(clone).ok()?.repo.path().canonicalize().ok();
    let folders: Vec<Option<PathBuf>> = clones.iter().map(git).collect();
    let all: BTreeSet<PathBuf> = folders.iter().flatten().cloned().collect();
    let made = folders
        .iter()
        .map(|git| git.as_ref().map(|git| reflog::made_in(git, &all)).unwrap_or_default());
    made.collect()
}
