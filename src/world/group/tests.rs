use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::process::{WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;

use super::*;
use crate::world::cgroup::tests::Ours;
use crate::world::spawn::{Launch, Running, Stream};

const CEILING: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(25);
const SHORT: Duration = Duration::from_millis(50);

/// A unit in one of the two modes, ended with its test.
struct House {
    group: Group,
    dir: TempDir,
    main: Option<Running>,
    /// Removes the cgroup when the test is over.
    _ours: Option<Ours>,
}

impl House {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the main process and waits until `file` is there: the script's own word that it is
    /// as far as the test wants it.
    async fn start(&mut self, script: &str, file: &str) -> Process {
        let running = self.run(script);
        let process = running.process;
        self.group.main = Some(process);
        self.main = Some(running);
        self.has(file).await;
        process
    }

    fn run(&self, script: &str) -> Running {
        Launch {
            argv: ["sh", "-c", script].map(OsString::from).into(),
            env: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                (procs::UNIT_VARIABLE.into(), self.group.unit.as_str().into()),
                (procs::INSTANCE_VARIABLE.into(), self.group.instance.as_str().into()),
            ],
            directory: Some(self.path().into()),
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            cgroup: self.group.leaf.as_ref().map(|leaf| leaf.open().unwrap()),
        }
        .fork()
        .unwrap()
        .open()
    }

    async fn has(&self, file: &str) {
        let there = async {
            while !self.path().join(file).exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(CEILING, there).await.unwrap_or_else(|_| panic!("{file} never came"));
    }

    fn is_empty(&self) -> bool {
        self.group.members().is_empty()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for member in self.group.members() {
            send(member, &[Signal::KILL]);
        }
        if let Some(main) = self.main.take() {
            reap(&main.pidfd);
        }
    }
}

fn reap(pidfd: &OwnedFd) {
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// The test, once without a cgroup and once with one where the host lets us.
async fn in_both_modes(test: &str, body: impl AsyncFn(House)) {
    let house = |ours: Option<Ours>| House {
        group: Group {
            unit: UnitName::new("unit").unwrap(),
            instance: format!("{test}-{}", std::process::id()),
            leaf: ours.as_ref().map(|o| o.leaf("unit")),
            main: None,
            spare: Vec::new(),
        },
        dir: TempDir::new().unwrap(),
        main: None,
        _ours: ours,
    };
    body(house(None)).await;
    if let Some(ours) = Ours::new(test) {
        body(house(Some(ours))).await;
    }
}

#[tokio::test]
async fn all_are_asked_politely_and_the_end_comes_as_soon_as_they_have_gone() {
    in_both_modes("polite", async |mut house| {
        let child = r#"trap 'echo > child-told; exit 0' TERM; echo > child; while :; do sleep 0.01; done"#;
        fs::write(house.path().join("child.sh"), child).unwrap();
        let main = "setsid sh ./child.sh & trap 'echo > told; exit 0' TERM; \
                    while ! [ -e child ]; do sleep 0.01; done; echo > up; while :; do sleep 0.01; done";
        house.start(main, "up").await;
        // With the grace longer than the test's ceiling, only a true end can let us pass.
        let end = house.group.end(LONG, LONG);
        timeout(Duration::from_secs(20), end).await.unwrap().unwrap();
        assert!(house.path().join("told").exists() && house.path().join("child-told").exists());
        assert!(house.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deaf_child_is_killed_after_the_grace() {
    in_both_modes("deaf", async |mut house| {
        let main = house.start("trap '' TERM; echo > up; while :; do sleep 0.01; done", "up").await;
        house.group.end(SHORT, CEILING).await.unwrap();
        assert!(!procs::is_alive(main) && house.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_frozen_child_hears_the_polite_signal() {
    in_both_modes("frozen", async |mut house| {
        let script = "trap 'echo > told; exit 0' TERM; echo > up; while :; do sleep 0.01; done";
        let main = house.start(script, "up").await;
        assert!(stop(&house.group) > 0);
        house.group.end(LONG, CEILING).await.unwrap();
        assert!(!procs::is_alive(main) && house.path().join("told").exists());
    })
    .await;
}

#[tokio::test]
async fn a_frozen_and_deaf_child_is_killed_after_the_grace() {
    in_both_modes("both", async |mut house| {
        let main = house.start("trap '' TERM; echo > up; while :; do sleep 0.01; done", "up").await;
        stop(&house.group);
        house.group.end(SHORT, CEILING).await.unwrap();
        assert!(!procs::is_alive(main) && house.is_empty());
    })
    .await;
}

#[tokio::test]
async fn children_that_multiply_are_all_ended() {
    in_both_modes("multiply", async |mut house| {
        // Each is deaf, leaves two in sessions of their own and goes, so that none keeps its pid or
        // its parent: 7 generations while nobody interferes, and the last ones stay.
        let script = "trap '' TERM\n\
                      [ $1 -le 5 ] && echo > up\n\
                      [ $1 -le 0 ] && exec sleep 60\n\
                      setsid sh ./fork.sh $(($1-1)) &\n\
                      setsid sh ./fork.sh $(($1-1)) &\n";
        fs::write(house.path().join("fork.sh"), script).unwrap();
        house.start("exec sh ./fork.sh 7", "up").await;
        house.group.end_now(CEILING).await.unwrap();
        assert!(house.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_left_the_session_is_found_after_the_main_process_is_gone() {
    in_both_modes("escaped", async |mut house| {
        let script = "setsid sh -c 'setsid sleep 60 & echo $! > grandchild' & wait; echo > up";
        let main = house.start(script, "up").await;
        let text = fs::read_to_string(house.path().join("grandchild")).unwrap();
        let grandchild = procs::identify(text.trim().parse().unwrap()).unwrap();
        timeout(CEILING, pidfd::exited(&house.main.as_ref().unwrap().pidfd))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(house.group.members(), [grandchild]);
        assert!(!procs::is_alive(main));
        house.group.end(LONG, CEILING).await.unwrap();
        assert!(!procs::is_alive(grandchild));
    })
    .await;
}

#[tokio::test]
async fn who_dropped_the_marks_is_found_by_its_session_or_its_parent() {
    in_both_modes("unmarked", async |mut house| {
        let script = "env -i /usr/bin/sleep 60 & env -i setsid sleep 60 & echo > up; wait";
        let main = house.start(script, "up").await;
        let three = async {
            while house.group.members().len() != 3 {
                tokio::task::yield_now().await;
            }
        };
        timeout(CEILING, three).await.unwrap();
        house.group.end(LONG, CEILING).await.unwrap();
        assert!(!procs::is_alive(main) && house.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_spared_process_and_who_serves_it_live_on() {
    in_both_modes("spared", async |mut house| {
        let main = house.start("sleep 60 & echo > up; while :; do sleep 0.01; done", "up").await;
        // As a tmux server and the helper that it has just forked.
        let spared = house.run("sleep 60 & helper=$!; echo $helper > helper; wait");
        spared.exec.result().await.unwrap();
        let helper = loop {
            let said = fs::read_to_string(house.path().join("helper")).unwrap_or_default();
            if let Some(pid) = said.strip_suffix('\n') {
                break procs::identify(pid.parse().unwrap()).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        house.group.spare = vec![spared.process];
        house.group.end(LONG, CEILING).await.unwrap();
        assert!(!procs::is_alive(main) && house.is_empty());
        assert!(procs::is_alive(spared.process) && procs::is_alive(helper));

        house.group.end_now(CEILING).await.unwrap();
        assert!(procs::is_alive(spared.process) && procs::is_alive(helper));
        house.group.spare.clear();
        house.group.end_now(CEILING).await.unwrap();
        assert!(pidfd::gone(&spared.pidfd));
        reap(&spared.pidfd);
    })
    .await;
}

#[tokio::test]
async fn who_is_there_when_the_time_is_up_is_named() {
    in_both_modes("late", async |mut house| {
        let main = house.start("trap '' TERM; echo > up; while :; do sleep 0.01; done", "up").await;
        // No time at all: not even the kill is waited for.
        let mut end = Box::pin(house.group.end_now(Duration::ZERO));
        let left = end.as_mut().await;
        assert!(left.is_err() || !procs::is_alive(main));
        house.group.end_now(CEILING).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stranger_with_the_main_process_old_pid_is_no_member() {
    in_both_modes("stranger", async |mut house| {
        let stranger = std::process::Command::new("sleep").arg("60").spawn();
        let mut stranger = stranger.unwrap();
        let process = procs::identify(stranger.id().cast_signed()).unwrap();
        house.group.main = Some(Process { start: process.start - 1, ..process });
        assert!(house.is_empty());
        house.group.end(SHORT, CEILING).await.unwrap();
        assert!(procs::is_alive(process));
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_marks_of_another_instance_are_not_ours() {
    in_both_modes("instance", async |mut house| {
        let main = house.start("echo > up; while :; do sleep 0.01; done", "up").await;
        let other =
            Group { instance: "another".into(), leaf: None, main: None, ..house.group.clone() };
        assert!(other.members().is_empty());
        assert!(house.group.members().contains(&main));
    })
    .await;
}

/// Freezes every member, and says how many there were.
fn stop(group: &Group) -> usize {
    let handles = group.members().into_iter().filter_map(|it| pidfd::open(it).ok().flatten());
    handles.filter(|handle| pidfd::signal(handle, Signal::STOP).is_ok()).count()
}
