//! In which commit a line came into a file: followed back through the history, for the lines that
//! are asked for alone, and only up to a commit where it is known already. Not here: which lines
//! are asked for, and what a line is called by.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;

use git2::{Commit, DiffOptions, Oid, Patch};

use super::open::Opened;
use super::{COMMITS_MAX, GitError};

/// How many versions of a file are kept while its history is followed: a commit's and its parents'.
const VERSIONS: usize = 4;

/// The commit that brought a line. Author and time survive a rebase, the commit does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) commit: Oid,
    pub(super) author: Vec<u8>,
    /// By the author's clock, in seconds.
    pub(super) authored: i64,
    /// By the committer's clock, in seconds.
    pub(super) committed: i64,
}

/// Where lines of a version came from, by their place in it, counted from 0.
pub(super) type Places = BTreeMap<usize, Origin>;

/// Where the lines of some commits came from.
pub(super) trait Known {
    /// What is known of the file in `commit`.
    fn at(&self, commit: Oid) -> Option<&Places>;
}

/// What is to be followed on from one commit.
struct Pending {
    blob: Oid,
    /// Where each line is in this commit, and where it was at the start.
    lines: Vec<(usize, usize)>,
}

/// Finds the commits that brought the lines at `wanted` in the version of `file` at `tip`. What is
/// older than can be followed has the oldest commit that was reached.
pub(super) fn origins(
    opened: &Opened,
    file: &Path,
    (tip, blob): (Oid, Oid),
    wanted: impl IntoIterator<Item = usize>,
    known: &dyn Known,
) -> Result<Places, GitError> {
    let mut found = Places::new();
    let lines: Vec<_> = wanted.into_iter().map(|place| (place, place)).collect();
    let mut versions = Versions { opened, file, recent: VecDeque::new() };
    // The newest first, so that a commit is met after all that follow it, as a rule.
    let mut queue = BTreeMap::new();
    let tip = opened.commit(tip)?;
    queue.insert((tip.time().seconds(), tip.id()), Pending { blob, lines });
    let mut met = 0;
    while let Some(((_, id), mut pending)) = queue.pop_last() {
        if let Some(known) = known.at(id) {
            pending.lines.retain(|(here, start)| match known.get(here) {
                Some(origin) => {
                    found.insert(*start, origin.clone());
                    false
                }
                None => true,
            });
        }
        if pending.lines.is_empty() {
            continue;
        }
        met += 1;
        let commit = opened.commit(id)?;
        let parents = if met < COMMITS_MAX { parents(opened, &commit, file)? } else { Vec::new() };
        let rest = hand_on(&mut queue, &mut versions, parents, pending)?;
        let origin = origin(&commit);
        found.extend(rest.into_iter().map(|(_, start)| (start, origin.clone())));
    }
    Ok(found)
}

type Queue = BTreeMap<(i64, Oid), Pending>;

/// Gives each parent the lines that it had already; answers with those that none had.
fn hand_on(
    queue: &mut Queue,
    versions: &mut Versions<'_>,
    parents: Vec<(i64, Oid, Oid)>,
    pending: Pending,
) -> Result<Vec<(usize, usize)>, GitError> {
    let Pending { blob, mut lines } = pending;
    if let Some(same) = parents.iter().find(|(.., theirs)| *theirs == blob) {
        queue_up(queue, *same, lines);
        return Ok(Vec::new());
    }
    for parent in parents {
        if lines.is_empty() {
            break;
        }
        let (old, new) = (versions.get(parent.2)?, versions.get(blob)?);
        let moves = Moves::between(&old, &new).map_err(versions.opened.corrupt("a difference"))?;
        let mut passed = Vec::new();
        lines.retain(|(here, start)| match moves.old_place(*here) {
            Some(there) => {
                passed.push((there, *start));
                false
            }
            None => true,
        });
        queue_up(queue, parent, passed);
    }
    Ok(lines)
}

fn queue_up(queue: &mut Queue, (time, id, blob): (i64, Oid, Oid), lines: Vec<(usize, usize)>) {
    if !lines.is_empty() {
        let pending = queue.entry((time, id));
        pending.or_insert_with(|| Pending { blob, lines: Vec::new() }).lines.extend(lines);
    }
}

