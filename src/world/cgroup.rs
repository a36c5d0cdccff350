//! A control group of its own for each unit, for grouping and ending it: no process can leave it
//! unnoticed. No controller is ever enabled here: a unit of systemd's whose cgroup has one in its
//! `subtree_control` cannot be started again over living processes.
//!
//! Not here: putting a process into a leaf (it is born there, [`super::spawn`]); units without a
//! cgroup ([`super::group`]).

pub(crate) mod tree;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat};
use tokio::io::Interest;

use super::{pidfd, procs};
use crate::decide::UnitName;

/// How often a kernel without `cgroup.kill` (before 5.14) is made to kill a leaf one by one; as it
/// is frozen meanwhile, one round is enough unless a parent outside puts more in.
const KILL_ROUNDS: u32 = 8;

/// How deep cgroups in a leaf are followed; the kernel's own limit is beyond any sense.
const DEPTH_MAX: u32 = 32;

/// `cgroup.events` has two short lines today.
const EVENTS_MAX: usize = 512;

/// Where to look for what the kernel says of cgroups.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The mounts: `/proc/self/mountinfo`.
    pub mountinfo: PathBuf,
    /// Our own cgroup: `/proc/self/cgroup`.
    pub own: PathBuf,
    /// There if systemd booted the machine: `/run/systemd/system`.
    pub systemd: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            mountinfo: "/proc/self/mountinfo".into(),
            own: "/proc/self/cgroup".into(),
            systemd: "/run/systemd/system".into(),
        }
    }
}

/// The directory of the cgroup that `pid` runs in; none where there is no cgroup v2 to be seen.
pub fn directory_of(pid: i32) -> Option<PathBuf> {
    let own = format!("/proc/{pid}/cgroup").into();
    tree::directory_of(&Roots { own, ..Roots::default() }).ok()
}

/// The part of the cgroup tree that is ours: `OWN/supervisor-INSTANCE`.
#[derive(Clone, Debug)]
pub struct Cgroups {
    directory: PathBuf,
}

impl Cgroups {
    /// Finds our own cgroup and makes a child of it, if that is ours to do: where systemd rules,
    /// it must have been delegated to us.
    ///
    /// # Errors
    /// Why units must do without; the reason does not change while we run.
    pub fn find(instance: &str, roots: &Roots) -> Result<Self, NoCgroups> {
        let own = tree::directory_of(roots)?;
        if roots.systemd.exists() && !is_delegated(&own) {
            return Err(NoCgroups::NotDelegated { directory: own });
        }
        let directory = own.join(format!("{PREFIX}{instance}"));
        let refused = |source| NoCgroups::Refused { directory: own.clone(), source };
        make_directory(&directory).map_err(refused)?;
        // To be born in another cgroup needs the right to move from here to there.
        for side in [&own, &directory] {
            accessat(CWD, side.join("cgroup.procs"), Access::WRITE_OK, AtFlags::EACCESS)
                .map_err(|e| refused(e.into()))?;
        }
        Ok(Self { directory })
    }

    /// The leaf of a unit, made if need be.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn leaf(&self, unit: &UnitName) -> io::Result<Leaf> {
        let plain = self.directory.join(unit.as_str());
        // The kernel's own files lie beside the leaves, and `cgroup.procs` is a unit's name too.
        let directory = match plain.is_file() {
            true => self.directory.join(format!("_{unit}")),
            false => plain,
        };
        make_directory(&directory)?;
        Ok(Leaf { directory })
    }

    /// Removes every leaf that nobody lives in, be it of a unit that is gone or one that was
    /// killed (see [`Leaf::kill`]).
    pub fn tidy(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
            let leaf = Leaf { directory: entry.path() };
            if leaf.is_empty().unwrap_or(false) {
                // Somebody may have moved in since; then it is no leftover.
                let _ = leaf.remove();
            }
        }
    }

    /// Removes our part of the tree if nobody lives there: nothing of it is needed again.
    pub fn remove(&self) {
        self.tidy();
        // It stays where somebody does live there.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// What our part of the tree is called, before the instance.
const PREFIX: &str = "supervisor-";

/// Why there are no cgroups for us.
#[derive(Debug, thiserror::Error)]
pub enum NoCgroups {
    /// The kernel's files could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is no cgroup v2 mount, or none that shows our own cgroup.
    #[error("no cgroup v2 tree is mounted that shows our own cgroup")]
    NotMounted,
    /// systemd rules here, and has not delegated our cgroup.
    #[error("systemd has not delegated {} to us", directory.display())]
    NotDelegated {
        /// Our own cgroup.
        directory: PathBuf,
    },
    /// We cannot make a child of our own cgroup.
    #[error("no cgroup can be made in {}", directory.display())]
    Refused {
        /// Our own cgroup.
        directory: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl NoCgroups {
    /// What a person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "mount /proc",
            Self::NotMounted => {
                "mount cgroup2 on /sys/fs/cgroup (boot with systemd.unified_cgroup_hierarchy=1)"
            }
            Self::NotDelegated { .. } => "set Delegate=yes in the supervisor's systemd unit",
            Self::Refused { .. } => {
                "make our cgroup's directory and its cgroup.procs writable for the supervisor's user"
            }
        }
    }
}

/// The cgroup of one unit and whatever cgroups the unit has made in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    directory: PathBuf,
}

