//! `supervisor hook` as an agent calls it: it leaves its file, or nothing, and disturbs nobody.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use agent_supervisor::world::hook_spool::{Dropped, HookSpool};
use agent_supervisor::world::procs;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_supervisor");

/// Whatever is waited for here takes milliseconds; a busy machine may need long.
const CEILING: Duration = Duration::from_secs(60);

struct Spool {
    folder: tempfile::TempDir,
}

impl Spool {
    fn new() -> Self {
        let spool = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(spool.path()).unwrap();
        spool
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hooks")
    }

    fn hook(&self, input: impl Into<Stdio>) -> Output {
        quiet(hook(&self.path()).stdin(input))
    }

    fn said(&self, payload: &[u8]) -> Output {
        let file = self.folder.path().join("input");
        fs::write(&file, payload).unwrap();
        self.hook(File::open(file).unwrap())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn dropped(&self) -> Vec<Dropped> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let drained =
            runtime.block_on(async { HookSpool::open(&self.path()).unwrap().drain().unwrap() });
        assert_eq!(drained.notes, Vec::<String>::new());
        drained.dropped
    }
}

fn hook(spool: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("hook").env("SUPERVISOR_HOOKS", spool);
    command.env("SUPERVISOR_UNIT", "builder").env("SUPERVISOR_INSTANCE", "0123456789ab");
    command
}

/// Runs it; whatever happened, it succeeded and said nothing.
fn quiet(command: &mut Command) -> Output {
    let output = command.output().expect("the program");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    output
}

fn stop() -> Value {
    json!({ "session_id": "b859e814", "hook_event_name": "Stop" })
}

#[test]
fn a_call_leaves_one_file_that_says_who_when_and_what() {
    let spool = Spool::new();
    let me = procs::identify(std::process::id().cast_signed()).unwrap();
    let before = agent_supervisor::world::clock::now().mono;
    spool.said(stop().to_string().as_bytes());
    let names = spool.names();
    assert_eq!(names.len(), 1, "{names:?}");
    let (at, rest) = names[0].split_once('-').unwrap();
    assert!(at.len() == 20 && rest.ends_with(".json"), "{names:?}");
    assert_eq!(fs::metadata(spool.path().join(&names[0])).unwrap().mode() & 0o777, 0o600);
    let call = spool.dropped().remove(0);
    assert_eq!((call.unit.as_str(), call.instance.as_str()), ("builder", "0123456789ab"));
    assert_eq!(call.payload, stop());
    assert_eq!(call.parents.first(), Some(&me));
    assert!(call.at >= before && call.at <= agent_supervisor::world::clock::now().mono);
}

#[test]
fn the_shells_between_the_agent_and_the_call_are_named() {
    let spool = Spool::new();
    let mut shell = Command::new("sh");
    let line = format!("sh -c '{BINARY} hook; true'; true");
    shell.args(["-c", &line]).env("SUPERVISOR_HOOKS", spool.path());
    shell.env("SUPERVISOR_UNIT", "builder").env("SUPERVISOR_INSTANCE", "0123456789ab");
    let input = spool.folder.path().join("input");
    fs::write(&input, stop().to_string()).unwrap();
    quiet(shell.stdin(File::open(input).unwrap()));
    let me = procs::identify(std::process::id().cast_signed()).unwrap();
    let parents = spool.dropped().remove(0).parents;
    assert!(parents.contains(&me) && parents.len() > 1, "{parents:?}");
}

#[test]
fn calls_sort_by_their_time() {
    let spool = Spool::new();
    for n in 0..20 {
        spool.said(json!({ "hook_event_name": "Stop", "n": n }).to_string().as_bytes());
    }
    let order: Vec<_> = spool.dropped().iter().map(|it| it.payload["n"].as_u64()).collect();
    assert_eq!(order, (0..20).map(Some).collect::<Vec<_>>());
}

#[test]
fn garbage_leaves_nothing() {
    let spool = Spool::new();
    for garbage in [&b""[..], b"null", b"[]", b"{", b"\xff\xfe", b"\0\0\0", b"{} {}"] {
        spool.said(garbage);
    }
    spool.said("[".repeat(1_000_000).as_bytes());
    spool.said(format!("{{\"a\":\"{}\"}}", "x".repeat(5_000_000)).as_bytes());
    spool.hook(Stdio::null());
    assert_eq!(spool.names(), Vec::<String>::new());
}

#[test]
fn a_long_prompt_keeps_its_two_ends() {
    let spool = Spool::new();
    let prompt = format!("begin {} [#a1b2]", "é\n".repeat(300_000));
    let payload =
        json!({ "session_id": "a", "hook_event_name": "UserPromptSubmit", "prompt": prompt });
    spool.said(payload.to_string().as_bytes());
    let call = spool.dropped().remove(0);
    let kept = call.payload["prompt"].as_str().unwrap();
    assert!(kept.starts_with("begin ") && kept.ends_with(" [#a1b2]"));
    assert!(fs::metadata(spool.path().join(call.file)).unwrap().len() < 64 * 1024);
}

