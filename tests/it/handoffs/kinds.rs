//! What can be an edge, where it can stand, and all that git may do without there being a new one.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::{SESSIONS, clones, commit, git};
use crate::house::House;

/// A hand-off to the adversary: from where, and when.
fn handoff(repo: &str, file: &str, when: &str, more: &str) -> String {
    format!(
        "[[handoffs]]\nrepo = {repo:?}\nfile = {file:?}\nwhen = {when:?}\n{more}\n\
         to = \"adversary\"\ntext = \"news of {{file}}: {{line}} at {{commit}}.\"\n"
    )
}

const CLAIM: &str = "pattern = \"^CLAIMED\"";

impl House {
    /// A running house that has seen what stands there. `prepare` comes before the config.
    fn with_handoff(handoff: &str, prepare: impl FnOnce(&Self)) -> Self {
        let mut house = Self::new("");
        clones(&house);
        prepare(&house);
        house.configure(&format!("{SESSIONS}{handoff}"));
        house.run();
        house.wait_up(&["adversary"]);
        house.waits_for_baseline();
        house
    }

    /// Commits a claim of the builder's.
    fn claims(&self, item: &str) -> String {
        let builder = self.path("builder");
        let text = std::fs::read_to_string(builder.join("STATUS.md")).expect("a file");
        commit(&builder, "STATUS.md", &format!("{text}CLAIMED {item}\n"))
    }

    fn pushes(&self) {
        git(&self.path("builder"), &["push", "-q", "-f"]);
    }

    /// Waits until it was told so, and so often in all.
    fn waits_for_ping(&self, count: usize, text: &str) {
        self.waits_to_see("adversary", text);
        let handed = self.handed("adversary");
        assert_eq!(handed.len(), count, "{handed:?}");
    }
}

#[test]
fn a_heading_that_comes_or_whose_section_changes_wakes_and_what_stands_beside_it_does_not() {
    let when = "pattern = \"## Claim\"";
    let house = House::with_handoff(&handoff("builder", "STATUS.md", "heading", when), |_| ());
    let builder = house.path("builder");
    let at = commit(&builder, "STATUS.md", "# Status\n## Claim\nD1\n## Log\n");
    house.waits_for_ping(1, &format!("## Claim at {at}."));
    commit(&builder, "STATUS.md", "# Status\n## Claim\nD1\n## Log\nsome work\n");
    let at = commit(&builder, "STATUS.md", "# Status\n## Claim\nD2\n## Log\nsome work\n");
    house.waits_for_ping(2, &format!("## Claim at {at}."));
}

#[test]
fn every_change_of_a_file_wakes_and_other_files_do_not() {
    let house = House::with_handoff(&handoff("builder", "plan.md", "change", ""), |_| ());
    let builder = house.path("builder");
    let at = commit(&builder, "plan.md", "one\n");
    house.waits_for_ping(1, &format!("at {at}."));
    commit(&builder, "STATUS.md", "# Status\nbusy\n");
    let at = commit(&builder, "plan.md", "two\n");
    house.waits_for_ping(2, &format!("at {at}."));
}

#[test]
fn a_bare_repository_wakes_when_something_is_pushed_into_it() {
    let handoff = handoff("origin.git", "STATUS.md", "line", CLAIM);
    let house = House::with_handoff(&handoff, |_| ());
    for (count, item) in [(1, "D1"), (2, "D2")] {
        let at = house.claims(item);
        house.pushes();
        house.waits_for_ping(count, &format!("CLAIMED {item} at {at}."));
    }
}

#[test]
fn a_worktree_wakes_by_what_is_committed_in_it() {
    let handoff = handoff("tree", "STATUS.md", "line", CLAIM);
    let house = House::with_handoff(&handoff, |house| {
        git(&house.path("builder"), &["worktree", "add", "-q", "../tree", "-b", "side"]);
    });
    // What is committed beside it is not in it.
    house.claims("elsewhere");
    let at = commit(&house.path("tree"), "STATUS.md", "# Status\nCLAIMED D1\n");
    house.waits_for_ping(1, &format!("CLAIMED D1 at {at}."));
}

#[test]
fn what_is_not_committed_wakes_where_that_is_asked_for_and_not_again_when_it_is() {
    let working = format!("{CLAIM}\nworking = true");
    let handoff = handoff("builder", "STATUS.md", "line", &working);
    let house = House::with_handoff(&handoff, |_| ());
    let builder = house.path("builder");
    std::fs::write(builder.join("STATUS.md"), "# Status\nCLAIMED D1\n").expect("a file");
    house.waits_for_ping(1, "CLAIMED D1 at the working file.");
    git(&builder, &["commit", "-qam", "claim"]);
    std::fs::write(builder.join("STATUS.md"), "# Status\nCLAIMED D1\nCLAIMED D2\n").expect("ours");
    house.waits_for_ping(2, "CLAIMED D2 at the working file.");
}

