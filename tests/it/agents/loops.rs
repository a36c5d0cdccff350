//! Two loops of real agents and a plan, from the first claim to the last DONE. The test commits as
//! the agents would, each in its own clone; what they are told is told by the supervisor.

use std::path::PathBuf;

use serde_json::Value;

use super::home::{BYPASS, Home};
use crate::handoffs::{clones, commit, git};
use crate::house::kill;

const NAMES: [&str; 2] = ["builder", "adversary"];
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

const PLAN: &str = r###"
[notify]
targets = [{ kind = "command", command = ["sh", "-c", "cat >> notices; echo >> notices"] }]

[plan]
phases = [{ name = "1", plan = "plan-1.md" }, { name = "2", plan = "plan-2.md" }]
done = { repo = "builder", file = "STATUS.md", heading = "## DONE" }
consent = { repo = "adversary", file = "REVIEW.md", pattern = "^PASS {phase}", veto = "^VETO {phase}" }

[[handoffs]]
repo = "builder"
file = "STATUS.md"
when = "line"
pattern = "^CLAIMED"
to = "adversary"
text = "Phase {phase}: the builder says {line} at {commit}. Judge it."

[[handoffs]]
repo = "adversary"
file = "REVIEW.md"
when = "line"
pattern = "^(PASS|FAIL|VETO)"
to = "builder"
text = "Phase {phase}: the adversary says {line} at {commit}. Go on."
"###;

/// What the first prompt of a session becomes.
fn kickoff(name: &str, phase: &str) -> String {
    format!("You are the {name} in phase {phase}; the plan is plan-{phase}.md.")
}

impl Home {
    /// A house with the plan, two agents that have answered their first prompts, and all looked at.
    fn with_plan(more: &str) -> Option<Self> {
        // A fault ends soon; by itself the client tries for minutes.
        let keys = format!(
            "{BYPASS}\nenvironment = {{ CLAUDE_CODE_MAX_RETRIES = \"1\", \
             CLAUDE_CODE_RETRY_WATCHDOG = \"0\" }}\n{more}"
        );
        let sessions = NAMES.map(|name| (name, keys.as_str()));
        let mut home = Self::of(&sessions)?;
        // The clones are to be made where the folders are.
        NAMES.iter().for_each(|name| std::fs::remove_dir(home.house.path(name)).expect("empty"));
        clones(&home.house);
        let config = std::fs::read_to_string(home.house.path("config.toml")).expect("the config");
        home.house.write("config.toml", &(config + PLAN));
        for name in NAMES {
            let text = format!("You are the {name} in phase {{phase}}; the plan is {{plan}}.\n");
            home.house.write(&format!("{name}.md"), &text);
        }
        home.house.run();
        NAMES.iter().for_each(|name| drop(home.wait_answered(name, &kickoff(name, "1"))));
        home.house.wait_for("the first looks", || {
            let plan = home.kept();
            let edges = plan["edges"].as_object().map_or(0, serde_json::Map::len);
            (edges == 2 && plan["stale"].is_array()).then_some(())
        });
        Some(home)
    }

