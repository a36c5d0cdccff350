//! A child that runs for a moment and says something: started, waited for with a ceiling, read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::select;
use tokio::time::timeout;

use super::{Spawner, Stdio, process};

/// More than this is no answer of a tmux command line; the rest is left unread.
const ANSWER_MAX: usize = 256 * 1024;

/// What a helper said before it ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum HelperError {
    #[error("could not start it")]
    Spawn(#[source] io::Error),
    #[error("could not listen to it")]
    Listen(#[source] io::Error),
    #[error("no end after {} s, so it was killed", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs `argv` to its end. How it ended is not asked (whoever reaps may have been faster): what
/// it printed is its answer.
pub(super) async fn run(
    spawner: &dyn Spawner,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    ceiling: Duration,
) -> Result<Answer, HelperError> {
    let (stdout_end, mut stdout) = pipe::pipe().map_err(HelperError::Listen)?;
    let (stderr_end, mut stderr) = pipe::pipe().map_err(HelperError::Listen)?;
    let stdio = Stdio {
        stdin: nothing().map_err(HelperError::Listen)?,
        stdout: stdout_end.into_blocking_fd().map_err(HelperError::Listen)?,
        stderr: stderr_end.into_blocking_fd().map_err(HelperError::Listen)?,
    };
    let child = spawner.spawn(argv, env, stdio).map_err(HelperError::Spawn)?;
    let ended = process::watch(child.pidfd).map_err(HelperError::Listen)?;

    let mut answer = Answer { stdout: Vec::new(), stderr: Vec::new() };
    let listening = async {
        let (mut stdout_open, mut stderr_open) = (true, true);
        loop {
            // Every arm may be dropped half-way without losing anything.
            select! {
                biased;
                read = stdout.read_buf(&mut answer.stdout), if stdout_open => {
                    stdout_open = goes_on(&read, &answer.stdout);
                }
                read = stderr.read_buf(&mut answer.stderr), if stderr_open => {
                    stderr_open = goes_on(&read, &answer.stderr);
                }
                _ = ended.readable() => break,
            }
        }
    };
    if timeout(ceiling, listening).await.is_err() {
        // Should the signal fail, the process is not ours to end, and the error says enough.
        let _unsent = process::signal(ended.get_ref(), Signal::KILL);
        return Err(HelperError::TooSlow(ceiling));
    }
    // A child of the child may hold the pipes for ever: take what is there and wait for no more.
    while goes_on(&stdout.try_read_buf(&mut answer.stdout), &answer.stdout) {}
    while goes_on(&stderr.try_read_buf(&mut answer.stderr), &answer.stderr) {}
    Ok(answer)
}

/// `/dev/null` as a descriptor to give away, for reading and writing.
pub(super) fn nothing() -> io::Result<std::os::fd::OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

fn goes_on(read: &io::Result<usize>, so_far: &[u8]) -> bool {
    matches!(read, Ok(1..)) && so_far.len() < ANSWER_MAX
}
