//! The signals that speak to the daemon. SIGCHLD is the reaper's.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

/// What a signal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Leave; the units live on.
    Leave,
    /// Re-exec in place with the binary and config it was started with.
    Reexec,
}

/// The streams that the handlers write a byte to.
pub(super) struct Signals {
    leave: UnixStream,
    reexec: UnixStream,
}

impl Signals {
    /// Installs the handlers.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { leave: stream(&[SIGTERM, SIGINT])?, reexec: stream(&[SIGHUP])? })
    }

    /// The next signal. Cancel-safe: a byte is read whole or not at all.
    pub(super) async fn next(&mut self) -> io::Result<Signal> {
        let mut byte = [0_u8; 1];
        let mut other = [0_u8; 1];
        tokio::select! {
            read = self.leave.read_exact(&mut byte) => read.map(|_| Signal::Leave),
            read = self.reexec.read_exact(&mut other) => read.map(|_| Signal::Reexec),
        }
    }
}

fn stream(signals: &[i32]) -> io::Result<UnixStream> {
    let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    for signal in signals {
        pipe::register(*signal, writer.try_clone()?)?;
    }
    reader.set_nonblocking(true)?;
    UnixStream::from_std(reader)
}
