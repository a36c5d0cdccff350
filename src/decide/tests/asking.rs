//! Dialogs that are answered.

use super::remedies::{at_its_prompt, idle};
use super::stage::*;
use crate::decide::*;

#[test]
fn a_limit_dialog_is_answered_and_one_that_cannot_be_is_left_for_a_person() {
    let mut stage = idle();
    let dialog = Doing::Dialog(Dialog::Limit);
    stage.says("builder", Channel::Registry, Doing::Dialog(Dialog::Other));
    stage.wait(SECOND);
    assert_eq!(stage.says("builder", Channel::Screen, dialog), "save, answer builder Wait");
    assert_eq!(stage.tells("builder", 1, "hello"), "save", "nothing is typed meanwhile");
    assert_eq!(stage.answered(Err("no such option".to_owned())), "");
    assert_eq!(stage.wait(SECOND * 50), "");
    assert_eq!(stage.journal("not-answered"), 1);
}

#[test]
fn nobody_types_while_a_dialog_is_answered_nor_answers_while_somebody_types() {
    let mut stage = idle();
    let dialog = Doing::Dialog(Dialog::Limit);
    stage.wait(SECOND);
    assert_eq!(stage.says("builder", Channel::Screen, dialog), "save, answer builder Wait");
    stage.wait(SECOND);
    // It is gone from the registry sooner than the hand has seen that.
    stage.says("builder", Channel::Registry, Doing::Idle);
    assert_eq!(stage.tells("builder", 1, "hello"), "save");
    assert!(stage.answered(Ok(())).contains("type hello"));

    stage.wait(SECOND);
    assert_eq!(stage.says("builder", Channel::Hook, dialog), "");
    let done = stage.typed("builder", Typed::NotNow("it is at a dialog".to_owned()));
    assert!(done.contains("answer builder Wait"), "{done}");
}

#[test]
fn a_question_is_dismissed_only_if_the_config_says_so() {
    let mut stage = idle();
    let dialog = Doing::Dialog(Dialog::Question);
    stage.says("builder", Channel::Hook, dialog);
    assert_eq!(stage.wait(SECOND * 3600), "");

    let policy = AgentPolicy { escape: true, ..AgentPolicy::default() };
    let mut stage = at_its_prompt(UnitPolicy { agent: Some(policy), ..session() });
    stage.says("builder", Channel::Hook, dialog);
    assert_eq!(stage.wait(SECOND * 29), "");
    assert_eq!(stage.wait(SECOND * 2), "save, answer builder Escape");
    assert_eq!(stage.answered(Ok(())), "save");
    let done = stage.says("builder", Channel::Hook, Doing::Idle);
    assert!(done.contains("type Nobody is here to answer"), "{done}");
}
