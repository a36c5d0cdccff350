//! One unit with everything that is known of it.

use jiff::Timestamp;

use super::against_wish;
use super::overview::{mark, next_words, reading, state, state_style, words};
use crate::cli::render::{
    BOLD, BUSY, Cell, FAINT, ODD, PLAIN, Table, View, both, count, exit, relative,
};
use crate::decide::tokens_in_words;
use crate::protocol::{Source, UnitStatus, Usage};

/// Everything, one thing a line.
pub(super) fn text(unit: &UnitStatus, view: &View) -> String {
    let now = view.now;
    let mut rows = Vec::new();
    let mut line = |name: &str, cell: Cell| rows.push([Cell::new(FAINT, name), cell]);

    let (of, style) = (words(&unit.kind), state_style(&unit.state));
    let title =
        if view.is_terminal() { Cell::new(style, mark(&unit.state)) } else { Cell::default() };
    let title = title.with(BOLD, &unit.name).with(FAINT, &of);

    line("state", state(unit).with(PLAIN, &format!("since {}", both(&unit.since, now))));
    if !against_wish(unit) {
        line("wish", Cell::new(PLAIN, &unit.wish));
    }
    let mut reading = reading(unit);
    if let Some(source) = &unit.source {
        reading = reading.with(FAINT, &source_words(source, now));
    }
    line("reading", reading);
    line("why", Cell::new(PLAIN, &unit.why));
    if let Some(next) = &unit.next_wake {
        line(
            "next",
            Cell::new(BUSY, &next_words(next, now)).with(PLAIN, &format!("({})", next.at)),
        );
    }
    line(
        "pid",
        Cell::new(PLAIN, &unit.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string())),
    );
    line("restarts", Cell::new(PLAIN, &restarts(unit)));
    if let Some(last) = &unit.last_exit {
        let when = if last.at.is_empty() { String::new() } else { both(&last.at, now) };
        line("last exit", Cell::joined(vec![(PLAIN, exit(last)), (PLAIN, when)], ", "));
    } else {
        line("last exit", Cell::new(PLAIN, "none in this boot"));
    }
    if unit.changed {
        line("start spec", Cell::new(ODD, "changed, at next start"));
    }
    if let Some(conversation) = &unit.conversation {
        line("conversation", Cell::new(PLAIN, conversation));
    }
    if let Some(usage) = &unit.usage {
        line("today", Cell::new(PLAIN, &usage_words(usage)));
    }
    if !unit.remedies.is_empty() {
        let used: Vec<_> =
            unit.remedies.iter().map(|(word, times)| format!("{times} {word}")).collect();
        line("remedies", Cell::new(PLAIN, &format!("{} (24 h)", used.join(", "))));
    }
    if unit.messages > 0 {
        let waiting = format!("{} to be typed", count(unit.messages, "message"));
        line("queue", Cell::new(BUSY, &waiting));
    }
    for limit in &unit.limits {
        line("not granted", Cell::new(ODD, limit));
    }
    rows.retain(|[_, cell]| !cell.is_empty());
    let title = Table::new([""], vec![[title]]).text(None);
    let body = Table::new(["", ""], rows).text(None);
    title + &indented(&body)
}

/// `hook Stop, 3s ago`
fn source_words(source: &Source, now: Timestamp) -> String {
    format!("{} {}, {}", source.channel, source.evidence, relative(&source.at, now))
}

/// `14 turns, 1.2 M tokens (input 9 k, output …)`
fn usage_words(usage: &Usage) -> String {
    let turns = count(usize::try_from(usage.turns).unwrap_or(usize::MAX), "turn");
    let tokens = usage.tokens;
    let [all, new, written, read, put] =
        [usage.total, tokens.input, tokens.output, tokens.cache_read, tokens.cache_write]
            .map(tokens_in_words);
    match usage.total {
        0 => turns,
        _ => format!(
            "{turns}, {all} tokens (input {new}, output {written}, cache read {read}, written {put})"
        ),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn restarts(unit: &UnitStatus) -> String {
    let restarts = unit.restarts;
    match restarts.window {
        0 => format!("{} in this boot", restarts.total),
        1 => format!("{} in this boot; 1 death counts towards a crash loop", restarts.total),
        window => {
            format!("{} in this boot; {window} deaths count towards a crash loop", restarts.total)
        }
    }
}
