//! `relay`: messages between agents, and the threads that are held. A file a verb.

mod drop;
mod release;
mod send;
pub(super) mod socket;

use super::Context;
use super::args::{Relay, RelayVerb};
use super::failure::Failure;

pub(super) fn run(context: &Context, args: Relay) -> Result<(), Failure> {
    match args.verb {
        RelayVerb::Send(args) => send::run(context, args),
        RelayVerb::Release(args) => release::run(context, &args),
        RelayVerb::Drop(args) => drop::run(context, &args),
    }
}
