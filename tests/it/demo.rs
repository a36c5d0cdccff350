//! `supervisor demo`, which is itself a test of the whole: it must happen in full, and leave nothing.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use agent_supervisor::daemon::instance;

use crate::agents::client::claude;
use crate::house::{kill, lives, marked, running};

/// How many there are, as it says in the end.
struct Counts {
    steps: usize,
    checks: usize,
}

const SCRIPTED: Counts = Counts { steps: 12, checks: 27 };
const REAL: Counts = Counts { steps: 6, checks: 17 };

/// Owns nothing on any machine.
const NOBODY: u32 = 65534;

/// A place where demos make their scratch folders.
struct Place {
    folder: tempfile::TempDir,
    user: Option<u32>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sv").tempdir_in("/tmp").expect("a folder");
        Self { folder, user: None }
    }

    fn of_nobody() -> Self {
        let place = Self { user: Some(NOBODY), ..Self::new() };
        chown(place.folder.path(), place.user, place.user).expect("a folder");
        place
    }

    fn demo(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command.arg("demo").args(words).stdin(Stdio::null()).current_dir("/");
        command.env("TMPDIR", self.folder.path()).env("HOME", "/nonexistent");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// The folder we are built in may be closed to others.
    fn binary(&self) -> PathBuf {
        let built = Path::new(env!("CARGO_BIN_EXE_supervisor"));
        if self.user.is_none() {
            return built.to_owned();
        }
        self.at_hand(built, "supervisor")
    }

    /// A program that the user of this place can reach.
    fn at_hand(&self, program: &Path, name: &str) -> PathBuf {
        let here = self.folder.path().join(name);
        // It may be large.
        if std::fs::hard_link(program, &here).is_err() {
            std::fs::copy(program, &here).expect("a copy of the program");
            std::fs::set_permissions(&here, PermissionsExt::from_mode(0o755)).expect("a program");
        }
        here
    }

    /// A demo with the real client, on PATH; nothing, and a word about it, where there is none.
    fn real(&self, words: &[&str]) -> Option<Command> {
        let client = claude()?;
        let bin = self.at_hand(&client, "claude").parent().expect("a folder").to_owned();
        let path = std::env::var("PATH").expect("a PATH");
        let mut command = self.demo(&[&["--agent", "claude"], words].concat());
        command.env("PATH", format!("{}:{path}", bin.display()));
        // These would lead to what is not the demo's.
        for name in ["CLAUDE_CONFIG_DIR", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"] {
            command.env(name, "/nonexistent");
        }
        Some(command)
    }

    /// The scratch folders there are.
    fn scratch(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.is_dir()).collect()
    }
}

/// The state directory that the first line of a demo leads to.
fn state(told: &str) -> PathBuf {
    let folder = told.lines().next().and_then(|line| line.split_once(" in "));
    PathBuf::from(folder.expect("the folder").1).join("state")
}

/// What it told.
fn happens_in_full(place: &Place, mut demo: Command, counts: &Counts) -> String {
    let output = demo.output().expect("the binary");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{said}");
    let Counts { steps, checks } = counts;
    for step in 1..=*steps {
        assert!(told.lines().any(|line| line.starts_with(&format!("{step}  "))), "{told}");
    }
    assert_eq!(told.matches("   ✓ ").count(), *checks, "{told}");
    let end = format!("All of it happened: {steps} steps, {checks} checks");
    assert!(told.contains(&end) && told.contains("Nothing is left."), "{told}");
    assert!(!told.contains('\u{1b}'), "a pipe gets no colours: {told}");
    assert_eq!(said, "");
    assert_eq!(place.scratch(), Vec::<PathBuf>::new());
    must_be_empty(&state(&told));
    let part = format!("supervisor-{}", instance(&state(&told)));
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        assert!(!Path::new(root).join(&part).exists(), "{root}/{part} is left");
    }
    told
}