#[test]
fn input_that_never_ends_is_left_after_a_while_and_what_was_whole_counts() {
    let spool = Spool::new();
    // A writer that stays: the pipe is open as long as this test.
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(stop().to_string().as_bytes()).unwrap();
    spool.hook(reader);
    assert_eq!(spool.names().len(), 1);
    let (reader, _silent) = std::io::pipe().unwrap();
    spool.hook(reader);
    spool.hook(File::open("/dev/zero").unwrap());
    assert_eq!(spool.names().len(), 1);
}

#[test]
fn a_terminal_is_not_waited_for() {
    let spool = Spool::new();
    let terminal = nix::pty::openpty(None, None).unwrap();
    spool.hook(terminal.slave);
    assert_eq!(spool.names(), Vec::<String>::new());
}

#[test]
fn closed_standard_streams_do_not_matter() {
    let spool = Spool::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{BINARY} hook <&- >&- 2>&-")]);
    shell.env("SUPERVISOR_HOOKS", spool.path());
    quiet(shell.env("SUPERVISOR_UNIT", "a").env("SUPERVISOR_INSTANCE", "b"));
    assert_eq!(spool.names(), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let spool = Spool::new();
    fs::remove_dir(spool.path()).unwrap();
    spool.said(stop().to_string().as_bytes());
    assert!(!spool.path().exists());
    fs::write(spool.path(), "a file").unwrap();
    spool.said(stop().to_string().as_bytes());
    assert_eq!(fs::read(spool.path()).unwrap(), b"a file");
}

#[test]
fn outside_of_a_session_nothing_is_written() {
    let spool = Spool::new();
    for missing in ["SUPERVISOR_HOOKS", "SUPERVISOR_UNIT", "SUPERVISOR_INSTANCE"] {
        let input = spool.folder.path().join("input");
        fs::write(&input, stop().to_string()).unwrap();
        let mut command = hook(&spool.path());
        quiet(command.env_remove(missing).stdin(File::open(input).unwrap()));
    }
    assert_eq!(spool.names(), Vec::<String>::new());
}

#[test]
fn a_folder_that_may_not_be_written_is_left_alone() {
    let spool = Spool::new();
    fs::set_permissions(spool.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let input = spool.folder.path().join("input");
    fs::write(&input, stop().to_string()).unwrap();
    fs::set_permissions(spool.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = if nix::unistd::geteuid().is_root() {
        // For root there is no such folder.
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", BINARY, "hook"]);
        command.env("SUPERVISOR_HOOKS", spool.path());
        command.env("SUPERVISOR_UNIT", "a").env("SUPERVISOR_INSTANCE", "b");
        command
    } else {
        hook(&spool.path())
    };
    quiet(command.stdin(File::open(input).unwrap()));
    assert_eq!(spool.names(), Vec::<String>::new());
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    // In a mount namespace of its own, so that it goes away with the shell.
    let spool = Spool::new();
    let script = format!(
        "mount -t tmpfs -o size=16k,mode=700 none {hooks} && head -c 16384 /dev/zero > {hooks}/fill; \
         {BINARY} hook < {input}; echo $?; ls -A {hooks}",
        hooks = spool.path().display(),
        input = spool.folder.path().join("input").display(),
    );
    fs::write(spool.folder.path().join("input"), stop().to_string()).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).env("SUPERVISOR_HOOKS", spool.path());
    let output = command.env("SUPERVISOR_UNIT", "a").env("SUPERVISOR_INSTANCE", "b").output();
    let output = output.expect("unshare");
    let said = String::from_utf8_lossy(&output.stdout);
    if said.is_empty() {
        eprintln!("skipped: no mount namespace can be had: {output:?}");
        return;
    }
    assert_eq!(said, "0\nfill\n", "{output:?}");
}

#[test]
fn a_spool_that_nobody_reads_does_not_grow_for_ever() {
    let spool = Spool::new();
    for n in 0..4100 {
        fs::write(spool.path().join(format!("{n:020}-1.json")), "{}").unwrap();
    }
    spool.said(stop().to_string().as_bytes());
    let names = spool.names();
    assert_eq!(names.len(), 4096);
    assert_eq!(names[0], "00000000000000000005-1.json");
    assert!(names[4095].ends_with(".json") && !names[4095].ends_with("-1.json"), "the newest");
}

#[test]
fn many_calls_at_once_lose_nothing() {
    let spool = Spool::new();
    let input = spool.folder.path().join("input");
    fs::write(&input, stop().to_string()).unwrap();
    let calls = (0..40).map(|_| hook(&spool.path()).stdin(File::open(&input).unwrap()).spawn());
    let mut calls: Vec<_> = calls.map(|child| child.unwrap()).collect();
    let all = calls.iter_mut().all(|child| child.wait().unwrap().success());
    assert!(all);
    assert_eq!(spool.dropped().len(), 40);
}

#[test]
fn a_call_wakes_the_one_who_waits() {
    let spool = Spool::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut end = HookSpool::open(&spool.path()).unwrap();
        spool.said(stop().to_string().as_bytes());
        tokio::time::timeout(CEILING, end.changed()).await.expect("a wake-up").unwrap();
        assert_eq!(end.drain().unwrap().dropped.len(), 1);
    });
}
