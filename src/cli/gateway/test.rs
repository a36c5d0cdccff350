//! `gateway test`: an event of our own making, to see a letter arrive.

use std::time::SystemTime;

use serde_json::json;

use super::Hand;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{put, put_json};
use crate::gateway::ledger::{NewEvent, NewLetter, events};
use crate::world::random;

/// Stores it, with fresh ids.
pub(super) fn run(context: &Context, args: &args::Test) -> Result<(), Failure> {
    let mut hand = Hand::open(context)?;
    let hears = hand.config.azure_devops.iter().flat_map(|azure| &azure.deliver_to);
    let hears = hears.chain(hand.config.github.iter().flat_map(|github| &github.deliver_to)).next();
    let Some(group) = args.to.as_ref().or(hears).cloned() else {
        return Err(Failure::Usage(
            "nobody hears of builds: say whose letter it is with --to".into(),
        ));
    };
    if hand.config.group(&group).is_none() {
        let known: Vec<_> = hand.config.groups.keys().map(String::as_str).collect();
        let known = known.join(", ");
        return Err(Failure::failed(format!("no agent is called {group:?}: there are: {known}")));
    }
    let number = random::short();
    let subject = format!("Test {number}: nothing has failed");
    let letter = NewLetter {
        group: group.clone(),
        subject: subject.clone(),
        text: format!(
            "TEST\n\nThis is test {number} of the gateway, made by hand. Nothing has failed and \
             nothing is to be done, but to acknowledge it."
        ),
        ..NewLetter::default()
    };
    let event = NewEvent {
        source: "test".to_owned(),
        kind: "test".to_owned(),
        keys: vec![format!("test/{:016x}", random::number())],
        title: subject,
        build: Some(number.to_string()),
        test: true,
        letters: vec![letter],
        ..NewEvent::default()
    };
    let stored = hand.write(|ledger| events::store(ledger, &event, SystemTime::now()))?;
    if context.json {
        return put_json(&json!({"ok": true, "event": stored.event.to_string(), "group": group}));
    }
    let event = stored.event;
    put(&format!(
        "{event}: a letter for {group}; `supervisor gateway show {event}` tells how it fares\n"
    ))
}
