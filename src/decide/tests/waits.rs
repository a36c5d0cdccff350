//! What a start waits for, and crash loops.

use super::super::*;
use super::stage::*;

#[test]
fn a_unit_waits_for_the_one_before_it() {
    let app = after(Dependency::Unit(name("db")));
    let mut stage = Stage::with(&[("app", app), ("db", slow())]);
    stage.tick();
    assert_eq!(stage.absent("app"), "");
    assert_eq!(stage.view("app").why, "waits for db");
    assert_eq!(stage.absent("db"), "start db");
    assert_eq!(stage.started("db"), "");
    assert_eq!(stage.ready("db"), "start app");
}

#[test]
fn a_unit_waits_for_docker_which_is_watched_for_anew_if_nobody_speaks() {
    let mut stage = Stage::with(&[("app", after(Dependency::Docker))]);
    stage.tick();
    assert_eq!(stage.absent("app"), "await docker");
    assert_eq!(stage.found(Err("connection refused")), "");
    assert_eq!(stage.wait(SECOND * 59), "");
    assert_eq!(stage.wait(SECOND), "await docker");
    assert_eq!(stage.found(Ok(())), "start app");
}

#[test]
fn a_watch_that_nobody_needs_any_more_wakes_nobody() {
    let app = after(Dependency::Docker);
    let next = after(Dependency::Unit(name("app")));
    let mut stage = Stage::with(&[("app", app), ("next", next)]);
    stage.tick();
    stage.absent("app");
    stage.absent("next");
    stage.stop("app");
    assert_eq!(stage.wait(SECOND * 3600), "");
    assert!(stage.sleeps(), "{:?}", stage.watchdog.next_wake());
}

#[test]
fn restarts_beyond_the_cap_queue() {
    let units = [("a", plain()), ("b", plain()), ("c", plain())];
    let mut stage = Stage::up(&units);
    assert_eq!(stage.exits("a", Exit::Signal(9)), "start a");
    assert_eq!(stage.exits("b", Exit::Signal(9)), "start b");
    assert_eq!(stage.exits("c", Exit::Signal(9)), "");
    assert_eq!(stage.view("c").why, "waits for the cap over all units");
    assert_eq!(stage.wait(SECOND * 60), "start c");
}

#[test]
fn sessions_start_one_after_the_other_and_services_at_once() {
    let units = [("a", session()), ("b", session()), ("web", plain())];
    let mut stage = Stage::with(&units);
    stage.tick();
    assert_eq!(stage.absent("a"), "start a");
    assert_eq!(stage.absent("b"), "");
    assert_eq!(stage.absent("web"), "start web");
    assert_eq!(stage.wait(SECOND * 2), "start b");
}

#[test]
fn a_crash_loop_is_given_up_and_tried_again_slowly() {
    let mut stage = Stage::with(&[("web", plain())]);
    stage.tick();
    stage.absent("web");
    assert_eq!(stage.fails_to_start("web"), "start web");
    stage.fails_to_start("web");
    assert_eq!(stage.wait(SECOND * 2), "start web");
    assert_eq!(stage.fails_to_start("web"), "");
    assert_eq!(stage.state("web"), StateView::GivenUp);
    assert_eq!(stage.wait(SECOND * 3000), "start web");
    assert_eq!(stage.fails_to_start("web"), "");
    assert_eq!(stage.state("web"), StateView::GivenUp);
}

fn given_up_for_ever() -> Stage {
    let mut policy = plain();
    policy.restart.loop_starts = 1;
    policy.restart.loop_retry = None;
    let mut stage = Stage::up(&[("web", policy)]);
    assert_eq!(stage.exits("web", Exit::Code(1)), "");
    stage
}

#[test]
fn with_retry_never_a_person_must_start_it() {
    let mut stage = given_up_for_ever();
    assert_eq!(stage.state("web"), StateView::GivenUp);
    assert!(stage.sleeps());
    assert_eq!(stage.killed(), "look web");
    assert_eq!(stage.absent("web"), "");
    assert_eq!(stage.state("web"), StateView::GivenUp);
    assert_eq!(stage.start("web"), "start web");
    assert_eq!(stage.view("web").in_window, 0);
}

#[test]
fn a_start_asked_before_the_first_look_ends_a_crash_loop_too() {
    let mut stage = given_up_for_ever();
    stage.killed();
    assert_eq!(stage.start("web"), "");
    assert_eq!(stage.absent("web"), "start web");
}

#[test]
fn a_stop_that_fails_is_tried_again_after_a_look() {
    let mut stage = Stage::up(&[("web", plain())]);
    assert_eq!(stage.stop("web"), "save, stop web");
    let (unit, ticket) = (name("web"), stage.tickets[&name("web")]);
    assert_eq!(stage.tell(Event::Stopped { unit, ticket, outcome: Err("D".to_owned()) }), "");
    assert_eq!(stage.wait(SECOND), "look web");
    assert_eq!(stage.alive("web", true), "stop web");
    assert_eq!(stage.stopped("web"), "");
    assert_eq!(stage.watchdog.outcome(&name("web"), Goal::Down), Some(Outcome::Reached));
}

#[test]
fn a_changed_spec_restarts_only_what_asks_for_it() {
    let gateway = UnitPolicy { restart_on_change: true, ..plain() };
    let mut stage = Stage::up(&[("gateway", gateway), ("web", plain())]);
    for policy in stage.policy.units.values_mut() {
        policy.spec = "2".to_owned();
    }
    stage.killed();
    assert_eq!(stage.alive("web", true), "");
    assert!(stage.view("web").changed);
    assert_eq!(stage.alive("gateway", true), "stop gateway");
}

#[test]
fn a_held_unit_says_why_and_is_not_started() {
    let held = UnitPolicy { hold: Some("no such directory".to_owned()), ..plain() };
    let mut stage = Stage::with(&[("web", held)]);
    stage.tick();
    assert_eq!(stage.absent("web"), "");
    assert_eq!(stage.start("web"), "");
    let missed = Outcome::Missed("no such directory".to_owned());
    assert_eq!(stage.watchdog.outcome(&name("web"), Goal::Up), Some(missed));
}

#[test]
fn the_clock_set_back_an_hour_changes_nothing() {
    let mut stage = Stage::up(&[("web", plain()), ("db", slow())]);
    stage.wall += SECOND * 36_000;
    let wake = stage.watchdog.next_wake();
    assert_eq!(stage.tick(), "");
    stage.wall -= SECOND * 7200;
    assert_eq!(stage.tick(), "");
    assert_eq!(stage.watchdog.next_wake(), wake);
    assert_eq!(stage.exits("web", Exit::Signal(9)), "start web");
}
