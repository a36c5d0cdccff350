//! The plan: phases, DONE and its consent, what blocks it and what is another's.

use super::stage::*;
use crate::decide::*;

impl Stage {
    /// A builder and an adversary at their prompts, with two phases and a hand-off to the adversary.
    pub(super) fn of_loops(change: impl Fn(&mut PlanPolicy)) -> Self {
        let mut plan = PlanPolicy {
            phases: ["1", "2"].map(phase).to_vec(),
            stops: vec![name("builder"), name("adversary")],
            ..PlanPolicy::default()
        };
        change(&mut plan);
        let handoffs = vec![HandoffPolicy {
            key: "claims".to_owned(),
            to: name("adversary"),
            text: "Verify {line} at {commit}, phase {phase}.".to_owned(),
            file: "STATUS.md".to_owned(),
        }];
        let mut stage = Stage::with(&[("adversary", agent()), ("builder", agent())]);
        (stage.policy.plan, stage.policy.handoffs) = (plan, handoffs);
        stage.killed();
        for unit in ["adversary", "builder"] {
            stage.absent(unit);
            stage.wait(SECOND * 3);
            stage.started(unit);
            stage.says(unit, Channel::Hook, Doing::Idle);
        }
        stage
    }

    pub(super) fn marked(&mut self, ids: &[&str]) -> String {
        let mark = |id: &&str| Mark { text: format!("CLAIMED {id}"), ..self.mark(id) };
        let outcome = Ok(ids.iter().map(mark).collect());
        self.tell(Event::Marked { handoff: "claims".to_owned(), outcome })
    }

    pub(super) fn mark(&self, id: &str) -> Mark {
        Mark {
            id: id.to_owned(),
            was: None,
            text: format!("line {id}"),
            commit: format!("c-{id}"),
            at: self.now().wall,
        }
    }

    /// What the repositories say: DONE by this id, words of consent and refusals by their ranks.
    pub(super) fn done(
        &mut self,
        done: Option<&str>,
        words: &[(&str, u32)],
        vetoes: &[(&str, u32)],
    ) -> String {
        let word = |(text, rank): &(&str, u32)| Word {
            mark: Mark { text: (*text).to_owned(), ..self.mark(&format!("{text}{rank}")) },
            rank: *rank,
            later: *rank > 10,
        };
        let sight = DoneSight {
            done: done.map(|id| self.mark(id)),
            words: vec![words.iter().map(word).collect()],
            vetoes: vetoes.iter().map(word).collect(),
        };
        let phase = self.phase().expect("a phase");
        self.tell(Event::DoneSeen { phase, outcome: Ok(sight) })
    }

    pub(super) fn phase(&self) -> Option<String> {
        self.watchdog.plan_view().phase
    }

    pub(super) fn noted(&self, event: &str) -> Vec<&str> {
        let said = self.said.iter().filter(|entry| entry.event == event);
        said.map(|entry| entry.why.as_str()).collect()
    }
}

fn phase(name: &str) -> PhasePolicy {
    let consent = ConsentPolicy { items: Vec::new(), max_age: None, place: "REVIEW.md".to_owned() };
    PhasePolicy { name: name.to_owned(), consent: Some(consent) }
}

#[test]
fn a_done_that_stood_when_the_phase_began_does_not_count_whatever_its_date() {
    for ahead in [false, true] {
        let mut stage = Stage::of_loops(|_| {});
        let now = stage.now().wall;
        let at = if ahead { now + SECOND * 3600 } else { std::time::SystemTime::UNIX_EPOCH };
        let old = Mark { at, ..stage.mark("old") };
        for _ in 0..2 {
            let word = Word { mark: stage.mark("PASS"), rank: 11, later: true };
            let sight =
                DoneSight { done: Some(old.clone()), words: vec![vec![word]], vetoes: Vec::new() };
            stage.tell(Event::DoneSeen { phase: "1".to_owned(), outcome: Ok(sight) });
        }
        stage.wait(SECOND * 300);
        assert_eq!(stage.phase().as_deref(), Some("1"));
    }
}

