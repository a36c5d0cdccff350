//! One file of one clone, looked at again and again: which lines, sections or versions are
//! committed, each with an identity of its own. Only what is new since the last look is followed
//! through the history. Not here: which of them are news, and for whom.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

use git2::Oid;
use regex::Regex;
use sha2::{Digest, Sha256};

use self::kept::{Kept, Leaf, Piece, What};
use super::open::{Opened, Tip, Tips, WhichTip, short, time};
use super::working::{self, Uncommitted};
use super::{GitError, LINES_MAX, origins, sections};

/// What is looked for in a file.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Each line that matches.
    Line(Regex),
    /// The file as a whole.
    Change,
    /// Each section under this heading line, such as `## DONE`.
    Heading(String),
}

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Ask {
    /// A clone, a folder in one, a bare repository or a mirror of ours.
    pub repo: PathBuf,
    /// The file, from `repo`.
    pub file: String,
    /// Which commits.
    pub tips: Tips,
    /// What in the file.
    pub wanted: Wanted,
    /// Whether what is not committed yet counts, too.
    pub working: bool,
}

/// What a look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The commits that were looked at: none in a repository without commits.
    pub tips: Vec<Tip>,
    /// Whether nothing is half done. In the middle of a rebase or merge, what is not to be seen may
    /// be there again in a moment.
    pub settled: bool,
    /// What is committed, the oldest first, each once.
    pub lines: Vec<Line>,
    /// What is in the working file and not in HEAD.
    pub working: Vec<Uncommitted>,
}

/// A line that is committed; or a file or a section as it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line without its end, or the heading; empty for a file. Hostile text, of any length up
    /// to [`super::FILE_MAX`].
    pub text: String,
    /// Its identity, 32 digits: the text with the author and the author's date of the commit that
    /// brought it. The same in each clone, also after a rebase, an amend or a garbage collection;
    /// another one for the same text claimed anew.
    pub id: String,
    /// The commit that brought it, 40 digits; of a section, the one that wrote its youngest line.
    pub commit: String,
    /// The same for people.
    pub short: String,
    /// When that was committed, by the committer's clock.
    pub committed_at: SystemTime,
    /// Which line of the file it is, from 1, in HEAD if it is there.
    pub position: usize,
    /// The place of its commit among those of this reading: a commit has a higher one than all it
    /// descends from. Means nothing in another reading.
    pub rank: usize,
    /// Where it was seen.
    pub at: SeenAt,
    /// The identity that this very text had in the reading before, if its history was written anew
    /// in between (a squash gives a line the date of another commit).
    pub was: Option<String>,
    /// For a heading.
    pub section: Option<Section>,
}

/// In which of the commits that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenAt {
    /// In HEAD.
    pub head: bool,
    /// In the remote's branch as it was fetched.
    pub upstream: bool,
}

/// What stands under a heading, and since when the heading does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The lines behind the heading.
    pub text: String,
    /// The identity of the heading line alone.
    pub heading: String,
    /// The commit that brought the heading line, 40 digits.
    pub heading_commit: String,
    /// When that was committed.
    pub heading_committed_at: SystemTime,
}

/// Looks at one file. It may be given from thread to thread.
#[derive(Debug)]
pub struct Reader {
    ask: Ask,
    kept: Kept,
    last: Vec<Line>,
    last_tips: Vec<(WhichTip, Oid)>,
}

impl Reader {
    /// One that has seen nothing yet.
    pub fn new(ask: Ask) -> Self {
        Self { ask, kept: Kept::default(), last: Vec::new(), last_tips: Vec::new() }
    }

