//! Logins that are lost, and come back.

use super::remedies::{failed, idle};
use super::stage::*;
use crate::decide::*;

#[test]
fn a_lost_login_holds_all_sessions_of_it_is_told_once_and_released_by_itself() {
    let mut stage = Stage::up(&[("adversary", agent()), ("builder", agent()), ("other", agent())]);
    for unit in ["adversary", "builder", "other"] {
        stage.works_on(unit, if unit == "other" { "b" } else { "a" });
        stage.says(unit, Channel::Hook, Doing::Idle);
    }
    stage.fails(Failure::LoggedOut);
    stage.says("adversary", Channel::Hook, failed(Failure::LoggedOut));
    assert_eq!(stage.journal("account-held"), 1);
    assert_eq!(stage.tells("adversary", 1, "hello"), "save");
    assert!(stage.tells("other", 2, "hello").contains("type hello"));
    // One that dies is not started again in vain.
    assert_eq!(stage.exits("adversary", Exit::Code(1)), "");
    assert_eq!(stage.state("adversary"), StateView::Held);
    assert_eq!(stage.wait(SECOND * 500), "");

    let done = stage.login_changed("a");
    assert!(done.contains("start adversary") && done.contains("type The login is back"), "{done}");
    assert_eq!(stage.journal("account-released"), 1);
}

#[test]
fn a_login_of_which_nobody_tells_is_tried_slowly_by_one_session() {
    let mut stage = Stage::up(&[("adversary", agent()), ("builder", agent())]);
    for unit in ["adversary", "builder"] {
        stage.works_on(unit, "a");
        stage.says(unit, Channel::Hook, failed(Failure::Unpaid));
    }
    assert_eq!(stage.wait(SECOND * 60 * 29), "");
    let tried = stage.wait(SECOND * 60 * 2);
    assert_eq!(tried.matches("type").count(), 1, "{tried}");
    stage.typed("adversary", Typed::Arrived);
    stage.says("adversary", Channel::Hook, Doing::Working);
    stage.wait(SECOND);
    // The turn went well: the other one goes on, too.
    let done = stage.says("adversary", Channel::Hook, Doing::Idle);
    assert!(done.contains("type The login is back"), "{done}");
}

#[test]
fn a_process_that_is_refused_although_the_login_was_renewed_is_replaced_once() {
    let mut stage = idle();
    stage.works_on("builder", "a");
    stage.fails(Failure::LoggedOut);
    stage.wait(SECOND);
    stage.login_changed("a");
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Working);
    stage.wait(SECOND);
    assert_eq!(stage.fails(Failure::LoggedOut), "save, stop builder");
    stage.stopped("builder");
    stage.wait(SECOND * 10);
    assert_eq!(stage.state("builder"), StateView::Held, "the login is not back yet");
}