#[test]
fn a_done_without_consent_is_refused_once_and_with_it_the_next_phase_begins_afresh() {
    let mut stage = Stage::of_loops(|_| {});
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.done(Some("d"), &[], &[]);
    stage.done(Some("d"), &[("PASS", 9)], &[]);
    assert_eq!(stage.noted("done-refused").len(), 1);
    assert_eq!(
        stage.watchdog.plan_view().missing,
        ["the word of consent in REVIEW.md is older than DONE"]
    );
    let done = stage.done(Some("d"), &[("PASS", 9), ("PASS", 12)], &[]);
    assert_eq!(stage.phase().as_deref(), Some("2"));
    assert!(done.contains("stop builder") && done.contains("stop adversary"), "{done}");
    stage.stopped("builder");
    assert_eq!(stage.saved.plan.begun[&name("builder")], "2");
}

#[test]
fn a_later_refusal_stands_against_consent_and_an_older_one_does_not() {
    let mut stage = Stage::of_loops(|_| {});
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.done(Some("d"), &[("PASS", 12)], &[("FAIL it", 13)]);
    assert_eq!(stage.phase().as_deref(), Some("1"));
    assert_eq!(stage.watchdog.plan_view().missing, ["refused in REVIEW.md: FAIL it"]);
    stage.done(Some("d"), &[("PASS", 12), ("PASS", 14)], &[("FAIL it", 13)]);
    assert_eq!(stage.phase().as_deref(), Some("2"));
}

#[test]
fn of_two_words_in_one_commit_the_refusal_counts() {
    let mut stage = Stage::of_loops(|_| {});
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.done(Some("d"), &[("PASS", 12)], &[("FAIL", 12)]);
    assert_eq!(stage.phase().as_deref(), Some("1"));
}

#[test]
fn each_item_needs_its_own_word_and_a_refusal_of_another_item_is_none_of_its() {
    let mut stage = Stage::of_loops(|plan| {
        let consent = plan.phases[0].consent.as_mut().unwrap();
        consent.items = ["D1", "D12"].map(str::to_owned).to_vec();
    });
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    let word = |text: &str, rank| Word {
        mark: Mark {
            id: format!("{text}{rank}"),
            text: text.to_owned(),
            was: None,
            commit: String::new(),
            at: std::time::SystemTime::UNIX_EPOCH,
        },
        rank,
        later: true,
    };
    let tell = |stage: &mut Stage, words: Vec<Vec<Word>>, vetoes: Vec<Word>| {
        let done = Some(stage.mark("d"));
        let outcome = Ok(DoneSight { done, words, vetoes });
        stage.tell(Event::DoneSeen { phase: "1".to_owned(), outcome })
    };
    let passes = vec![vec![word("PASS D1", 12)], Vec::new()];
    tell(&mut stage, passes, vec![word("FAIL D12", 13)]);
    assert_eq!(stage.watchdog.plan_view().missing, ["D12: no word of consent in REVIEW.md"]);
    let passes = vec![vec![word("PASS D1", 12)], vec![word("PASS D12", 14)]];
    tell(&mut stage, passes, vec![word("FAIL D12", 13)]);
    assert_eq!(stage.phase().as_deref(), Some("2"));
}

#[test]
fn consent_that_is_too_old_by_our_own_clock_does_not_count() {
    let mut stage = Stage::of_loops(|plan| {
        plan.phases[0].consent.as_mut().unwrap().max_age = Some(SECOND * 60);
    });
    stage.done(None, &[("PASS", 12)], &[]);
    stage.wait(SECOND * 61);
    stage.done(Some("d"), &[("PASS", 12)], &[]);
    assert_eq!(stage.phase().as_deref(), Some("1"));
    assert!(stage.watchdog.plan_view().missing[0].contains("older than 1 min"));
}

#[test]
fn whoever_is_in_the_middle_of_a_turn_may_finish_it_but_not_for_ever() {
    let mut stage = Stage::of_loops(|_| {});
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert!(!stage.done(Some("d"), &[("PASS", 12)], &[]).contains("stop"));
    assert!(!stage.wait(SECOND * 60).contains("stop"));
    assert!(stage.wait(SECOND * 60).contains("stop builder"));
}

#[test]
fn the_last_phase_done_stops_the_sessions_and_nothing_starts_after_it() {
    let mut stage = Stage::of_loops(|plan| drop(plan.phases.remove(0)));
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.marked(&[]);
    let done = stage.done(Some("d"), &[("PASS", 12)], &[]);
    assert!(done.contains("stop builder") && done.contains("stop adversary"), "{done}");
    assert!(stage.watchdog.plan_view().done);
    stage.stopped("builder");
    stage.stopped("adversary");
    assert_eq!(stage.marked(&["late"]), "save");
    stage.killed();
    stage.absent("builder");
    stage.absent("adversary");
    assert_eq!(stage.wait(SECOND * 600), "");
    assert_eq!(stage.state("builder"), StateView::Stopped);
}