/// As the old script did it: `git fetch` and `git show`, for the clones are stale.
#[test]
fn what_is_pushed_is_seen_although_the_clones_are_stale_and_is_no_news_when_they_are_not() {
    let fetched = format!("{CLAIM}\nfetch = \"1s\"");
    let handoff = handoff("adversary", "STATUS.md", "line", &fetched);
    let house = House::with_handoff(&handoff, |_| ());
    let adversary = house.path("adversary");
    let before = git(&adversary, &["for-each-ref"]);
    let at = house.claims("D1");
    house.pushes();
    house.waits_for_ping(1, &format!("CLAIMED D1 at {at}."));
    assert_eq!(git(&adversary, &["for-each-ref"]), before, "the clone is the agent's");
    git(&adversary, &["pull", "-q"]);
    let at = house.claims("D2");
    house.pushes();
    house.waits_for_ping(2, &format!("CLAIMED D2 at {at}."));
}

#[test]
fn a_clone_that_is_made_later_is_looked_at_and_fetched_for_from_then_on() {
    let mut house = House::new("");
    clones(&house);
    let fetched = format!("{CLAIM}\nfetch = \"1s\"");
    let handoff = handoff("later", "STATUS.md", "line", &fetched);
    house.configure(&format!("{SESSIONS}{handoff}"));
    house.run();
    house.wait_up(&["adversary"]);
    git(&house.path(""), &["clone", "-q", "origin.git", "later"]);
    house.waits_for_baseline();
    for (count, item) in [(1, "D1"), (2, "D2")] {
        let at = house.claims(item);
        house.pushes();
        house.waits_for_ping(count, &format!("CLAIMED {item} at {at}."));
    }
}

#[test]
fn a_repository_by_its_address_is_fetched_and_one_that_is_away_is_said_once() {
    let top = |house: &House| format!("file://{}", house.path("origin.git").display());
    let mut house = House::new("");
    clones(&house);
    let fetched = format!("{CLAIM}\nfetch = \"1s\"");
    let handoff = handoff(&top(&house), "STATUS.md", "line", &fetched);
    house.configure(&format!("{SESSIONS}{handoff}"));
    house.run();
    house.waits_for_baseline();
    let at = house.claims("D1");
    house.pushes();
    house.waits_for_ping(1, &format!("CLAIMED D1 at {at}."));
    std::fs::rename(house.path("origin.git"), house.path("away.git")).expect("ours");
    let blind = || house.events().iter().filter(|it| it.contains(" cannot-look ")).count();
    house.wait_for("it to be said", || (blind() > 0).then_some(()));
    house.wait("it to be shown", |status| !status.plan.unknown.is_empty());
    std::fs::rename(house.path("away.git"), house.path("origin.git")).expect("ours");
    let again = || house.events().iter().any(|it| it.contains(" can-look-again ")).then_some(());
    house.wait_for("it to be well", again);
    let at = house.claims("D2");
    house.pushes();
    house.waits_for_ping(2, &format!("CLAIMED D2 at {at}."));
    assert_eq!(blind(), 1, "{:?}", house.events());
}

/// A history that is written anew has other commits, and the same claims.
fn rewrites(builder: &Path) {
    git(builder, &["commit", "-q", "--amend", "-m", "in other words"]);
    git(builder, &["checkout", "-q", "-b", "base", "HEAD~2"]);
    commit(builder, "base.txt", "another base\n");
    git(builder, &["rebase", "-q", "base", "main"]);
    git(builder, &["branch", "-q", "-D", "base"]);
    git(builder, &["pack-refs", "--all"]);
    git(builder, &["gc", "-q", "--prune=now"]);
}

#[test]
fn amends_rebases_packs_and_a_forced_push_never_wake_twice() {
    for repo in ["builder", "origin.git"] {
        let house = House::with_handoff(&handoff(repo, "STATUS.md", "line", CLAIM), |_| ());
        let builder: PathBuf = house.path("builder");
        let at = house.claims("D1");
        house.pushes();
        house.waits_for_ping(1, &format!("CLAIMED D1 at {at}."));
        rewrites(&builder);
        house.pushes();
        assert_ne!(git(&builder, &["log", "-1", "--format=%h", "--abbrev=10"]), at);
        let at = house.claims("D2");
        house.pushes();
        house.waits_for_ping(2, &format!("CLAIMED D2 at {at}."));
    }
}

#[test]
fn a_clone_of_another_user_is_said_once_and_read_when_it_is_ours_again() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a clone away");
        return;
    }
    let house = House::with_handoff(&handoff("builder", "STATUS.md", "line", CLAIM), |_| ());
    let builder = house.path("builder");
    let give = |to: u32| {
        for entry in walk(&builder) {
            std::os::unix::fs::lchown(&entry, Some(to), Some(to)).expect("root may");
        }
        chown(&builder, Some(to), Some(to)).expect("root may");
    };
    give(65534);
    let trusted = ["-c", "safe.directory=*", "commit", "-q", "--allow-empty", "-m"];
    let blind = || {
        let events = house.events().into_iter();
        events.filter(|it| it.contains("belongs to another user")).count()
    };
    house.wait_for("it to be said", || {
        git(&builder, &[&trusted[..], &["nothing"]].concat());
        (blind() > 0).then_some(())
    });
    git(&builder, &[&trusted[..], &["nothing more"]].concat());
    give(nix::unistd::geteuid().as_raw());
    let at = house.claims("D1");
    house.waits_for_ping(1, &format!("CLAIMED D1 at {at}."));
    assert_eq!(blind(), 1, "{:?}", house.events());
}

/// All that is in a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_type().expect("its type").is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}
