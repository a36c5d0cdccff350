//! `relay release`: a held thread goes on.

use std::time::SystemTime;

use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::gateway::Hand;
use crate::cli::render::{count, put};
use crate::gateway::relay::book;

/// Delivers what was held, and counts the thread anew.
pub(super) fn run(context: &Context, args: &args::Thread) -> Result<(), Failure> {
    let mut hand = Hand::open(context)?;
    let thread = &args.thread;
    match hand.write(|ledger| book::release(ledger, thread, SystemTime::now()))? {
        Some(letters) => put(&format!("{thread}: {} to be delivered\n", count(letters, "letter"))),
        None => Err(not_held(&hand, thread)?),
    }
}

/// What is said of a thread that is not held.
pub(super) fn not_held(hand: &Hand, thread: &str) -> Result<Failure, Failure> {
    let held = hand.read(book::held)?;
    let names: Vec<_> = held.iter().map(|held| held.thread.as_str()).collect();
    let others = match names.join(", ") {
        none if none.is_empty() => "no thread is".to_owned(),
        names => format!("held are: {names}"),
    };
    Ok(Failure::failed(format!("the thread {thread:?} is not held: {others}")))
}
