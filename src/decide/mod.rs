//! The pure room: what to do, and why, given what was seen.
//!
//! [`Watchdog::handle`] takes the time and one event and answers with the actions to be done, in
//! order. The same events give the same actions. Not here: I/O, clocks, async, file formats,
//! anything from another room or another crate.
#![deny(
    missing_docs,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros
)]

mod time;
mod words;

mod event;
mod policy;
mod record;

mod watchdog;

mod advance;
mod answers;
mod budget;
mod unit;
mod view;

pub use event::{Action, Entry, Event, Look, Request, Ticket};
pub use policy::{Cap, Policy, RestartPolicy, UnitPolicy};
pub use record::{Record, Saved};
pub use time::{Mono, Now};
pub use view::{Goal, Outcome, StateView, UnitView};
pub use watchdog::Watchdog;
pub use words::{
    BadName, Dependency, Exit, Process, Reading, UnitKind, UnitName, Wish, signal_name,
};

#[cfg(test)]
mod tests;