#[test]
fn a_done_that_is_taken_back_is_said_and_start_works() {
    let mut stage = Stage::of_loops(|plan| drop(plan.phases.remove(0)));
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.done(Some("d"), &[("PASS", 12)], &[]);
    stage.stopped("builder");
    stage.stopped("adversary");
    stage.done(None, &[], &[]);
    assert_eq!(stage.noted("done-taken-back").len(), 1);
    assert!(!stage.watchdog.plan_view().done);
    assert!(stage.start("builder").contains("start builder"));
}

#[test]
fn where_the_config_says_ask_the_next_phase_waits_for_a_person() {
    let mut stage = Stage::of_loops(|plan| plan.ask = true);
    stage.done(None, &[], &[]);
    stage.wait(SECOND);
    stage.done(Some("d"), &[("PASS", 12)], &[]);
    assert_eq!((stage.phase().as_deref(), stage.noted("phase-done").len()), (Some("1"), 1));
    let name = stage.watchdog.phase_meant(&PhaseRequest::Next).unwrap();
    assert!(stage.tell(Event::Asked(Request::Phase(name))).contains("stop builder"));
    assert_eq!(stage.phase().as_deref(), Some("2"));
}

#[test]
fn a_phase_that_there_is_not_is_refused_with_those_there_are() {
    let stage = Stage::of_loops(|_| {});
    let meant = stage.watchdog.phase_meant(&PhaseRequest::Set("3".to_owned()));
    assert_eq!(meant, Err("there is no phase \"3\"; they are: 1, 2".to_owned()));
}

#[test]
fn what_blocks_is_told_once_with_its_text_and_nobody_is_nudged_meanwhile() {
    let mut stage = Stage::of_loops(|_| {});
    for _ in 0..2 {
        let blocked = Mark { text: "no key\nfor it".into(), ..stage.mark("b") };
        stage.tell(Event::BlockedSeen(Ok(Some(blocked))));
    }
    assert_eq!(stage.noted("blocked"), ["no key for it"]);
    stage.tell(Event::BlockedSeen(Ok(None)));
    assert_eq!(stage.noted("unblocked").len(), 1);
}

#[test]
fn a_plan_in_which_nothing_moves_is_told_once_until_it_does() {
    let mut stage = Stage::of_loops(|plan| plan.stalled_after = Some(SECOND * 7200));
    stage.wait(SECOND * 7100);
    assert!(!stage.watchdog.plan_view().stalled);
    stage.wait(SECOND * 200);
    stage.wait(SECOND * 7200);
    assert_eq!(stage.noted("stalled"), ["no commit and no hand-off for 2 h"]);
    let place = || "/srv/clone".to_owned();
    let committed = |heads: &str| Event::Committed {
        place: place(),
        heads: vec![heads.into()],
        commits: Vec::new(),
    };
    stage.tell(committed("a"));
    assert!(stage.watchdog.plan_view().stalled, "a first look is no commit");
    stage.tell(committed("b"));
    assert!(!stage.watchdog.plan_view().stalled);
}

#[test]
fn a_commit_to_what_is_anothers_is_said_and_told_the_owner_if_asked() {
    let mut stage = Stage::of_loops(|plan| {
        plan.owners.insert("STATUS.md".to_owned(), name("builder"));
        plan.owners_ping = true;
    });
    let committed = |head: &str, by: Option<&str>| Event::Committed {
        place: "/srv/clone".to_owned(),
        heads: vec![head.to_owned()],
        commits: vec![Written { file: "STATUS.md".into(), commit: head.into(), by: by.map(name) }],
    };
    stage.tell(committed("a", Some("adversary")));
    assert_eq!(stage.noted("foreign-commit").len(), 0, "what was there before is nobody's fault");
    stage.tell(committed("b", Some("builder")));
    assert_eq!(stage.noted("foreign-commit").len(), 0);
    let told = stage.tell(committed("c", Some("adversary")));
    assert!(told.contains("type STATUS.md was changed by adversary in c"), "{told}");
    assert_eq!(stage.noted("foreign-commit").len(), 1);
}
