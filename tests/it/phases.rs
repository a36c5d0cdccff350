//! Phases, DONE and its consent, what is blocked, stalled, or written by another than its owner: with
//! real git, and sessions that are no agents.

mod owners;

use std::path::PathBuf;

use agent_supervisor::protocol::PlanStatus;
use serde_json::Value;

use crate::handoffs::{SESSIONS, clones, commit, git};
use crate::house::House;

const PLAN: &str = r###"
[plan]
phases = [{ name = "1", plan = "plan-1.md" }, { name = "2", plan = "plan-2.md" }]
done = { repo = "builder", file = "STATUS.md", heading = "## DONE" }
blocked = { repo = "builder", file = "STATUS.md", heading = "## Blocked" }
"###;

const CONSENT: &str = r#"
consent = { repo = "adversary", file = "REVIEW.md", pattern = "^PASS phase {phase}", veto = "^VETO" }
"#;

const OF_ITEMS: &str = r#"
[plan.consent]
repo = "adversary"
file = "REVIEW.md"
pattern = "^PASS phase {phase} {item}"
veto = "^VETO phase {phase}"
items = ["D1", "D2"]
"#;

impl House {
    /// A running house with the plan, two clones, and every look made once.
    fn with_plan(more: &str) -> Self {
        let mut house = Self::new("");
        clones(&house);
        house.configure(&format!("{SESSIONS}{PLAN}{more}"));
        house.run();
        house.wait_up(&["builder", "adversary"]);
        house.waits_for_first_looks();
        house
    }

    /// Waits until what stands in the repositories is known: what is written from here on is news.
    fn waits_for_first_looks(&self) {
        self.wait_for("the first looks", || {
            let plan = self.kept();
            let clones = plan["heads"].as_object().map_or(0, serde_json::Map::len);
            (plan["stale"].is_array() && clones == 2).then_some(())
        });
    }

    /// What is kept of the plan on the disk.
    fn kept(&self) -> Value {
        let text = std::fs::read_to_string(self.path("state/state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        state["plan"].clone()
    }

    fn wait_plan(&self, what: &str, wanted: impl Fn(&PlanStatus) -> bool) -> PlanStatus {
        self.wait(what, |status| status.supervisor.ready && wanted(&status.plan)).plan
    }

    /// How often something was written down.
    fn times(&self, event: &str) -> usize {
        let word = format!(" {event} ");
        self.events().iter().filter(|entry| entry.contains(&word)).count()
    }

    /// Pulls, writes a file, commits it and pushes, as a session would in its own clone.
    fn writes(&self, session: &str, file: &str, text: &str) -> String {
        let clone = self.path(session);
        git(&clone, &["pull", "-q", "--rebase"]);
        let at = commit(&clone, file, text);
        git(&clone, &["push", "-q"]);
        at
    }

    /// The same, with one more line.
    fn adds(&self, session: &str, file: &str, line: &str) -> String {
        let clone: PathBuf = self.path(session);
        git(&clone, &["pull", "-q", "--rebase"]);
        let text = std::fs::read_to_string(clone.join(file)).expect("a file");
        self.writes(session, file, &format!("{text}{line}\n"))
    }

    fn builder_is_done(&self) -> String {
        self.writes("builder", "STATUS.md", "# Status\n\n## DONE\nAll of it.\n")
    }

    fn adversary_says(&self, line: &str) -> String {
        self.adds("adversary", "REVIEW.md", line)
    }
}

#[test]
fn done_without_consent_is_refused_and_said_once_with_what_is_missing_over_restarts() {
    let mut house = House::with_plan(CONSENT);
    let at = house.builder_is_done();
    let missing = ["no word of consent in REVIEW.md"];
    let plan = house.wait_plan("DONE to be refused", |plan| plan.missing == missing);
    assert_eq!(plan.phase.as_deref(), Some("1"));
    let shown = house.does(&["phase"]);
    assert!(shown.contains("missing") && shown.contains(missing[0]), "{shown}");
    let said = house.does(&["status"]);
    assert!(said.contains("DONE is not accepted: no word of consent in REVIEW.md"), "{said}");
    let refused = format!("done-refused DONE of phase 1 at {at} is not accepted: {}", missing[0]);
    assert!(house.events().iter().any(|it| it.contains(&refused)), "{:?}", house.events());
    house.end_daemon("KILL");
    house.run();
    house.wait_plan("it to be refused again", |plan| plan.missing == missing);
    assert_eq!(house.times("done-refused"), 1, "{:?}", house.events());
}

#[test]
fn consent_counts_only_from_a_later_commit_and_for_this_phase() {
    let house = House::with_plan(CONSENT);
    house.adversary_says("PASS phase 1");
    house.builder_is_done();
    let old = ["the word of consent in REVIEW.md is older than DONE"];
    house.wait_plan("it to be too old", |plan| plan.missing == old);
    let other = house.adversary_says("PASS phase 2");
    house.wait_for("that to be looked at", || {
        let heads = house.kept()["heads"].to_string();
        heads.contains(&other).then_some(())
    });
    assert_eq!(house.status().expect("a daemon").plan.phase.as_deref(), Some("1"));
    // The same words, written anew.
    house.adversary_says("PASS phase 1");
    house.wait_plan("the next phase", |plan| plan.phase.as_deref() == Some("2"));
    let shown = house.does(&["phase"]);
    let rows: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["1", "done"], ["2", "now"]], "{shown}");
}

