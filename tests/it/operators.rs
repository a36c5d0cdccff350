//! What an operator asks, and what is said when it is so, or is not.

use crate::house::{House, lives};

const TWO: &str = "[services.a]\ncommand = [\"sleep\", \"1000\"]\n\
                   [services.b]\ncommand = [\"sleep\", \"1000\"]\n";

#[test]
fn start_stop_and_restart_return_when_it_is_so() {
    let house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    let pid = house.pid_of("a");
    house.does(&["stop", "a"]);
    assert!(!lives(pid));
    let unit = house.unit("a");
    assert_eq!((&*unit.wish, &*unit.state, unit.pid), ("down", "stopped", None));
    house.does(&["start", "a"]);
    let unit = house.unit("a");
    assert_eq!((&*unit.wish, &*unit.state), ("up", "up"));
    let before = house.pid_of("a");
    house.does(&["restart", "a", "b"]);
    assert!(!lives(before));
    assert!(lives(house.pid_of("a")) && lives(house.pid_of("b")));
    // Nothing that was asked for counts as a crash.
    for unit in house.status().expect("an answer").units {
        assert_eq!((unit.restarts.total, unit.restarts.window), (0, 0), "{}", unit.name);
    }
    house.does(&["stop", "--all"]);
    house.must_be_empty();
    house.does(&["start", "--all"]);
    assert_eq!(house.inhabitants().len(), 2);
}

#[test]
fn start_waits_until_the_unit_is_ready() {
    let house = House::running(
        "[services.a]\nready = { log = \"ready\", within = \"10m\" }\n\
         command = [\"sh\", \"-c\", \"while [ ! -e go ]; do sleep 0.02; done; echo ready; exec sleep 1000\"]\n",
    );
    house.does(&["stop", "a"]);
    let mut start = house.command(&["start", "a"]).spawn().expect("the binary");
    house.wait_unit("a", "is starting", |unit| unit.pid.is_some());
    assert!(start.try_wait().expect("a child").is_none());
    house.write("go", "");
    assert!(start.wait().expect("its end").success());
    assert_eq!(house.unit("a").state, "up");
}

