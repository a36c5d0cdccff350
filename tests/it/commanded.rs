//! A systemd unit that is commanded instead of forked, against a real `systemd --user`.

use std::time::{Duration, Instant};

use crate::house::{House, kill, lives};
use crate::systemd::Manager;

const WEB: &str = "[services.web]\nsystemd_unit = \"x.service\"\n";

/// A manager with one unit, and a house whose system bus is the manager's.
fn house(test: &str, service: &str, units: &str) -> Option<(Manager, House)> {
    let mut manager = Manager::start(&format!("it-{test}"))?;
    manager.unit("x.service", service);
    let deadline = Instant::now() + Duration::from_secs(40);
    let socket = manager.address();
    let socket = socket.strip_prefix("unix:path=").expect("a path");
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        manager.must_live();
        assert!(Instant::now() < deadline, "no bus");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut house = House::new(units);
    house.set("DBUS_SYSTEM_BUS_ADDRESS", &manager.address());
    Some((manager, house))
}

/// Has the manager do something.
fn systemctl(manager: &Manager, words: &[&str]) {
    let mut command = std::process::Command::new("systemctl");
    command.arg("--user").args(words).env_remove("XDG_RUNTIME_DIR");
    let done = command.env("DBUS_SESSION_BUS_ADDRESS", manager.address()).output();
    let done = done.expect("systemctl");
    assert!(done.status.success(), "systemctl {words:?}: {done:?}");
}

#[test]
fn a_systemd_unit_is_started_brought_back_and_stopped() {
    let Some((_manager, mut house)) = house("life", "ExecStart=/bin/sleep 1000", WEB) else {
        return;
    };
    house.run();
    house.wait_up(&["web"]);
    let first = house.pid_of("web");
    let cmdline = std::fs::read(format!("/proc/{first}/cmdline")).expect("it lives");
    assert_eq!(cmdline, b"/bin/sleep\x001000\0");
    kill(first, "KILL");
    let unit = house.wait_unit("web", "is back", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|pid| pid != first)
    });
    assert_eq!(unit.restarts.total, 1);
    let exit = unit.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.signal.as_deref()), (true, Some("KILL")));
    let second = unit.pid.expect("a pid");
    house.does(&["stop", "web"]);
    assert!(!lives(second));
    assert_eq!(house.unit("web").state, "stopped");
    house.does(&["start", "web"]);
    assert!(lives(house.pid_of("web")));
    house.does(&["restart", "web"]);
    assert_eq!((&*house.unit("web").state, house.unit("web").restarts.window), ("up", 0));
    house.does(&["drain"]);
    assert_eq!((&*house.unit("web").state, &*house.unit("web").wish), ("stopped", "up"));
}

#[test]
fn a_systemd_unit_lives_on_over_the_daemon_and_is_watched_again() {
    let Some((_manager, mut house)) = house("adopt", "ExecStart=/bin/sleep 1000", WEB) else {
        return;
    };
    house.run();
    house.wait_up(&["web"]);
    let first = house.pid_of("web");
    house.end_daemon("KILL");
    assert!(lives(first));
    house.run();
    assert_eq!((house.pid_of("web"), house.unit("web").restarts.total), (first, 0));
    kill(first, "TERM");
    let unit = house.wait_unit("web", "is back", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|pid| pid != first)
    });
    assert_eq!(unit.restarts.total, 1);
    // And one that ended while nobody watched.
    house.end_daemon("KILL");
    let second = unit.pid.expect("a pid");
    kill(second, "KILL");
    house.run();
    let unit = house.wait_unit("web", "is back", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|pid| pid != second)
    });
    assert_eq!(unit.restarts.total, 2);
}

#[test]
fn a_unit_that_systemd_restarts_itself_is_followed() {
    let service = "ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=0";
    let Some((_manager, mut house)) = house("itself", service, WEB) else { return };
    house.run();
    house.wait_up(&["web"]);
    for _ in 0..3 {
        let before = house.pid_of("web");
        kill(before, "KILL");
        let unit = house.wait_unit("web", "is back", |unit| {
            unit.state == "up" && unit.pid.is_some_and(|pid| pid != before)
        });
        assert!(lives(unit.pid.expect("a pid")));
    }
    house.does(&["stop", "web"]);
    assert_eq!(house.unit("web").state, "stopped");
}

