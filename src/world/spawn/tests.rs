use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::world::pidfd;

const CEILING: Duration = Duration::from_secs(20);

fn launch(argv: &[&str]) -> Launch {
    Launch {
        argv: argv.iter().map(OsString::from).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: None,
        stdin: Stream::Null,
        stdout: Stream::Null,
        stderr: Stream::Null,
        cgroup: None,
    }
}

/// The code with which a child of this test ended; minus the signal if one ended it.
async fn end_of(pidfd: &OwnedFd) -> i32 {
    timeout(CEILING, pidfd::exited(pidfd)).await.expect("the child ends").unwrap();
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    status.exit_status().or(status.terminating_signal().map(|s| -s)).unwrap()
}

/// Runs a shell script and gives back what it wrote.
async fn output_of(script: &str, change: impl FnOnce(&mut Launch)) -> String {
    let (mut read, write) = std::io::pipe().unwrap();
    let mut launch = launch(&["sh", "-c", script]);
    launch.stdout = Stream::Fd(write.into());
    change(&mut launch);
    let running = launch.fork().unwrap().open();
    running.exec.result().await.unwrap();
    assert_eq!(end_of(&running.pidfd).await, 0);
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    text
}

async fn exec_error(launch: Launch) -> String {
    let running = launch.fork().unwrap().open();
    let error = running.exec.result().await.unwrap_err();
    assert_eq!(end_of(&running.pidfd).await, NOT_EXECUTED);
    error.to_string()
}

fn file(dir: &TempDir, name: &str, text: &str, mode: u32) -> String {
    let path = dir.path().join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_permissions(Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().into()
}

#[tokio::test]
async fn the_program_gets_its_words_its_variables_and_its_directory() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().canonicalize().unwrap();
    let said = output_of(r#"echo "$0 $1 $X"; pwd; env | wc -l"#, |launch| {
        launch.argv.extend(["zero".into(), "a b".into()]);
        launch.env.push(("X".into(), "1=2".into()));
        launch.directory = Some(place.clone());
    })
    .await;
    // PWD is the shell's own.
    assert_eq!(said, format!("zero a b 1=2\n{}\n3\n", place.display()));
}

#[tokio::test]
async fn it_leads_a_session_with_three_files_and_no_signal_blocked_or_ignored() {
    let script = "cut -d' ' -f1,5,6 /proc/$$/stat; grep -E 'Sig(Blk|Ign)' /proc/self/status; \
                  exec ls /proc/self/fd";
    let said = output_of(script, |_| {}).await;
    let numbers: Vec<_> = said.lines().next().unwrap().split(' ').collect();
    assert!(numbers[0] == numbers[1] && numbers[1] == numbers[2], "{said}");
    assert_eq!(said.matches("0000000000000000").count(), 2, "{said}");
    // The fourth is the directory that is being listed.
    assert!(said.ends_with("\n0\n1\n2\n3\n"), "{said}");
}

#[tokio::test]
async fn a_program_that_is_in_no_folder_of_the_childs_path_is_refused_before_the_fork() {
    let error = launch(&["no-such-program"]).fork().unwrap_err();
    let said = "command not found: no-such-program: name it by its whole path, or put its folder \
                into the unit's `path`";
    assert_eq!(error.to_string(), said);
    assert!(matches!(launch(&[]).fork().unwrap_err(), LaunchError::Empty));
    assert!(matches!(launch(&[""]).fork().unwrap_err(), LaunchError::Empty));
    assert!(matches!(launch(&["sh", "a\0b"]).fork().unwrap_err(), LaunchError::Nul { .. }));
}

