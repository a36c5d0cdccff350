//! `ack`: a letter has been dealt with.

use std::time::SystemTime;

use serde_json::json;

use super::Context;
use super::args;
use super::failure::Failure;
use super::gateway::{Hand, event};
use super::relay::socket;
use super::render::put;
use crate::gateway::ledger::said::{self, Acked};
use crate::gateway::ledger::view;

/// Acknowledges it: for one agent, or by hand for all whom the event was for.
pub(super) fn run(context: &Context, args: &args::Ack) -> Result<(), Failure> {
    let event = event(&args.event)?;
    if let Some(path) = &args.socket {
        let body = json!({"event": event.to_string()}).to_string();
        let answer = socket::post(path, "/ack", "application/json", body.as_bytes())?;
        return put(&format!("{answer}\n"));
    }
    let mut hand = Hand::open(context)?;
    let acked = hand.write(|ledger| {
        let whole = view::show(ledger, &event)?;
        let all = whole.iter().flat_map(|whole| &whole.line.letters);
        let groups = all.map(|letter| letter.group.clone());
        let groups: Vec<_> = match &args.from {
            Some(from) => vec![from.clone()],
            None => groups.collect(),
        };
        let mut acked = 0;
        for group in groups {
            match said::ack(ledger, &event, &group, SystemTime::now())? {
                Acked::Done | Acked::Already => acked += 1,
                Acked::NotYours => {}
            }
        }
        Ok(acked)
    })?;
    if acked == 0 {
        return Err(Failure::failed(format!("there is no such letter: {event}")));
    }
    put(&format!("{event}: done\n"))
}