#[test]
fn a_systemd_unit_that_does_not_exist_or_cannot_start_says_so() {
    let units = "[services.none]\nsystemd_unit = \"nowhere.service\"\n\
                 restart.crash_loop = { starts = 1, within = \"15m\", retry = \"never\" }\n\
                 [services.bad]\nsystemd_unit = \"x.service\"\n\
                 restart.crash_loop = { starts = 1, within = \"15m\", retry = \"never\" }\n";
    let bad = "Type=oneshot\nExecStart=/bin/sh -c 'exit 3'";
    let Some((_manager, mut house)) = house("none", bad, units) else { return };
    house.run();
    let unit = house.wait_unit("none", "is given up", |unit| unit.state == "given_up");
    assert!(unit.why.contains("knows no such unit"), "{}", unit.why);
    assert!(unit.why.contains("daemon-reload"), "{}", unit.why);
    let unit = house.wait_unit("bad", "is given up", |unit| unit.state == "given_up");
    assert!(unit.why.contains("journalctl -u x.service"), "{}", unit.why);
}

#[test]
fn a_manager_that_is_gone_is_not_the_death_of_its_unit() {
    let Some((mut manager, mut house)) = house("gone", "ExecStart=/bin/sleep 1000", WEB) else {
        return;
    };
    house.run();
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    manager.kill_alone();
    house.wait_for("the loss", || house.said().contains("lost sight of it").then_some(()));
    let unit = house.unit("web");
    assert_eq!((&*unit.state, unit.pid, unit.restarts.total), ("up", Some(pid), 0));
    // A new daemon cannot look, and so does nothing.
    house.end_daemon("KILL");
    house.run();
    let unit = house.unit("web");
    assert_eq!((&*unit.reading, unit.restarts.total), ("unknown", 0));
    assert!(unit.why.contains("could not look"), "{}", unit.why);
    assert!(lives(pid));
}

#[test]
fn a_drain_for_shutdown_drains_when_the_machine_is_stopping_and_not_before() {
    let units = "[services.web]\ncommand = [\"sleep\", \"1000\"]\n";
    let Some((manager, mut house)) = house("stopping", "ExecStart=/bin/sleep 1000", units) else {
        return;
    };
    house.run();
    house.wait_up(&["web"]);
    house.does(&["drain", "--if-stopping"]);
    assert_eq!(house.unit("web").state, "up");
    // As a shutdown does it: the unit's end is what the others wait for.
    let stop = format!(
        "Type=oneshot\nRemainAfterExit=yes\n\
         ExecStop={} --config {} drain --if-stopping",
        env!("CARGO_BIN_EXE_supervisor"),
        house.path("config.toml").display(),
    );
    manager.unit(
        "drain.service",
        &format!(
            "Environment=DBUS_SYSTEM_BUS_ADDRESS={}\n{stop}\n[Unit]\nAfter=dbus.service",
            manager.address(),
        ),
    );
    systemctl(&manager, &["start", "drain.service"]);
    systemctl(&manager, &["restart", "drain.service"]);
    assert_eq!(house.unit("web").state, "up");
    systemctl(&manager, &["exit"]);
    house.wait_unit("web", "is drained", |unit| unit.state == "stopped" && unit.wish == "up");
}

#[test]
fn a_drain_for_shutdown_stops_nobody_where_nobody_can_tell() {
    let mut house = House::new("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.set("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    house.run();
    house.wait_up(&["web"]);
    let (code, said) = house.refuses(&["drain", "--if-stopping"]);
    assert_eq!(code, 1);
    assert!(said.contains("cannot tell whether the machine is stopping"), "{said}");
    assert_eq!(house.unit("web").state, "up");
}

#[test]
fn without_a_bus_the_unit_is_unknown_and_the_reason_is_said() {
    let mut house = House::new(WEB);
    house.set("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    house.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    house.run();
    let unit = house.unit("web");
    assert_eq!((&*unit.state, &*unit.reading), ("waiting", "unknown"));
    assert!(unit.why.contains("cannot connect to the"), "{}", unit.why);
    let (code, said) = house.refuses(&["logs", "web", "--screen"]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn the_log_of_a_systemd_unit_is_its_journal() {
    let mut house = House::new(WEB);
    house.program("bin/journalctl", "echo \"$@\"");
    let path = std::env::var("PATH").expect("a PATH");
    house.set("PATH", &format!("{}:{path}", house.path("bin").display()));
    house.set("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    house.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let user = if nix::unistd::geteuid().is_root() { "" } else { "--user " };
    let said = house.does(&["logs", "web"]);
    assert_eq!(said, format!("{user}--unit=x.service --lines=200\n"));
    let said = house.does(&["logs", "web", "-n", "all", "-f"]);
    assert_eq!(said, format!("{user}--unit=x.service --lines=all --follow\n"));

    house.set("PATH", &house.path("").display().to_string());
    let (code, said) = house.refuses(&["logs", "web"]);
    assert_eq!(code, 1);
    assert!(said.contains("journalctl"), "{said}");
}
