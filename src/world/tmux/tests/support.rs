//! A house for tmux servers that ends them again.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::super::{Server, ServerSpec, Size, Spawned, Spawner, Stdio, Tmux, Up, process};
use crate::decide::Process;

/// How long a condition may take on a busy machine.
const CEILING: Duration = Duration::from_secs(20);

/// Children by the standard library, each reaped by a thread of its own.
pub(super) struct Threads;

impl Spawner for Threads {
    fn spawn(
        &self,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        stdio: Stdio,
    ) -> io::Result<Spawned> {
        let (program, arguments) = argv.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(env);
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let process = process::identify(pid.as_raw_nonzero().get()).unwrap();
        std::thread::spawn(move || child.wait());
        Ok(Spawned { process, pidfd })
    }
}

pub(super) struct House {
    directory: tempfile::TempDir,
    pub(super) tmux: Tmux,
    next: Cell<u32>,
}

impl House {
    pub(super) async fn new() -> Self {
        let path = std::env::var_os("PATH").unwrap();
        let tmux = Tmux::find(&Threads, &path).await.unwrap();
        Self { directory: tempfile::tempdir().unwrap(), tmux, next: Cell::new(0) }
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn spec(&self, argv: &[&str]) -> ServerSpec {
        self.next.set(self.next.get() + 1);
        ServerSpec {
            socket: self.path(format!("{}.sock", self.next.get())),
            size: Size::default(),
            argv: words(argv),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        }
    }

    pub(super) async fn start(&self, argv: &[&str]) -> Server {
        self.up(self.spec(argv)).await.server
    }

    /// A pane that runs this shell script.
    pub(super) async fn shell(&self, script: &str) -> Server {
        self.start(&["/bin/sh", "-c", script]).await
    }

    pub(super) async fn up(&self, spec: ServerSpec) -> Up {
        Server::start(&self.tmux, &Threads, spec).await.unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension() == Some(OsStr::new("sock"))
                && let Ok(stream) = std::os::unix::net::UnixStream::connect(&path)
            {
                let pid = getsockopt(&stream, PeerCredentials).unwrap().pid();
                kill(process::identify(pid).unwrap(), Signal::KILL);
            }
        }
    }
}

pub(super) fn words(argv: &[&str]) -> Vec<OsString> {
    argv.iter().map(OsString::from).collect()
}

pub(super) fn kill(process: Process, signal: Signal) {
    if let Some(pidfd) = process::open(process).unwrap() {
        process::signal(&pidfd, signal).unwrap();
    }
}

/// Until the pidfd fires, which it does for a zombie too.
pub(super) async fn ended(process: Process) {
    if let Some(pidfd) = process::open(process).unwrap() {
        let watched = process::watch(pidfd).unwrap();
        tokio::time::timeout(CEILING, watched.readable()).await.unwrap().unwrap().retain_ready();
    }
}

/// Asks until the answer is `true`.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < CEILING, "not within the ceiling: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn until_shown(server: &Server, text: &str) {
    until(text, async || server.capture(true, true).await.unwrap().contains(text)).await;
}

/// The same numbers for the same seed, for ever.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
