//! `events`: the journal of what was seen and done, and why. Read from the file, so that it works
//! with the daemon dead.

use std::path::Path;

use anstyle::Style;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Context;
use super::args::{self, Lines};
use super::failure::Failure;
use super::render::{BAD, BOLD, BUSY, Cell, FAINT, GOOD, ODD, PLAIN, Table, View, put, put_raw};
use super::seams::logs::{Follower, read};

/// The keys of an entry that have a column of their own; whatever else is there is shown behind.
const COLUMNS: [&str; 4] = ["at", "unit", "event", "why"];

/// A followed journal is shown as it comes, so its columns cannot fit what has not come yet.
const UNIT_WIDTH: usize = 12;
const EVENT_WIDTH: usize = 12;

/// Prints them, and what is added if asked to.
pub(super) fn run(context: &Context, args: &args::Events) -> Result<(), Failure> {
    let (_, config) = context.config()?;
    let file = config.supervisor.state_dir.join("events.jsonl");
    let lines = match args.tail.lines {
        Lines::All => None,
        Lines::Last(lines) => Some(lines),
    };
    let (past, end) =
        read(&file, lines).with_context(|| format!("cannot read {}", file.display()))?;
    show(&past, context.json)?;
    if args.tail.follow {
        return follow(&file, end, context.json);
    }
    Ok(())
}

fn follow(file: &Path, end: u64, json: bool) -> Result<(), Failure> {
    let cannot = || format!("cannot follow {}", file.display());
    let mut follower = Follower::new(file, end).with_context(cannot)?;
    let mut waiting = Vec::new();
    loop {
        waiting.extend(follower.next().with_context(cannot)?);
        // An entry that is still being written is shown when it is whole.
        if let Some(end) = waiting.iter().rposition(|byte| *byte == b'\n') {
            let whole: Vec<u8> = waiting.drain(..=end).collect();
            show(&whole, json)?;
        }
    }
}

fn show(lines: &[u8], json: bool) -> Result<(), Failure> {
    if json {
        return put_raw(lines);
    }
    put(&text(&String::from_utf8_lossy(lines), &View::of_stdout(), &TimeZone::system()))
}

/// Entries as a table: when, which unit, what, why.
fn text(lines: &str, view: &View, zone: &TimeZone) -> String {
    let rows: Vec<[Cell; 4]> =
        lines.lines().filter(|line| !line.trim().is_empty()).map(|line| row(line, zone)).collect();
    if rows.is_empty() {
        return String::new();
    }
    Table::new([""; 4], rows).at_least([0, UNIT_WIDTH, EVENT_WIDTH, 0]).text(view.width)
}

fn row(line: &str, zone: &TimeZone) -> [Cell; 4] {
    let Ok(entry) = serde_json::from_str::<Map<String, Value>>(line) else {
        // Torn by a power loss, say. Shown as it is rather than hidden.
        return [Cell::default(), Cell::default(), Cell::default(), Cell::new(ODD, line)];
    };
    let word = |key: &str| entry.get(key).map(plain).unwrap_or_default();
    let event = word("event");
    let mut pieces = vec![(PLAIN, word("why"))];
    pieces.extend(
        entry
            .iter()
            .filter(|(key, value)| !COLUMNS.contains(&key.as_str()) && !value.is_null())
            .map(|(key, value)| (FAINT, format!("{key}={}", plain(value)))),
    );
    [
        Cell::new(FAINT, &local(&word("at"), zone)),
        Cell::new(BOLD, &word("unit")),
        Cell::new(style(&event), &event.replace('_', " ")),
        Cell::joined(pieces, " "),
    ]
}

/// The time on the wall of whoever reads. The file and --json keep the exact one.
fn local(at: &str, zone: &TimeZone) -> String {
    match at.parse::<Timestamp>() {
        Ok(then) => then.to_zoned(zone.clone()).strftime("%b %d %H:%M:%S").to_string(),
        Err(_) => at.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// What went wrong is seen first.
fn style(event: &str) -> Style {
    match event {
        "up" | "ready" | "started" | "adopted" => GOOD,
        "exited" | "died" | "killed" | "given_up" | "failed" => BAD,
        "held" | "waiting" | "unready" => ODD,
        _ => BUSY,
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use jiff::tz::TimeZone;

    use super::{View, text};

    #[test]
    fn entries_are_aligned_and_torn_ones_shown_as_they_are() {
        let view = View { width: None, height: None, now: jiff::Timestamp::UNIX_EPOCH };
        let lines = "{\"at\":\"2026-01-01T00:00:00.123Z\",\"unit\":\"web\",\"event\":\"exited\",\
                     \"why\":\"killed by SIGKILL\",\"pid\":12}\n\
                     {\"at\":\"2026-01-01T00:00:01Z\",\"unit\":null,\"event\":\"boot\"}\n\
                     {\"at\":\"2026\n";
        let shown = text(lines, &view, &TimeZone::UTC);
        assert_eq!(
            strip_str(&shown).to_string(),
            "Jan 01 00:00:00  web           exited        killed by SIGKILL pid=12\n\
             Jan 01 00:00:01                boot\n                                             \
             {\"at\":\"2026\n"
        );
    }
}
