//! What the gateway answers to `GET /troubles`: all that a person should look at, for as long as it
//! lasts. Extended, never changed: another release may ask.

use serde::{Deserialize, Serialize};

/// A letter waits, or is given up, and somebody has to see to it.
pub const LETTERS_WAIT: &str = "letters-wait";
/// See [`LETTERS_WAIT`].
pub const LETTER_DEAD: &str = "letter-dead";
/// A thread of messages waits for a person.
pub const THREAD_HELD: &str = "thread-held";
/// Azure DevOps has put a subscription on probation, or disabled it.
pub const HOOK_SILENCED: &str = "hook-silenced";
/// The ledger cannot store.
pub const LEDGER_FAILS: &str = "ledger-fails";

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles {
    /// Whether that is all there is; else the ledger could not be read, and what is not here may
    /// last all the same.
    pub whole: bool,
    /// Each of them.
    pub troubles: Vec<Trouble>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Its kind, as the constants above.
    pub kind: String,
    /// What it is about: a thread, a group, an event, a subscription.
    pub name: String,
    /// Which time of it this is, where that can be told: another one is news.
    #[serde(default)]
    pub mark: String,
    /// What is so.
    pub why: String,
    /// What to do about it.
    #[serde(default)]
    pub remedy: String,
}
