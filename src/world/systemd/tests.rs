use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::double::{ManagerDouble, Start};
use super::testbed::{Manager, PrivateBus, run};
use super::*;
use crate::decide::{Exit, Process};

const SLEEPS: &str = "ExecStart=/bin/sleep 1000";

fn kill_9(main: Process) {
    kill(Pid::from_raw(main.pid), Signal::SIGKILL).unwrap();
}

/// The first look that is as `wanted`, without polling.
async fn until(systemd: &Systemd, unit: &str, wanted: impl Fn(&UnitLook) -> bool) -> UnitLook {
    let mut look = systemd.look(unit).await.unwrap();
    while !wanted(&look) {
        look = systemd.changed(unit, &look).await.unwrap();
    }
    look
}

#[test]
fn a_unit_is_started_looked_at_and_stopped() {
    let Some(mut manager) = Manager::start("start") else { return };
    manager.unit("x.service", SLEEPS);
    run(async {
        let systemd = manager.connect().await;
        let before = systemd.look("x.service").await.unwrap();
        let never = UnitLook {
            active: Active::Inactive,
            main: None,
            result: Exit::Unknown,
            not_found: false,
        };
        assert_eq!(before, never);

        systemd.start("x.service").await.unwrap();
        let up = systemd.look("x.service").await.unwrap();
        assert_eq!(up.active, Active::Active);
        let main = up.main.unwrap();
        // systemd says so when it has forked, a moment before the program is executed.
        let cmdline = || std::fs::read(format!("/proc/{}/cmdline", main.pid)).unwrap();
        while !cmdline().starts_with(b"/bin/sleep") {
            tokio::task::yield_now().await;
        }
        assert_eq!(cmdline(), b"/bin/sleep\x001000\x00");
        assert!(main.start > 0);
        systemd.start("x.service").await.unwrap();
        assert_eq!(systemd.look("x.service").await.unwrap().main, Some(main));

        systemd.stop("x.service").await.unwrap();
        let down = systemd.look("x.service").await.unwrap();
        assert_eq!((down.active, down.main), (Active::Inactive, None));
        assert_eq!(down.result, Exit::Signal(15));
        systemd.stop("x.service").await.unwrap();
    });
}

#[test]
fn a_failed_start_is_told_in_words_with_the_journal_as_remedy() {
    let Some(mut manager) = Manager::start("failed") else { return };
    manager.unit("bad.service", "Type=oneshot\nExecStart=/bin/sh -c 'exit 3'");
    run(async {
        let systemd = manager.connect().await;
        let why = systemd.start("bad.service").await.unwrap_err();
        assert_eq!(
            why.to_string(),
            "systemd could not start bad.service (failed): see `journalctl --user -u bad.service`"
        );
        let look = systemd.look("bad.service").await.unwrap();
        assert_eq!((look.active, look.result), (Active::Failed, Exit::Code(3)));
    });
}

#[test]
fn a_killed_main_process_is_noticed_by_signal_with_how_it_ended() {
    let Some(mut manager) = Manager::start("killed") else { return };
    manager.unit("x.service", SLEEPS);
    run(async {
        let systemd = manager.connect().await;
        systemd.start("x.service").await.unwrap();
        let up = systemd.look("x.service").await.unwrap();
        let (_, gone) = tokio::join!(
            async { kill_9(up.main.unwrap()) },
            until(&systemd, "x.service", |look| look.active == Active::Failed),
        );
        assert_eq!((gone.main, gone.result), (None, Exit::Signal(9)));
    });
}

#[test]
fn a_unit_that_systemd_restarts_by_itself_shows_its_new_main_process() {
    let Some(mut manager) = Manager::start("respawn") else { return };
    manager.unit("x.service", "ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=0");
    run(async {
        let systemd = manager.connect().await;
        systemd.start("x.service").await.unwrap();
        let first = systemd.look("x.service").await.unwrap().main.unwrap();
        kill_9(first);
        let again = until(&systemd, "x.service", |look| {
            look.active == Active::Active && look.main.is_some_and(|main| main != first)
        })
        .await;
        assert_eq!(again.result, Exit::Unknown);
    });
}

#[test]
fn how_a_unit_ended_cleanly_is_still_known_after_it_is_down() {
    let Some(mut manager) = Manager::start("clean") else { return };
    manager.unit("x.service", "ExecStart=/bin/sh -c 'exit 0'");
    run(async {
        let systemd = manager.connect().await;
        systemd.start("x.service").await.unwrap();
        let down = until(&systemd, "x.service", |look| look.active == Active::Inactive).await;
        assert_eq!(down.result, Exit::Code(0));
        // Long enough for the manager to forget a unit that nobody refers to.
        systemd.look("dbus.service").await.unwrap();
        assert_eq!(systemd.look("x.service").await.unwrap(), down);
    });
}

#[test]
fn a_change_before_the_wait_ends_the_wait_at_once() {
    let Some(mut manager) = Manager::start("before") else { return };
    manager.unit("x.service", SLEEPS);
    run(async {
        let systemd = manager.connect().await;
        let down = systemd.look("x.service").await.unwrap();
        systemd.start("x.service").await.unwrap();
        let up = systemd.changed("x.service", &down).await.unwrap();
        assert_eq!(up.active, Active::Active);
    });
}

