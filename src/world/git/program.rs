//! The git program, run for a moment: with a ceiling, its whole group ended with it, its answer
//! read up to a limit. Not here: with which words.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::select;
use tokio::time::timeout;

use crate::world::pidfd;
use crate::world::tmux::{Spawner, Stdio};

/// More than this of an answer is not read.
const ANSWER_MAX: usize = 64 * 1024;

/// What it said.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It was not started.
    #[error("could not start git")]
    Spawn(#[source] io::Error),
    /// Its pipes or its handle failed.
    #[error("could not listen to git")]
    Listen(#[source] io::Error),
    /// It went on and on.
    #[error("git did not end within {} s, so it was killed", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs `argv` to its end. How it ended is not asked, whoever reaps knows it alone: what it printed
/// is its answer. If this is dropped half-way, the child's group is killed.
pub(super) async fn run(
    spawner: &dyn Spawner,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    ceiling: Duration,
) -> Result<Answer, ProgramError> {
    let (stdout_end, mut stdout) = pipe::pipe().map_err(ProgramError::Listen)?;
    let (stderr_end, mut stderr) = pipe::pipe().map_err(ProgramError::Listen)?;
    let stdio = Stdio {
        stdin: File::open("/dev/null").map_err(ProgramError::Listen)?.into(),
        stdout: stdout_end.into_blocking_fd().map_err(ProgramError::Listen)?,
        stderr: stderr_end.into_blocking_fd().map_err(ProgramError::Listen)?,
    };
    let child = spawner.spawn(argv, env, stdio).map_err(ProgramError::Spawn)?;
    let group = Group { leader: child.process.pid, pidfd: &child.pidfd };
    let mut answer = Answer::default();
    let listening = async {
        let (mut stdout_open, mut stderr_open) = (true, true);
        let ended = pidfd::exited(&child.pidfd);
        tokio::pin!(ended);
        loop {
            // Every arm may be dropped half-way without losing anything.
            select! {
                biased;
                read = stdout.read_buf(&mut answer.stdout), if stdout_open => {
                    stdout_open = goes_on(&read, &mut answer.stdout);
                }
                read = stderr.read_buf(&mut answer.stderr), if stderr_open => {
                    stderr_open = goes_on(&read, &mut answer.stderr);
                }
                ended = &mut ended => return ended,
            }
        }
    };
    match timeout(ceiling, listening).await {
        Ok(ended) => ended.map_err(ProgramError::Listen)?,
        Err(_) => {
            drop(group);
            return Err(ProgramError::TooSlow(ceiling));
        }
    }
    // A child of the child may hold the pipes for ever: what is there is taken.
    while goes_on(&stdout.try_read_buf(&mut answer.stdout), &mut answer.stdout) {}
    while goes_on(&stderr.try_read_buf(&mut answer.stderr), &mut answer.stderr) {}
    Ok(answer)
}

/// A child that leads a group, which is killed with it when this is dropped before it has ended.
struct Group<'a> {
    leader: i32,
    pidfd: &'a std::os::fd::OwnedFd,
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        // While the leader lives, the number of its group is its own.
        let leader = Pid::from_raw(self.leader).filter(|pid| pid.as_raw_nonzero().get() > 1);
        if let (Some(leader), false) = (leader, pidfd::gone(self.pidfd)) {
            // A spawner whose children lead no group has the one alone killed.
            if kill_process_group(leader, Signal::KILL).is_err() {
                let _ = pidfd::signal(self.pidfd, Signal::KILL);
            }
        }
    }
}

/// Whether there is more to read; what is too much is dropped and read on, or the child would wait.
fn goes_on(read: &io::Result<usize>, so_far: &mut Vec<u8>) -> bool {
    so_far.truncate(ANSWER_MAX);
    matches!(read, Ok(1..))
}
