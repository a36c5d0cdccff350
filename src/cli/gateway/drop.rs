//! `gateway drop`: letters are not delivered any more.

use std::time::SystemTime;

use super::{Hand, event};
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{count, put};
use crate::gateway::ledger::said;

/// Takes out the letters of these events.
pub(super) fn run(context: &Context, args: &args::LedgerEvents) -> Result<(), Failure> {
    let mut hand = Hand::open(context)?;
    for name in &args.events {
        let event = event(name)?;
        let dropped = hand.write(|ledger| said::drop_event(ledger, &event, SystemTime::now()))?;
        if dropped == 0 {
            return Err(Failure::failed(format!("the event {event} has no letters to take out")));
        }
        put(&format!("{event}: {} taken out\n", count(dropped, "letter")))?;
    }
    Ok(())
}
