//! Hand-offs: each edge wakes its session once.

use super::stage::*;
use crate::decide::*;

const NOBODY: &str = "nobody has looked";

#[test]
fn what_stands_there_at_first_sight_wakes_nobody_and_what_comes_then_does_once() {
    let mut stage = Stage::of_loops(|_| {});
    assert_eq!(stage.marked(&["a"]), "save");
    let woken = stage.marked(&["a", "b"]);
    assert!(woken.contains("type Verify CLAIMED b at c-b, phase 1."), "{woken}");
    assert_eq!(stage.marked(&["a", "b"]), "");
    stage.killed();
    assert_eq!(stage.marked(&["b", "a"]), "");
}

#[test]
fn an_edge_and_its_message_are_saved_together() {
    let mut stage = Stage::of_loops(|_| {});
    stage.marked(&[]);
    stage.says("adversary", Channel::Hook, Doing::Dialog(Dialog::Other));
    assert_eq!(stage.marked(&["a"]), "save");
    assert_eq!(stage.saved.plan.edges["claims"], ["a"]);
    assert_eq!(stage.saved.messages[&name("adversary")].len(), 1);
}

#[test]
fn edges_that_wait_become_one_message_which_says_the_newest() {
    let mut stage = Stage::of_loops(|_| {});
    stage.marked(&[]);
    stage.says("adversary", Channel::Hook, Doing::Failed(Failure::Limited { until: None }));
    stage.marked(&["a"]);
    stage.marked(&["a", "b"]);
    assert_eq!(stage.view("adversary").messages, 1);
    let typed = stage.says("adversary", Channel::Hook, Doing::Idle);
    assert!(typed.contains("type Verify CLAIMED b"), "{typed}");
}

#[test]
fn what_could_not_be_looked_at_is_said_once_and_is_no_edge() {
    let mut stage = Stage::of_loops(|_| {});
    stage.marked(&["a"]);
    for _ in 0..3 {
        let (handoff, outcome) = ("claims".to_owned(), Err(NOBODY.to_owned()));
        assert_eq!(stage.tell(Event::Marked { handoff, outcome }), "");
    }
    assert_eq!(stage.noted("cannot-look").len(), 1);
    assert_eq!(stage.marked(&["a"]), "");
    assert_eq!(stage.noted("can-look-again").len(), 1);
}

#[test]
fn one_cause_that_stands_in_the_way_of_several_looks_is_said_once() {
    let mut stage = Stage::of_loops(|_| {});
    let blocked = |outcome| Event::BlockedSeen(outcome);
    let (handoff, outcome) = ("claims".to_owned(), Err(NOBODY.to_owned()));
    stage.tell(Event::Marked { handoff, outcome });
    stage.tell(blocked(Err(NOBODY.to_owned())));
    assert_eq!(stage.noted("cannot-look").len(), 1);
    stage.tell(blocked(Ok(None)));
    assert_eq!(stage.noted("can-look-again").len(), 0, "one look still cannot be made");
    stage.marked(&[]);
    assert_eq!(stage.noted("can-look-again").len(), 1);
    stage.tell(blocked(Err("its disk hangs".to_owned())));
    assert_eq!(stage.noted("cannot-look").len(), 2, "another cause");
}

#[test]
fn what_was_known_uncommitted_is_no_news_when_it_is_committed_and_is_when_it_is_written_anew() {
    let mut stage = Stage::of_loops(|_| {});
    stage.marked(&[]);
    assert!(stage.marked(&["w:x"]).contains("type"));
    stage.typed("adversary", Typed::Arrived);
    let committed = |stage: &Stage, id: &str| Mark { was: Some("w:x".into()), ..stage.mark(id) };
    let first = committed(&stage, "x1");
    let told = |marks| Event::Marked { handoff: "claims".to_owned(), outcome: Ok(marks) };
    assert_eq!(stage.tell(told(vec![first.clone()])), "save");
    let second = committed(&stage, "x2");
    assert!(stage.tell(told(vec![first, second])).contains("type"));
}

#[test]
fn of_two_committed_lines_of_one_text_only_one_was_known_uncommitted() {
    let mut stage = Stage::of_loops(|_| {});
    stage.marked(&[]);
    stage.marked(&["w:x"]);
    stage.typed("adversary", Typed::Arrived);
    let committed = |id: &str| Mark { was: Some("w:x".into()), ..stage.mark(id) };
    let outcome = Ok(vec![committed("x1"), committed("x2")]);
    let told = stage.tell(Event::Marked { handoff: "claims".to_owned(), outcome });
    assert!(told.contains("type Verify line x2"), "{told}");
}

#[test]
fn a_done_ends_one_phase_only_even_if_its_date_lies_ahead() {
    let mut stage = Stage::of_loops(|_| {});
    stage.done(None, &[], &[]);
    for phase in ["1", "2"] {
        let at = stage.now().wall + SECOND * 7200;
        let done = Some(Mark { at, ..stage.mark("d") });
        let word = Word { mark: stage.mark("PASS"), rank: 12, later: true };
        let outcome = Ok(DoneSight { done, words: vec![vec![word]], vetoes: Vec::new() });
        stage.tell(Event::DoneSeen { phase: phase.to_owned(), outcome });
    }
    stage.wait(SECOND * 300);
    assert_eq!((stage.phase().as_deref(), stage.watchdog.plan_view().done), (Some("2"), false));
}
