//! tmux: one server per session, and what is done to the one pane in it. In reading order:
//! [`Tmux`] is the program, [`Server`] one running server (`start`, `reconnect`, `kill`), its
//! further methods the pane (`state`, `last_words`, `capture`, `respawn`, keys, `type_and_confirm`),
//! and [`Control`] the connection that all of them speak over.
//!
//! Not here: when any of this is to happen, how a child process is made ([`Spawner`] is handed
//! in), and how everything that belongs to a session is killed.

mod birth;
mod control;
mod elsewhere;
mod helper;
mod leaving;
mod pane;
mod process;
mod quote;
mod server;
mod typing;
mod version;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use crate::decide::Process;

pub use control::{Control, ControlError, Notifications};
pub use elsewhere::NotAsked;
pub use pane::{Cursor, LastWords, PaneProgram, PaneState};
pub use quote::Words;
pub use server::{ReconnectError, Server, ServerSpec, Size, StartError, Up};
pub use typing::Untyped;
pub use version::{FindError, Tmux, Version};
pub use wire::Notification;

/// How the hands get a child process: the one thing they need that another hand does.
pub trait Spawner {
    /// Starts `argv` (its first word is the program, as an absolute path) with exactly `env` and
    /// the three descriptors, and returns at once. The implementor reaps it.
    ///
    /// # Errors
    /// Whatever kept the child from being made.
    fn spawn(
        &self,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        stdio: Stdio,
    ) -> io::Result<Spawned>;
}

/// What a child reads and writes.
#[derive(Debug)]
pub struct Stdio {
    /// Descriptor 0.
    pub stdin: OwnedFd,
    /// Descriptor 1.
    pub stdout: OwnedFd,
    /// Descriptor 2.
    pub stderr: OwnedFd,
}

/// A child that has been started.
#[derive(Debug)]
pub struct Spawned {
    /// Which process it is.
    pub process: Process,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
}

/// A pane's id, `%N`: the only target that is ever used. A session's name would also match by
/// prefix, and by the names of other windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaneId(u32);

impl PaneId {
    /// The pane a server is born with. Ids are never used again, and respawning keeps them.
    const FIRST: Self = Self(0);

    /// Reads `%N`; `None` if `text` is something else.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('%')?.parse().ok().map(Self)
    }
}

impl fmt::Display for PaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}
