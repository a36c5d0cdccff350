//! Which of two commits is the later one, also when they lie in two clones. Not here: what follows
//! from that.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use git2::{Oid, Sort};

use super::open::Opened;
use super::{COMMITS_MAX, GitError};

/// A commit, and the repository it was seen in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitAt {
    /// The repository.
    pub repo: PathBuf,
    /// 40 digits.
    pub commit: String,
    /// When it was committed.
    pub committed_at: SystemTime,
}

/// How one commit stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It descends from it; of an unrelated repository, it was committed later.
    Later,
    /// It is the same, an older one, or one beside it.
    NotLater,
    /// Neither repository knows both, though they share a history: whoever made it had not seen the
    /// other yet, as far as is known.
    NotSeen,
}

/// How each of `commits`, all of one repository, stands to `than`. Blocks.
///
/// # Errors
/// [`GitError`], of either repository.
pub fn later(
    repo: &std::path::Path,
    commits: &[(String, SystemTime)],
    than: &CommitAt,
) -> Result<Vec<Order>, GitError> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let ours = Opened::at(repo)?;
    let same = repo == than.repo;
    let theirs = if same { None } else { Some(Opened::at(&than.repo)?) };
    let stores: Vec<&Opened> = std::iter::once(&ours).chain(theirs.as_ref()).collect();
    let Ok(base) = Oid::from_str(&than.commit) else {
        return Ok(vec![Order::NotSeen; commits.len()]);
    };

    let ids: Vec<Option<Oid>> = commits.iter().map(|(it, _)| Oid::from_str(it).ok()).collect();
    let mut found: Vec<Option<Order>> = vec![None; commits.len()];
    for store in stores.iter().filter(|store| store.repo.find_commit(base).is_ok()) {
        let open = |at: &usize| found[*at].is_none();
        let here: Vec<(usize, Oid)> = (0..ids.len())
            .filter(open)
            .filter_map(|at| Some((at, ids[at]?)))
            .filter(|(_, id)| store.repo.find_commit(*id).is_ok())
            .collect();
        let wanted: BTreeSet<Oid> = here.iter().map(|(_, id)| *id).collect();
        let after = descendants(store, &wanted, base).map_err(store.corrupt("the history"))?;
        for (at, id) in here {
            found[at] = Some(if after.contains(&id) { Order::Later } else { Order::NotLater });
        }
    }
    if found.iter().any(Option::is_none) {
        let related = match &theirs {
            None => true,
            Some(theirs) => related(&ours, &ids, theirs, base)?,
        };
        for (order, (_, at)) in found.iter_mut().zip(commits) {
            order.get_or_insert(match (related, *at > than.committed_at) {
                (true, _) => Order::NotSeen,
                (false, true) => Order::Later,
                (false, false) => Order::NotLater,
            });
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// Those of `wanted` that descend from `base`.
fn descendants(
    store: &Opened,
    wanted: &BTreeSet<Oid>,
    base: Oid,
) -> Result<BTreeSet<Oid>, git2::Error> {
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut walk = store.repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    wanted.iter().try_for_each(|id| walk.push(*id))?;
    walk.hide(base)?;
    let mut after = BTreeSet::new();
    for id in walk {
        let id = id?;
        let mut parents = store.repo.find_commit(id)?.parent_ids().collect::<Vec<_>>().into_iter();
        if parents.any(|parent| parent == base || after.contains(&parent)) {
            after.insert(id);
        }
    }
    Ok(after)
}

/// Whether the histories of two repositories begin with the same commit, as far as both can tell.
fn related(
    ours: &Opened,
    ids: &[Option<Oid>],
    theirs: &Opened,
    base: Oid,
) -> Result<bool, GitError> {
    let from = ids.iter().flatten().copied().collect::<Vec<_>>();
    let ends = |store: &Opened, from: &[Oid]| first_commits(store, from);
    let known = |store: &Opened, ends: Vec<Oid>| {
        ends.into_iter().any(|end| store.repo.find_commit(end).is_ok())
    };
    let our_ends = ends(ours, &from).map_err(ours.corrupt("the history"))?;
    if known(theirs, our_ends) {
        return Ok(true);
    }
    let their_ends = ends(theirs, &[base]).map_err(theirs.corrupt("the history"))?;
    Ok(known(ours, their_ends))
}

/// The commits without a parent that is known, behind `from`.
fn first_commits(store: &Opened, from: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = store.repo.revwalk()?;
    for id in from.iter().filter(|id| store.repo.find_commit(**id).is_ok()) {
        walk.push(*id)?;
    }
    let mut ends = Vec::new();
    for id in walk.take(COMMITS_MAX) {
        let id = id?;
        if store.repo.find_commit(id)?.parent_count() == 0 {
            ends.push(id);
        }
    }
    Ok(ends)
}