impl Leaf {
    /// The leaf that a record speaks of; `None` if that path is no leaf of this instance, for
    /// ending the wrong cgroup could end the machine. The leaf itself may be gone, which counts as
    /// empty.
    pub fn at(directory: PathBuf, instance: &str) -> Option<Self> {
        let parent = directory.parent()?.file_name()?.to_str()?;
        let is_leaf = parent.strip_prefix(PREFIX) == Some(instance)
            && directory.is_absolute()
            && directory.components().all(|c| c != std::path::Component::ParentDir);
        is_leaf.then_some(Self { directory })
    }

    /// For the record.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// A handle on it, for a child to be born there.
    ///
    /// # Errors
    /// If it is gone.
    pub fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.directory, flags, Mode::empty())?)
    }

    /// The pids in it and in the cgroups within, zombies not included.
    ///
    /// # Errors
    /// If it is there and cannot be read: then nothing is known of it.
    pub fn members(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        for directory in subtree(&self.directory)? {
            let text = or_if_gone(fs::read_to_string(directory.join("cgroup.procs")))?;
            // 0 stands for a process that our pid namespace does not show.
            pids.extend(text.lines().filter_map(|l| l.parse::<i32>().ok()).filter(|p| *p > 0));
        }
        Ok(pids)
    }

    /// Whether no process is in it, nor in the cgroups within.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(!is_populated(&or_if_gone(fs::read_to_string(self.directory.join(EVENTS)))?))
    }

    /// Kills every process in it and in the cgroups within, those included that are being forked.
    /// They are gone a little later: [`Leaf::emptied`].
    ///
    /// A leaf that was once killed so is of no further use: a child that is born into it with
    /// clone3 is killed at once, because the kernel compares the count of kills of the parent's
    /// cgroup with that of the child's (seen on Linux 6.18). It is to be removed and made anew.
    ///
    /// # Errors
    /// If we may not.
    pub fn kill(&self) -> io::Result<()> {
        match fs::write(self.directory.join("cgroup.kill"), "1") {
            Ok(()) => Ok(()),
            Err(error) if is_gone(&error) && self.directory.exists() => self.kill_one_by_one(),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn kill_one_by_one(&self) -> io::Result<()> {
        let freeze = self.directory.join("cgroup.freeze");
        // Older still (before 5.2) there is no freezer, and rounds must do.
        let frozen = fs::write(&freeze, "1").is_ok();
        for _ in 0..KILL_ROUNDS {
            let found: Vec<_> = self.members()?.into_iter().filter_map(procs::identify).collect();
            // Who was in the leaf before and after it was identified is the one who is in it.
            let still = self.members()?;
            if still.is_empty() {
                break;
            }
            for process in found.into_iter().filter(|p| still.contains(&p.pid)) {
                if let Some(handle) = pidfd::open(process)? {
                    pidfd::signal(&handle, rustix::process::Signal::KILL)?;
                }
            }
        }
        if frozen {
            fs::write(&freeze, "0")?;
        }
        Ok(())
    }

    /// Waits until no process is in it; `false` if some still is after `ceiling`.
    ///
    /// # Errors
    /// If it cannot be watched.
    pub async fn emptied(&self, ceiling: Duration) -> io::Result<bool> {
        let events = match File::open(self.directory.join(EVENTS)) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(true),
            Err(error) => return Err(error),
        };
        let notices = pidfd::watch(events.try_clone()?.into(), Interest::PRIORITY)?;
        let watch = async {
            // The notice is put back before the look, so a change after the look is a new notice.
            while is_populated(&read_events(&events)?) {
                notices.ready(Interest::PRIORITY).await?.clear_ready();
            }
            Ok(true)
        };
        tokio::time::timeout(ceiling, watch).await.unwrap_or(Ok(false))
    }

    /// Removes it and the cgroups within. One that is gone is removed.
    ///
    /// # Errors
    /// If a process is still in it (`EBUSY`).
    pub fn remove(&self) -> io::Result<()> {
        for directory in subtree(&self.directory)?.iter().rev() {
            or_if_gone(fs::remove_dir(directory))?;
        }
        Ok(())
    }
}

const EVENTS: &str = "cgroup.events";

fn is_populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

/// Reads from the beginning, which also tells the kernel that this state has been seen.
fn read_events(events: &File) -> io::Result<String> {
    let mut bytes = vec![0; EVENTS_MAX];
    match events.read_at(&mut bytes, 0) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Err(error) if is_gone(&error) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The directory and those below it, each before those within it.
fn subtree(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![top.to_owned()];
    let mut level = vec![top.to_owned()];
    for _ in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for directory in level {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    below.push(entry.path());
                }
            }
        }
        if below.is_empty() {
            break;
        }
        found.extend(below.iter().cloned());
        level = below;
    }
    Ok(found)
}

/// A cgroup that is removed while its file is open says `ENODEV`.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

fn or_if_gone<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if is_gone(&error) => Ok(T::default()),
        other => other,
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// systemd marks what it has delegated: `trusted.` can be seen by root only.
fn is_delegated(directory: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        matches!(rustix::fs::getxattr(directory, *name, &mut value[..]), Ok(1) if value[0] == b'1')
    })
}

#[cfg(test)]
pub(super) mod tests;
