//! The words of the house as types.

use std::fmt;

/// The longest unit name. A name becomes part of a socket path, and those end at 108 bytes.
const NAME_MAX: usize = 40;

/// Names that mean something else wherever a unit could be named.
const RESERVED: [&str; 3] = ["docker", "network", "supervisor"];

/// The name of a unit: lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or a
/// digit, at most 40 bytes, and none of the reserved words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(Box<str>);

impl UnitName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`BadName`] says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, BadName> {
        if RESERVED.contains(&name) {
            return Err(BadName::Reserved(name.into()));
        }
        let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest_is_well =
            name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
        if !begins_well || !rest_is_well || name.len() > NAME_MAX {
            return Err(BadName::Shape(name.into()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no unit name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadName {
    /// The word means something else: a dependency of the machine, or the supervisor itself.
    Reserved(String),
    /// Characters or length.
    Shape(String),
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(name) => {
                write!(f, "{name:?} is a reserved word, not a unit's name: choose another")
            }
            Self::Shape(name) => write!(
                f,
                "{name:?} is no unit name: use lower-case letters, digits, '-', '_' and '.', \
                 beginning with a letter or digit, at most {NAME_MAX} characters"
            ),
        }
    }
}

impl std::error::Error for BadName {}

/// What kind of thing a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnitKind {
    /// A long-running command of ours, or a systemd unit that we command.
    Service,
    /// An interactive program in tmux.
    Session,
    /// A session of which at most one conversation may ever run, ours or hand-launched.
    Orchestrator,
}

/// What the operator wants of a unit; kept over reboots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It shall run.
    Up,
    /// It shall not.
    Down,
}

/// One process for certain: a pid is reused, a pid with its start time is not (within one boot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start: u64,
}

/// How a process ended. Never guessed: what could not be learnt is [`Exit::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and nobody could say how it ended.
    Unknown,
}

/// Something that must be there before a unit starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// Another unit, up and ready.
    Unit(UnitName),
    /// The docker engine: its socket answers `/_ping`.
    Docker,
    /// The network: a default route.
    Network,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => name.fmt(f),
            Self::Docker => f.write_str("docker"),
            Self::Network => f.write_str("network"),
        }
    }
}

/// What a unit is doing, judged from what can be seen of it. A service is only ever ready or
/// unready; the other words are those of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A service that has said it is ready, or that need not say so.
    Ready,
    /// A service that is not (yet) ready.
    Unready,
    /// A session between its start and its first prompt.
    Starting,
    /// A session at its prompt. A plain command, which has no channels to be read by, reads so
    /// whenever it is up.
    Idle,
    /// The process is gone.
    Dead,
    /// Nobody could look. Restarts nothing.
    Unknown,
}
