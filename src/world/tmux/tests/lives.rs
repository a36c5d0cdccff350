//! Servers and programs that start, end, freeze and are found again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::process::Signal;

use super::super::helper::{self, HelperError};
use super::super::*;
use super::support::{House, Threads, ended, kill, until, until_shown, words};
use crate::decide::{Exit, UnitName};
use crate::world::launch::LaunchFile;

#[tokio::test]
async fn a_new_server_says_who_it_is_and_what_runs_in_its_pane() {
    let house = House::new().await;
    let server = house.shell("echo up; exec sleep 1000").await;
    until_shown(&server, "up").await;
    let program = server.program();
    let state = server.state().await.unwrap();
    assert_eq!((state.pid, state.dead, state.exit), (program.pid, false, None));
    assert_eq!(program.process, process::identify(program.pid));
    assert_eq!(process::identify(server.process().pid), Some(server.process()));
}

#[tokio::test]
async fn a_program_that_exits_at_once_leaves_its_status() {
    let house = House::new().await;
    for code in 0..10 {
        let server = house.shell(&format!("exit {code}")).await;
        let pid = server.program().pid;
        until("a status", async || server.last_words(pid).await.unwrap().exit == Exit::Code(code))
            .await;
        assert!(server.state().await.unwrap().dead);
    }
}

#[tokio::test]
async fn the_last_screen_of_a_dead_program_stays_as_it_was() {
    let house = House::new().await;
    let server = house.shell("seq 60; echo last words; read line; exit 7").await;
    until_shown(&server, "last words").await;
    let before = server.capture(true, false).await.unwrap();
    server.send_key("Enter").await.unwrap();
    let pid = server.program().pid;
    until("its exit", async || server.last_words(pid).await.unwrap().exit == Exit::Code(7)).await;
    assert_eq!(server.capture(true, false).await.unwrap(), before);
}

#[tokio::test]
async fn the_pane_has_no_shell_around_its_program() {
    let house = House::new().await;
    let script = "echo \"$@\"; exec sleep 1000";
    let words = ["/bin/sh", "-c", script, "sh", "$HOME", "a b", "#{pid}", "x;", "~", "\\;"];
    let server = house.start(&words).await;
    until_shown(&server, "$HOME a b #{pid} x; ~ \\;").await;
}

#[tokio::test]
async fn the_pane_is_never_small_and_no_client_can_shrink_it() {
    let house = House::new().await;
    let mut spec = house.spec(&["/bin/sleep", "1000"]);
    spec.size = Size { columns: 80, rows: 24 };
    let server = house.up(spec).await.server;
    let size = || async {
        let words = pane::print("%0", "#{window_width}x#{window_height}");
        String::from_utf8(server.control.command(words).await.unwrap()).unwrap()
    };
    assert_eq!(size().await, "140x50");
    let mut small = std::process::Command::new(house.tmux.program())
        .args(["-C", "-S"])
        .arg(server.socket())
        .args(["attach", "-f", "no-output"])
        .env_remove("TMUX")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = small.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"refresh-client -C 80,24\nset -g @said 1\n").unwrap();
    until("the small client has spoken", async || {
        let words = pane::print("%0", "#{@said}");
        server.control.command(words).await.unwrap() == b"1"
    })
    .await;
    assert_eq!(size().await, "140x50");
    drop(stdin);
    small.wait().unwrap();
}

#[tokio::test]
async fn a_window_opened_by_a_person_does_not_end_the_server() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let open = Words::from(tmux_interface::NewWindow::new().detached().build());
    server.control.command(open.and(["--", "/bin/sleep", "1000"])).await.unwrap();
    assert!(!server.state().await.unwrap().dead);
}

#[tokio::test]
async fn a_socket_file_that_nobody_listens_on_is_no_obstacle() {
    let house = House::new().await;
    let spec = house.spec(&["/bin/sleep", "1000"]);
    drop(UnixListener::bind(&spec.socket).unwrap());
    let socket = spec.socket.clone();
    let gone = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap_err();
    assert!(matches!(gone, ReconnectError::Gone { .. }));
    let server = house.up(spec).await.server;
    assert!(!server.state().await.unwrap().dead);
}

