//! `gateway replay`: letters go out once more.

use std::time::SystemTime;

use super::{Hand, event};
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{count, put};
use crate::gateway::ledger::said;

/// Queues the letters of these events.
pub(super) fn run(context: &Context, args: &args::LedgerEvents) -> Result<(), Failure> {
    let mut hand = Hand::open(context)?;
    for name in &args.events {
        let event = event(name)?;
        let queued = hand.write(|ledger| said::replay(ledger, &event, SystemTime::now()))?;
        if queued == 0 {
            return Err(Failure::failed(format!("the event {event} has no letters to deliver")));
        }
        put(&format!("{event}: {} to be delivered again\n", count(queued, "letter")))?;
    }
    Ok(())
}
