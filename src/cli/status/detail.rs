//! One unit with everything that is known of it.

use super::against_wish;
use super::overview::{mark, next_words, reading, state, state_style, words};
use crate::cli::render::{BOLD, BUSY, Cell, FAINT, ODD, PLAIN, Table, View, both, exit};
use crate::protocol::UnitStatus;

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
    line("reading", reading(unit));
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
    for limit in &unit.limits {
        line("not granted", Cell::new(ODD, limit));
    }
    rows.retain(|[_, cell]| !cell.is_empty());
    let title = Table::new([""], vec![[title]]).text(None);
    let body = Table::new(["", ""], rows).text(None);
    title + &indented(&body)
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