/// Time, id and version of the file of each parent that has it. Those that a shallow clone lacks
/// are none.
fn parents(
    opened: &Opened,
    commit: &Commit<'_>,
    file: &Path,
) -> Result<Vec<(i64, Oid, Oid)>, GitError> {
    let mut found = Vec::new();
    for id in commit.parent_ids() {
        let parent = match opened.repo.find_commit(id) {
            Ok(parent) => parent,
            Err(_) if opened.repo.is_shallow() => continue,
            Err(source) => return Err(opened.corrupt("a commit")(source)),
        };
        if let Some(blob) = opened.blob_at(&parent, file)? {
            found.push((parent.time().seconds(), id, blob));
        }
    }
    Ok(found)
}

/// The newest commit that changed the file, seen from `tip`, where it is `blob`; `known` says it of
/// some commits.
pub(super) fn touched(
    opened: &Opened,
    file: &Path,
    (tip, blob): (Oid, Oid),
    known: &dyn Fn(Oid) -> Option<Origin>,
) -> Result<Origin, GitError> {
    let mut commit = opened.commit(tip)?;
    for _ in 0..COMMITS_MAX {
        if let Some(origin) = known(commit.id()) {
            return Ok(origin);
        }
        let parents = parents(opened, &commit, file)?;
        let Some((_, same, _)) = parents.iter().find(|(.., theirs)| *theirs == blob) else { break };
        commit = opened.commit(*same)?;
    }
    Ok(origin(&commit))
}

fn origin(commit: &Commit<'_>) -> Origin {
    let author = commit.author();
    Origin {
        commit: commit.id(),
        author: author.name_bytes().to_vec(),
        authored: author.when().seconds(),
        committed: commit.time().seconds(),
    }
}

/// The versions that were read last.
struct Versions<'a> {
    opened: &'a Opened,
    file: &'a Path,
    recent: VecDeque<(Oid, Rc<Vec<u8>>)>,
}

impl Versions<'_> {
    fn get(&mut self, blob: Oid) -> Result<Rc<Vec<u8>>, GitError> {
        if let Some((_, content)) = self.recent.iter().find(|(it, _)| *it == blob) {
            return Ok(Rc::clone(content));
        }
        let content = Rc::new(self.opened.content(blob, self.file)?);
        self.recent.push_front((blob, Rc::clone(&content)));
        self.recent.truncate(VERSIONS);
        Ok(content)
    }
}

/// Where the lines of a new version were in the old one.
struct Moves(Vec<Hunk>);

/// Lines `begin..end` of the new version are new, and behind them the old version is at `old_end`.
struct Hunk {
    begin: usize,
    end: usize,
    old_end: usize,
}

impl Moves {
    fn between(old: &[u8], new: &[u8]) -> Result<Self, git2::Error> {
        let mut options = DiffOptions::new();
        // A stray NUL does not make a protocol of lines another thing.
        options.context_lines(0).force_text(true);
        let patch = Patch::from_buffers(old, None, new, None, Some(&mut options))?;
        let hunks = (0..patch.num_hunks()).map(|index| {
            let (hunk, _) = patch.hunk(index)?;
            let (begin, end) = range(hunk.new_start(), hunk.new_lines());
            let (_, old_end) = range(hunk.old_start(), hunk.old_lines());
            Ok(Hunk { begin, end, old_end })
        });
        hunks.collect::<Result<_, _>>().map(Self)
    }

    fn old_place(&self, place: usize) -> Option<usize> {
        let (mut new_end, mut old_end) = (0, 0);
        for hunk in self.0.iter().take_while(|hunk| hunk.begin <= place) {
            if place < hunk.end {
                return None;
            }
            (new_end, old_end) = (hunk.end, hunk.old_end);
        }
        Some(place - new_end + old_end)
    }
}

/// The first line and the one behind the last, from 0. A hunk counts from 1, and one without lines
/// names the line before it.
fn range(start: u32, lines: u32) -> (usize, usize) {
    let begin = if lines == 0 { start } else { start.saturating_sub(1) };
    (begin as usize, (begin + lines) as usize)
}
