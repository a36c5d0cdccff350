//! A handle on one process that no other process can ever be mistaken for.
//!
//! Not here: how a process ended ([`super::reaper`]), and whose it is ([`super::procs`]).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::procs;
use crate::decide::Process;

/// A handle on `process`; `None` if it is gone (collected by its parent) or its pid belongs to
/// another one by now. A zombie still has a handle, and is [`gone`].
///
/// # Errors
/// What the kernel says, for instance that there are too many open files: then nothing is known
/// of the process.
pub fn open(process: Process) -> io::Result<Option<OwnedFd>> {
    let positive = Some(process.pid).filter(|pid| *pid > 0);
    let Some(pid) = positive.and_then(Pid::from_raw) else { return Ok(None) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        // A thread's id is no process (EINVAL): the number has been used again.
        Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // The start is compared after opening: whoever has that start now had the pid at the opening,
    // for a later owner of the pid has a later start.
    Ok((procs::start_time(process.pid) == Some(process.start)).then_some(handle))
}

/// Returns when the process has ended, be it collected or not. It may live for days: the time
/// limit is the caller's. Any number of these may wait on one handle, and each may be dropped.
///
/// # Errors
/// If the handle cannot be watched; then nothing is known of the process.
pub async fn exited(handle: &OwnedFd) -> io::Result<()> {
    // The copy lets two wait at once: epoll takes each descriptor only once.
    let watched = watch(handle.try_clone()?, Interest::READABLE)?;
    watched.readable().await?.retain_ready();
    Ok(())
}

/// Registers a descriptor with the runtime.
#[expect(
    deprecated,
    reason = "unsound only for types that may close their descriptor early, which OwnedFd does not"
)]
pub(super) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

/// Sends a signal. To one that is gone it is sent in vain, which is no error.
///
/// # Errors
/// If we may not.
pub fn signal(handle: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(handle, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the process has ended, be it collected or not.
pub fn gone(handle: &OwnedFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A collected process reports a hang-up too, so anything but silence is an end.
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_process_with_the_same_pid_has_no_handle() {
        let own = procs::identify(std::process::id().cast_signed()).unwrap();
        assert!(open(own).unwrap().is_some_and(|h| !gone(&h)));
        assert!(open(Process { start: own.start - 1, ..own }).unwrap().is_none());
        assert!(open(Process { pid: -1, start: 0 }).unwrap().is_none());
        assert!(open(Process { pid: 0, start: 0 }).unwrap().is_none());
    }

    #[tokio::test]
    async fn two_can_wait_for_one_end_and_a_zombie_is_gone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = procs::identify(child.id().cast_signed()).unwrap();
        let handle = open(process).unwrap().unwrap();
        assert!(!gone(&handle));
        signal(&handle, Signal::KILL).unwrap();
        let (one, two) = tokio::join!(exited(&handle), exited(&handle));
        one.and(two).unwrap();
        assert!(gone(&handle));
        assert!(!procs::is_alive(process));
        assert_eq!(procs::state(process.pid), Some('Z'));
        child.wait().unwrap();
        assert!(gone(&handle));
        signal(&handle, Signal::TERM).unwrap();
        assert!(open(process).unwrap().is_none());
    }
}