/// Nothing runs that belongs to the demo of this state directory.
fn must_be_empty(state: &Path) {
    assert_eq!(marked(&instance(state)), Vec::<i32>::new());
    let folder = state.parent().expect("a folder").display().to_string();
    assert_eq!(running(&folder), Vec::<i32>::new());
}

/// A demo that runs, as far as its output has been read.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    told: String,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = piped.spawn().expect("the binary");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, out, told: String::new() }
    }

    fn until(&mut self, what: &str) {
        while !self.told.contains(what) {
            let read = self.out.read_line(&mut self.told).expect("its output");
            assert!(read > 0, "it ended before {what:?}: {}", self.told);
        }
    }

    /// Interrupts it as a terminal does, with all of its process group; its exit code, and what it said on standard error.
    fn interrupt(mut self) -> (Option<i32>, String, String) {
        kill(-self.child.id().cast_signed(), "INT");
        self.out.read_to_string(&mut self.told).expect("its output");
        let output = self.child.wait_with_output().expect("its end");
        (output.status.code(), self.told, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn the_demo_happens_in_full_and_leaves_nothing() {
    let place = Place::new();
    let told = happens_in_full(&place, place.demo(&[]), &SCRIPTED);
    for said in [
        "a double of NanoClaw",
        "(a double) reads it",
        "│ [evt ",
        "│ BUILD FAILED",
        "1 events · 1 taken",
        "ryan  done   Build 1 FAILED",
        "ryan  done   Build 2 FAILED",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn the_demo_with_the_real_client_happens_in_full_and_leaves_nothing() {
    let place = Place::new();
    let Some(demo) = place.real(&[]) else { return };
    happens_in_full(&place, demo, &REAL);
}

#[test]
fn the_demo_with_the_real_client_happens_in_full_for_a_user_without_rights() {
    if nix::unistd::geteuid().is_root() {
        let place = Place::of_nobody();
        let Some(demo) = place.real(&[]) else { return };
        happens_in_full(&place, demo, &REAL);
    }
}

#[test]
fn the_demo_happens_in_full_for_a_user_without_rights() {
    if nix::unistd::geteuid().is_root() {
        let place = Place::of_nobody();
        happens_in_full(&place, place.demo(&[]), &SCRIPTED);
    }
}

/// Interrupts a demo once it has told of this.
fn interrupted(place: &Place, demo: Command, moment: &str) {
    let mut demo = Running::new(demo);
    demo.until(moment);
    let (code, told, said) = demo.interrupt();
    assert_eq!(code, Some(1), "{moment}: {told}\n{said}");
    assert!(said.contains("interrupted: everything is ended and removed"), "{said}");
    assert_eq!(place.scratch(), Vec::<PathBuf>::new(), "{moment}");
    must_be_empty(&state(&told));
}

#[test]
fn an_interrupted_demo_leaves_nothing_wherever_it_is() {
    // While a session works, while no supervisor runs, while an agent has a letter, while a service
    // dies again and again.
    for moment in
        ["supervisor tell", "no supervisor runs", "events · 1 taken", "broken      exited"]
    {
        let place = Place::new();
        interrupted(&place, place.demo(&[]), moment);
    }
}

#[test]
fn an_interrupted_demo_with_the_real_client_leaves_nothing_wherever_it_is() {
    // While the clients start, and while a tool runs and no client does.
    for moment in ["supervisor run", "kill -9"] {
        let place = Place::new();
        let Some(demo) = place.real(&[]) else { return };
        interrupted(&place, demo, moment);
    }
}

#[test]
fn without_the_real_client_nothing_begins_and_how_to_get_it_is_said() {
    let place = Place::new();
    let path = std::env::var_os("PATH").expect("a PATH");
    let tmux = std::env::split_paths(&path).map(|folder| folder.join("tmux"));
    let tmux = tmux.into_iter().find(|tmux| tmux.exists()).expect("tmux");
    let elsewhere = Place::new();
    let bin = elsewhere.folder.path();
    std::os::unix::fs::symlink(tmux, bin.join("tmux")).expect("a link");
    for words in [&["--agent", "claude"][..], &["--agent", "claude", "--claude", "/nonexistent"]] {
        let output = place.demo(words).env("PATH", bin).output().expect("the binary");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("npm install -g @anthropic-ai/claude-code"), "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(place.scratch(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_client_that_does_not_run_is_named_and_nothing_is_left() {
    let place = Place::new();
    let client = place.folder.path().join("claude");
    std::fs::write(&client, "#!/bin/sh\nexit 1\n").expect("a program");
    std::fs::set_permissions(&client, PermissionsExt::from_mode(0o755)).expect("a program");
    let path = client.display().to_string();
    let output =
        place.demo(&["--agent", "claude", "--claude", &path]).output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{path} does not say its version")), "{said}");
    assert_eq!(place.scratch(), Vec::<PathBuf>::new());
    must_be_empty(&place.folder.path().join("state"));
}

#[test]
fn an_agent_that_cannot_play_is_refused_with_those_that_can() {
    let output = Place::new().demo(&["--agent", "codex"]).output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("codex") && said.contains("[possible values: claude]"), "{said}");
}

#[test]
fn a_kept_demo_runs_on_and_says_how_to_end_it() {
    let place = Place::new();
    is_kept_until_ended(&place, place.demo(&["--keep"]));
}

#[test]
fn a_kept_demo_with_the_real_client_runs_on_and_says_how_to_end_it() {
    let place = Place::new();
    let Some(demo) = place.real(&["--keep"]) else { return };
    is_kept_until_ended(&place, demo);
}

fn is_kept_until_ended(place: &Place, mut demo: Command) {
    let output = demo.output().expect("the binary");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{told}");
    let state = state(&told);
    assert!(!marked(&instance(&state)).is_empty(), "{told}");

    let told_to_end = told.lines().find(|line| line.contains("stop --all")).expect("how to end it");
    let ended = Command::new("sh").args(["-c", told_to_end]).output().expect("a shell");
    assert!(ended.status.success(), "{told_to_end}: {ended:?}");
    let (_, pids) = told_to_end.split_once(" kill ").expect("the daemon's pid");
    let pids = pids.split_whitespace().map_while(|word| word.parse().ok());
    for pid in pids {
        while lives(pid) {
            std::thread::yield_now();
        }
    }
    must_be_empty(&state);
    assert_eq!(place.scratch(), Vec::<PathBuf>::new());
}

#[test]
fn without_tmux_nothing_begins_and_the_package_is_named() {
    let place = Place::new();
    let output = place.demo(&[]).env("PATH", "/nonexistent").output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("install the package tmux"), "{said}");
    assert!(output.stdout.is_empty());
    assert_eq!(place.scratch(), Vec::<PathBuf>::new());
}

#[test]
fn what_does_not_happen_is_named_and_its_folder_kept() {
    let place = Place::new();
    // A shell that ends at once is no service that becomes ready.
    let bin = place.folder.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::fs::write(bin.join("sh"), "#!/bin/sh\nexit 3\n").expect("a program");
    std::fs::set_permissions(bin.join("sh"), PermissionsExt::from_mode(0o755)).expect("a program");
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", bin.display());
    let output = place.demo(&[]).env("PATH", path).output().expect("the binary");
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}\n{said}");
    let state = state(&told);
    assert!(told.contains("✗ counter comes up: crash loop"), "{told}");
    assert!(told.contains("counter: exited - exited with 3"), "the daemon's words: {told}");
    assert!(said.contains("step 1 of the demo did not happen"), "{said}");
    assert!(said.contains(&state.parent().expect("a folder").display().to_string()), "{said}");
    assert!(state.join("events.jsonl").exists());
    assert_eq!(marked(&instance(&state)), Vec::<i32>::new());
}
