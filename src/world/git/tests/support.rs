//! A house for repositories, and git in it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::{Ask, Line, Reader, Reading, Tips, Wanted};
use crate::world::procs;
use crate::world::tmux::{Spawned, Spawner, Stdio};

/// Children by the standard library, each the leader of a group, reaped by a thread of its own.
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
        command.args(arguments).env_clear().envs(env).process_group(0);
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let process = procs::identify(pid.as_raw_nonzero().get()).unwrap();
        std::thread::spawn(move || child.wait());
        Ok(Spawned { process, pidfd })
    }
}

pub(super) struct House {
    directory: tempfile::TempDir,
    /// Seconds since some day, for the dates of commits: each is later than the one before.
    clock: Cell<i64>,
}

impl House {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: Cell::new(1_790_000_000) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The environment of every git here.
    pub(super) fn env(&self) -> Vec<(OsString, OsString)> {
        let date = format!("{} +0000", self.clock.replace(self.clock.get() + 10));
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        for (name, value) in [
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", self.path("home").display().to_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_AUTHOR_NAME", "agent".into()),
            ("GIT_AUTHOR_EMAIL", "agent@example.org".into()),
            ("GIT_COMMITTER_NAME", "agent".into()),
            ("GIT_COMMITTER_EMAIL", "agent@example.org".into()),
            ("GIT_AUTHOR_DATE", date.clone()),
            ("GIT_COMMITTER_DATE", date),
            ("GIT_EDITOR", "true".into()),
            ("GIT_SEQUENCE_EDITOR", "true".into()),
            ("GIT_MERGE_AUTOEDIT", "no".into()),
        ] {
            env.push((name.into(), value.into()));
        }
        env
    }

    pub(super) fn try_git(&self, folder: &Path, words: &[&str]) -> Output {
        let mut command = Command::new("git");
        command.current_dir(folder).env_clear().envs(self.env());
        command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
        command.args(words).output().unwrap()
    }

    /// Runs git, which must succeed; answers with what it printed.
    pub(super) fn git(&self, folder: &Path, words: &[&str]) -> String {
        let output = self.try_git(folder, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?} in {}: {said}", folder.display());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A repository without a commit.
    pub(super) fn init(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        self.git(&path, &["init", "--quiet"]);
        path
    }

    pub(super) fn clone(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.path(name);
        let words = ["clone", "--quiet", from.to_str().unwrap(), to.to_str().unwrap()];
        self.git(self.directory.path(), &words);
        to
    }

    /// A bare repository and two clones of it with one commit.
    pub(super) fn shared(&self) -> (PathBuf, PathBuf, PathBuf) {
        let remote = self.path("remote.git");
        fs::create_dir_all(&remote).unwrap();
        self.git(&remote, &["init", "--quiet", "--bare"]);
        let builder = self.clone(&remote, "builder");
        self.commit(&builder, "README.md", "hello\n");
        self.git(&builder, &["push", "--quiet", "origin", "main"]);
        let adversary = self.clone(&remote, "adversary");
        (remote, builder, adversary)
    }

    /// Writes a file and commits it; answers with the commit.
    pub(super) fn commit(&self, repo: &Path, file: &str, text: &str) -> String {
        let path = repo.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.git(repo, &["add", file]);
        let first = text.lines().last().unwrap_or("empty");
        self.git(repo, &["commit", "--quiet", "-m", first]);
        self.git(repo, &["rev-parse", "HEAD"])
    }
}

pub(super) fn claims(repo: &Path) -> Ask {
    asked(repo, Wanted::Line(Regex::new("^CLAIMED").unwrap()))
}

pub(super) fn asked(repo: &Path, wanted: Wanted) -> Ask {
    let (repo, file) = (repo.to_owned(), "STATUS.md".to_owned());
    Ask { repo, file, tips: Tips::Clone, wanted, working: false }
}

pub(super) fn look(ask: Ask) -> Reading {
    Reader::new(ask).read().unwrap()
}

pub(super) fn texts(reading: &Reading) -> Vec<&str> {
    reading.lines.iter().map(|line| line.text.as_str()).collect()
}

pub(super) fn ids(reading: &Reading) -> BTreeSet<&str> {
    reading.lines.iter().map(|line| line.id.as_str()).collect()
}

pub(super) fn line<'a>(reading: &'a Reading, text: &str) -> &'a Line {
    reading.lines.iter().find(|line| line.text == text).unwrap()
}
