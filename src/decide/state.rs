//! The words for what is being done about a unit: states, what a start waits for, the action under
//! way. What changes them is in `unit.rs`.

use super::{Mono, Ticket};

/// What we are doing about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not known whether it lives; looked at next at this time.
    Unseen(Mono),
    /// Not running, as wished.
    Stopped,
    /// To be started as soon as nothing stands in the way.
    Waiting(Wait),
    Starting,
    Up,
    Stopping(StopReason),
    /// Not to be started, whatever the wish.
    Held,
    /// Crash loop; tried again then.
    GivenUp(Option<Mono>),
}

/// What a start waits for. Each but the first is found anew at every turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until then, and then whatever else stands in the way.
    Until(Mono),
    /// A dependency.
    For(String),
    /// The cap over all units.
    Cap(Mono),
    /// The pace of agent starts.
    Turn(Mono),
    /// Room in its budget of tokens.
    Tokens(Mono),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    Wish,
    Bounce,
    NotReady,
    Tokens,
    Yield,
}

/// The one action under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) ticket: Ticket,
    pub(super) deadline: Mono,
    pub(super) kind: FlightKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlightKind {
    Look,
    Start,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounce {
    pub(super) fresh: bool,
}

/// What a death led to, for the journal and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// As wished.
    Stopped,
    /// Started again at once or later.
    Again,
    /// A crash loop.
    GivenUp,
    /// A person ended it: the wish is down.
    EndedByHand,
}