    /// What it looks at.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// Looks. Blocks: the first time for as long as the history of the file is, later for a few
    /// milliseconds.
    ///
    /// # Errors
    /// [`GitError`]: then nothing is known, and what was known before stays known for the next look.
    pub fn read(&mut self) -> Result<Reading, GitError> {
        let opened = Opened::at(&self.ask.repo)?;
        let settled = opened.is_settled();
        let tips = opened.tips(&self.ask.tips)?;
        // What is half done would be taken for what the lines were called before.
        if settled && (tips != self.last_tips || tips.is_empty()) {
            self.look(&opened, &tips)?;
        }
        let shown = tips.iter().map(|(which, id)| {
            let committed_at = time(opened.commit(*id)?.time().seconds());
            Ok(Tip { which: *which, commit: id.to_string(), committed_at })
        });
        let shown = shown.collect::<Result<_, GitError>>()?;
        let working = match self.ask.working && settled {
            true => self.working(&opened, &tips)?,
            false => Vec::new(),
        };
        Ok(Reading { tips: shown, settled, lines: self.last.clone(), working })
    }

    /// Takes note of what is committed.
    fn look(&mut self, opened: &Opened, tips: &[(WhichTip, Oid)]) -> Result<(), GitError> {
        for (_, tip) in tips {
            if self.kept.leaf(*tip).is_none() {
                let leaf = self.leaf(opened, *tip)?;
                self.kept.put(leaf);
            }
        }
        let ids: Vec<Oid> = tips.iter().map(|(_, tip)| *tip).collect();
        let ranks = self.kept.ranks(opened, &ids)?;
        let mut united: BTreeMap<String, Line> = BTreeMap::new();
        for (which, tip) in tips {
            for piece in self.kept.leaf(*tip).into_iter().flat_map(|leaf| &leaf.pieces) {
                let line = united.entry(piece.id.clone()).or_insert_with(|| line(piece, &ranks));
                match which {
                    WhichTip::Head => line.at.head = true,
                    WhichTip::Upstream => line.at.upstream = true,
                }
            }
        }
        let mut lines: Vec<Line> = united.into_values().collect();
        lines.sort_by_key(|line| (line.rank, line.position));
        self.recognise(opened, &mut lines, tips);
        self.last = lines;
        self.last_tips = tips.to_vec();
        Ok(())
    }

    /// Says of lines whose history was written anew what they were called before.
    fn recognise(&self, opened: &Opened, lines: &mut [Line], tips: &[(WhichTip, Oid)]) {
        let now: BTreeSet<String> = lines.iter().map(|line| line.id.clone()).collect();
        let before: BTreeSet<&str> = self.last.iter().map(|line| line.id.as_str()).collect();
        let mut gone: Vec<&Line> =
            self.last.iter().filter(|line| !now.contains(&line.id)).collect();
        if gone.is_empty() || lines.iter().all(|line| before.contains(line.id.as_str())) {
            return;
        }
        let went_on = self.last_tips.iter().all(|(which, old)| {
            let new = tips.iter().find(|(it, _)| it == which).map(|(_, new)| *new);
            new.is_some_and(|new| {
                new == *old || opened.repo.graph_descendant_of(new, *old).unwrap_or_default()
            })
        });
        if went_on {
            return;
        }
        for line in lines.iter_mut().filter(|line| !before.contains(line.id.as_str())) {
            let body = |line: &Line| line.section.as_ref().map(|it| it.text.clone());
            let same = |old: &&Line| old.text == line.text && body(old) == body(line);
            if let Some(index) = gone.iter().position(same) {
                line.was = Some(gone.remove(index).id.clone());
            }
        }
    }

