//! One file of ours in a repository of others.

use std::fs;

use super::super::commit_file;
use super::support::House;

#[test]
fn the_file_alone_is_committed_and_what_others_staged_stays_staged() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "README.md", "x\n");
    fs::write(repo.join("staged"), "s\n").unwrap();
    house.git(&repo, &["add", "staged"]);
    fs::write(repo.join("README.md"), "dirty\n").unwrap();
    fs::create_dir(repo.join("log")).unwrap();
    for text in ["one\n", "one\ntwo\n"] {
        fs::write(repo.join("log/REBOOTS.md"), text).unwrap();
        let id = commit_file(&repo.join("log/REBOOTS.md"), "Reboot").unwrap().unwrap();
        assert!(house.git(&repo, &["rev-parse", "HEAD"]).starts_with(&id));
        let files = house.git(&repo, &["show", "--format=%s", "--name-only", "HEAD"]);
        assert_eq!(files, "Reboot\n\nlog/REBOOTS.md");
        assert_eq!(house.git(&repo, &["status", "--porcelain"]), "M README.md\nA  staged");
    }
    assert_eq!(commit_file(&repo.join("log/REBOOTS.md"), "Reboot").unwrap(), None);
    house.git(&repo, &["fsck", "--strict"]);
    assert_eq!(house.git(&repo, &["rev-list", "--count", "HEAD"]), "3");
    house.git(&repo, &["commit", "--quiet", "-m", "theirs"]);
    assert_eq!(house.git(&repo, &["show", "--format=", "--name-only", "HEAD"]), "staged");
}

#[test]
fn whatever_stands_in_the_way_nothing_is_done_and_it_is_said_why() {
    let house = House::new();
    let repo = house.init("repo");
    let file = repo.join("REBOOTS.md");
    fs::write(&file, "one\n").unwrap();
    let refused = |why: &str| {
        let head = house.try_git(&repo, &["rev-parse", "HEAD"]).stdout;
        let status = house.git(&repo, &["status", "--porcelain"]);
        let said = commit_file(&file, "Reboot").unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
        assert_eq!(house.try_git(&repo, &["rev-parse", "HEAD"]).stdout, head);
        assert_eq!(house.git(&repo, &["status", "--porcelain"]), status);
    };
    refused("no commit yet");
    house.commit(&repo, ".gitignore", "secrets\n");
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    let said = commit_file(&file, "Reboot").unwrap_err().to_string();
    assert!(said.contains("index.lock"), "{said}");
    assert!(repo.join(".git/index.lock").exists(), "it is not ours");
    fs::remove_file(repo.join(".git/index.lock")).unwrap();
    house.git(&repo, &["checkout", "--quiet", "--detach"]);
    refused("no branch");
    house.git(&repo, &["checkout", "--quiet", "main"]);
    fs::write(repo.join(".gitignore"), "REBOOTS.md\n").unwrap();
    refused("ignore");
    house.git(&repo, &["checkout", "--quiet", ".gitignore"]);
    house.git(&repo, &["checkout", "--quiet", "-b", "side"]);
    house.commit(&repo, "x", "side\n");
    house.git(&repo, &["checkout", "--quiet", "main"]);
    house.commit(&repo, "x", "main\n");
    assert!(!house.try_git(&repo, &["merge", "--quiet", "side"]).status.success());
    refused("half done");
    house.git(&repo, &["merge", "--abort"]);
    fs::write(repo.join(".git/hooks/pre-commit"), "#!/bin/sh\nexit 1\n").unwrap();
    assert!(commit_file(&file, "Reboot").unwrap().is_some(), "hooks are not run");
    assert!(!repo.join(".git/index.lock").exists());
    let outside = house.path("REBOOTS.md");
    fs::write(&outside, "x\n").unwrap();
    let said = commit_file(&outside, "Reboot").unwrap_err().to_string();
    assert!(said.contains("no git repository"), "{said}");
}
