//! Who wrote what, told by the reflogs of clones that share one author.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::{Guarded, Written, writers};
use super::support::House;

fn guarded(file: &str, heading: Option<&str>) -> Guarded {
    Guarded { file: file.into(), heading: heading.map(str::to_owned) }
}

fn written(repo: &Path, what: &[Guarded], since: &str, clones: &[&PathBuf]) -> Vec<Written> {
    let clones: Vec<PathBuf> = clones.iter().map(|it| (*it).clone()).collect();
    writers(repo, what, &[since.to_owned()], &clones).unwrap().written
}

fn made_in(written: &[Written]) -> Vec<(&str, Vec<usize>)> {
    let of = |it: &Written| it.made_in.iter().copied().collect();
    written.iter().map(|it| (it.subject.as_str(), of(it))).collect()
}

#[test]
fn a_commit_is_of_the_clone_whose_reflog_says_that_it_was_made_there() {
    let house = House::new();
    let (_, builder, adversary) = house.shared();
    let clones = [&builder, &adversary];
    let status = [guarded("STATUS.md", None)];
    let first = writers(&builder, &status, &[], &[]).unwrap();
    assert!(first.written.is_empty() && first.heads.len() == 2);
    let since = house.git(&builder, &["rev-parse", "HEAD"]);
    house.commit(&builder, "STATUS.md", "by the builder\n");
    house.git(&builder, &["push", "--quiet"]);
    house.git(&adversary, &["pull", "--quiet", "--rebase"]);
    house.commit(&adversary, "REVIEW.md", "nobody minds\n");
    house.commit(&adversary, "STATUS.md", "by the adversary\n");
    house.commit(&builder, "STATUS.md", "by the builder\nagain\n");
    house.git(&builder, &["commit", "--quiet", "--amend", "-m", "amended"]);
    house.git(&builder, &["push", "--quiet"]);
    // The adversary's own two are made anew, the builder's only come in.
    house.try_git(&adversary, &["pull", "--quiet", "--rebase", "-X", "theirs"]);
    house.git(&adversary, &["push", "--quiet"]);
    house.git(&builder, &["pull", "--quiet"]);
    let told = written(&builder, &status, &since, &clones);
    assert_eq!(
        made_in(&told),
        [("by the builder", vec![0]), ("amended", vec![0]), ("by the adversary", vec![1])]
    );
    let told = written(&adversary, &status, &since, &clones);
    assert_eq!(told.len(), 3, "the same from the other clone");
    assert_eq!(
        made_in(&written(&builder, &status, &since, &[&adversary]))[0].1,
        Vec::<usize>::new()
    );
}

#[test]
fn a_section_has_an_owner_of_its_own() {
    let house = House::new();
    let repo = house.init("repo");
    let since = house.commit(&repo, "BACKLOG.md", "# B\n## Build backlog\na\n## Review\nb\n");
    let what =
        [guarded("BACKLOG.md", Some("Build backlog")), guarded("BACKLOG.md", Some("## Review"))];
    house.commit(&repo, "BACKLOG.md", "# B\n## Build backlog\na\n## Review\nchanged\n");
    house.commit(&repo, "BACKLOG.md", "# B\n## Build backlog\n- new\n## Review\nchanged\n");
    house.commit(&repo, "BACKLOG.md", "# C\n## Build backlog\n- new\n## Review\nchanged\n");
    let told = written(&repo, &what, &since, &[&repo]);
    let wrote: Vec<_> =
        told.iter().map(|it| it.wrote.iter().copied().collect::<Vec<_>>()).collect();
    assert_eq!(wrote, [vec![1], vec![0]]);
    assert!(told.iter().all(|it| it.made_in == BTreeSet::from([0])));
}

#[test]
fn a_merge_is_written_only_by_who_resolves_it_and_a_linked_worktree_counts_for_its_clone() {
    let house = House::new();
    let repo = house.init("repo");
    let since = house.commit(&repo, "STATUS.md", "a\nb\nc\nd\ne\n");
    let side = house.path("side");
    house.git(&repo, &["worktree", "add", "--quiet", "-b", "side", side.to_str().unwrap()]);
    house.commit(&side, "STATUS.md", "left\nb\nc\nd\ne\n");
    house.commit(&repo, "STATUS.md", "a\nb\nc\nd\nright\n");
    house.git(&repo, &["merge", "--quiet", "--no-edit", "side"]);
    let what = [guarded("STATUS.md", None)];
    let told = written(&repo, &what, &since, &[&repo]);
    let made = made_in(&told).into_iter().map(|(_, made)| made).collect::<Vec<_>>();
    assert_eq!(made, [vec![0], vec![0]], "both sides, and no merge");
    let told = written(&repo, &what, &since, &[&repo, &side]);
    let made: BTreeSet<_> = made_in(&told).into_iter().map(|(_, made)| made).collect();
    assert_eq!(made, BTreeSet::from([vec![0], vec![1]]), "each worktree is a session's own");
}