    /// What there is in one commit.
    fn leaf(&self, opened: &Opened, tip: Oid) -> Result<Leaf, GitError> {
        let file = opened.in_tree(&self.ask.file);
        let commit = opened.commit(tip)?;
        let Some(blob) = opened.blob_at(&commit, &file)? else { return Ok(Leaf::empty(tip)) };
        let mut leaf = Leaf { blob: Some(blob), ..Leaf::empty(tip) };
        let find = |wanted: Vec<usize>| {
            let wanted: BTreeSet<usize> = wanted.into_iter().collect();
            if wanted.len() > LINES_MAX {
                let (path, file) = (self.ask.repo.clone(), self.ask.file.clone());
                return Err(GitError::TooManyLines { path, file });
            }
            origins::origins(opened, &file, (tip, blob), wanted, &self.kept)
        };
        match &self.ask.wanted {
            Wanted::Change => {
                let known = |id| self.kept.changed(id, blob);
                let origin = origins::touched(opened, &file, (tip, blob), &known)?;
                let author = &origin.author;
                let id = digest("file", &[blob.as_bytes(), author, &origin.authored.to_be_bytes()]);
                leaf.pieces =
                    vec![Piece { id, place: 0, text: String::new(), origin, what: What::File }];
            }
            Wanted::Line(pattern) => {
                let lines = sections::lines(&opened.content(blob, &file)?);
                let found: Vec<_> = sections::matching(&lines, pattern).collect();
                leaf.places = find(found.iter().map(|(place, _)| *place).collect())?;
                let pieces = found.into_iter().filter_map(|(place, text)| {
                    let origin = leaf.places.get(&place)?.clone();
                    let (id, text) = (line_id(text, &origin), text.to_owned());
                    Some(Piece { id, place, text, origin, what: What::Line })
                });
                leaf.pieces = pieces.collect();
            }
            Wanted::Heading(heading) => {
                let lines = sections::lines(&opened.content(blob, &file)?);
                let found = sections::sections(&lines, heading);
                leaf.places = find(found.iter().cloned().flatten().collect())?;
                let sections = found.into_iter().filter_map(|section| {
                    let place = section.start;
                    let heading = leaf.places.get(&place)?.clone();
                    let youngest = section.clone().filter_map(|place| leaf.places.get(&place));
                    let youngest = youngest.max_by_key(|origin| origin.authored)?.clone();
                    let text = lines[place].clone();
                    let body = lines[place + 1..section.end].join("\n");
                    let when = youngest.authored.to_be_bytes();
                    let id = digest("section", &[text.trim().as_bytes(), body.as_bytes(), &when]);
                    let what = What::Section {
                        heading: line_id(text.trim(), &heading),
                        origin: heading,
                        text: body,
                    };
                    Some(Piece { id, place, text, origin: youngest, what })
                });
                leaf.pieces = sections.collect();
            }
        }
        Ok(leaf)
    }

    fn working(
        &self,
        opened: &Opened,
        tips: &[(WhichTip, Oid)],
    ) -> Result<Vec<Uncommitted>, GitError> {
        let head = tips.iter().find(|(which, _)| *which == WhichTip::Head);
        let blob = head.and_then(|(_, tip)| self.kept.leaf(*tip)).and_then(|leaf| leaf.blob);
        let file = opened.in_tree(&self.ask.file);
        working::uncommitted(opened, &file, blob, &self.ask.wanted)
    }
}

fn line(piece: &Piece, ranks: &BTreeMap<Oid, usize>) -> Line {
    let commit = piece.origin.commit.to_string();
    let section = match &piece.what {
        What::Line | What::File => None,
        What::Section { heading, origin, text } => Some(Section {
            text: text.clone(),
            heading: heading.clone(),
            heading_commit: origin.commit.to_string(),
            heading_committed_at: time(origin.committed),
        }),
    };
    Line {
        text: piece.text.clone(),
        id: piece.id.clone(),
        short: short(&commit),
        commit,
        committed_at: time(piece.origin.committed),
        position: piece.place + 1,
        rank: ranks.get(&piece.origin.commit).copied().unwrap_or_default(),
        at: SeenAt::default(),
        was: None,
        section,
    }
}

fn line_id(text: &str, origin: &origins::Origin) -> String {
    digest("line", &[text.as_bytes(), &origin.author, &origin.authored.to_be_bytes()])
}

/// 32 digits that stand for these parts of this kind.
pub(super) fn digest(kind: &str, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
        // With its length, or two parts could be taken for two others.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
