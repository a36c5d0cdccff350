//! What an operator wants, and what a new configuration changes.

use super::super::*;
use super::stage::*;

#[test]
fn a_session_ended_by_hand_stays_down_until_it_is_started() {
    let mut stage = Stage::up(&[("builder", session())]);
    assert_eq!(stage.exits("builder", Exit::Code(0)), "save");
    assert_eq!(stage.view("builder").wish, Wish::Down);
    assert_eq!(stage.view("builder").why, "ended by hand; `start` brings it back");
    assert_eq!(stage.killed(), "look builder");
    assert_eq!(stage.absent("builder"), "");
    assert_eq!(stage.start("builder"), "save, start builder");
}

#[test]
fn a_clean_exit_that_we_asked_for_is_no_end_by_hand() {
    let mut stage = Stage::up(&[("builder", session())]);
    assert_eq!(stage.restart("builder", false), "stop builder");
    stage.killed();
    assert_eq!(stage.look("builder", Look::Absent { exit: Some(Exit::Code(0)) }), "start builder");
}

#[test]
fn a_drain_outlives_the_supervisor_and_a_start_ends_it() {
    let mut stage = Stage::up(&[("web", plain())]);
    assert_eq!(stage.tell(Event::Asked(Request::Drain)), "save, stop web");
    assert_eq!(stage.stopped("web"), "");
    assert_eq!(stage.view("web").wish, Wish::Up);
    assert_eq!(stage.view("web").why, "drained; `start` brings it back");
    stage.killed();
    assert_eq!(stage.absent("web"), "");
    assert_eq!(stage.start("web"), "save, start web");
}

#[test]
fn a_retired_unit_is_left_running_and_forgotten_when_it_ends() {
    let mut stage = Stage::up(&[("web", plain()), ("old", plain())]);
    stage.policy.units.remove(&name("old"));
    assert_eq!(stage.killed(), "look old, look web");
    assert_eq!(stage.alive("old", true), "");
    assert_eq!(stage.view("old").why, "no longer in the config: left running; `stop` ends it");
    assert_eq!(stage.stop("old"), "save, stop old");
    assert_eq!(stage.stopped("old"), "forget old");
    stage.stop("web");
    assert_eq!(stage.saved.wishes.get(&name("old")), Some(&Wish::Down));
}
