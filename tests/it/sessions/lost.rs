//! The terminal itself is lost, frozen or cut off.

use crate::house::{House, kill, lives};
use crate::tmux::{PATIENT, scripted, session};

/// Kills the tmux server, and waits for the program's next life in another one.
fn loses_its_terminal(house: &House, unit: &str, comm: &str) {
    let (program, terminal) = (house.pid_of(unit), house.terminal_of(unit));
    kill(terminal, "KILL");
    let next = house.successor_of(unit, program);
    assert_ne!(house.terminal_of(unit), terminal);
    assert!(!lives(program));
    house.alone(comm, next);
    assert_eq!(house.tmux(unit, &["list-panes", "-aF", "#{pane_pid}"]), Some(next.to_string()));
}

#[test]
fn a_program_that_ignores_the_hang_up_is_ended_with_its_terminal_and_started_anew() {
    let script = "trap '' HUP TERM; echo armed; exec cat < /dev/zero > /dev/null";
    let house = House::running(&(PATIENT.to_owned() + &scripted("one", script, "")));
    for round in 1..=5 {
        house.wait_screen("one", "armed");
        loses_its_terminal(&house, "one", "cat");
        assert_eq!(house.unit("one").restarts.total, round);
    }
}

#[test]
fn a_program_that_dies_with_its_terminal_is_started_anew_at_once() {
    let house = House::running(&(PATIENT.to_owned() + &session("one", &["cat"], "")));
    house.wait_up(&["one"]);
    for round in 1..=10 {
        loses_its_terminal(&house, "one", "cat");
        let total = house.unit("one").restarts.total;
        assert_eq!(total, round, "one death, one restart\n{}", house.said());
    }
}

#[test]
fn a_terminal_that_died_while_nobody_watched_is_no_reason_for_two_programs() {
    let script = "trap '' HUP TERM; echo armed; exec cat < /dev/zero > /dev/null";
    let mut house = House::running(&(PATIENT.to_owned() + &scripted("one", script, "")));
    house.wait_screen("one", "armed");
    let (program, terminal) = (house.pid_of("one"), house.terminal_of("one"));
    house.end_daemon("KILL");
    kill(terminal, "KILL");
    house.wait_for("the terminal to end", || (!lives(terminal)).then_some(()));
    assert!(lives(program));
    house.run();
    let next = house.successor_of("one", program);
    assert!(!lives(program));
    house.alone("cat", next);
    assert_eq!(house.unit("one").restarts.total, 1);
}

#[test]
fn a_lost_connection_is_made_again_and_nothing_is_restarted() {
    let house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let (program, terminal) = (house.pid_of("one"), house.terminal_of("one"));
    let mut links = house.links_of("one");
    for _ in 0..5 {
        links.iter().for_each(|pid| kill(*pid, "KILL"));
        links = house.wait_for("another connection", || {
            let now = house.links_of("one");
            (now.len() == 1 && now != links).then_some(now)
        });
        house.wait_for("an answer", || {
            house.verb(&["logs", "one", "--screen"]).status.success().then_some(())
        });
    }
    assert_eq!((house.pid_of("one"), house.terminal_of("one")), (program, terminal));
    assert_eq!(house.unit("one").restarts.total, 0);
}

#[test]
fn a_program_that_dies_together_with_the_connection_is_brought_back_with_its_screen() {
    let script = "echo 'life of '$$; exec cat";
    let house = House::running(&(PATIENT.to_owned() + &scripted("one", script, "")));
    house.wait_up(&["one"]);
    let terminal = house.terminal_of("one");
    for round in 1..=5 {
        let program = house.pid_of("one");
        house.wait_screen("one", &format!("life of {program}"));
        house.links_of("one").into_iter().for_each(|pid| kill(pid, "KILL"));
        kill(program, "KILL");
        let next = house.successor_of("one", program);
        house.alone("cat", next);
        assert_eq!(house.unit("one").restarts.total, round, "{}", house.said());
        let exit = house.unit("one").last_exit.expect("an exit");
        assert_eq!(exit.signal.as_deref(), Some("KILL"));
        house.wait_for("the screen of the dead", || {
            let kept = std::fs::read_to_string(house.path("state/logs/one.log"));
            kept.unwrap_or_default().contains(&format!("life of {program}\n")).then_some(())
        });
    }
    assert_eq!(house.terminal_of("one"), terminal);
    assert_eq!(house.links_of("one").len(), 1);
}

#[test]
fn a_frozen_terminal_is_not_taken_for_a_dead_one() {
    let mut house = House::running(&(PATIENT.to_owned() + &session("one", &["cat"], "")));
    house.wait_up(&["one"]);
    let (program, terminal) = (house.pid_of("one"), house.terminal_of("one"));
    house.end_daemon("KILL");
    kill(terminal, "STOP");
    house.spawn();
    let unit = house
        .wait_unit("one", "could not be looked at", |unit| unit.why.contains("could not look"));
    assert_eq!(unit.reading, "unknown");
    assert!(unit.why.contains("tmux"), "{}", unit.why);
    house.alone("cat", program);
    kill(terminal, "CONT");
    let unit = house.wait_unit("one", "is seen", |unit| unit.state == "up");
    assert_eq!((unit.pid, unit.restarts.total), (Some(program), 0));
    house.wait_for("one connection alone", || (house.links_of("one").len() == 1).then_some(()));
}

#[test]
fn a_program_that_dies_in_a_frozen_terminal_comes_back_in_another() {
    let house = House::running(&(PATIENT.to_owned() + &session("one", &["cat"], "")));
    house.wait_up(&["one"]);
    let (program, terminal) = (house.pid_of("one"), house.terminal_of("one"));
    kill(terminal, "STOP");
    kill(program, "KILL");
    let next = house.successor_of("one", program);
    house.alone("cat", next);
    assert!(!lives(terminal));
    let exit = house.unit("one").last_exit.expect("an exit");
    assert_eq!(exit.signal.as_deref(), Some("KILL"), "the kernel knows it too");
    assert_eq!(house.unit("one").restarts.total, 1);
}

#[test]
fn an_unprivileged_user_keeps_and_ends_sessions_too() {
    let script =
        "trap '' HUP TERM; (setsid sleep 1000 &); echo armed; exec cat < /dev/zero >/dev/null";
    let units = PATIENT.to_owned()
        + &scripted("deaf", script, "stop_grace = \"200ms\"")
        + &session("plain", &["cat"], "");
    let mut house = House::of_nobody(&units);
    house.run();
    house.wait_up(&["deaf", "plain"]);
    house.wait_screen("deaf", "armed");
    let plain = house.pid_of("plain");

    let before = house.pid_of("deaf");
    kill(before, "KILL");
    let next = house.successor_of("deaf", before);
    house.wait_screen("deaf", "armed");
    let one_child = || (house.called("sleep").len() == 1).then_some(());
    house.wait_for("the child of the living one alone", one_child);

    kill(house.terminal_of("deaf"), "KILL");
    let next = house.successor_of("deaf", next);
    house.wait_screen("deaf", "armed");
    house.wait_for("the child of the living one alone", one_child);

    house.end_daemon("KILL");
    house.run();
    assert_eq!((house.pid_of("deaf"), house.pid_of("plain")), (next, plain));
    house.does(&["stop", "--all"]);
    assert!(house.is_empty());
}