#[tokio::test]
async fn a_second_server_is_not_started_over_a_living_one() {
    let house = House::new().await;
    let spec = house.spec(&["/bin/sleep", "1000"]);
    let server = house.up(spec.clone()).await.server;
    let error = Server::start(&house.tmux, &Threads, &Threads, spec).await.unwrap_err();
    assert!(error.to_string().ends_with("duplicate session: unit"), "{error}");
    assert_eq!(server.state().await.unwrap().pid, server.program().pid);
}

#[tokio::test]
async fn a_socket_path_too_long_and_a_command_of_one_word_are_refused_with_the_remedy() {
    let house = House::new().await;
    let mut spec = house.spec(&["/bin/sleep", "1000"]);
    spec.socket = house.path("x".repeat(108)).with_extension("sock");
    let error = Server::start(&house.tmux, &Threads, &Threads, spec).await.unwrap_err();
    assert!(matches!(error, StartError::SocketTooLong { .. }));
    assert!(error.to_string().contains("choose a shorter runtime_dir"), "{error}");
    let spec = house.spec(&["/bin/true"]);
    let error = Server::start(&house.tmux, &Threads, &Threads, spec).await.unwrap_err();
    assert!(matches!(error, StartError::OneWord { .. }));
}

#[tokio::test]
async fn a_killed_program_is_always_explained_and_replaced() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    for round in 0..30 {
        let process = server.program().process.unwrap();
        kill(process, Signal::KILL);
        ended(process).await;
        let exit = server.last_words(process.pid).await.unwrap().exit;
        assert_eq!(exit, Exit::Signal(9), "in round {round}");
        let next = server.respawn(&words(&["/bin/sleep", "1000"]), None).await.unwrap();
        assert_ne!(next.pid, process.pid);
        assert_eq!(server.program(), next);
    }
    // remain-on-exit has outlived every respawn.
    let process = server.program().process.unwrap();
    kill(process, Signal::TERM);
    ended(process).await;
    assert_eq!(server.last_words(process.pid).await.unwrap().exit, Exit::Signal(15));
    assert_eq!(server.last_words(process.pid + 1).await.unwrap().exit, Exit::Unknown);
}

#[tokio::test]
async fn a_status_that_tmux_lost_is_learnt_by_reminding_it() {
    let house = House::new().await;
    // The pane's program closes its terminal and lives on: dead to tmux, without a status.
    let script = "trap '' HUP; exec </dev/null >/dev/null 2>&1; exec sleep 1000";
    let server = house.shell(script).await;
    until("the terminal is closed", async || server.state().await.unwrap().dead).await;
    let process = server.program().process.unwrap();
    assert_eq!(server.state().await.unwrap().exit, None);
    kill(process, Signal::KILL);
    ended(process).await;
    assert_eq!(server.last_words(process.pid).await.unwrap().exit, Exit::Signal(9));
}

#[tokio::test]
async fn a_respawned_program_runs_where_it_was_told_to() {
    let house = House::new().await;
    let odd = house.path("a #{pid} $HOME ~ %H \"; ü");
    fs::create_dir(&odd).unwrap();
    let server = house.shell("exit 0").await;
    server.respawn(&words(&["/bin/sh", "-c", "pwd; sleep 1000"]), Some(&odd)).await.unwrap();
    until_shown(&server, odd.to_str().unwrap()).await;
}

#[tokio::test]
async fn a_lost_connection_is_noticed_and_made_again() {
    let house = House::new().await;
    let Up { server, mut notifications } = house.up(house.spec(&["/bin/sleep", "1000"])).await;
    let words = pane::print("%0", "#{client_pid}");
    let client = server.control.command(words).await.unwrap();
    let client = String::from_utf8(client).unwrap().parse().unwrap();
    kill(process::identify(client).unwrap(), Signal::KILL);
    while notifications.recv().await.is_some() {}
    assert!(matches!(server.state().await, Err(ControlError::Closed)));
    assert!(server.is_disconnected());
    let socket = server.socket().to_owned();
    let again = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap().server;
    assert_eq!(again.program(), server.program());
    assert_eq!(again.process(), server.process());
    assert_eq!(again.state().await.unwrap().pid, server.program().pid);
}

