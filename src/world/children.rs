//! A program that runs for a moment and says by its exit code what came of it. Not here: units, which
//! live for days.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::time::timeout;

use super::pidfd;
use super::reaper::Reaper;
use super::spawn::{ExecError, Launch, LaunchError, Running, Stream};
use crate::decide::{Exit, Process};

/// More than this does not go into a pipe at once.
pub const STDIN_MAX: usize = 64 * 1024;

/// A killed process is collected within this time, unless it hangs in the kernel.
const COLLECTED: Duration = Duration::from_secs(2);

/// How a child is had: in the daemon there is one who reaps for all.
pub trait Children {
    /// Starts it. The implementor sees to it that its status is kept.
    ///
    /// # Errors
    /// No child was started.
    fn start(&self, launch: Launch) -> Result<Running, LaunchError>;

    /// How it ended; asked once, after it has.
    fn exit_of(&self, process: Process, pidfd: &OwnedFd) -> Exit;
}

/// The children of a process that has nobody else to reap them.
#[derive(Debug, Default)]
pub struct OwnChildren(RefCell<Reaper>);

impl Children for OwnChildren {
    fn start(&self, launch: Launch) -> Result<Running, LaunchError> {
        let gated = launch.fork()?;
        self.0.borrow_mut().expect_child(gated.process);
        Ok(gated.open())
    }

    fn exit_of(&self, process: Process, pidfd: &OwnedFd) -> Exit {
        self.0.borrow_mut().exit_of(process, Some(pidfd))
    }
}

/// Why a program did not come to an end of its own.
#[derive(Debug, Error)]
pub enum NoEnd {
    /// Its input could not be made ready.
    #[error("no pipe for its input")]
    Pipe(#[source] io::Error),
    /// It was not started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It was not executed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Nothing is known of its end.
    #[error("its end cannot be watched")]
    Watch(#[source] io::Error),
    /// It, and all of its group, was killed.
    #[error("no end after {} s, so it was killed", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs `argv` with this environment and input to its end. What it prints is thrown away: it may be
/// a secret. One that is slower than `ceiling` is killed with its process group.
///
/// # Errors
/// [`NoEnd`]. An exit code that says no is none.
pub async fn run(
    children: &dyn Children,
    argv: &[String],
    env: Vec<(OsString, OsString)>,
    input: &[u8],
    ceiling: Duration,
) -> Result<Exit, NoEnd> {
    let launch = Launch {
        argv: argv.iter().map(OsString::from).collect(),
        env,
        directory: None,
        stdin: filled(input).map_err(NoEnd::Pipe)?,
        stdout: Stream::Null,
        stderr: Stream::Null,
        cgroup: None,
    };
    let Running { process, pidfd, exec } = children.start(launch)?;
    let end = async {
        let executed = exec.result().await;
        pidfd::exited(&pidfd).await.map_err(NoEnd::Watch)?;
        let exit = children.exit_of(process, &pidfd);
        executed?;
        Ok(exit)
    };
    if let Ok(end) = timeout(ceiling, end).await {
        return end;
    }
    // It leads its group, and it has not been collected: the number is its own.
    if let Some(group) = Pid::from_raw(process.pid) {
        // One that has just ended needs no signal.
        let _ = kill_process_group(group, Signal::KILL);
    }
    // One that hangs in the kernel is not waited for; its status is then nobody's.
    let _ = timeout(COLLECTED, pidfd::exited(&pidfd)).await;
    let _ = children.exit_of(process, &pidfd);
    Err(NoEnd::TooSlow(ceiling))
}

/// A pipe that holds `input` and its end.
fn filled(input: &[u8]) -> io::Result<Stream> {
    let input = &input[..input.len().min(STDIN_MAX)];
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // A user with many pipes gets small ones.
    fcntl_setpipe_size(&write, STDIN_MAX)?;
    let mut rest = input;
    while !rest.is_empty() {
        let n = rustix::io::write(&write, rest)?;
        rest = &rest[n..];
    }
    Ok(Stream::Fd(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, input: &[u8], ceiling: Duration) -> Result<Exit, NoEnd> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&OwnChildren::default(), &argv, vec![], input, ceiling).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_exit_code_is_told_and_the_input_is_read_to_its_end() {
        assert_eq!(sh("exit 3", b"", LONG).await.unwrap(), Exit::Code(3));
        let script = "text=$(cat); [ \"$text\" = hello ]";
        assert_eq!(sh(script, b"hello", LONG).await.unwrap(), Exit::Code(0));
        let much = vec![b'x'; STDIN_MAX];
        assert_eq!(sh("[ $(wc -c) = 65536 ]", &much, LONG).await.unwrap(), Exit::Code(0));
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let slow = sh(&script, b"", Duration::from_secs(1)).await;
        assert!(matches!(slow, Err(NoEnd::TooSlow(_))), "{slow:?}");
        let child: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let gone = || super::super::procs::state(child).is_none_or(|state| state == 'Z');
        timeout(LONG, async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the child of the killed one");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let argv = ["/no/such/program".to_owned()];
        let error = run(&OwnChildren::default(), &argv, vec![], b"", LONG).await.unwrap_err();
        assert_eq!(error.to_string(), "command not found: /no/such/program");
    }
}
