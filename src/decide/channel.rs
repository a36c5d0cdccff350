//! What the channels of a session say of it.

use std::fmt;
use std::time::SystemTime;

use super::{Mono, Reading};

/// Where something was learnt about a session. In the order of trust: of two that say something
/// else at the same moment, the first is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// The agent called one of our hooks.
    Hook,
    /// The agent's own file of the living session.
    Registry,
    /// The agent's log of the conversation.
    Transcript,
    /// What the pane shows.
    Screen,
}

/// What a channel can say that a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is in the middle of a turn.
    Working,
    /// It sits at its prompt.
    Idle,
    /// It asks something.
    Dialog(Dialog),
    /// It sits at its prompt, and its last turn ended with an error.
    Failed(Failure),
}

/// What is asked. A channel that only knows that something is says [`Dialog::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Something that is asked before the first prompt, and that a key in a file would have spared.
    Start,
    /// Whether a tool may be used.
    Permission,
    /// A question of the agent's own.
    Question,
    /// How to go on after a usage limit.
    Limit,
    /// Something else, or nobody knows what.
    Other,
}

/// What an error that ended a turn means for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A usage limit: every turn of the account fails until it is reset.
    Limited {
        /// When that is, where the program said so.
        until: Option<SystemTime>,
    },
    /// No login, or one that is not accepted: every turn of the account fails until a person acts.
    LoggedOut,
    /// Nothing is left to pay with: every turn of the account fails until a person acts.
    Unpaid,
    /// The session asks for what there is not (a model): every turn fails until its config changes.
    Misconfigured,
    /// Another error, of the server or of the way to it; the next turn may go well.
    Errored,
    /// The conversation itself: every further turn of it fails.
    Wedged(Wedge),
}

/// What is wrong with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wedge {
    /// What is in it is refused.
    Poisoned,
    /// It is too long, or too large.
    Full,
}

/// One channel, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Which channel.
    pub channel: Channel,
    /// Since when that holds, as the channel itself says.
    pub at: Mono,
    /// What it says.
    pub doing: Doing,
    /// What exactly was seen, in a few words.
    pub evidence: String,
}

/// Why a program ended that says itself that another start like the last one would end the same
/// way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// Its conversation does not exist, or its id cannot be used.
    Conversation,
    /// Its service cannot be reached.
    Network,
}

impl Doing {
    /// How a session that does this reads.
    pub fn reading(self) -> Reading {
        match self {
            Self::Working => Reading::Working,
            Self::Idle => Reading::Idle,
            Self::Dialog(_) => Reading::Dialog,
            Self::Failed(Failure::Limited { .. }) => Reading::Limited,
            Self::Failed(Failure::LoggedOut) => Reading::LoggedOut,
            Self::Failed(Failure::Unpaid | Failure::Misconfigured | Failure::Errored) => {
                Reading::Errored
            }
            Self::Failed(Failure::Wedged(_)) => Reading::Wedged,
        }
    }
}

impl Failure {
    /// What the session does, after "it".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Limited { .. } => "waits for the reset of a usage limit",
            Self::LoggedOut => "has no login that is accepted",
            Self::Unpaid => "has nothing left to pay with",
            Self::Misconfigured => "asks for what there is not",
            Self::Errored => "failed at its last turn",
            Self::Wedged(_) => "would fail at every further turn",
        }
    }
}

impl Sighting {
    /// Whether it tells of something that keeps a turn from going on.
    pub fn stands_in_the_way(&self) -> bool {
        matches!(self.doing, Doing::Dialog(_) | Doing::Failed(Failure::Limited { .. }))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conversation => "it could not open its conversation",
            Self::Network => "it could not reach its service",
        })
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hook => "hook",
            Self::Registry => "registry",
            Self::Transcript => "transcript",
            Self::Screen => "screen",
        })
    }
}