#[tokio::test]
async fn dropping_the_connection_leaves_server_and_program_running() {
    let house = House::new().await;
    let mut server = house.start(&["/bin/sleep", "1000"]).await;
    // One in eight servers dies of this if the old client is not waited for.
    for _ in 0..20 {
        let (socket, program) = (server.socket().to_owned(), server.program());
        drop(server);
        server = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap().server;
        assert_eq!(server.program(), program);
        assert!(!server.state().await.unwrap().dead);
    }
}

#[tokio::test]
async fn a_program_that_ignores_the_hang_up_outlives_its_server_and_is_still_known() {
    let house = House::new().await;
    let up = house.up(house.spec(&["/bin/sh", "-c", "trap '' HUP; echo on; sleep 1000"])).await;
    let Up { server, mut notifications } = up;
    until_shown(&server, "on").await;
    let program = server.program().process.unwrap();
    kill(server.process(), Signal::KILL);
    ended(server.process()).await;
    while notifications.recv().await.is_some() {}
    assert!(matches!(server.state().await, Err(ControlError::Closed)));
    assert_eq!(server.program().process, Some(program));
    assert!(process::open(program).unwrap().is_some());
    let socket = server.socket().to_owned();
    let gone = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap_err();
    assert!(matches!(gone, ReconnectError::Gone { .. }));
    end_with_children(program);
}

#[tokio::test]
async fn a_server_that_is_told_to_end_is_gone() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let (process, socket) = (server.process(), server.socket().to_owned());
    server.kill().await.unwrap();
    ended(process).await;
    let gone = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap_err();
    assert!(matches!(gone, ReconnectError::Gone { .. }));
}

#[tokio::test]
async fn a_stopped_server_is_unknown_and_not_dead_and_killable_all_the_same() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    kill(server.process(), Signal::STOP);
    assert!(matches!(server.state().await, Err(ControlError::TimedOut { .. })));
    assert!(!server.is_disconnected());
    let socket = server.socket().to_owned();
    let error = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap_err();
    let ReconnectError::Unknown { process, .. } = error else { panic!("{error}") };
    assert_eq!(process, Some(server.process()));
    kill(server.process(), Signal::CONT);
    // The late answer has gone to nobody, and the connection is as good as before.
    assert_eq!(server.state().await.unwrap().pid, server.program().pid);
    kill(server.process(), Signal::STOP);
    let process = server.process();
    server.kill().await.unwrap();
    ended(process).await;
}

#[tokio::test]
async fn a_server_that_lost_our_pane_is_told_from_one_that_is_gone() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let split = Words::from(tmux_interface::SplitWindow::new().detached().build());
    server.control.command(split.and(["--", "/bin/sleep", "1000"])).await.unwrap();
    let close = tmux_interface::KillPane::new().target_pane("%0").build();
    server.control.command(close).await.unwrap();
    let socket = server.socket().to_owned();
    let error = Server::reconnect(&house.tmux, &Threads, socket).await.unwrap_err();
    let ReconnectError::NoPane { process, .. } = error else { panic!("{error}") };
    assert_eq!(process, Some(server.process()));
}

#[tokio::test]
async fn a_helper_that_does_not_end_is_killed() {
    let argv = words(&["/bin/sleep", "1000"]);
    let ceiling = Duration::from_millis(50);
    let error = helper::run(&Threads, argv, Vec::new(), ceiling).await.unwrap_err();
    assert!(matches!(error, HelperError::TooSlow(_)));
}

#[tokio::test]
async fn a_helper_whose_child_holds_its_pipes_is_not_waited_for() {
    let argv = words(&["/bin/sh", "-c", "sleep 1000 & echo $!"]);
    let answer = helper::run(&Threads, argv, Vec::new(), Duration::from_secs(20)).await.unwrap();
    let pid = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
    kill(process::identify(pid).unwrap(), Signal::KILL);
}

