//! What the daemon tells the service manager that started it, over the socket that
//! `NOTIFY_SOCKET` names. Without that variable every call is a no-op. Not here: when to say
//! what, and the D-Bus side of systemd (see [`super::systemd`]).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Why the manager could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The variable names something that is no unix socket (a `vsock:` address, a relative path).
    #[error("NOTIFY_SOCKET={0:?} is neither an absolute path nor an '@' socket")]
    NotASocket(OsString),
    /// No socket of our own could be made.
    #[error("cannot make the socket that speaks to NOTIFY_SOCKET")]
    Open(#[source] io::Error),
    /// The datagram was refused, or would have had to wait.
    #[error("cannot tell the service manager {what:?}")]
    Send {
        /// The first line of the message.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The line to the service manager.
#[derive(Debug)]
pub struct Notifier {
    /// Nothing, where nobody listens.
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET` from our own environment.
    ///
    /// # Errors
    /// [`NotifyError`] when the variable is set and cannot be used.
    pub fn from_environment() -> Result<Self, NotifyError> {
        Self::to(std::env::var_os("NOTIFY_SOCKET").as_deref())
    }

    /// A notifier to the socket that `NOTIFY_SOCKET` would name; to nobody with `None` or an
    /// empty name.
    ///
    /// # Errors
    /// [`NotifyError`] when the name cannot be used.
    pub fn to(socket: Option<&OsStr>) -> Result<Self, NotifyError> {
        let Some(name) = socket.filter(|name| !name.is_empty()) else {
            return Ok(Self { to: None });
        };
        let address = match name.as_bytes() {
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
            [b'/', ..] => SocketAddr::from_pathname(name),
            _ => return Err(NotifyError::NotASocket(name.into())),
        }
        .map_err(|_| NotifyError::NotASocket(name.into()))?;
        let ours = UnixDatagram::unbound().map_err(NotifyError::Open)?;
        // A manager that does not read must cost a message, never a turn of the loop.
        ours.set_nonblocking(true).map_err(NotifyError::Open)?;
        Ok(Self { to: Some((ours, address)) })
    }

    /// A notifier to nobody.
    pub fn silent() -> Self {
        Self { to: None }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.to.is_some()
    }

    /// `READY=1`: the start, or the reload, is over.
    ///
    /// # Errors
    /// [`NotifyError::Send`]; nothing is lost but this message.
    pub fn ready(&self) -> Result<(), NotifyError> {
        self.send("READY=1")
    }

    /// `STATUS=…`: one line for `systemctl status`.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn status(&self, line: &str) -> Result<(), NotifyError> {
        // A newline would begin another assignment.
        self.send(&format!("STATUS={}", line.replace(['\n', '\r'], " ")))
    }

    /// `WATCHDOG=1`: a whole turn of the loop is done.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn watchdog(&self) -> Result<(), NotifyError> {
        self.send("WATCHDOG=1")
    }

    /// `RELOADING=1`, to be followed by [`Self::ready`]. `Type=notify-reload` wants the time of
    /// the message (`CLOCK_MONOTONIC`, microseconds) to tell it from an older one.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn reloading(&self) -> Result<(), NotifyError> {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"))
    }

    /// `STOPPING=1`: the end has begun.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn stopping(&self) -> Result<(), NotifyError> {
        self.send("STOPPING=1")
    }

    /// `MAINPID=…`: this process is the daemon from here on.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn main_pid(&self, pid: i32) -> Result<(), NotifyError> {
        self.send(&format!("MAINPID={pid}"))
    }

    fn send(&self, message: &str) -> Result<(), NotifyError> {
        let Some((ours, address)) = &self.to else { return Ok(()) };
        ours.send_to_addr(message.as_bytes(), address).map_err(|source| NotifyError::Send {
            what: message.lines().next().unwrap_or_default().to_owned(),
            source,
        })?;
        Ok(())
    }
}

/// How often [`Notifier::watchdog`] must be called: half of what the manager allows
/// (`WATCHDOG_USEC`), as systemd advises. `None` when it does not watch us.
pub fn watchdog_interval() -> Option<Duration> {
    let variable = |name: &str| std::env::var(name).ok();
    interval(variable("WATCHDOG_USEC").as_deref(), variable("WATCHDOG_PID").as_deref())
}

fn interval(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let usec: u64 = usec?.parse().ok().filter(|&usec| usec > 0)?;
    // A parent's variables may have reached us; then it is the parent that is watched.
    if pid.is_some_and(|pid| pid.parse() != Ok(std::process::id())) {
        return None;
    }
    Some(Duration::from_micros(usec) / 2)
}

#[cfg(test)]
mod tests;