#[test]
fn each_item_needs_its_word_and_a_veto_after_it_takes_it_back() {
    let house = House::with_plan(OF_ITEMS);
    house.builder_is_done();
    house.adversary_says("PASS phase 1 D1: seen to work");
    let one = ["D2: no word of consent in REVIEW.md"];
    house.wait_plan("one to be missing", |plan| plan.missing == one);
    house.adversary_says("VETO phase 1 D1: it breaks when it rains");
    house.adversary_says("PASS phase 1 D2");
    let refused = ["D1: refused in REVIEW.md: VETO phase 1 D1: it breaks when it rains"];
    house.wait_plan("the veto to count", |plan| plan.missing == refused);
    house.adversary_says("PASS phase 1 D1: it does not any more");
    house.wait_plan("the next phase", |plan| plan.phase.as_deref() == Some("2"));
    assert_eq!(house.times("done-accepted"), 1);
}

#[test]
fn a_phase_that_is_done_waits_for_a_person_where_the_config_says_so() {
    let house = House::with_plan(&format!("advance = \"ask\"\n{CONSENT}"));
    house.builder_is_done();
    house.adversary_says("PASS phase 1");
    let plan = house.wait_plan("a person to be waited for", |plan| plan.waits);
    assert_eq!(plan.phase.as_deref(), Some("1"));
    let shown = house.does(&["phase"]);
    assert!(shown.contains("for `supervisor phase next`"), "{shown}");
    house.does(&["phase", "next"]);
    house.wait_plan("the next phase", |plan| plan.phase.as_deref() == Some("2") && !plan.waits);
    let (code, said) = house.refuses(&["phase", "next"]);
    assert!(code == 1 && said.contains("there is no phase after this one"), "{code} {said}");
    let (code, said) = house.refuses(&["phase", "set", "3"]);
    assert!(code == 1 && said.contains("they are: 1, 2"), "{code} {said}");
    house.does(&["phase", "set", "1"]);
    house.wait_plan("the first phase again", |plan| plan.phase.as_deref() == Some("1"));
}

