//! `events`: the journal of what was seen and done, and why. Read from the file, so that it works
//! with the daemon dead.

use anstyle::Style;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Context;
use super::args;
use super::failure::Failure;
use super::render::{BAD, BOLD, BUSY, Cell, FAINT, GOOD, ODD, PLAIN, Table, View, put, put_raw};
use crate::world::journal::{Follower, path, tail};

/// The keys of an entry that have a column of their own (or, as the boot, would say the same on each
/// line); whatever else is there is shown behind.
const COLUMNS: [&str; 5] = ["at", "unit", "event", "why", "boot_id"];

/// A followed journal is shown as it comes, so its columns cannot fit what has not come yet.
const UNIT_WIDTH: usize = 12;
const EVENT_WIDTH: usize = 15;
/// The same for an aside.
const ASIDE_WIDTHS: [usize; 4] = [8, 10, 9, 0];

/// Prints them, and what is added if asked to.
pub(super) fn run(context: &Context, args: &args::Events) -> Result<(), Failure> {
    let (_, config) = context.config()?;
    let file = path(&config.supervisor.state_dir);
    let cannot = || format!("cannot read {}", file.display());
    // Followed from before it is read, so that nothing falls between; what is seen twice for that is
    // shown once.
    let coming = args.tail.follow.then(|| Follower::new(&file)).transpose().with_context(cannot)?;
    let past = tail(&file, args.tail.lines.0).with_context(cannot)?;
    show(&past, context.json)?;
    let mut overlaps = true;
    for line in coming.into_iter().flatten() {
        let line = line.with_context(cannot)?;
        overlaps = overlaps && past.contains(&line);
        if !overlaps {
            show(&[line], context.json)?;
        }
    }
    Ok(())
}

fn show(lines: &[String], json: bool) -> Result<(), Failure> {
    if json {
        return put_raw(
            lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes(),
        );
    }
    put(&text(lines, &View::of_stdout(), &TimeZone::system()))
}

/// Entries as a table: when, which unit, what, why.
fn text(lines: &[String], view: &View, zone: &TimeZone) -> String {
    let rows: Vec<[Cell; 4]> =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| row(line, zone)).collect();
    if rows.is_empty() {
        return String::new();
    }
    Table::new([""; 4], rows).at_least([0, UNIT_WIDTH, EVENT_WIDTH, 0]).text(view.width)
}

fn row(line: &str, zone: &TimeZone) -> [Cell; 4] {
    let Some(entry) = parse(line) else {
        // Torn by a power loss, say. Shown as it is rather than hidden.
        return [Cell::default(), Cell::default(), Cell::default(), Cell::new(ODD, line)];
    };
    let at = local(&word(&entry, "at"), zone);
    [
        Cell::new(FAINT, &at),
        Cell::new(BOLD, &word(&entry, "unit")),
        event(&entry),
        why(&entry, PLAIN),
    ]
}

/// An entry as an aside in a longer text: `when` instead of its time, and nothing stands out but
/// what happened. `None` if that is one of `unsaid`.
pub(super) fn aside(line: &str, when: &str, unsaid: &[&str], view: &View) -> Option<String> {
    let entry = parse(line)?;
    if unsaid.contains(&word(&entry, "event").as_str()) {
        return None;
    }
    let unit = Some(word(&entry, "unit")).filter(|unit| !unit.is_empty());
    let unit = unit.unwrap_or_else(|| "supervisor".to_owned());
    let row = [Cell::new(FAINT, when), Cell::new(FAINT, &unit), event(&entry), why(&entry, FAINT)];
    Some(Table::new([""; 4], vec![row]).at_least(ASIDE_WIDTHS).text(view.width))
}

fn parse(line: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(line).ok()
}

fn word(entry: &Map<String, Value>, key: &str) -> String {
    entry.get(key).map(plain).unwrap_or_default()
}

fn event(entry: &Map<String, Value>) -> Cell {
    let event = word(entry, "event");
    Cell::new(style(&event), &event.replace(['_', '-'], " "))
}

fn why(entry: &Map<String, Value>, style: Style) -> Cell {
    let mut pieces = vec![(style, word(entry, "why"))];
    pieces.extend(
        entry
            .iter()
            .filter(|(key, value)| !COLUMNS.contains(&key.as_str()) && !value.is_null())
            .map(|(key, value)| (FAINT, format!("{key}={}", plain(value)))),
    );
    Cell::joined(pieces, " ")
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
        "ready" | "started" | "adopted" => GOOD,
        "exited" | "gave-up" | "could-not-start" | "could-not-stop" | "tmux-died" => BAD,
        "could-not-look" | "no-answer" | "not-there" | "leftovers" | "waits" => ODD,
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
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        let shown = text(&lines, &view, &TimeZone::UTC);
        assert_eq!(
            strip_str(&shown).to_string(),
            "Jan 01 00:00:00  web           exited           killed by SIGKILL pid=12\n\
             Jan 01 00:00:01                boot\n                                                \
             {\"at\":\"2026\n"
        );
    }
}
