//! The one who collects the dead: every child of the daemon, and every orphan that comes to it.
//!
//! Nothing else in the daemon may call `wait`: whoever does takes a status away from here. Not
//! here: noticing that one process has ended, which its pidfd tells ([`super::pidfd`]).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::process::{Pid, WaitOptions, wait, waitpid};
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level;
use tokio::net::UnixStream;

use super::{procs, spawn};
use crate::decide::{Exit, Process};

/// How many dead one sweep collects at most, so that a unit that dies faster than we collect
/// cannot hold the loop. 4096 take about 20 ms.
const SWEEP_MAX: usize = 4096;

/// Collects all, and remembers how those ended that somebody will ask for.
#[derive(Debug, Default)]
pub struct Reaper {
    /// `None` until it is collected.
    expected: BTreeMap<Process, Option<Exit>>,
}

/// What a sweep came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// No dead child is left.
    All,
    /// There may be more: sweep again, after other work.
    More,
}

impl Reaper {
    /// One that expects nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The status of this child, which we have just forked, will be asked for.
    pub fn expect_child(&mut self, process: Process) {
        self.expected.entry(process).or_default();
    }

    /// The status of this process will be asked for, if it is a child of ours: to be called before
    /// the first sweep of a daemon that was executed anew. Of a process that is not our child no
    /// note is taken: its pid might come back as a child's.
    pub fn expect(&mut self, process: Process) {
        let ours = std::process::id().cast_signed();
        if procs::stat(process.pid).is_some_and(|s| s.process == process && s.parent == ours) {
            self.expected.entry(process).or_default();
        }
    }

    /// Nobody will ask for it after all.
    pub fn forget(&mut self, process: Process) {
        self.expected.remove(&process);
    }

    /// Collects every dead child. Never waits. To be called after each [`ChildSignals::next`].
    pub fn sweep(&mut self) -> Swept {
        for _ in 0..SWEEP_MAX {
            // No dead child, or no child at all.
            let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) else { return Swept::All };
            self.collected(pid, status.as_raw());
        }
        Swept::More
    }

    /// How `process` ended, asked of everyone who may know: our own table, its zombie, and the
    /// kernel's memory of a handle that was opened while it lived. To be asked once, when its
    /// pidfd has said that it has ended. Who has not ended is [`Exit::Unknown`], as is one of whom
    /// nobody knows; an expected one that still lives stays expected.
    pub fn exit_of(&mut self, process: Process, pidfd: Option<&OwnedFd>) -> Exit {
        self.collect(process);
        if let Some(exit) = self.expected.get(&process).copied().flatten() {
            self.expected.remove(&process);
            return exit;
        }
        let exit = zombie_status(process)
            .or_else(|| pidfd.and_then(spawn::collected_status))
            .map_or(Exit::Unknown, exit_from);
        if exit != Exit::Unknown || !procs::is_alive(process) {
            self.expected.remove(&process);
        }
        exit
    }

    /// Collects that one child, if it is expected and dead.
    fn collect(&mut self, process: Process) {
        if self.expected.get(&process) != Some(&None) {
            return;
        }
        // The pid of a child that is not collected is not used again.
        if let Some(pid) = Pid::from_raw(process.pid)
            && let Ok(Some((pid, status))) = waitpid(Some(pid), WaitOptions::NOHANG)
        {
            self.collected(pid, status.as_raw());
        }
    }

    fn collected(&mut self, pid: Pid, status: i32) {
        let pid = pid.as_raw_nonzero().get();
        let same_pid = Process { pid, start: 0 }..=Process { pid, start: u64::MAX };
        // An earlier owner of the pid has its status already.
        let waiting = self.expected.range_mut(same_pid).find(|(_, exit)| exit.is_none());
        if let Some((_, exit)) = waiting {
            *exit = Some(exit_from(status));
        }
    }
}

/// What a status as `wait` has it means.
fn exit_from(status: i32) -> Exit {
    match status & 0x7f {
        0 => Exit::Code((status >> 8) & 0xff),
        // Stopped, not ended.
        0x7f => Exit::Unknown,
        signal => Exit::Signal(signal),
    }
}

/// Field 52 of a zombie that its own parent has not collected yet. The kernel writes 0 there for
/// those who may not know, so a 0 counts only where we may.
fn zombie_status(process: Process) -> Option<i32> {
    let stat = procs::stat(process.pid).filter(|s| s.process == process && s.is_dead())?;
    (stat.wait_status != 0 || may_know(process.pid)).then_some(stat.wait_status)
}

/// The link to the program is guarded by the same right as field 52, and it says no aloud: a
/// zombie has no program any more, so whoever may look sees nothing.
fn may_know(pid: i32) -> bool {
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Tells that some child has ended. One notice may stand for many.
#[derive(Debug)]
pub struct ChildSignals {
    notices: UnixStream,
    handler: SigId,
}

impl ChildSignals {
    /// Listens from now on; a child that died before is found by a first sweep.
    ///
    /// # Errors
    /// If there is no socket pair or no handler to be had.
    pub fn new() -> io::Result<Self> {
        let (read, write) = StdUnixStream::pair()?;
        read.set_nonblocking(true)?;
        let notices = UnixStream::from_std(read)?;
        let handler = low_level::pipe::register(SIGCHLD, write)?;
        Ok(Self { notices, handler })
    }

    /// Returns after a child has ended; it may be never. May be dropped at any time and loses
    /// nothing.
    ///
    /// # Errors
    /// If the socket broke, which is a fault of ours.
    pub async fn next(&mut self) -> io::Result<()> {
        loop {
            self.notices.readable().await?;
            let mut heard = false;
            loop {
                match self.notices.try_read(&mut [0; 256]) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => heard = true,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if heard {
                return Ok(());
            }
        }
    }
}

impl Drop for ChildSignals {
    fn drop(&mut self) {
        low_level::unregister(self.handler);
    }
}

#[cfg(test)]
mod tests;
