//! The real agents against the double of the Messages API, offline.

mod answers;
pub(crate) mod api;
pub(crate) mod client;
mod codex;
mod conversations;
mod deaths;
mod dialogs;
mod failures;
mod home;
mod loops;
mod messages;
mod orchestrator;
mod remedies;
mod stand_in;
mod starts;
mod usage;
