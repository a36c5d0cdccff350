use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::world::pidfd;
use crate::world::spawn::{Launch, Running, Stream, make_subreaper};

const CEILING: Duration = Duration::from_secs(30);

/// A sweep collects every child of the test process, those of other tests included: who sweeps
/// runs in a process of its own, which is this test binary with only that test in it.
fn alone(test: &str, body: impl AsyncFnOnce()) {
    const ALONE: &str = "REAPER_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = format!("world::reaper::tests::{test}");
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").stdin(Stdio::null());
        let output = own.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(CEILING, body()).await.unwrap() });
}

fn run(script: &str) -> Running {
    Launch {
        argv: ["sh", "-c", script].map(OsString::from).into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: None,
        stdin: Stream::Null,
        stdout: Stream::Null,
        stderr: Stream::Null,
        cgroup: None,
    }
    .fork()
    .unwrap()
    .open()
}

/// The one child that `parent` gets.
async fn child_of(parent: Process) -> Process {
    loop {
        // It may have ended already.
        if let Some(child) = procs::all().iter().find(|s| s.parent == parent.pid) {
            return child.process;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_ends_of_fifty_children_at_once_are_told_apart() {
    alone("the_ends_of_fifty_children_at_once_are_told_apart", async || {
        let mut signals = ChildSignals::new().unwrap();
        let mut reaper = Reaper::new();
        let mut wanted = Vec::new();
        for number in 0..50 {
            let (script, exit) = match number % 2 {
                0 => (format!("exit {number}"), Exit::Code(number)),
                _ => ("kill -15 $$".into(), Exit::Signal(15)),
            };
            let running = run(&script);
            reaper.expect(running.process);
            wanted.push((running, exit));
        }
        while wanted.iter().any(|(running, _)| !pidfd::gone(&running.pidfd)) {
            signals.next().await.unwrap();
            assert_eq!(reaper.sweep(), Swept::All);
        }
        for (running, exit) in &wanted {
            assert_eq!(reaper.exit_of(running.process, Some(&running.pidfd)), *exit);
            assert_eq!(procs::state(running.process.pid), None, "a zombie was left");
        }
        assert!(reaper.expected.is_empty());
    });
}

#[test]
fn an_end_is_known_before_the_sweep_and_a_living_child_stays_expected() {
    alone("an_end_is_known_before_the_sweep_and_a_living_child_stays_expected", async || {
        let mut reaper = Reaper::new();
        let running = run("read x < /dev/zero");
        reaper.expect(running.process);
        assert_eq!(reaper.exit_of(running.process, Some(&running.pidfd)), Exit::Unknown);
        pidfd::signal(&running.pidfd, rustix::process::Signal::KILL).unwrap();
        pidfd::exited(&running.pidfd).await.unwrap();
        assert_eq!(reaper.exit_of(running.process, None), Exit::Signal(9));
        assert_eq!(reaper.exit_of(running.process, None), Exit::Unknown);
    });
}

#[test]
fn the_status_of_a_child_that_nobody_expected_is_not_kept() {
    alone("the_status_of_a_child_that_nobody_expected_is_not_kept", async || {
        let mut reaper = Reaper::new();
        let running = run("exit 3");
        reaper.expect(Process { start: running.process.start + 1, ..running.process });
        reaper.expect(procs::identify(1).unwrap());
        assert!(reaper.expected.is_empty(), "another process, or no child of ours");
        pidfd::exited(&running.pidfd).await.unwrap();
        reaper.sweep();
        assert_eq!(reaper.exit_of(running.process, None), Exit::Unknown);
        assert_eq!(procs::state(running.process.pid), None);
    });
}

#[test]
fn the_zombie_of_another_parent_shows_its_status() {
    alone("the_zombie_of_another_parent_shows_its_status", async || {
        let mut reaper = Reaper::new();
        // The second program knows nothing of the child that the shell left it, so it never waits.
        let parent = run("sh -c 'exit 23' & exec sleep 60");
        let child = child_of(parent.process).await;
        let handle = pidfd::open(child).unwrap().unwrap();
        pidfd::exited(&handle).await.unwrap();
        assert_eq!(reaper.exit_of(child, None), Exit::Code(23));
        assert_eq!(
            reaper.exit_of(Process { start: child.start + 1, ..child }, None),
            Exit::Unknown
        );
        pidfd::signal(&parent.pidfd, rustix::process::Signal::KILL).unwrap();
        pidfd::exited(&parent.pidfd).await.unwrap();
    });
}

#[test]
fn orphans_come_to_us_and_are_collected() {
    alone("orphans_come_to_us_and_are_collected", async || {
        make_subreaper().unwrap();
        let mut signals = ChildSignals::new().unwrap();
        let mut reaper = Reaper::new();
        let parent = run("sleep 60 & read x < /dev/zero");
        let orphan = child_of(parent.process).await;
        let handle = pidfd::open(orphan).unwrap().unwrap();
        pidfd::signal(&parent.pidfd, rustix::process::Signal::KILL).unwrap();
        pidfd::exited(&parent.pidfd).await.unwrap();
        let ours = std::process::id().cast_signed();
        assert_eq!(procs::stat(orphan.pid).map(|s| s.parent), Some(ours));
        pidfd::signal(&handle, rustix::process::Signal::KILL).unwrap();
        pidfd::exited(&handle).await.unwrap();
        while procs::identify(orphan.pid) == Some(orphan) {
            signals.next().await.unwrap();
            reaper.sweep();
        }
    });
}

#[test]
fn a_stopped_child_has_not_ended() {
    assert_eq!(exit_from(0x137f), Exit::Unknown);
    assert_eq!(exit_from(0x0100), Exit::Code(1));
    assert_eq!(exit_from(0x8b), Exit::Signal(11));
}