    /// What is kept of the plan.
    fn kept(&self) -> Value {
        let text = std::fs::read_to_string(self.house.path("state/state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        state["plan"].clone()
    }

    /// A session pulls, writes, commits and pushes; the commit.
    fn writes(&self, name: &str, file: &str, text: &str) -> String {
        let clone: PathBuf = self.house.path(name);
        git(&clone, &["pull", "-q", "--rebase"]);
        let at = commit(&clone, file, text);
        git(&clone, &["push", "-q"]);
        at
    }

    fn claims(&self, text: &str) {
        let at = self.writes("builder", "STATUS.md", &format!("# Status\nCLAIMED {text}\n"));
        let phase = self.phase();
        let told = format!("Phase {phase}: the builder says CLAIMED {text} at {at}. Judge it.");
        self.wait_answered("adversary", &told);
        self.must_be_once(&told);
    }

    fn judges(&self, verdict: &str) {
        let at = self.writes("adversary", "REVIEW.md", &format!("# Review\n{verdict}\n"));
        let phase = self.phase();
        let told = format!("Phase {phase}: the adversary says {verdict} at {at}. Go on.");
        self.wait_answered("builder", &told);
        self.must_be_once(&told);
    }

    fn must_be_once(&self, told: &str) {
        let times = self.api.prompts().iter().filter(|asked| asked.contains(told)).count();
        assert_eq!(times, 1, "{told}");
    }

    fn phase(&self) -> String {
        self.house.status().expect("a daemon").plan.phase.expect("a phase")
    }

    /// The phase is done, says the builder, and the adversary, who was asked for more, agrees.
    fn ends_phase(&self, phase: &str) {
        self.writes("builder", "STATUS.md", &format!("# Status\n## DONE\nphase {phase}\n"));
        self.house.wait("DONE to be refused", |status| !status.plan.missing.is_empty());
        let text = format!("# Review\nFAIL {phase} D0\nPASS {phase}: all of it\n");
        self.writes("adversary", "REVIEW.md", &text);
    }

    fn notices(&self) -> String {
        std::fs::read_to_string(self.house.path("notices")).unwrap_or_default()
    }

    fn waits_for_notice(&self, text: &str) {
        self.house.wait_for(&format!("{text:?} to be told"), || {
            self.notices().contains(text).then_some(())
        });
    }

    fn reboot_lines(&self) -> usize {
        let log = std::fs::read_to_string(self.house.path("state/REBOOTS.md")).unwrap_or_default();
        log.lines().filter(|line| line.contains("boot_id=")).count()
    }

    /// All processes are gone at once, and it is another boot.
    fn reboots(&mut self, id: &str) {
        self.house.end_daemon("KILL");
        self.house.inhabitants().into_iter().for_each(|pid| kill(pid, "KILL"));
        self.house.wait_for("all to be gone", || self.house.inhabitants().is_empty().then_some(()));
        self.house.boot(id);
        self.house.run();
    }
}

#[test]
fn a_claim_is_typed_into_the_adversary_and_its_verdict_into_the_builder_also_when_it_was_wedged() {
    let Some(home) = Home::with_plan("") else { return };
    home.claims("D1");
    home.judges("FAIL 1 D1: it does not hold");
    let first = home.conversation("adversary");
    home.types("adversary", "[[sticky:err400_thinking]] think");
    home.presses("adversary", "Enter");
    home.house.wait_unit("adversary", "is healed", |unit| {
        unit.reading == "idle" && unit.conversation.as_ref() != Some(&first)
    });
    home.claims("D1 again");
    home.judges("PASS 1 D1");
    home.waits_for_notice("adversary: clear: API Error: 400");
}

#[test]
fn after_a_reboot_both_go_on_in_the_saved_phase_and_it_is_told_with_its_number() {
    let Some(mut home) = Home::with_plan("") else { return };
    home.waits_for_notice("phase 1, 2 units, boot 1 of this machine (after=first)");
    home.house.does(&["phase", "next"]);
    NAMES.iter().for_each(|name| drop(home.wait_answered(name, &kickoff(name, "2"))));
    home.claims("D1");
    let before = NAMES.map(|name| home.conversation(name));
    home.reboots(SECOND);
    assert_eq!((home.phase().as_str(), home.reboot_lines()), ("2", 2));
    let after = NAMES.map(|name| {
        home.wait_reading(name, "idle");
        home.conversation(name)
    });
    assert_eq!(after, before, "each goes on with its own conversation");
    home.waits_for_notice("phase 2, 2 units, boot 2 of this machine (after=unclean)");
    // What was claimed before is no news, and what comes is.
    home.judges("FAIL 2 D1");
    home.claims("D1 anew");
    assert_eq!(home.notices().matches("of this machine").count(), 2, "{}", home.notices());
}

#[test]
fn a_consented_done_begins_the_next_phase_in_fresh_conversations_and_the_last_one_ends_them() {
    let Some(home) = Home::with_plan("") else { return };
    let before = NAMES.map(|name| home.conversation(name));
    home.ends_phase("1");
    let refused = "DONE of phase 1 at ";
    home.waits_for_notice(refused);
    home.house.wait("the next phase", |status| status.plan.phase.as_deref() == Some("2"));
    for (name, before) in NAMES.iter().zip(&before) {
        home.wait_answered(name, &kickoff(name, "2"));
        assert_ne!(&home.conversation(name), before, "{name} begins afresh");
    }
    home.writes("builder", "STATUS.md", "# Status\n");
    home.claims("D2");
    home.ends_phase("2");
    home.house.wait("the plan to be done", |status| status.plan.done);
    for name in NAMES {
        home.house
            .wait_unit(name, "is down", |unit| unit.wish == "down" && unit.state == "stopped");
    }
    home.house.must_be_empty();
    home.waits_for_notice("phase 2 was the last one");
    assert_eq!(home.notices().matches(refused).count(), 1, "{}", home.notices());
}
