//! Looks, starts, deaths and ends.

use super::super::*;
use super::stage::*;

#[test]
fn a_unit_is_looked_at_first_and_started_if_it_is_absent() {
    let mut stage = Stage::with(&[("web", plain())]);
    assert_eq!(stage.tick(), "look web");
    assert!(!stage.watchdog.has_looked());
    assert_eq!(stage.absent("web"), "start web");
    assert!(stage.watchdog.has_looked());
    assert_eq!(stage.state("web"), StateView::Starting);
    assert_eq!(stage.started("web"), "");
    assert_eq!(stage.state("web"), StateView::Up);
    assert!(stage.sleeps());
}

#[test]
fn the_first_look_adopts_what_lives() {
    let mut stage = Stage::up(&[("web", plain())]);
    let process = stage.view("web").process;
    assert_eq!(stage.killed(), "look web");
    assert_eq!(stage.alive("web", true), "");
    assert_eq!(stage.view("web").process, process);
    assert_eq!(stage.state("web"), StateView::Up);
}

#[test]
fn what_is_adopted_unready_says_so_and_is_given_its_time() {
    let mut stage = Stage::up(&[("db", slow())]);
    stage.killed();
    assert_eq!(stage.alive("db", false), "");
    assert_eq!(stage.view("db").why, "not ready yet");
    assert_eq!(stage.ready("db"), "");
    assert_eq!(stage.state("db"), StateView::Up);
    assert!(stage.sleeps());
}

#[test]
fn what_died_while_nobody_watched_is_a_death() {
    let mut stage = Stage::up(&[("web", plain())]);
    stage.killed();
    assert_eq!(stage.absent("web"), "start web");
    assert_eq!(stage.view("web").in_window, 1);
    assert_eq!(stage.view("web").last_exit.map(|(exit, _)| exit), Some(Exit::Unknown));
}

#[test]
fn a_start_that_the_supervisor_did_not_outlive_is_done_again() {
    let mut stage = Stage::with(&[("web", plain())]);
    stage.tick();
    assert_eq!(stage.absent("web"), "start web");
    assert_eq!(stage.killed(), "look web");
    assert_eq!(stage.absent("web"), "start web");
}

#[test]
fn a_look_that_fails_or_is_not_answered_is_no_death() {
    let mut stage = Stage::up(&[("web", plain())]);
    stage.killed();
    assert_eq!(stage.look("web", Look::Failed("no /proc".to_owned())), "");
    assert_eq!(stage.view("web").reading, Reading::Unknown);
    assert_eq!(stage.view("web").why, "could not look: no /proc");
    assert_eq!(stage.wait(SECOND * 2), "look web");
    assert_eq!(stage.wait(SECOND * 10), "");
    assert_eq!(stage.wait(SECOND * 5), "look web");
    assert_eq!(stage.alive("web", true), "");
    assert_eq!(stage.view("web").in_window, 0);
}

#[test]
fn the_first_death_is_answered_at_once_and_the_next_after_a_while() {
    let mut stage = Stage::up(&[("web", plain())]);
    assert_eq!(stage.exits("web", Exit::Signal(9)), "start web");
    stage.started("web");
    assert_eq!(stage.exits("web", Exit::Signal(9)), "");
    assert_eq!(stage.view("web").why, "killed by SIGKILL");
    assert_eq!(stage.wait(SECOND * 2), "start web");
}

#[test]
fn an_exit_told_before_the_start_is_answered_is_believed() {
    let mut stage = Stage::with(&[("web", plain())]);
    stage.tick();
    stage.absent("web");
    let (unit, ticket) = (name("web"), stage.tickets[&name("web")]);
    let process = Process { pid: 9, start: 9 };
    let exit = Exit::Code(3);
    assert_eq!(stage.tell(Event::Exited { unit: unit.clone(), process, exit }), "");
    assert_eq!(stage.tell(Event::Started { unit, ticket, outcome: Ok(process) }), "start web");
    assert_eq!(stage.view("web").last_exit.map(|(exit, _)| exit), Some(exit));
}

#[test]
fn a_restart_asked_while_it_starts_gives_another_process() {
    let mut stage = Stage::with(&[("web", plain())]);
    stage.tick();
    assert_eq!(stage.absent("web"), "start web");
    assert_eq!(stage.restart("web", true), "");
    assert_eq!(stage.started("web"), "stop web");
    assert_eq!(stage.stopped("web"), "start web");
    stage.started("web");
    assert_eq!(stage.state("web"), StateView::Up);
    assert_eq!(stage.view("web").in_window, 0);
}

#[test]
fn what_is_not_ready_in_time_is_looked_at_once_more_and_then_restarted() {
    let mut stage = Stage::up(&[("db", slow())]);
    assert_eq!(stage.state("db"), StateView::Starting);
    assert_eq!(stage.wait(SECOND * 60), "look db");
    assert_eq!(stage.alive("db", false), "stop db");
    assert_eq!(stage.view("db").why, "not ready within 60s");
    assert_eq!(stage.stopped("db"), "start db");
    assert_eq!(stage.view("db").in_window, 1);
}

#[test]
fn a_death_during_a_look_is_answered_at_once_and_the_look_is_forgotten() {
    let mut stage = Stage::up(&[("db", slow())]);
    assert_eq!(stage.wait(SECOND * 60), "look db");
    let (unit, ticket) = (name("db"), stage.tickets[&name("db")]);
    assert_eq!(stage.exits("db", Exit::Signal(9)), "start db");
    let look = Look::Absent { exit: None };
    assert_eq!(stage.tell(Event::Looked { unit, ticket, look }), "");
    assert_eq!(stage.state("db"), StateView::Starting);
}

#[test]
fn what_says_that_it_is_ready_before_its_start_is_answered_is_ready() {
    let mut stage = Stage::with(&[("db", slow())]);
    stage.tick();
    stage.absent("db");
    let process = Process { pid: 101, start: 0 };
    assert_eq!(stage.tell(Event::Ready { unit: name("db"), process }), "");
    stage.started("db");
    assert_eq!(stage.state("db"), StateView::Up);
    assert!(stage.records[&name("db")].ready);
}

#[test]
fn what_is_ready_late_but_before_the_confirming_look_is_left_alone() {
    let mut stage = Stage::up(&[("db", slow())]);
    assert_eq!(stage.wait(SECOND * 60), "look db");
    assert_eq!(stage.alive("db", true), "");
    assert_eq!(stage.state("db"), StateView::Up);
    assert!(stage.sleeps());
}
