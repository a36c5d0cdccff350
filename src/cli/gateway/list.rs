//! `gateway list`: the events of the ledger.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Hand;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{
    BAD, BOLD, BUSY, Cell, FAINT, GOOD, ODD, PLAIN, Table, View, put, put_raw, relative,
};
use crate::gateway::ledger::view::{self, Line};

/// So many are listed for a person who does not say how many.
const USUAL: u32 = 50;

/// Lists them, the newest first.
pub(super) fn run(context: &Context, args: &args::List) -> Result<(), Failure> {
    let hand = Hand::open(context)?;
    let limit = args.lines.or((!context.json).then_some(USUAL));
    let lines = hand.read(|ledger| view::list(ledger, limit))?;
    if context.json {
        let lines = lines.iter().map(|line| format!("{}\n", object(line)));
        return put_raw(lines.collect::<String>().as_bytes());
    }
    if lines.is_empty() {
        return put("the ledger is empty\n");
    }
    put(&text(&lines, &View::of_stdout()))
}

/// A table for people.
pub(in crate::cli) fn text(lines: &[Line], view: &View) -> String {
    let rows = lines.iter().map(|line| row(line, view.now)).collect();
    Table::new(["EVENT", "RECEIVED", "FOR", "STATE", "", "WHAT"], rows).text(view.width)
}

/// An event as JSON.
pub(super) fn object(line: &Line) -> Value {
    let letters: Vec<Value> = line
        .letters
        .iter()
        .map(|letter| {
            json!({
                "group": letter.group, "state": letter.state.as_str(),
                "since": date(letter.since), "deliveries": letter.deliveries, "why": letter.why,
            })
        })
        .collect();
    json!({
        "event": line.event.to_string(), "key": line.key, "source": line.source,
        "kind": line.kind, "title": line.title, "build": line.build, "branch": line.branch,
        "thread": line.thread, "group": line.letters.first().map(|letter| &letter.group),
        "state": line.state(), "deliveries": line.deliveries(), "received": date(line.received),
        "repeats": line.repeats, "test": line.test, "letters": letters,
    })
}

/// As RFC 3339.
pub(super) fn date(at: SystemTime) -> String {
    Timestamp::try_from(at).map(|at| at.to_string()).unwrap_or_default()
}

fn row(line: &Line, now: Timestamp) -> [Cell; 6] {
    let groups: Vec<&str> = line.letters.iter().map(|letter| letter.group.as_str()).collect();
    let style = match line.state() {
        "done" => GOOD,
        "dead" => BAD,
        "held" => ODD,
        "stored" | "dropped" => FAINT,
        _ => BUSY,
    };
    let deliveries = match line.deliveries() {
        0 | 1 => String::new(),
        times => format!("{times} times"),
    };
    [
        Cell::new(BOLD, line.event.as_str()),
        Cell::new(FAINT, &relative(&date(line.received), now)),
        Cell::new(PLAIN, &groups.join(", ")),
        Cell::new(style, line.state()),
        Cell::new(ODD, &deliveries),
        Cell::new(PLAIN, &line.title),
    ]
}
