//! Sessions are kept: through deaths of their programs and deaths of the supervisor.

use crate::house::{House, kill, lives};
use crate::tmux::{PATIENT, Viewer, is_installed, scripted, session, strings_of};

#[test]
fn a_killed_program_is_respawned_in_its_terminal_and_its_last_screen_is_kept() {
    let script = "echo 'I am number' $(wc -l < lives); echo >> lives; exec cat";
    let mut house = House::new("");
    house.configure(&scripted("one", script, "directory = \".\""));
    std::fs::write(house.path("lives"), "").expect("a file");
    house.run();
    house.wait_up(&["one"]);
    house.wait_screen("one", "I am number 0");
    let (terminal, before) = (house.terminal_of("one"), house.pid_of("one"));
    kill(before, "KILL");
    house.successor_of("one", before);
    house.wait_screen("one", "I am number 1");
    assert_eq!(house.terminal_of("one"), terminal);
    let unit = house.unit("one");
    assert_eq!(unit.restarts.total, 1);
    let exit = unit.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.signal.as_deref()), (true, Some("KILL")));
    let logs = house.does(&["logs", "one"]);
    let (dead, living) = (logs.find("I am number 0"), logs.find("I am number 1"));
    assert!(dead.is_some() && dead < living, "{logs}");
    assert!(!house.screen_of("one").contains("I am number 0"));
}

#[test]
fn an_exit_code_is_known_too() {
    let house = House::running(&scripted("one", "read code; exit $code", ""));
    house.wait_up(&["one"]);
    let before = house.pid_of("one");
    house.does(&["tell", "one", "7"]);
    house.successor_of("one", before);
    let exit = house.unit("one").last_exit.expect("an exit");
    assert_eq!((exit.known, exit.code), (true, Some(7)));
}

#[test]
fn what_a_dead_program_leaves_behind_is_gone_before_the_next_one_starts() {
    // Each life looks whether a child of the one before is still there; a zombie is not.
    let script = "for pid in $(cat left); do \
                    grep -q ') [^ZX]' /proc/$pid/stat 2>/dev/null && echo $pid >> overlaps; \
                  done; \
                  (trap '' HUP TERM INT; while :; do sleep 1000; done) & echo $! >> left; \
                  setsid sh -c 'trap \"\" HUP TERM INT; echo $$ >> left; while :; do sleep 1000; done' & \
                  (setsid sh -c 'echo $$ >> left; exec sleep 1000' &) ; \
                  while [ $(wc -l < left) -lt $(($(wc -l < begun) * 3 + 3)) ]; do sleep 0.01; done; \
                  echo >> begun; exec cat";
    let mut house = House::new("");
    house.configure(&(PATIENT.to_owned() + &scripted("one", script, "directory = \".\"")));
    std::fs::write(house.path("left"), "").expect("a file");
    std::fs::write(house.path("begun"), "").expect("a file");
    house.run();
    let begun = |lives: usize| {
        house.wait_for("the program to have begun", || {
            let begun = std::fs::read_to_string(house.path("begun")).unwrap_or_default();
            (begun.lines().count() == lives && house.called("cat").len() == 1).then_some(())
        });
    };
    for life in 1..=4 {
        begun(life);
        let pid = house.wait_unit("one", "is up", |unit| unit.state == "up").pid.expect("a pid");
        kill(pid, "KILL");
    }
    begun(5);
    assert!(!house.path("overlaps").exists(), "{:?}", house.written("overlaps"));
    let left = house.written("left");
    let living = left.lines().filter(|pid| lives(pid.parse().expect("a pid"))).count();
    assert_eq!(living, 3, "only the children of the living one are there");
    house.does(&["stop", "one"]);
    assert!(house.is_empty());
}

#[test]
fn twenty_deaths_of_the_program_and_twenty_of_the_supervisor_leave_one_program() {
    let mut house = House::running(&(PATIENT.to_owned() + &session("one", &["cat"], "")));
    house.wait_up(&["one"]);
    let terminal = house.terminal_of("one");
    for round in 0..20 {
        let before = house.wait_unit("one", "is up", |unit| unit.state == "up").pid;
        let before = before.expect("a pid");
        kill(before, "KILL");
        let now = match round % 4 {
            // Nobody sees the death.
            0 => {
                house.end_daemon("KILL");
                house.run();
                house.successor_of("one", before)
            }
            1 => {
                let now = house.successor_of("one", before);
                house.end_daemon("KILL");
                house.run();
                assert_eq!(house.pid_of("one"), now, "adopted");
                now
            }
            2 => {
                let now = house.successor_of("one", before);
                house.end_daemon("TERM");
                house.run();
                assert_eq!(house.pid_of("one"), now, "adopted");
                now
            }
            // The supervisor dies at some point of the restart.
            _ => {
                while lives(before) {
                    std::thread::yield_now();
                }
                house.end_daemon("KILL");
                house.run();
                house.successor_of("one", before)
            }
        };
        house.alone("cat", now);
        assert_eq!(house.unit("one").restarts.total, round + 1, "round {round}");
    }
    assert_eq!(house.terminal_of("one"), terminal, "the terminal was never lost");
}

