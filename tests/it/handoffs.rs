//! Hand-offs: what is committed in a clone wakes a session, once.

mod kinds;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::house::House;

const DAY: u64 = 24 * 60 * 60;

/// A git that knows nobody but the test.
pub(crate) fn git(folder: &Path, words: &[&str]) -> String {
    authored(folder, words, None)
}

/// The same, with another author's date than now, in seconds.
fn authored(folder: &Path, words: &[&str], at: Option<u64>) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(words);
    if let Some(at) = at {
        command.env("GIT_AUTHOR_DATE", format!("@{at} +0000"));
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "one");
        command.env(format!("GIT_{who}_EMAIL"), "one@example.org");
    }
    let output = command.output().expect("git");
    assert!(output.status.success(), "git {words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Writes a file and commits it alone.
pub(crate) fn commit(clone: &Path, file: &str, text: &str) -> String {
    std::fs::write(clone.join(file), text).expect("a file");
    git(clone, &["add", file]);
    // By its author and the second in which it was written a line is known; agents take longer.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a date").as_secs();
    let at = now - DAY + WRITTEN.fetch_add(1, Ordering::Relaxed);
    authored(clone, &["commit", "-qm", &format!("write {file}")], Some(at));
    git(clone, &["rev-parse", "--short=10", "HEAD"])
}

/// Two clones of one bare repository: `builder` and `adversary`, with one commit.
pub(crate) fn clones(house: &House) -> [std::path::PathBuf; 2] {
    let top = house.path("");
    git(&top, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    git(&top, &["clone", "-q", "origin.git", "builder"]);
    let builder = house.path("builder");
    git(&builder, &["checkout", "-q", "-B", "main"]);
    commit(&builder, "STATUS.md", "# Status\n");
    commit(&builder, "REVIEW.md", "# Review\n");
    git(&builder, &["push", "-q", "-u", "origin", "main"]);
    git(&top, &["clone", "-q", "origin.git", "adversary"]);
    [builder, house.path("adversary")]
}

pub(crate) const SESSIONS: &str = r#"
[sessions.builder]
agent = "command"
command = ["cat"]
directory = "builder"

[sessions.adversary]
agent = "command"
command = ["cat"]
directory = "adversary"
"#;

const CLAIMED: &str = r#"
[[handoffs]]
repo = "builder"
file = "STATUS.md"
when = "line"
pattern = "CLAIMED"
to = "adversary"
text = "The builder claims a gate: {line} at {commit}."
"#;

impl House {
    fn with_clones(more: &str) -> Self {
        let house = Self::new("");
        clones(&house);
        house.configure(&format!("{SESSIONS}{more}"));
        house
    }

    /// What was told to a session by hand-offs, in order.
    fn handed(&self, session: &str) -> Vec<String> {
        let begin = format!("{session} handoff ");
        self.events().into_iter().filter(|it| it.starts_with(&begin)).collect()
    }

    /// Waits until what stands there is known: what is committed from here on is news.
    fn waits_for_baseline(&self) {
        self.wait_for("the baseline", || {
            self.events().iter().any(|it| it.contains("handoff-begins")).then_some(())
        });
    }

    pub(crate) fn waits_to_see(&self, session: &str, text: &str) -> String {
        self.wait_for(&format!("{text:?} on the screen of {session}"), || {
            let output = self.verb(&["logs", session, "--screen"]);
            let screen = String::from_utf8_lossy(&output.stdout).replace('\n', "");
            screen.contains(text).then_some(screen)
        })
    }
}

#[test]
fn a_new_line_that_is_committed_wakes_the_other_session_once_and_not_again_after_a_restart() {
    let mut house = House::with_clones(CLAIMED);
    let builder = house.path("builder");
    commit(&builder, "STATUS.md", "# Status\nCLAIMED old\n");
    house.run();
    house.wait_up(&["builder", "adversary"]);
    house.waits_for_baseline();
    let at = commit(&builder, "STATUS.md", "# Status\nCLAIMED old\nCLAIMED D1\n");
    house.waits_to_see("adversary", &format!("claims a gate: CLAIMED D1 at {at}."));
    house.end_daemon("KILL");
    house.run();
    git(&builder, &["commit", "-q", "--amend", "-m", "another message"]);
    git(&builder, &["gc", "-q"]);
    let at = commit(&builder, "STATUS.md", "# Status\nCLAIMED old\nCLAIMED D1\nCLAIMED D2\n");
    house.waits_to_see("adversary", &format!("claims a gate: CLAIMED D2 at {at}."));
    assert_eq!(house.handed("adversary").len(), 2, "{:?}", house.handed("adversary"));
}

#[test]
fn what_is_committed_while_no_supervisor_runs_is_handed_on_when_one_does() {
    let mut house = House::with_clones(CLAIMED);
    house.run();
    house.waits_for_baseline();
    house.end_daemon("KILL");
    let at = commit(&house.path("builder"), "STATUS.md", "# Status\nCLAIMED D1\n");
    house.run();
    house.waits_to_see("adversary", &format!("CLAIMED D1 at {at}."));
    assert_eq!(house.handed("adversary").len(), 1);
}

#[test]
fn claims_that_wait_for_a_session_that_is_down_become_one_and_the_newest_is_told() {
    let mut house = House::with_clones(CLAIMED);
    house.run();
    house.waits_for_baseline();
    house.does(&["stop", "adversary"]);
    let mut text = "# Status\n".to_owned();
    for number in 1..=3 {
        text += &format!("CLAIMED D{number}\n");
        commit(&house.path("builder"), "STATUS.md", &text);
        house.wait_for("the edge", || (house.handed("adversary").len() == number).then_some(()));
    }
    assert_eq!(house.unit("adversary").messages, 1);
    house.does(&["start", "adversary"]);
    let screen = house.waits_to_see("adversary", "CLAIMED D3");
    assert!(!screen.contains("CLAIMED D1"), "{screen}");
}

#[test]
fn a_clone_that_is_not_there_is_said_once_and_begins_anew_when_it_comes() {
    let mut house = House::with_clones(CLAIMED);
    std::fs::rename(house.path("builder"), house.path("aside")).expect("ours");
    std::fs::create_dir(house.path("elsewhere")).expect("ours");
    house.configure(&format!("{}{CLAIMED}", SESSIONS.replace("\"builder\"", "\"elsewhere\"")));
    house.run();
    house.wait_for("it to be said", || {
        let said = house.events().into_iter().filter(|it| it.contains("cannot-look")).count();
        (said == 1).then_some(())
    });
    let unknown = house.status().expect("a daemon").plan.unknown;
    assert!(unknown.iter().any(|it| it.contains("is the clone made, or moved?")), "{unknown:?}");
    commit(&house.path("aside"), "STATUS.md", "# Status\nCLAIMED D1\n");
    std::fs::rename(house.path("aside"), house.path("builder")).expect("ours");
    house.waits_for_baseline();
    assert!(house.handed("adversary").is_empty());
}