#[tokio::test]
async fn the_first_executable_file_in_the_path_is_run_and_a_relative_folder_is_the_directorys() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("one/tool")).unwrap();
    for folder in ["two", "three", "four"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    file(&dir, "two/tool", "#!/bin/sh\nexit 2\n", 0o644);
    file(&dir, "three/tool", "#!/bin/sh\nexit 3\n", 0o755);
    file(&dir, "four/tool", "#!/bin/sh\nexit 4\n", 0o755);
    let with_path = |path: &str| {
        let mut launch = launch(&["tool"]);
        launch.env = vec![("PATH".into(), path.into())];
        launch.directory = Some(dir.path().into());
        launch
    };
    let running = with_path("one:two:three:four").fork().unwrap().open();
    assert_eq!(end_of(&running.pidfd).await, 3);
    let error = with_path("one:two").fork().unwrap_err().to_string();
    assert_eq!(error, format!("not executable: {}", dir.path().join("two/tool").display()));
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_after_the_gate() {
    let dir = TempDir::new().unwrap();
    let plain = file(&dir, "plain", "#!/bin/sh\n", 0o644);
    let lost = file(&dir, "lost", "#!/no/such/interpreter\n", 0o755);
    let bare = file(&dir, "bare", "no program at all\n", 0o755);
    assert_eq!(exec_error(launch(&["/no/such"])).await, "command not found: /no/such");
    assert_eq!(exec_error(launch(&[&plain])).await, format!("cannot execute {plain}"));
    assert_eq!(exec_error(launch(&[&bare])).await, format!("cannot execute {bare}"));
    let said = format!("cannot execute {lost}: its interpreter is missing");
    assert_eq!(exec_error(launch(&[&lost])).await, said);

    let mut nowhere = launch(&["sh"]);
    nowhere.directory = Some("/no/such/place".into());
    assert_eq!(exec_error(nowhere).await, "directory missing: /no/such/place");
    let mut inside = launch(&["sh"]);
    inside.directory = Some(plain.clone().into());
    assert_eq!(exec_error(inside).await, format!("cannot enter the directory {plain}"));
}

#[tokio::test]
async fn a_child_whose_gate_is_dropped_never_runs_its_program() {
    let dir = TempDir::new().unwrap();
    let mark = dir.path().join("ran");
    let gated = launch(&["touch", mark.to_str().unwrap()]).fork().unwrap();
    assert!(procs::is_alive(gated.process));
    let pidfd = gated.pidfd.try_clone().unwrap();
    drop(gated);
    assert_eq!(end_of(&pidfd).await, GATE_SHUT);
    assert!(!mark.exists());
}

#[tokio::test]
async fn gated_children_do_not_hold_each_others_gates() {
    let (first, second) = (launch(&["true"]).fork().unwrap(), launch(&["true"]).fork().unwrap());
    let pidfd = first.pidfd.try_clone().unwrap();
    drop(first);
    assert_eq!(end_of(&pidfd).await, GATE_SHUT);
    let running = second.open();
    assert_eq!(end_of(&running.pidfd).await, 0);
}

#[tokio::test]
async fn a_child_at_its_gate_can_be_killed_and_opening_it_then_is_harmless() {
    let gated = launch(&["true"]).fork().unwrap();
    pidfd::signal(&gated.pidfd, Signal::TERM).unwrap();
    timeout(CEILING, pidfd::exited(&gated.pidfd)).await.unwrap().unwrap();
    let running = gated.open();
    running.exec.result().await.unwrap();
    assert_eq!(end_of(&running.pidfd).await, -Signal::TERM.as_raw());
}

#[tokio::test]
async fn codes_and_signals_come_back_and_the_pid_is_the_programs_own() {
    let running = launch(&["sh", "-c", "exit 37"]).fork().unwrap().open();
    assert_eq!(end_of(&running.pidfd).await, 37);
    let running = launch(&["sh", "-c", "kill -9 $$"]).fork().unwrap().open();
    let process = running.process;
    assert_eq!(end_of(&running.pidfd).await, -9);
    assert_eq!(procs::identify(process.pid).filter(|p| *p == process), None);
}

#[tokio::test]
async fn a_cgroup_that_is_none_is_told_apart_from_a_failed_fork() {
    let mut launch = launch(&["true"]);
    launch.cgroup = Some(File::open("/").unwrap().into());
    assert!(matches!(launch.fork().unwrap_err(), LaunchError::IntoCgroup { .. }));
}

#[tokio::test]
async fn the_status_of_a_grandchild_is_kept_after_its_parent_has_collected_it() {
    let dir = TempDir::new().unwrap();
    let fifo = dir.path().join("go");
    // The shell waits in the foreground, so it collects its child as soon as that ends.
    let script = format!("mkfifo {0}; sh -c 'read x < {0}; exit 41'; exit 0", fifo.display());
    let parent = launch(&["sh", "-c", &script]).fork().unwrap().open();
    let child = timeout(CEILING, async {
        loop {
            match procs::children_of(parent.process.pid).as_slice() {
                [pid] if fifo.exists() && fs::read_link(format!("/proc/{pid}/exe")).is_ok() => {
                    let process = procs::identify(*pid).unwrap();
                    let text = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
                    if text.contains("exit 41") && !text.contains("mkfifo") {
                        return process;
                    }
                }
                _ => {}
            }
            tokio::task::yield_now().await;
        }
    });
    let child = child.await.unwrap();
    let pidfd = pidfd::open(child).unwrap().unwrap();
    assert_eq!(collected_status(&pidfd), None);
    fs::write(&fifo, "\n").unwrap();
    assert_eq!(end_of(&parent.pidfd).await, 0);
    // Before Linux 6.15 nobody keeps it.
    assert!(collected_status(&pidfd).is_none_or(|status| status == 41 << 8));
    let kernel = rustix::system::uname();
    let release = kernel.release().to_str().unwrap();
    let mut numbers = release.split(['.', '-']).map(|n| n.parse::<u32>().unwrap_or(0));
    if (numbers.next(), numbers.next()) >= (Some(6), Some(15)) {
        assert_eq!(collected_status(&pidfd), Some(41 << 8));
    }
}
