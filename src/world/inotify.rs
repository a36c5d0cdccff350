//! inotify: being told by the kernel that a file or a folder changed, awaited or in a blocking
//! way. Not here: what to do about it.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use ::inotify::{Inotify, Watches};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;

pub use ::inotify::{EventMask, WatchDescriptor, WatchMask};

/// Room for a few dozen events; what does not fit comes with the next read.
const BUFFER: usize = 4096;

/// Whether an error means that the user has no more instances or watches, or the process no more
/// descriptors: that passes, and until then it has to do without.
pub fn is_used_up(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let used_up = [Errno::MFILE, Errno::NFILE, Errno::NOSPC].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|error| used_up.contains(&error))
}

/// An inotify instance for the command line, which may block.
#[derive(Debug)]
pub struct Watcher(Inotify);

impl Watcher {
    /// An instance that watches nothing yet.
    ///
    /// # Errors
    /// The user's limit of instances (`fs.inotify.max_user_instances`) is reached.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Inotify::init()?))
    }

    /// Watches `path`; again for the same file replaces the mask.
    ///
    /// # Errors
    /// The file is not there, or the limit of watches is reached.
    pub fn add(&mut self, path: &Path, mask: WatchMask) -> io::Result<()> {
        self.0.watches().add(path, mask)?;
        Ok(())
    }

    /// Waits until something changed, at most for `ceiling`; answers whether it did.
    ///
    /// # Errors
    /// As `poll` and `read` have them; an interruption by a signal is none.
    pub fn wait(&mut self, ceiling: Option<Duration>) -> io::Result<bool> {
        let timeout = ceiling.and_then(|ceiling| Timespec::try_from(ceiling).ok());
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut buffer = [0; BUFFER];
        match self.0.read_events(&mut buffer) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(err) => Err(err),
        }
    }
}

/// An inotify instance for the loop.
#[derive(Debug)]
pub struct AsyncWatcher(AsyncFd<Inotify>);

impl AsyncWatcher {
    /// An instance that watches nothing yet.
    ///
    /// # Errors
    /// As [`Watcher::new`].
    pub fn new() -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe, for the sake of types that could change their \
                      descriptor; an Inotify owns the one it was made with until it is dropped"
        )]
        let fd = AsyncFd::new(Inotify::init()?)?;
        Ok(Self(fd))
    }

    /// Watches `path`; again for the same file replaces the mask.
    ///
    /// # Errors
    /// As [`Watcher::add`].
    pub fn add(&mut self, path: &Path, mask: WatchMask) -> io::Result<WatchDescriptor> {
        self.0.get_ref().watches().add(path, mask)
    }

    /// Ends a watch; one that has ended by itself is no error.
    pub fn remove(&mut self, watch: WatchDescriptor) {
        // The kernel refuses only what it no longer watches, which is what was wanted.
        let _ = self.0.get_ref().watches().remove(watch);
    }

    /// Waits until something changed: for ever, if nothing does; the caller has the deadline.
    /// Cancel-safe.
    ///
    /// # Errors
    /// As `read` has them.
    pub async fn changed(&mut self) -> io::Result<Vec<WatchDescriptor>> {
        loop {
            let mut guard = self.0.readable_mut().await?;
            let mut buffer = [0; BUFFER];
            let read = guard.try_io(|fd| {
                let events = fd.get_mut().read_events(&mut buffer)?;
                Ok(events.map(|event| event.wd).collect())
            });
            if let Ok(changed) = read {
                return changed;
            }
        }
    }

    /// Waits as [`AsyncWatcher::changed`] does, and answers with the names in the folders. Cancel-safe.
    ///
    /// # Errors
    /// As `read` has them.
    pub async fn told(&mut self) -> io::Result<Vec<Told>> {
        loop {
            let mut guard = self.0.readable_mut().await?;
            let mut buffer = [0; BUFFER];
            let read = guard.try_io(|fd| {
                let events = fd.get_mut().read_events(&mut buffer)?;
                let told = |event: ::inotify::Event<&std::ffi::OsStr>| Told {
                    watch: event.wd,
                    mask: event.mask,
                    name: event.name.map(OsString::from),
                };
                Ok(events.map(told).collect())
            });
            if let Ok(told) = read {
                return told;
            }
        }
    }

    /// What adds watches from another thread: a mount that hangs then holds that one alone.
    pub fn adder(&self) -> Adder {
        Adder(self.0.get_ref().watches())
    }
}

/// One thing that the kernel told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of which watch; none of ours if too much happened at once.
    pub watch: WatchDescriptor,
    /// What happened.
    pub mask: EventMask,
    /// To what in the watched folder.
    pub name: Option<OsString>,
}

/// Adds watches to an instance that another thread waits at.
#[derive(Clone, Debug)]
pub struct Adder(Watches);

impl Adder {
    /// As [`AsyncWatcher::add`].
    ///
    /// # Errors
    /// As [`Watcher::add`].
    pub fn add(&mut self, path: &Path, mask: WatchMask) -> io::Result<WatchDescriptor> {
        self.0.add(path, mask)
    }
}
