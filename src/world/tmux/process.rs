//! Telling one process from another that got the same pid later.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::decide::Process;

/// What `/proc/PID/stat` says of a process, a zombie included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Its parent.
    pub(super) parent: i32,
    /// When it started, in clock ticks since boot.
    pub(super) start: u64,
}

/// Looks at `pid`; `None` if there is none (any more).
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid` with its start time.
pub(super) fn identify(pid: i32) -> Option<Process> {
    stat(pid).map(|stat| Process { pid, start: stat.start })
}

/// `pid` with its start time, provided that it is a child of `parent`: then the pid cannot have
/// been reused between the parent's naming it and our look.
pub(super) fn identify_child(pid: i32, parent: Process) -> Option<Process> {
    let stat = stat(pid)?;
    (stat.parent == parent.pid).then_some(Process { pid, start: stat.start })
}

/// A pidfd of exactly this process; `None` if it is gone.
pub(super) fn open(process: Process) -> Result<Option<OwnedFd>, Errno> {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return Ok(None);
    };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(None),
        Err(other) => return Err(other),
    };
    // The descriptor pins the pid, so a look after it was opened decides whose it is.
    Ok((identify(process.pid) == Some(process)).then_some(pidfd))
}

/// A pidfd to be waited for: it becomes readable when its process ends.
#[expect(deprecated, reason = "the successor is unsafe, and asks for what an OwnedFd gives anyway")]
pub(super) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd, Interest::READABLE)
}

/// Sends a signal; a process that is gone is no error.
pub(super) fn signal(pidfd: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(other) => Err(other),
    }
}

fn parse_stat(line: &str) -> Option<Stat> {
    // The program's name stands in parentheses and may hold any character, these included.
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = "77 (a) b (c) S 41 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";
        assert_eq!(parse_stat(line), Some(Stat { parent: 41, start: 98765 }));
    }

    #[test]
    fn a_process_with_another_start_time_is_not_the_one_meant() {
        let own = identify(std::process::id().cast_signed()).unwrap();
        assert!(open(own).unwrap().is_some());
        assert!(open(Process { start: own.start + 1, ..own }).unwrap().is_none());
    }
}
