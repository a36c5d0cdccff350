//! What a session's program finds when it begins.

use std::os::unix::fs::PermissionsExt as _;

use crate::house::House;
use crate::tmux::{scripted, session, strings_of};

/// A shell that waits for ever and keeps its arguments.
const WAIT: &str = "while :; do sleep 1000; done";

#[test]
fn a_program_gets_its_arguments_as_they_are_written() {
    let long = "x".repeat(100_000);
    let command = [
        "sh",
        "-c",
        WAIT,
        "sh",
        "it's",
        "\"two\" words",
        "two\nlines",
        "-n",
        "--",
        "",
        "$HOME ~",
        "a;",
        ";",
        "#{pid} #(date)",
        "日本🙂",
        "back\\slash",
        "tab\there",
        &long,
    ];
    let house = House::running(&session("odd", &command, ""));
    house.wait_up(&["odd"]);
    assert_eq!(strings_of(house.pid_of("odd"), "cmdline"), command);
}

#[test]
fn a_program_gets_the_environment_that_its_terminal_must_not_see() {
    let mut house = House::new("");
    std::fs::write(house.path("secrets.env"), "TOKEN='open sesame'\n").expect("a file");
    std::fs::create_dir(house.path("work")).expect("a folder");
    let more = "directory = \"work\"\nenvironment_file = \"secrets.env\"\n\
                environment = { GREETING = \"hello # {there}\" }\npath = [\"/opt/odd\"]\n";
    house.configure(&session("odd", &["cat"], more));
    house.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus");
    house.set("XDG_RUNTIME_DIR", "/nowhere/user");
    house.set("TMUX", "/nowhere/tmux,1,0");
    house.set("NOTIFY_SOCKET", "");
    house.run();
    house.wait_up(&["odd"]);

    let pid = house.pid_of("odd");
    let own = strings_of(pid, "environ");
    for wanted in [
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere/bus",
        "XDG_RUNTIME_DIR=/nowhere/user",
        "TOKEN=open sesame",
        "GREETING=hello # {there}",
        "SUPERVISOR_UNIT=odd",
        "TMUX_PANE=%0",
    ] {
        assert!(own.iter().any(|pair| pair == wanted), "no {wanted} in {own:?}");
    }
    assert!(own.iter().any(|pair| pair.starts_with("PATH=/opt/odd:")), "{own:?}");
    assert!(!own.iter().any(|pair| pair.starts_with("NOTIFY_SOCKET=")), "{own:?}");
    assert!(!own.iter().any(|pair| pair.starts_with("TMUX=/nowhere")), "{own:?}");
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a folder");
    assert_eq!(folder, house.path("work").canonicalize().expect("a folder"));

    let terminal = house.terminal_of("odd");
    let seen = strings_of(terminal, "environ");
    let all = house.tmux("odd", &["show-environment", "-g"]).expect("an answer");
    let arguments = strings_of(terminal, "cmdline");
    for name in ["DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=", "TOKEN=", "TMUX="] {
        assert!(!seen.iter().any(|pair| pair.starts_with(name)), "{name} in {seen:?}");
        assert!(!all.lines().any(|pair| pair.starts_with(name)), "{name} in {all}");
    }
    let told = [house.does(&["status", "--json"]), house.does(&["events", "--json"]), house.said()];
    assert!(!told.concat().contains("sesame") && !arguments.concat().contains("sesame"));
}

#[test]
fn a_pane_is_large_speaks_utf8_and_its_launch_file_is_its_owners_alone() {
    let script = "stty size; tput longname 2>&1; echo; printf 'é日本🙂|\\n'; exec cat";
    let house = House::running(&scripted("wide", script, ""));
    house.wait_up(&["wide"]);
    let screen = house.wait_screen("wide", "é日本🙂|");
    assert!(screen.starts_with("50 200\n"), "{screen}");
    let file = house.path("run/launch/wide.json");
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert_eq!(mode(file.parent().expect("a folder")) & 0o777, 0o700);
}

#[test]
fn an_argument_that_the_kernel_refuses_is_named_before_anything_is_started() {
    let house = House::running(&session("big", &["cat", &"x".repeat(200_000)], ""));
    let unit = house.wait_unit("big", "is refused", |unit| unit.why.contains("could not start"));
    assert!(unit.why.contains("argument 1 has 200000 bytes"), "{}", unit.why);
    assert!(unit.why.contains("put the text into a file"), "{}", unit.why);
    assert!(house.is_empty());
    assert!(!house.path("run/tmux/big.sock").exists());
}

#[test]
fn a_program_that_is_not_there_is_told_by_its_pane() {
    let house = House::running(&session("none", &["no-such-program"], ""));
    house.wait_unit("none", "has failed", |unit| unit.restarts.total > 0);
    let said = house.wait_for("the complaint", || {
        let said = house.does(&["logs", "none"]);
        said.contains("no-such-program").then_some(said)
    });
    assert!(said.contains("exited with 127") || said.contains("127"), "{said}");
}

#[test]
fn a_signal_that_was_ignored_around_the_daemon_is_not_ignored_by_the_program() {
    let house = House::running(&session("fresh", &["cat"], ""));
    house.wait_up(&["fresh"]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid_of("fresh")));
    let status = status.expect("a living process");
    for mask in ["SigIgn:", "SigBlk:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(mask)).expect("a mask");
        assert_eq!(line.trim().trim_start_matches('0'), "", "{mask}");
    }
}
