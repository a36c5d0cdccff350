//! Sessions end when they are asked to, whatever runs in them, and begin again.

use crate::house::{House, kill, lives};
use crate::tmux::{PATIENT, is_installed, scripted, session};

/// Stops the session, and sees that nothing is left of it; then starts it again.
fn stops_and_starts(house: &House, unit: &str) {
    let (program, terminal) = (house.pid_of(unit), house.terminal_of(unit));
    let links = house.links_of(unit);
    house.does(&["stop", unit]);
    let down = house.unit(unit);
    assert_eq!((down.state.as_str(), down.wish.as_str(), down.pid), ("stopped", "down", None));
    for pid in links.into_iter().chain([program, terminal]) {
        house.wait_for("the processes of the session to end", || (!lives(pid)).then_some(()));
    }
    assert!(house.is_empty());
    assert_eq!(house.tmux(unit, &["list-sessions"]), None, "nobody listens at the socket");
    house.does(&["start", unit]);
    assert_ne!(house.pid_of(unit), program);
    assert_ne!(house.terminal_of(unit), terminal);
    assert_eq!(house.unit(unit).restarts.total, 0, "an end that was asked for is no crash");
}

#[test]
fn a_shell_that_is_deaf_to_a_polite_signal_is_hung_up_on() {
    let house = House::running(&session("one", &["bash", "-l"], "stop_grace = \"60s\""));
    house.wait_up(&["one"]);
    stops_and_starts(&house, "one");
    house.does(&["stop", "--all"]);
    assert!(house.is_empty());
}

#[test]
fn an_editor_ends_within_its_grace() {
    if !is_installed("vi") {
        return;
    }
    let house = House::running(&session("one", &["vi", "-u", "NONE"], "stop_grace = \"60s\""));
    house.wait_screen("one", "VIM");
    stops_and_starts(&house, "one");
}

#[test]
fn a_program_that_hears_no_signal_is_killed_after_the_grace_with_all_its_children() {
    let script = "trap '' HUP TERM INT; \
                  setsid sh -c 'while :; do sleep 1000; done' & \
                  (while :; do sleep 1000; done) & echo armed; exec cat";
    let house = House::running(&scripted("one", script, "stop_grace = \"200ms\""));
    house.wait_screen("one", "armed");
    stops_and_starts(&house, "one");
}

#[test]
fn a_session_that_was_adopted_a_moment_ago_is_stopped_like_any_other() {
    let mut house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    for _ in 0..3 {
        house.end_daemon("KILL");
        house.spawn();
        house.wait_for("the stop", || house.verb(&["stop", "one"]).status.success().then_some(()));
        assert!(house.is_empty());
        house.does(&["start", "one"]);
        house.alone("cat", house.pid_of("one"));
    }
}

#[test]
fn a_stop_is_kept_over_the_supervisors_death_and_a_drain_is_not() {
    let mut house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    house.does(&["stop", "one"]);
    house.end_daemon("KILL");
    house.run();
    assert_eq!(house.unit("one").state, "stopped");
    assert!(house.is_empty());
    house.does(&["start", "one"]);
    house.does(&["drain"]);
    assert!(house.is_empty());
    assert_eq!(house.unit("one").wish, "up");
}

#[test]
fn a_session_that_a_person_ended_by_hand_stays_down_and_a_killed_one_does_not() {
    let mut house = House::new("");
    let asks = "read answer; exit $answer";
    let units = PATIENT.to_owned()
        + &scripted("leaving", asks, "on_exit = \"stop\"")
        + &scripted("staying", asks, "");
    house.configure(&units);
    house.run();
    house.wait_up(&["leaving", "staying"]);

    let before = house.pid_of("leaving");
    kill(before, "KILL");
    let before = house.successor_of("leaving", before);
    house.does(&["tell", "leaving", "3"]);
    house.successor_of("leaving", before);
    house.does(&["tell", "leaving", "0"]);
    let unit = house.wait_unit("leaving", "is down", |unit| unit.state == "stopped");
    assert_eq!(unit.wish, "down");

    let before = house.pid_of("staying");
    house.does(&["tell", "staying", "0"]);
    house.successor_of("staying", before);

    house.end_daemon("KILL");
    house.run();
    assert_eq!(house.unit("leaving").state, "stopped");
    house.does(&["start", "leaving"]);
    house.wait_up(&["leaving"]);
}

#[test]
fn a_restart_that_was_asked_for_is_a_new_program_and_no_crash() {
    let house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let before = house.pid_of("one");
    house.does(&["restart", "one"]);
    let after = house.pid_of("one");
    assert_ne!(before, after);
    house.alone("cat", after);
    assert_eq!(house.unit("one").restarts.total, 0);
}