#[test]
fn the_last_done_ends_the_sessions_for_good_until_it_is_taken_back() {
    let mut house = House::with_plan(CONSENT);
    house.builder_is_done();
    house.adversary_says("PASS phase 1");
    house.wait_plan("the next phase", |plan| plan.phase.as_deref() == Some("2"));
    // What stood there when the phase began is no news, even with a word of consent.
    house.adversary_says("PASS phase 2, if it were done");
    house.wait_for("the new phase to be looked at", || {
        house.kept()["stale"].as_array().filter(|it| it.len() == 1).map(drop)
    });
    house.writes("builder", "STATUS.md", "# Status\n");
    house.builder_is_done();
    let old = ["the word of consent in REVIEW.md is older than DONE"];
    house.wait_plan("its own DONE to be seen", |plan| plan.missing == old);
    house.adversary_says("PASS phase 2");
    house.wait_plan("the plan to be done", |plan| plan.done);
    for name in ["builder", "adversary"] {
        house.wait_unit(name, "is down", |unit| unit.wish == "down" && unit.state == "stopped");
    }
    house.end_daemon("KILL");
    house.run();
    let status = house.status().expect("a daemon");
    assert!(status.plan.done);
    assert!(status.units.iter().all(|unit| unit.wish == "down"), "{status:?}");
    house.must_be_empty();

    house.writes("builder", "STATUS.md", "# Status\nNot quite.\n");
    house.wait_plan("DONE to be taken back", |plan| !plan.done);
    house.does(&["start", "--all"]);
    house.wait_up(&["builder", "adversary"]);
    assert_eq!((house.times("plan-done"), house.times("done-taken-back")), (1, 1));
}

#[test]
fn without_a_consent_in_the_config_done_alone_is_enough() {
    let house = House::with_plan("");
    house.builder_is_done();
    house.wait_plan("the next phase", |plan| plan.phase.as_deref() == Some("2"));
}

#[test]
fn what_blocks_the_builder_is_shown_in_its_words_and_told_once() {
    let mut house = House::with_plan(CONSENT);
    house.writes("builder", "STATUS.md", "# Status\n\n## Blocked\nI need the key of the lab.\n");
    let plan = house.wait_plan("it to be blocked", |plan| plan.blocked);
    assert_eq!(plan.blocked_by.as_deref(), Some("I need the key of the lab."));
    house.end_daemon("KILL");
    house.run();
    house.wait_plan("it to be blocked still", |plan| plan.blocked);
    assert_eq!(house.times("blocked"), 1);
    house.writes("builder", "STATUS.md", "# Status\n");
    house.wait_plan("it to be blocked no more", |plan| !plan.blocked);
    assert_eq!((house.times("blocked"), house.times("unblocked")), (1, 1));
}

#[test]
fn a_plan_that_does_not_move_is_told_and_fails_the_check_until_somebody_commits() {
    let house = House::with_plan("stalled_after = \"2s\"\n");
    house.wait_plan("it to stall", |plan| plan.stalled);
    let output = house.verb(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("stalled: no commit and no hand-off"), "{said}");
    assert_eq!(house.times("stalled"), 1);
    house.writes("builder", "work.txt", "some\n");
    house.wait_for("it to move", || (house.times("moves-again") == 1).then_some(()));
}

#[test]
fn a_phase_is_kept_over_a_reboot_and_a_name_that_the_config_has_no_more_is_said() {
    let mut house = House::with_plan(CONSENT);
    house.does(&["phase", "next"]);
    house.end_daemon("KILL");
    house.inhabitants().into_iter().for_each(|pid| crate::house::kill(pid, "KILL"));
    house.boot("22222222-2222-4222-8222-222222222222");
    house.run();
    house.wait_plan("the phase", |plan| plan.phase.as_deref() == Some("2"));
    house.wait_up(&["builder", "adversary"]);
    let renamed = PLAN.replace("name = \"2\"", "name = \"3\"");
    house.configure(&format!("{SESSIONS}{renamed}{CONSENT}"));
    house.reload();
    let shown = house.does(&["phase"]);
    assert!(shown.contains("in the config no more"), "{shown}");
}
