//! What an operator asks of the watchdog.

use std::time::Duration;

use super::UnitName;
use super::message::MessageId;

/// What an operator asks. The names were checked by whoever passes them on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Wish up.
    Start(Vec<UnitName>),
    /// Wish down.
    Stop(Vec<UnitName>),
    /// Wish up, by a new process.
    Restart {
        /// Which units.
        units: Vec<UnitName>,
        /// With a new conversation.
        fresh: bool,
    },
    /// All down, wishes unchanged.
    Drain,
    /// This phase begins.
    Phase(String),
    /// Type this into a session, once.
    Tell {
        /// Which session.
        unit: UnitName,
        /// The name of the message, which nobody has used before.
        id: MessageId,
        /// What to type.
        text: String,
        /// It is of no use after this time.
        expires_in: Option<Duration>,
    },
}
