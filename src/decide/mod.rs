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

mod channel;
mod time;
mod words;

mod event;
mod message;
mod plan;
mod policy;
mod record;
mod request;

mod watchdog;

mod account;
mod advance;
mod allowance;
mod answers;
mod asking;
mod budget;
mod care;
mod conversation;
mod course;
mod failing;
mod fusion;
mod handoffs;
mod hearsay;
mod idling;
mod kept;
mod notice;
mod orchestrator;
mod pen;
mod phases;
mod remedy;
mod spent;
mod stall;
mod state;
mod unit;
mod usage;
mod view;

pub use channel::{Channel, Complaint, Dialog, Doing, Failure, Sighting, Wedge};
pub use event::{Action, Answer, Entry, Event, Look, NoStart, Ticket};
pub use message::{Delivery, Message, MessageId, Typed};
pub use notice::{GATEWAY_SILENT, Notice, Weight, gateway_trouble, notice};
pub use orchestrator::Alone;
pub use phases::PhaseRequest;
pub use plan::{
    ConsentPolicy, DoneSight, HandoffPolicy, Mark, PhasePolicy, PlanPolicy, PlanSaved, Word,
    Written,
};
pub use policy::{AgentPolicy, Cap, IdleNudge, Policy, RestartPolicy, TokenBudget, UnitPolicy};
pub use record::{Record, Saved};
pub use request::Request;
pub use spent::{Remedy, RemedyUse};
pub use time::{Mono, Now};
pub use usage::{DAY, SLOT, Spent, Tokens, Usage, WINDOW_MAX, tokens_in_words};
pub use view::{Goal, HandoffView, Outcome, PlanView, StateView, UnitView};
pub use watchdog::Watchdog;
pub use words::{
    BadName, Dependency, Exit, Process, Reading, UnitKind, UnitName, Wish, signal_name,
};

#[cfg(test)]
mod tests;
