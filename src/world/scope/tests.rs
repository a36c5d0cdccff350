use std::process::{Child, Command};

use super::*;
use crate::world::systemd::double::{ManagerDouble, Start};
use crate::world::systemd::testbed::{Manager, PrivateBus, run};

const NAME: &str = "supervisor-0123456789ab-x.scope";

/// A cgroup tree in which the manager's own group has these controllers.
fn tree(group: &str, controllers: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let group = dir.path().join(group);
    std::fs::create_dir_all(&group).unwrap();
    std::fs::write(group.join("cgroup.controllers"), controllers).unwrap();
    dir
}

const DOUBLES_GROUP: &str = "user.slice/user@1000.service";

#[test]
fn a_cap_asks_for_exactly_one_scope_with_the_limit() {
    let Some(bus) = PrivateBus::start("cap") else { return };
    let tree = tree(DOUBLES_GROUP, "cpu memory pids\n");
    run(async {
        let (_double, asked) = ManagerDouble::serve(&bus.bus(), Start::Ends("done")).await;
        let systemd = Systemd::connect(bus.bus()).await.unwrap();
        cap_under(tree.path(), &systemd, NAME, &[41, 42], 2 << 30).await.unwrap();

        let asked = asked.lock().unwrap();
        let [one] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((one.name.as_str(), one.mode.as_str(), one.aux), (NAME, "replace", 0));
        let wanted = [
            ("Description", Variant::from("memory cap of a unit of agent-supervisor")),
            ("PIDs", Variant::from(vec![41_u32, 42])),
            ("MemoryMax", Variant::from(2_147_483_648_u64)),
            ("CollectMode", Variant::from("inactive-or-failed")),
            ("Delegate", Variant::from(false)),
        ];
        assert_eq!(one.properties.len(), wanted.len());
        for ((name, value), (wanted_name, wanted_value)) in one.properties.iter().zip(&wanted) {
            assert_eq!((name.as_str(), &**value), (*wanted_name, wanted_value));
        }
    });
}

#[test]
fn without_the_memory_controller_nothing_is_asked() {
    let Some(bus) = PrivateBus::start("controller") else { return };
    run(async {
        let (_double, asked) = ManagerDouble::serve(&bus.bus(), Start::Ends("done")).await;
        let systemd = Systemd::connect(bus.bus()).await.unwrap();
        for tree in [tree(DOUBLES_GROUP, "cpu pids memory2\n"), tree("elsewhere", "memory")] {
            let why = cap_under(tree.path(), &systemd, NAME, &[41], 1 << 30).await.unwrap_err();
            assert!(matches!(why, NoScope::NoMemoryController { .. }), "{why:?}");
            assert!(why.to_string().ends_with("no cgroup v2 memory controller"), "{why}");
        }
        assert!(asked.lock().unwrap().is_empty());
    });
}

#[test]
fn a_denied_a_taken_and_a_failed_scope_are_told_apart() {
    let Some(bus) = PrivateBus::start("denied-scope") else { return };
    let tree = tree(DOUBLES_GROUP, "memory\n");
    run(async {
        for (start, words) in [
            (Start::Denies, "denies us a scope"),
            (Start::HasOneAlready, "is still there"),
            (Start::Ends("failed"), "could not make the scope"),
        ] {
            let (double, _) = ManagerDouble::serve(&bus.bus(), start).await;
            let systemd = Systemd::connect(bus.bus()).await.unwrap();
            let why = cap_under(tree.path(), &systemd, NAME, &[41], 1 << 30).await.unwrap_err();
            assert!(why.to_string().contains(words), "{start:?}: {why}");
            double.close().await.unwrap();
        }
    });
}

#[test]
fn a_user_is_told_to_linger() {
    let bus = Bus::User;
    let source = crate::world::systemd::SystemdError::NoBus { bus: bus.clone(), source: None };
    let words = NoScope::NoManager { bus, source }.to_string();
    assert!(words.contains("`loginctl enable-linger "), "{words}");
}

/// A process of the test's own.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn cgroup(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cgroup", self.0.id())).unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_real_manager_without_the_memory_controller_is_refused() {
    let Some(mut manager) = Manager::start("no-memory") else { return };
    run(async {
        let systemd = manager.connect().await;
        let sleeper = Sleeper::start();
        let before = sleeper.cgroup();
        let tree = tree("", "cpu pids\n");
        let why = cap_under(tree.path(), &systemd, NAME, &[sleeper.pid()], 1 << 30).await;
        assert!(matches!(why, Err(NoScope::NoMemoryController { .. })), "{why:?}");
        assert_eq!(sleeper.cgroup(), before);
    });
}

#[test]
fn a_real_manager_moves_the_processes_and_forgets_the_scope_with_the_last_one() {
    let Some(mut manager) = Manager::start("real-scope") else { return };
    let tree = tree("", "memory\n");
    run(async {
        let systemd = manager.connect().await;
        let sleeper = Sleeper::start();
        cap_under(tree.path(), &systemd, NAME, &[sleeper.pid()], 1 << 30).await.unwrap();
        assert!(sleeper.cgroup().contains(&format!("/{NAME}\n")), "{}", sleeper.cgroup());

        let other = Sleeper::start();
        let why = cap_under(tree.path(), &systemd, NAME, &[other.pid()], 1 << 30).await;
        assert!(matches!(why, Err(NoScope::Taken { .. })), "{why:?}");

        let mut seen = systemd.look(NAME).await.unwrap();
        drop(sleeper);
        while seen.active != crate::world::systemd::Active::Inactive {
            seen = systemd.changed(NAME, &seen).await.unwrap();
        }
    });
}
