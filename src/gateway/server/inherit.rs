//! Listeners that outlive an image: a gateway that becomes another binary in place keeps them open,
//! and callers wait on them for the moment that it takes. systemd's sockets are taken the same way.
//! Not here: when to become another binary.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, sockopt::socket_domain};

use super::listen::Kept;
use crate::config::Endpoint;
use crate::world::spawn;

/// Names the descriptors that the next image is to take over.
pub const VARIABLE: &str = "SUPERVISOR_GATEWAY_LISTENERS";
/// The first descriptor of systemd's sockets.
const FIRST: i32 = 3;

/// Listeners that an image before us, or systemd, has opened.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Kept>);

impl Inherited {
    /// Takes over what the environment names. To be called before anything is opened.
    pub fn from_environment() -> Self {
        let ours = std::env::var(VARIABLE).unwrap_or_default();
        let ours = ours.split(',').filter_map(|number| number.parse().ok());
        let systemds = match (variable("LISTEN_PID"), variable("LISTEN_FDS")) {
            (Some(pid), Some(count)) if pid == std::process::id().cast_signed() => count.min(64),
            _ => 0,
        };
        let numbers = ours.chain(FIRST..FIRST + systemds);
        Self(numbers.filter_map(spawn::inherit).filter_map(kept).collect())
    }

    /// The listener of `endpoint`, if it is among them.
    pub(super) fn take(&mut self, endpoint: &Endpoint) -> Option<Kept> {
        let at = self.0.iter().position(|kept| kept.is(endpoint))?;
        Some(self.0.swap_remove(at))
    }
}

fn variable(name: &str) -> Option<i32> {
    std::env::var(name).ok()?.parse().ok()
}

fn kept(fd: OwnedFd) -> Option<Kept> {
    match socket_domain(&fd).ok()? {
        AddressFamily::INET | AddressFamily::INET6 => Some(Kept::Tcp(fd.into())),
        AddressFamily::UNIX => {
            let listener = UnixListener::from(fd);
            let path = listener.local_addr().ok()?.as_pathname()?.to_path_buf();
            Some(Kept::Unix(listener, path))
        }
        _ => None,
    }
}

/// The value of [`VARIABLE`] for these descriptors, which stay open over an exec from here on.
///
/// # Errors
/// The kernel refuses.
pub fn name(descriptors: &[OwnedFd]) -> std::io::Result<String> {
    let mut numbers = Vec::new();
    for descriptor in descriptors {
        fcntl_setfd(descriptor, FdFlags::empty())?;
        numbers.push(descriptor.as_raw_fd().to_string());
    }
    Ok(numbers.join(","))
}