#[tokio::test]
async fn a_tmux_that_is_missing_old_or_no_tmux_is_refused_with_the_remedy() {
    let house = House::new().await;
    let program = house.path("tmux");
    let path = house.path("").into_os_string();
    let missing = Tmux::find(&Threads, &path).await.unwrap_err();
    assert!(matches!(missing, FindError::NotFound { .. }), "{missing}");
    for (says, expected) in [("tmux 2.8", "too old"), ("hello", "no version of tmux")] {
        fs::write(&program, format!("#!/bin/sh\necho {says}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let error = Tmux::find(&Threads, &path).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("3.3 or newer"), "{error}");
    }
}

/// The words that make this test program do what `supervisor exec-unit FILE` does.
fn exec_unit(file: &std::path::Path) -> Vec<OsString> {
    let mut argv = vec![std::env::current_exe().unwrap().into_os_string()];
    argv.extend(words(&["--ignored", "--nocapture", "--exact"]));
    argv.push("world::launch::tests::becomes_the_unit".into());
    argv.push(file.into());
    argv
}

#[tokio::test]
async fn a_program_gets_words_and_environment_that_tmux_could_not_carry() {
    let house = House::new().await;
    let long = "ü$'\"\\\n".repeat(12_500);
    let out = house.path("out");
    let directory = house.path("where");
    fs::create_dir(&directory).unwrap();
    let script = "printf %s \"$1\" > ../out.half; { env; pwd; grep SigIgn /proc/self/status; \
                  } > ../env; mv ../out.half ../out; exec sleep 1000";
    let mut argv = words(&["/bin/sh", "-c", script, "sh"]);
    argv.push(OsString::from(&long));
    let launch = LaunchFile {
        argv,
        environment: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("ONLY".into(), "this one".into()),
            ("TERM".into(), "overruled".into()),
        ],
        directory: Some(directory.clone()),
    };
    let file = launch.write(&house.path("launch"), &UnitName::new("unit").unwrap()).unwrap();
    let mut spec = house.spec(&[]);
    spec.argv = exec_unit(&file);
    spec.environment.push(("NOT".into(), "this one".into()));
    let server = house.up(spec).await.server;
    until("the program has run", async || out.exists()).await;
    assert_eq!(fs::read_to_string(out).unwrap(), long);
    let environment = fs::read_to_string(house.path("env")).unwrap();
    assert!(environment.contains("ONLY=this one\n") && !environment.contains("NOT="));
    assert!(environment.contains("\nTMUX_PANE=%0\n") || environment.starts_with("TMUX_PANE=%0"));
    assert!(environment.contains("TERM=screen-256color\n"), "{environment}");
    assert!(environment.contains(&format!("{}\n", directory.display())));
    // The lower half is what a program may be signalled with; the upper is real-time signals.
    let ignored = environment.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0, "{environment}");
    assert_eq!(server.state().await.unwrap().pid, server.program().pid);
}

#[tokio::test]
async fn a_program_that_cannot_be_run_says_so_on_its_pane() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let unit = UnitName::new("unit").unwrap();
    let launch = |program: &str, directory: Option<&str>| LaunchFile {
        argv: words(&[program]),
        environment: Vec::new(),
        directory: directory.map(Into::into),
    };
    let cases = [
        (launch("/no/such/program", None), 127, "cannot run /no/such/program: No such file"),
        (launch("/etc/passwd", None), 126, "cannot run /etc/passwd: Permission denied"),
        (launch("/bin/true", Some("/no/dir")), 126, "cannot enter the directory /no/dir: No such"),
    ];
    for (launch, code, says) in cases {
        let file = launch.write(&house.path("launch"), &unit).unwrap();
        let program = server.respawn(&exec_unit(&file), None).await.unwrap();
        until("its exit", async || {
            server.last_words(program.pid).await.unwrap().exit == Exit::Code(code)
        })
        .await;
        let screen = server.capture(false, true).await.unwrap();
        assert!(screen.contains(&format!("supervisor exec-unit: {says}")), "{screen}");
    }
}

fn end_with_children(program: crate::decide::Process) {
    let path = format!("/proc/{0}/task/{0}/children", program.pid);
    let children = fs::read_to_string(path).unwrap();
    kill(program, Signal::KILL);
    for child in children.split_ascii_whitespace() {
        if let Some(child) = process::identify(child.parse().unwrap()) {
            kill(child, Signal::KILL);
        }
    }
}
