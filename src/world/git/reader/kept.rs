//! What a reader keeps of its looks: the commits it has seen the file in, with the origin of each
//! line, and the order of those origins. Not here: how either is found at first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use git2::{Oid, Sort};

use crate::world::git::GitError;
use crate::world::git::open::Opened;
use crate::world::git::origins::{Known, Origin, Places};

/// How many commits are kept: enough to go to another branch and back without a long look.
const LEAVES: usize = 8;

/// An order that has grown longer than this is found anew.
const ORDER_MAX: usize = 100_000;

/// What was seen in one commit.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) tip: Oid,
    /// The version of the file; none without one.
    pub(super) blob: Option<Oid>,
    /// Where the lines came from that were asked for.
    pub(super) places: Places,
    pub(super) pieces: Vec<Piece>,
}

/// A line, file or section in one commit.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) id: String,
    /// Which line, from 0.
    pub(super) place: usize,
    pub(super) text: String,
    pub(super) origin: Origin,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Line,
    File,
    Section {
        /// The heading line's identity.
        heading: String,
        /// Of the heading line.
        origin: Origin,
        text: String,
    },
}

impl Leaf {
    pub(super) fn empty(tip: Oid) -> Self {
        Self { tip, blob: None, places: Places::new(), pieces: Vec::new() }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The youngest first.
    leaves: VecDeque<Leaf>,
    /// Commits that brought lines, each behind all that it descends from.
    order: Vec<Oid>,
    /// The commits from which `order` was found.
    ordered_from: Vec<Oid>,
}

impl Known for Kept {
    fn at(&self, commit: Oid) -> Option<&Places> {
        self.leaf(commit).map(|leaf| &leaf.places)
    }
}

impl Kept {
    pub(super) fn leaf(&self, tip: Oid) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.tip == tip)
    }

    pub(super) fn put(&mut self, leaf: Leaf) {
        self.leaves.push_front(leaf);
        self.leaves.truncate(LEAVES);
    }

    /// The commit that brought this version, if it was found from `commit` before.
    pub(super) fn changed(&self, commit: Oid, blob: Oid) -> Option<Origin> {
        let leaf = self.leaf(commit).filter(|leaf| leaf.blob == Some(blob))?;
        leaf.pieces.first().map(|piece| piece.origin.clone())
    }

    /// The place of each commit that brought something that is to be seen from `tips`.
    pub(super) fn ranks(
        &mut self,
        opened: &Opened,
        tips: &[Oid],
    ) -> Result<BTreeMap<Oid, usize>, GitError> {
        let leaves = tips.iter().filter_map(|tip| self.leaf(*tip));
        let needed: BTreeSet<Oid> =
            leaves.flat_map(|leaf| &leaf.pieces).map(|piece| piece.origin.commit).collect();
        let placed: BTreeSet<Oid> = self.order.iter().copied().collect();
        let missing: BTreeSet<Oid> = needed.difference(&placed).copied().collect();
        if !missing.is_empty() {
            // A commit that was pruned cannot be left out, and then all are looked through.
            let behind = match self.ordered_from.is_empty() || self.order.len() > ORDER_MAX {
                true => None,
                false => walk(opened, tips, &self.ordered_from, &missing).ok(),
            };
            match behind.filter(|behind| behind.len() == missing.len()) {
                Some(behind) => self.order.extend(behind),
                None => {
                    let all = walk(opened, tips, &[], &needed);
                    self.order = all.map_err(opened.corrupt("the history"))?;
                }
            }
        }
        self.ordered_from = tips.to_vec();
        let places = self.order.iter().enumerate().map(|(place, commit)| (*commit, place));
        Ok(places.filter(|(commit, _)| needed.contains(commit)).collect())
    }
}

/// Those of `needed` that are reached from `tips` and not from `without`, each behind all that it
/// descends from.
fn walk(
    opened: &Opened,
    tips: &[Oid],
    without: &[Oid],
    needed: &BTreeSet<Oid>,
) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = opened.repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    tips.iter().try_for_each(|tip| walk.push(*tip))?;
    without.iter().try_for_each(|tip| walk.hide(*tip))?;
    let mut found = Vec::new();
    for commit in walk {
        let commit = commit?;
        if needed.contains(&commit) {
            found.push(commit);
            if found.len() == needed.len() {
                break;
            }
        }
    }
    found.reverse();
    Ok(found)
}
