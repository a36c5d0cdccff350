//! A double of the Messages API, and of the Responses API, for the demo and the tests: a real agent
//! does whole turns against it, offline, and fails in each of the ways that the real service makes it
//! fail. It is strict: what the real one refuses, it refuses. Not here: anything the daemon needs.

mod answer;
mod body;
mod failure;
mod limits;
mod log;
mod message;
mod mode;
mod request;
mod responses;
mod server;

pub use self::server::{Options, StandIn, StandInError};
