//! For tests: a disk that fills up, or cannot be written, really.

use std::path::Path;
use std::process::Command;

/// A tmpfs of one MiB, unmounted when dropped, and in fact when the last file on it is closed: the
/// writer of a ledger ends a moment after it.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Mounts it; `None`, and a line that says so, where that cannot be done.
    pub(crate) fn mount(at: &'a Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: a full disk needs root to mount a tmpfs");
            return None;
        }
        let options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        match Command::new("mount").args(options).arg(at).status() {
            Ok(status) if status.success() => Some(Self(at)),
            other => {
                eprintln!("SKIPPED: mounting a tmpfs is not possible here: {other:?}");
                None
            }
        }
    }

    /// Makes it such that it can be written, or not even by root.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
