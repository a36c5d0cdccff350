//! `relay drop`: a held thread goes on without what was held in it.

use std::time::SystemTime;

use super::release::not_held;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::gateway::Hand;
use crate::cli::render::{count, put};
use crate::gateway::relay::book;

/// Takes out what was held, and counts the thread anew.
pub(super) fn run(context: &Context, args: &args::Thread) -> Result<(), Failure> {
    let mut hand = Hand::open(context)?;
    let thread = &args.thread;
    match hand.write(|ledger| book::drop_held(ledger, thread, SystemTime::now()))? {
        Some(letters) => put(&format!("{thread}: {} taken out\n", count(letters, "letter"))),
        None => Err(not_held(&hand, thread)?),
    }
}
