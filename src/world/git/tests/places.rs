//! Repositories as they are found: bare, shallow, linked, missing, foreign, damaged.

use std::fs;
use std::os::unix::fs::chown;

use super::super::{GitError, Reader, Tips};
use super::support::{House, claims, ids, look, texts};

#[test]
fn worktrees_folders_bare_repositories_and_mirrors_are_read_alike() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    house.commit(&repo, "sub/STATUS.md", "CLAIMED below\n");
    assert_eq!(texts(&look(claims(&repo.join("sub")))), ["CLAIMED below"]);
    let mut below = claims(&repo);
    below.file = "./sub/STATUS.md".into();
    assert_eq!(texts(&look(below)), ["CLAIMED below"]);
    let first = look(claims(&repo));
    assert_eq!(ids(&look(claims(&repo.join(".git")))), ids(&first));
    let (linked, bare) = (house.path("linked"), house.path("bare.git"));
    house.git(&repo, &["worktree", "add", "--quiet", "-b", "side", linked.to_str().unwrap()]);
    assert_eq!(ids(&look(claims(&linked))), ids(&first));
    house.git(&repo, &["clone", "--quiet", "--mirror", ".", bare.to_str().unwrap()]);
    assert_eq!(ids(&look(claims(&bare))), ids(&first));
    let mut branch = claims(&bare);
    branch.tips = Tips::Mirror(Some("side".into()));
    assert!(matches!(Reader::new(branch.clone()).read(), Err(GitError::NotFetched { .. })));
    fs::write(bare.join("supervisor-fetched"), "").unwrap();
    assert_eq!(ids(&look(branch.clone())), ids(&first));
    branch.tips = Tips::Mirror(Some("none".into()));
    assert!(look(branch).tips.is_empty());
}

#[test]
fn a_shallow_clone_has_a_name_for_every_line_and_the_right_one_for_new_ones() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    house.commit(&repo, "STATUS.md", "CLAIMED D1\nCLAIMED D2\n");
    let to = house.path("shallow");
    let from = format!("file://{}", repo.display());
    house.git(&repo, &["clone", "--quiet", "--depth", "1", &from, to.to_str().unwrap()]);
    assert_eq!(look(claims(&to)).lines.len(), 2);
    house.commit(&repo, "STATUS.md", "CLAIMED D1\nCLAIMED D2\nCLAIMED D3\n");
    house.git(&to, &["pull", "--quiet"]);
    let (shallow, whole) = (look(claims(&to)), look(claims(&repo)));
    assert_eq!(shallow.lines.len(), 3);
    assert_eq!(shallow.lines.last().unwrap().id, whole.lines.last().unwrap().id);
}

#[test]
fn what_is_not_there_yet_is_told_apart_from_what_has_no_commit() {
    let house = House::new();
    let mut reader = Reader::new(claims(&house.path("repo")));
    assert!(matches!(reader.read(), Err(GitError::NotThere { .. })));
    fs::create_dir(house.path("repo")).unwrap();
    assert!(matches!(reader.read(), Err(GitError::NotARepository { .. })));
    let repo = house.init("repo");
    let empty = reader.read().unwrap();
    assert!(empty.tips.is_empty() && empty.lines.is_empty());
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    assert_eq!(reader.read().unwrap().lines.len(), 1);
    fs::rename(&repo, house.path("moved")).unwrap();
    assert!(matches!(reader.read(), Err(GitError::NotThere { .. })));
    fs::rename(house.path("moved"), &repo).unwrap();
    assert_eq!(reader.read().unwrap().lines.len(), 1);
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    assert_eq!(reader.read().unwrap().lines.len(), 1, "a lock keeps nobody from reading");
}

#[test]
fn a_rebase_that_is_half_done_is_told() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "a\n");
    house.git(&repo, &["checkout", "--quiet", "-b", "side"]);
    house.commit(&repo, "STATUS.md", "CLAIMED side\n");
    house.git(&repo, &["checkout", "--quiet", "main"]);
    house.commit(&repo, "STATUS.md", "CLAIMED main\n");
    assert!(!house.try_git(&repo, &["rebase", "side"]).status.success());
    let reading = look(claims(&repo));
    assert!(!reading.settled);
    house.git(&repo, &["rebase", "--abort"]);
    assert!(look(claims(&repo)).settled);
}

#[test]
fn damage_is_told_and_what_was_known_stays_known() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    let mut reader = Reader::new(claims(&repo));
    let first = reader.read().unwrap();
    let blob = house.git(&repo, &["rev-parse", "HEAD:STATUS.md"]);
    let object = repo.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    fs::write(&object, b"garbage").unwrap();
    let error = Reader::new(claims(&repo)).read().unwrap_err();
    assert!(matches!(error, GitError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("fsck"), "{error}");
    assert_eq!(ids(&reader.read().unwrap()), ids(&first), "nothing new, nothing read");
    fs::write(&object, whole).unwrap();
    assert_eq!(ids(&look(claims(&repo))), ids(&first));
    for (file, text) in [
        (".git/refs/heads/main", "garbage\n"),
        (".git/HEAD", "\0\0\0"),
        (".git/config", "[core\nrepositoryformatversion = x"),
        (".git/packed-refs", "zzz zzz\n^\n"),
    ] {
        let before = fs::read(repo.join(file)).ok();
        fs::write(repo.join(file), text).unwrap();
        // Whatever it says, it does not panic, and takes nothing for gone that is only damaged.
        if let Ok(reading) = Reader::new(claims(&repo)).read() {
            assert_eq!(ids(&reading), ids(&first), "{file}");
        }
        match before {
            Some(before) => fs::write(repo.join(file), before).unwrap(),
            None => fs::remove_file(repo.join(file)).unwrap(),
        }
    }
    assert_eq!(ids(&look(claims(&repo))), ids(&first));
}

#[test]
fn a_clone_of_another_user_is_not_read_and_the_remedy_is_said() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can give a clone to another user");
        return;
    }
    if git2::Config::open_default().unwrap().get_string("safe.directory").is_ok() {
        println!("SKIPPED: the user of this test trusts folders of others (safe.directory)");
        return;
    }
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    for path in [repo.clone(), repo.join(".git")] {
        chown(path, Some(4242), Some(4242)).unwrap();
    }
    let error = Reader::new(claims(&repo)).read().unwrap_err();
    assert!(matches!(error, GitError::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().contains("safe.directory"), "{error}");
}

#[test]
fn a_reftable_is_not_known_here_and_the_remedy_is_said_and_helps() {
    let house = House::new();
    let repo = house.path("repo");
    fs::create_dir(&repo).unwrap();
    let made = house.try_git(&repo, &["init", "--quiet", "--ref-format=reftable"]);
    if !made.status.success() {
        println!("SKIPPED: this git has no reftable");
        return;
    }
    house.commit(&repo, "STATUS.md", "CLAIMED D1\n");
    let error = Reader::new(claims(&repo)).read().unwrap_err();
    assert!(matches!(error, GitError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("refs migrate"), "{error}");
    let migrated = house.try_git(&repo, &["refs", "migrate", "--ref-format=files"]);
    if migrated.status.success() {
        assert_eq!(look(claims(&repo)).lines.len(), 1);
    }
}