#[test]
fn a_unit_that_does_not_exist_is_seen_and_cannot_be_started() {
    let Some(mut manager) = Manager::start("unknown") else { return };
    run(async {
        let systemd = manager.connect().await;
        let look = systemd.look("nowhere.service").await.unwrap();
        assert!(look.not_found, "{look:?}");
        assert_eq!(look.active, Active::Inactive);
        let why = systemd.start("nowhere.service").await.unwrap_err();
        assert!(matches!(why, SystemdError::NotFound { .. }), "{why:?}");
        assert!(why.to_string().contains("`systemctl --user daemon-reload`"), "{why}");
        let why = systemd.stop("nowhere.service").await.unwrap_err();
        assert!(matches!(why, SystemdError::NotFound { .. }), "{why:?}");
    });
}

/// How a wait for a change of `x.service` ends that began with `seen`.
async fn end_of_the_watch(systemd: &Systemd, mut seen: UnitLook) -> SystemdError {
    loop {
        match systemd.changed("x.service", &seen).await {
            Ok(look) => seen = look,
            Err(why) => return why,
        }
    }
}

#[test]
fn a_bus_that_ends_is_lost_and_nothing_hangs() {
    let Some(mut manager) = Manager::start("lost") else { return };
    manager.unit("x.service", SLEEPS);
    run(async {
        let systemd = manager.connect().await;
        systemd.start("x.service").await.unwrap();
        let up = systemd.look("x.service").await.unwrap();
        let (lost, ()) = tokio::join!(end_of_the_watch(&systemd, up), async { manager.kill() });
        assert!(matches!(lost, SystemdError::Lost { .. }), "{lost:?}");
        let look = systemd.look("x.service").await;
        assert!(matches!(look, Err(SystemdError::Lost { .. })), "{look:?}");
    });
}

#[test]
fn a_manager_that_ends_on_a_living_bus_is_lost_too() {
    let Some(mut manager) = Manager::start("leaves") else { return };
    manager.unit("x.service", SLEEPS);
    run(async {
        let systemd = manager.connect().await;
        systemd.start("x.service").await.unwrap();
        let up = systemd.look("x.service").await.unwrap();
        let (lost, ()) =
            tokio::join!(end_of_the_watch(&systemd, up), async { manager.kill_alone() });
        assert!(matches!(lost, SystemdError::Lost { .. }), "{lost:?}");
    });
}

#[test]
fn a_manager_that_is_gone_when_it_is_asked_is_lost() {
    let Some(bus) = PrivateBus::start("gone") else { return };
    run(async {
        let (double, _) = ManagerDouble::serve(&bus.bus(), Start::Ends("done")).await;
        let systemd = Systemd::connect(bus.bus()).await.unwrap();
        double.close().await.unwrap();
        let why = systemd.start("x.service").await.unwrap_err();
        assert!(matches!(why, SystemdError::Lost { .. }), "{why:?}");
    });
}

#[test]
fn where_there_is_no_bus_or_no_manager_the_words_say_which() {
    let Some(bus) = PrivateBus::start("nobody") else { return };
    run(async {
        let why = Systemd::connect(bus.bus()).await.unwrap_err();
        assert!(matches!(why, SystemdError::NoManager { .. }), "{why:?}");
        let nowhere = Bus::Address("unix:path=/nonexistent/bus".to_owned());
        let why = Systemd::connect(nowhere).await.unwrap_err();
        assert_eq!(why.to_string(), "cannot connect to the bus at unix:path=/nonexistent/bus");
    });
}

#[test]
fn a_manager_that_joins_its_bus_after_us_is_waited_for() {
    let Some(bus) = PrivateBus::start("late") else { return };
    run(async {
        let (systemd, _double) = tokio::join!(Systemd::connect(bus.bus()), async {
            // A connection more, and so later than the question.
            let address = bus.bus().address();
            drop(zbus::connection::Builder::address(&*address).build().await.unwrap());
            ManagerDouble::serve(&bus.bus(), Start::Ends("done")).await
        });
        systemd.unwrap().start("x.service").await.unwrap();
    });
}

#[test]
fn a_denial_names_the_polkit_action() {
    let Some(bus) = PrivateBus::start("denied") else { return };
    run(async {
        for start in [Start::Denies, Start::WantsAPassword] {
            let (double, _) = ManagerDouble::serve(&bus.bus(), start).await;
            let systemd = Systemd::connect(bus.bus()).await.unwrap();
            let why = systemd.start("x.service").await.unwrap_err();
            assert!(matches!(why, SystemdError::Denied { .. }), "{why:?}");
            let words = why.to_string();
            assert!(
                words.contains("org.freedesktop.systemd1.manage-units on x.service"),
                "{words}"
            );
            double.close().await.unwrap();
        }
    });
}

#[test]
fn a_job_that_ends_before_its_answer_arrives_is_not_missed() {
    let Some(bus) = PrivateBus::start("early") else { return };
    run(async {
        for (word, fine) in [("done", true), ("skipped", true), ("dependency", false)] {
            let (double, _) = ManagerDouble::serve(&bus.bus(), Start::Ends(word)).await;
            let systemd = Systemd::connect(bus.bus()).await.unwrap();
            assert_eq!(systemd.start("x.service").await.is_ok(), fine, "{word}");
            double.close().await.unwrap();
        }
    });
}
