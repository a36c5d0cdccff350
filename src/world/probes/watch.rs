//! Waits that the kernel ends: for the routes to change, for docker's socket to appear. Open the
//! watch, look, and only then wait: what happens between the look and the wait is not lost.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use inotify::{EventMask, Inotify, WatchMask};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Multicast groups of rtnetlink (`linux/rtnetlink.h`). Links are among them because the kernel
/// drops the IPv4 routes of a link that goes down without a message about the routes.
const GROUPS: u32 = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;

/// Room for one read. What does not fit is lost, which is no loss: that something changed is all
/// that is asked.
const READ_SIZE: usize = 8 * 1024;

/// Why nothing can be waited for.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel gave no rtnetlink socket, or took it away.
    #[error("cannot watch the kernel's routes")]
    Routes(#[source] io::Error),
    /// The folder of the socket cannot be watched.
    #[error("cannot watch {path} for docker's socket")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The kernel's word on routes and links.
#[derive(Debug)]
pub struct NetworkWatch(AsyncFd<OwnedFd>);

impl NetworkWatch {
    /// Listens from here on. Needs a tokio runtime, and no privilege.
    ///
    /// # Errors
    /// [`WatchError::Routes`].
    pub fn open() -> Result<Self, WatchError> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )
        .map_err(routes)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS)).map_err(routes)?;
        Ok(Self(readable(fd).map_err(WatchError::Routes)?))
    }

    /// Returns once a route or a link has changed since the last return (or the opening). Waits
    /// without end where nothing changes; may be dropped at any time.
    ///
    /// # Errors
    /// [`WatchError::Routes`].
    pub async fn changed(&mut self) -> Result<(), WatchError> {
        loop {
            let mut ready = self.0.readable().await.map_err(WatchError::Routes)?;
            let heard = drain(ready.get_inner().as_raw_fd())?;
            ready.clear_ready();
            if heard {
                return Ok(());
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its safe successor does not exist; an owned descriptor keeps what the unsafe one asks"
)]
fn readable<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Reads all there is; whether there was anything. The kernel says `ENOBUFS` when it had more to
/// tell than the buffer held: that is a change too.
fn drain(fd: i32) -> Result<bool, WatchError> {
    let mut heard = false;
    let mut buffer = [0; READ_SIZE];
    loop {
        match recv(fd, &mut buffer, MsgFlags::empty()) {
            Err(Errno::EAGAIN) => return Ok(heard),
            Ok(_) | Err(Errno::ENOBUFS) => heard = true,
            Err(Errno::EINTR) => {}
            Err(other) => return Err(routes(other)),
        }
    }
}

fn routes(errno: Errno) -> WatchError {
    WatchError::Routes(errno.into())
}

/// The kernel's word on one path: docker's socket, or the nearest part of its path that is still
/// missing.
#[derive(Debug)]
pub struct DockerWatch {
    inotify: AsyncFd<Inotify>,
    folder: PathBuf,
    awaited: OsString,
}

impl DockerWatch {
    /// Watches the nearest folder above `socket` that exists. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`WatchError::Folder`].
    pub fn open(socket: &Path) -> Result<Self, WatchError> {
        loop {
            let (folder, awaited) = nearest(socket);
            let failed = |source| WatchError::Folder { path: folder.to_owned(), source };
            let inotify = Inotify::init().map_err(failed)?;
            let mask = WatchMask::CREATE
                | WatchMask::MOVED_TO
                | WatchMask::ATTRIB
                | WatchMask::DELETE_SELF
                | WatchMask::MOVE_SELF
                | WatchMask::ONLYDIR;
            match inotify.watches().add(folder, mask) {
                Ok(_) => {}
                // It went away in between: a folder further up is the nearest now.
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(failed(source)),
            }
            // A folder made between the look and the watch would be waited for in vain.
            if nearest(socket).0 == folder {
                return Ok(Self {
                    inotify: readable(inotify).map_err(failed)?,
                    folder: folder.to_owned(),
                    awaited: awaited.to_owned(),
                });
            }
        }
    }

    /// Returns once the awaited part of the path was made, moved there or changed its mode, or
    /// the watched folder itself went. Then look, with a new watch opened before the look. Waits
    /// without end where nothing changes; may be dropped at any time.
    ///
    /// # Errors
    /// [`WatchError::Folder`].
    pub async fn changed(mut self) -> Result<(), WatchError> {
        let mut buffer = [0; READ_SIZE];
        loop {
            let failed = |source| WatchError::Folder { path: self.folder.clone(), source };
            let mut ready = self.inotify.readable_mut().await.map_err(failed)?;
            match ready.get_inner_mut().read_events(&mut buffer) {
                Ok(mut events) => {
                    if events.any(|event| concerns(event.mask, event.name, &self.awaited)) {
                        return Ok(());
                    }
                }
                Err(empty) if empty.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(source) => return Err(failed(source)),
            }
        }
    }
}

/// The nearest folder above `path` that exists, and the name in it that leads to `path`.
fn nearest(path: &Path) -> (&Path, &OsStr) {
    let mut awaited = path.file_name().unwrap_or_default();
    for folder in path.ancestors().skip(1) {
        if folder.is_dir() {
            return (folder, awaited);
        }
        awaited = folder.file_name().unwrap_or_default();
    }
    (Path::new("/"), awaited)
}

fn concerns(mask: EventMask, name: Option<&OsStr>, awaited: &OsStr) -> bool {
    // An overflow, an unmount or the folder's own end: whatever it was, it is time to look.
    let about_the_watch = EventMask::Q_OVERFLOW
        | EventMask::IGNORED
        | EventMask::UNMOUNT
        | EventMask::DELETE_SELF
        | EventMask::MOVE_SELF;
    mask.intersects(about_the_watch) || name == Some(awaited)
}