#[test]
fn what_cannot_be_so_is_refused_with_the_reason() {
    let house = House::running(
        "[services.bad]\ncommand = [\"no-such-program\"]\n\
         [services.waits]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"bad\"]\n",
    );
    let (code, said) = house.refuses(&["start", "bad"]);
    assert_eq!(code, 1);
    assert!(said.contains("bad: ") && said.contains("could not start"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_unit_that_does_not_exist_is_named_with_those_that_do() {
    let house = House::running(TWO);
    for verb in ["start", "stop", "restart", "logs", "status"] {
        let (code, said) = house.refuses(&[verb, "c"]);
        assert_eq!(code, 4, "{verb}: {said}");
        assert!(said.contains("no unit is called \"c\""), "{verb}: {said}");
    }
    // Nothing of a request with one wrong name is done.
    house.wait_up(&["a", "b"]);
    assert_eq!(house.refuses(&["stop", "a", "c"]).0, 4);
    assert_eq!(house.unit("a").wish, "up");
}

#[test]
fn wishes_survive_the_daemon_and_the_boot() {
    let mut house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    house.does(&["stop", "a"]);
    house.end_daemon("KILL");
    house.run();
    assert_eq!((&*house.unit("a").wish, &*house.unit("a").state), ("down", "stopped"));
    house.end_daemon("KILL");
    house.boot("22222222-2222-4222-8222-222222222222");
    house.run();
    assert_eq!((&*house.unit("a").wish, &*house.unit("a").state), ("down", "stopped"));
    house.wait_up(&["b"]);
    assert_eq!(house.inhabitants().len(), 1);
}

#[test]
fn a_drain_keeps_the_wishes_and_holds_for_this_boot() {
    let mut house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    house.does(&["stop", "b"]);
    house.does(&["drain"]);
    house.must_be_empty();
    house.end_daemon("KILL");
    house.run();
    let unit = house.unit("a");
    assert_eq!((&*unit.wish, &*unit.state), ("up", "stopped"));
    assert!(unit.why.contains("drained"), "{}", unit.why);
    house.must_be_empty();
    house.end_daemon("TERM");
    house.boot("22222222-2222-4222-8222-222222222222");
    house.run();
    house.wait_up(&["a"]);
    assert_eq!(house.unit("b").state, "stopped");
}

#[test]
fn a_drained_unit_is_brought_back_by_start() {
    let mut house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    house.does(&["drain"]);
    house.does(&["start", "a"]);
    assert_eq!((&*house.unit("a").state, &*house.unit("b").state), ("up", "stopped"));
    house.end_daemon("KILL");
    house.run();
    assert_eq!((&*house.unit("a").state, &*house.unit("b").state), ("up", "stopped"));
}

#[test]
fn a_reload_keeps_the_pid_and_the_units_and_takes_the_new_config() {
    let house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    let pids = (house.pid(), house.pid_of("a"), house.pid_of("b"));
    house.configure(&format!("{TWO}[services.c]\ncommand = [\"sleep\", \"1000\"]\n"));
    house.reload();
    house.wait_up(&["c"]);
    let status = house.status().expect("an answer");
    assert_eq!((status.supervisor.pid, house.pid_of("a"), house.pid_of("b")), pids);
    // Its children are still its own: their exits are known.
    crate::house::kill(pids.1, "TERM");
    let unit =
        house.wait_unit("a", "is back", |unit| unit.restarts.total == 1 && unit.pid.is_some());
    assert_eq!(unit.last_exit.expect("an exit").signal.as_deref(), Some("TERM"));
}

#[test]
fn a_hang_up_signal_is_a_reload_too() {
    let house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    let pid = house.pid_of("a");
    let starts = house.starts();
    house.configure(&format!("{TWO}[services.c]\ncommand = [\"sleep\", \"1000\"]\n"));
    crate::house::kill(house.pid(), "HUP");
    house.wait_for("the reload", || (house.starts() > starts).then_some(()));
    house.wait_for("the new unit", || {
        house
            .status()?
            .units
            .iter()
            .any(|unit| unit.name == "c" && unit.state == "up")
            .then_some(())
    });
    assert_eq!(house.pid_of("a"), pid);
}

#[test]
fn a_hang_up_signal_with_a_broken_config_changes_nothing() {
    let house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    let pids = (house.pid(), house.pid_of("a"));
    house.write("config.toml", "[supervisor\n");
    crate::house::kill(house.pid(), "HUP");
    house.wait_for("the complaint", || house.said().contains("not reloaded").then_some(()));
    house.configure(TWO);
    let status = house.status().expect("the daemon lives");
    assert_eq!((status.supervisor.pid, house.pid_of("a")), pids);
    assert_eq!(house.starts(), 1);
}

#[test]
fn a_broken_config_is_refused_by_reload_with_its_message() {
    let house = House::running(TWO);
    house.wait_up(&["a", "b"]);
    let pid = house.pid_of("a");
    house.configure(&format!("{TWO}[services.c]\ncomand = [\"sleep\"]\n"));
    let (code, said) = house.refuses(&["reload"]);
    assert_eq!(code, 78);
    assert!(said.contains("comand") && said.contains("config.toml"), "{said}");
    house.configure(TWO);
    assert_eq!(house.pid_of("a"), pid);
    assert_eq!(house.starts(), 1);
}

#[test]
fn a_check_says_what_is_in_no_good_state() {
    let house = House::running(&format!(
        "{TWO}[services.bad]\ncommand = [\"no-such-program\"]\n\
         restart.crash_loop = {{ starts = 1, within = \"15m\", retry = \"never\" }}\n"
    ));
    house.wait_up(&["a", "b"]);
    house.wait_unit("bad", "is given up", |unit| unit.state == "given_up");
    let output = house.verb(&["check"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("bad") && said.contains("no-such-program"), "{said}");
    house.does(&["stop", "bad"]);
    house.does(&["check"]);
}

#[test]
fn an_operator_who_is_another_user_is_told_how_to_enter_a_session() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: another user's session needs root to become one");
        return;
    }
    let house = House::running("[sessions.a]\nagent = \"command\"\ncommand = [\"cat\"]\n");
    house.wait_up(&["a"]);
    let mode = |path, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(house.path(path), mode).expect("ours");
    };
    mode("", 0o755);
    mode("run", 0o755);
    mode("run/control.sock", 0o666);
    let tried = house.command(&["attach", "a"]).uid(65534).gid(65534).output();
    let tried = tried.expect("the binary");
    let said = String::from_utf8_lossy(&tried.stderr);
    assert_eq!(tried.status.code(), Some(1), "{said}");
    assert!(said.contains("sudo -u root supervisor attach a"), "{said}");
}
