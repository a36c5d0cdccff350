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
    /// The kernel ended it by SIGKILL, because its memory ran out.
    OutOfMemory,
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
    /// The conversation of this agent session is open in no other process.
    Conversation(UnitName),
    /// Nobody else runs in the place of this agent session.
    Alone(UnitName),
    /// All that the operator requires before the first start of an agent.
    Requirements,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => name.fmt(f),
            Self::Docker => f.write_str("docker"),
            Self::Network => f.write_str("network"),
            Self::Conversation(_) => f.write_str("its conversation"),
            Self::Alone(_) => f.write_str("its place"),
            Self::Requirements => f.write_str("what is required"),
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
    /// A session whose agent is in the middle of a turn.
    Working,
    /// A session at its prompt. A plain command, which has no channels to be read by, reads so
    /// whenever it is up.
    Idle,
    /// A session that asks a question which text would answer: nothing is typed into it.
    Dialog,
    /// A session that waits for the reset of a usage limit.
    Limited,
    /// A session whose account has no login that is accepted.
    LoggedOut,
    /// A session whose last turn ended in an error; the next one may go well.
    Errored,
    /// A session every further turn of which will fail.
    Wedged,
    /// A session in the middle of a turn in which nothing moves any more.
    Stalled,
    /// The process is gone.
    Dead,
    /// Nobody could look. Restarts nothing.
    Unknown,
}

impl Reading {
    /// The word for it, as `status --json` and `read-screen` show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Starting => "starting",
            Self::Working => "working",
            Self::Idle => "idle",
            Self::Dialog => "dialog",
            Self::Limited => "limited",
            Self::LoggedOut => "logged_out",
            Self::Errored => "errored",
            Self::Wedged => "wedged",
            Self::Stalled => "stalled",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by SIG{name}"),
                None => write!(f, "killed by signal {number}"),
            },
            Self::OutOfMemory => f.write_str("killed by the kernel: out of memory"),
            Self::Unknown => f.write_str("ended, nobody could say how"),
        }
    }
}

/// The name of a signal without `SIG`, as on every Linux that we run on (x86_64, aarch64).
pub fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    NAMES.get(index).copied()
}