#[test]
fn a_reload_keeps_the_pane_and_those_who_look_at_it() {
    let house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let (daemon, program, terminal) = (house.pid(), house.pid_of("one"), house.terminal_of("one"));
    let viewer = Viewer::attach(&house, "one");
    viewer.type_in("hello\n");
    house.wait_screen("one", "hello\nhello");
    for round in 0..3 {
        house.does(&["reload"]);
        let lives = round + 2;
        house.wait_for("the reload", || {
            (house.said().matches(" ready units=").count() == lives).then_some(())
        });
        assert_eq!((house.pid(), house.pid_of("one")), (daemon, program));
        assert_eq!(house.terminal_of("one"), terminal);
        assert_eq!(house.viewers_of("one").len(), 1, "{}", house.said());
    }
    viewer.type_in("still here\n");
    house.wait_screen("one", "still here\nstill here");
    viewer.type_in("\u{2}d");
    viewer.leaves();
    assert_eq!(house.unit("one").pid, Some(program));
    assert_eq!(house.unit("one").restarts.total, 0);
}

#[test]
fn a_supervisor_that_is_asked_to_leave_leaves_its_sessions_alone() {
    let mut house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let (program, terminal) = (house.pid_of("one"), house.terminal_of("one"));
    kill(house.pid(), "TERM");
    let (code, said) = house.daemon_ends();
    assert_eq!(code, Some(0), "{said}");
    house.wait_for("the connection to end", || house.links_of("one").is_empty().then_some(()));
    assert_eq!((house.called("cat"), house.terminal_of("one")), (vec![program], terminal));
}

#[test]
fn a_changed_spec_is_shown_and_used_only_at_the_next_start() {
    let mut house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let before = house.pid_of("one");
    house.configure(&session("one", &["cat", "-"], ""));
    house.does(&["reload"]);
    let unit = house.wait_unit("one", "is changed", |unit| unit.changed);
    assert_eq!((unit.pid, unit.state.as_str()), (Some(before), "up"));
    assert!(house.does(&["status", "one"]).contains("changed"));
    house.end_daemon("KILL");
    house.run();
    assert!(house.unit("one").changed, "also after the supervisor's death");
    assert_eq!(house.pid_of("one"), before);
    kill(before, "KILL");
    let after = house.successor_of("one", before);
    assert_eq!(strings_of(after, "cmdline"), ["cat", "-"]);
    assert!(!house.unit("one").changed);
}

#[test]
fn an_editor_a_pager_a_shell_and_a_node_prompt_are_kept() {
    let text = std::env::current_dir().expect("a folder").join("Cargo.toml");
    let text = text.to_str().expect("text");
    let wanted: [(&str, &[&str], &str); 4] = [
        ("editor", &["vi", text], "[package]"),
        ("pager", &["less", text], "[package]"),
        ("shell", &["bash", "--norc"], "bash"),
        ("node", &["node"], "Welcome to Node.js"),
    ];
    let there = |program: &str| is_installed(program);
    let there: Vec<_> = wanted.into_iter().filter(|(_, argv, _)| there(argv[0])).collect();
    let units: String = there.iter().map(|(name, argv, _)| session(name, argv, "")).collect();
    let mut house = House::running(&(PATIENT.to_owned() + &units));
    for (name, _, shows) in &there {
        house.wait_screen(name, shows);
    }
    for _ in 0..2 {
        for (name, _, shows) in &there {
            let before = house.pid_of(name);
            kill(before, "KILL");
            house.successor_of(name, before);
            house.wait_screen(name, shows);
        }
        let pids: Vec<i32> = there.iter().map(|(name, ..)| house.pid_of(name)).collect();
        house.end_daemon("KILL");
        house.run();
        let after: Vec<i32> = there.iter().map(|(name, ..)| house.pid_of(name)).collect();
        assert_eq!(after, pids);
    }
    house.does(&["stop", "--all"]);
    assert!(house.is_empty());
}
