//! `gateway show`: one event whole.

use serde_json::json;

use super::list::{date, object};
use super::{Hand, event};
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{BOLD, FAINT, clean, paint, put, put_json};
use crate::gateway::ledger::view::{self, Whole};

/// Shows it, or says that there is none.
pub(super) fn run(context: &Context, args: &args::Event) -> Result<(), Failure> {
    let hand = Hand::open(context)?;
    let event = event(&args.event)?;
    let whole = hand.read(|ledger| view::show(ledger, &event))?;
    let Some(whole) = whole else {
        return Err(Failure::failed(format!(
            "there is no event {event}: see `supervisor gateway list`"
        )));
    };
    if context.json {
        let mut shown = object(&whole.line);
        shown["keys"] = json!(whole.keys);
        shown["body"] = json!(whole.body.as_deref().map(String::from_utf8_lossy));
        let texts = whole.letters.iter().map(|letter| {
            json!({"subject": letter.subject, "text": letter.text, "attachments": letter.attachments})
        });
        shown["texts"] = texts.collect();
        return put_json(&shown);
    }
    put(&text(&whole))
}

fn text(whole: &Whole) -> String {
    let line = &whole.line;
    let mut text = format!("{}  {}\n", paint(BOLD, line.event.as_str()), clean(&line.title));
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("{}  {}\n", paint(FAINT, &format!("{name:>9}")), clean(value));
        }
    };
    say("from", &format!("{} {}", line.source, line.kind));
    say("received", &date(line.received));
    say("branch", line.branch.as_deref().unwrap_or_default());
    say("link", line.link.as_deref().unwrap_or_default());
    say("thread", line.thread.as_deref().unwrap_or_default());
    say("key", &whole.keys.join("  "));
    let repeats = (line.repeats > 0).then(|| format!("{} times", line.repeats));
    say("repeated", &repeats.unwrap_or_default());
    for (letter, whole) in line.letters.iter().zip(&whole.letters) {
        let head = format!(
            "to {}: {} since {}, delivered {} times",
            letter.group,
            letter.state,
            date(letter.since),
            letter.deliveries
        );
        text += &format!("\n{}\n", paint(BOLD, &clean(&head)));
        if !letter.why.is_empty() {
            text += &format!("{}\n", paint(FAINT, &clean(&letter.why)));
        }
        for line in whole.text.lines() {
            text += &format!("  {}\n", clean(line));
        }
        for (name, size) in &whole.attachments {
            text += &format!("  {} ({size} bytes)\n", clean(name));
        }
    }
    text
}
