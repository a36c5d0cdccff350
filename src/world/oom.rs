//! Whether the kernel ended a process because its memory ran out: to the process that is a SIGKILL
//! like any other. Not here: caps.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup;
use crate::decide::Exit;

/// The count of a cgroup's members that were killed for memory, by the kernel's own file
/// `memory.events` (cgroup v2, with the memory controller), as it stood when a life began.
#[derive(Debug)]
pub struct OomCount {
    file: PathBuf,
    before: u64,
}

impl OomCount {
    /// To be taken when the process is in the cgroup it will stay in. None where nobody counts.
    pub fn of(pid: i32) -> Option<Self> {
        Self::at(&cgroup::directory_of(pid)?)
    }

    fn at(directory: &Path) -> Option<Self> {
        let file = directory.join("memory.events");
        let before = killed(&file)?;
        Some(Self { file, before })
    }

    /// The exit, told apart. A member that was not the main process may have been killed for
    /// memory earlier in the same life; then a later SIGKILL by hand is taken for the kernel's.
    pub fn tell_apart(&self, exit: Exit) -> Exit {
        let by_memory = exit == Exit::Signal(nix::libc::SIGKILL)
            && killed(&self.file).is_some_and(|now| now > self.before);
        if by_memory { Exit::OutOfMemory } else { exit }
    }
}

fn killed(file: &Path) -> Option<u64> {
    let events = fs::read_to_string(file).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: Exit = Exit::Signal(9);

    #[test]
    fn a_kill_that_the_kernel_counted_was_for_memory() {
        let folder = tempfile::tempdir().unwrap();
        let events = folder.path().join("memory.events");
        fs::write(&events, "low 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n").unwrap();
        let count = OomCount::at(folder.path()).unwrap();
        assert_eq!(count.tell_apart(KILLED), KILLED);
        fs::write(&events, "low 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n").unwrap();
        assert_eq!(count.tell_apart(KILLED), Exit::OutOfMemory);
        assert_eq!(count.tell_apart(Exit::Code(1)), Exit::Code(1));
    }

    #[test]
    fn where_nobody_counts_a_kill_is_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        assert!(OomCount::at(folder.path()).is_none());
    }
}
