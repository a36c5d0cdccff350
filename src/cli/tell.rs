//! `tell`: type one message into a session.

use super::Context;
use super::args;
use super::failure::Failure;
use super::units::wish;
use crate::protocol::Verb;

/// Returns when the message has arrived.
pub(super) fn run(context: &Context, args: args::Tell) -> Result<(), Failure> {
    let args::Tell { unit, text } = args;
    let what = format!("{unit} to take the message");
    wish(context, Verb::Tell { unit, text }, &what)
}
