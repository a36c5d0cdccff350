//! The supervisor in a few lines, then a line for each unit.

use anstyle::Style;
use jiff::Timestamp;

use super::against_wish;
use crate::cli::render::{
    BAD, BOLD, BUSY, Cell, FAINT, GOOD, ODD, PLAIN, Table, View, clean, count, paint, relative,
    since,
};
use crate::protocol::{NextWake, PlanStatus, RestartCount, Status, UnitStatus};

/// A boot id is told apart from the others by its beginning.
const BOOT_ID_SHOWN: usize = 8;

/// On narrower terminals the kind of a unit, which its owner knows, and some words make room for why.
const WIDE: usize = 100;

/// Everything.
pub(super) fn text(status: &Status, view: &View) -> String {
    let mut text = head(status, view);
    text.push('\n');
    if status.units.is_empty() {
        text.push_str("no units: add one to the configuration, then `supervisor reload`\n");
        return text;
    }
    text.push_str(&table(status, view));
    text
}

fn head(status: &Status, view: &View) -> String {
    let daemon = &status.supervisor;
    let mut rows = Vec::new();
    let mut line = |name: &str, cell: Cell| rows.push([Cell::new(FAINT, name), cell]);

    let version = format!("v{}", daemon.version);
    let boot: String = daemon.boot_id.chars().take(BOOT_ID_SHOWN).collect();
    let mut first = vec![
        (BOLD, version),
        (PLAIN, format!("pid {}", daemon.pid)),
        (PLAIN, format!("up {}", since(&daemon.since, view.now))),
        (PLAIN, format!("boot {boot}")),
    ];
    if !daemon.ready {
        first.push((ODD, "taking its first look".to_owned()));
    }
    line("supervisor", Cell::joined(first, " · "));
    if let Some(plan) = plan(&status.plan) {
        line("plan", plan);
    }
    if status.reboots.count > 0 {
        let last = status.reboots.last.as_ref().and_then(|last| last.at.as_deref());
        let mut pieces = vec![(PLAIN, status.reboots.count.to_string())];
        pieces.extend(last.map(|at| (PLAIN, format!("last {}", relative(at, view.now)))));
        line("reboots", Cell::joined(pieces, " · "));
    }
    if !status.units.is_empty() {
        line("units", tally(&status.units));
    }
    for trouble in &daemon.troubles {
        line("trouble", Cell::new(BAD, trouble));
    }
    // Troubles are told whole: a cut one cannot be acted on.
    Table::new(["", ""], rows).text(None)
}

fn plan(plan: &PlanStatus) -> Option<Cell> {
    if plan.phases.is_empty() && plan.phase.is_none() && !plan.done && !plan.blocked {
        return None;
    }
    let mut pieces = Vec::new();
    if plan.phases.is_empty() {
        pieces.extend(plan.phase.as_ref().map(|phase| (BOLD, format!("phase {phase}"))));
    } else {
        let all = plan.phases.iter().map(|phase| {
            if plan.phase.as_ref() == Some(phase) { format!("[{phase}]") } else { phase.clone() }
        });
        pieces.push((PLAIN, format!("phase {}", all.collect::<Vec<_>>().join(" "))));
    }
    if plan.done {
        pieces.push((GOOD, "done".to_owned()));
    }
    if plan.blocked {
        let by = plan.blocked_by.as_deref().unwrap_or("a builder needs a person");
        pieces.push((ODD, format!("blocked: {by}")));
    }
    if plan.waits {
        pieces.push((ODD, "done; `supervisor phase next` begins the next".to_owned()));
    }
    if !plan.missing.is_empty() {
        pieces.push((ODD, format!("DONE is not accepted: {}", plan.missing.join("; "))));
    }
    if plan.stalled {
        pieces.push((BAD, "stalled: nothing moves".to_owned()));
    }
    for unknown in &plan.unknown {
        pieces.push((ODD, format!("unknown: {unknown}")));
    }
    Some(Cell::joined(pieces, " · "))
}

/// How many are in which state, the ones in need first.
fn tally(units: &[UnitStatus]) -> Cell {
    const ORDER: [&str; 7] =
        ["given_up", "held", "waiting", "starting", "stopping", "up", "stopped"];
    let of = |state: &str| units.iter().filter(|unit| unit.state == state).count();
    let pieces = ORDER
        .into_iter()
        .map(|state| (state, of(state)))
        .filter(|(_, number)| *number > 0)
        .map(|(state, number)| (state_style(state), format!("{number} {}", words(state))));
    Cell::joined(pieces.collect(), " · ")
}

fn table(status: &Status, view: &View) -> String {
    let name_head = if view.is_terminal() { "  NAME" } else { "NAME" };
    let narrow = view.width.is_some_and(|width| width < WIDE);
    let (kind_head, since_head) = if narrow { ("", "FOR") } else { ("KIND", "SINCE") };
    let heads =
        [name_head, kind_head, "STATE", "READING", "PID", since_head, "RESTARTS", "NEXT/WHY"];
    let told = if narrow { since } else { relative };
    let rows = status
        .units
        .iter()
        .map(|unit| {
            [
                name(unit, view),
                if narrow { Cell::default() } else { Cell::new(FAINT, &unit.kind) },
                state(unit),
                reading(unit),
                Cell::new(PLAIN, &unit.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
                Cell::new(PLAIN, &told(&unit.since, view.now)),
                restarts(unit.restarts),
                why(unit, view.now),
            ]
        })
        .collect();
    Table::new(heads, rows).text(view.width)
}

/// On a terminal with a mark before it; a pipe wants the name as its first word.
fn name(unit: &UnitStatus, view: &View) -> Cell {
    if view.is_terminal() {
        Cell::new(state_style(&unit.state), mark(&unit.state)).with(BOLD, &unit.name)
    } else {
        Cell::new(BOLD, &unit.name)
    }
}

pub(super) fn mark(state: &str) -> &'static str {
    match state {
        "up" => "●",
        "starting" | "stopping" => "◐",
        "waiting" => "◌",
        "held" => "◆",
        "given_up" => "✗",
        _ => "○",
    }
}

pub(super) fn state(unit: &UnitStatus) -> Cell {
    let cell = Cell::new(state_style(&unit.state), &words(&unit.state));
    if against_wish(unit) { cell.with(ODD, &format!("(wish {})", unit.wish)) } else { cell }
}

pub(super) fn state_style(state: &str) -> Style {
    match state {
        "up" => GOOD,
        "starting" | "stopping" => BUSY,
        "waiting" | "held" => ODD,
        "given_up" => BAD,
        _ => FAINT,
    }
}

pub(super) fn reading(unit: &UnitStatus) -> Cell {
    let style = match unit.reading.as_str() {
        // Of what shall not run and does not, nothing is expected.
        _ if unit.state == "stopped" => FAINT,
        "ready" | "working" | "idle" => GOOD,
        "starting" => BUSY,
        "unready" | "dialog" | "limited" | "stalled" => ODD,
        "logged_out" | "errored" | "wedged" => BAD,
        "dead" if unit.wish == "up" => BAD,
        _ => FAINT,
    };
    Cell::new(style, &words(&unit.reading))
}

/// Of one that dies often the number stands out; how often lately is told in the view of one unit.
fn restarts(restarts: RestartCount) -> Cell {
    match restarts {
        RestartCount { total: 0, window: 0 } => Cell::new(FAINT, "0"),
        RestartCount { total, window: 0 } => Cell::new(PLAIN, &total.to_string()),
        RestartCount { total, window: _ } => Cell::new(ODD, &total.to_string()),
    }
}

fn why(unit: &UnitStatus, now: Timestamp) -> Cell {
    // What comes next is short, and must not be what a narrow terminal cuts off.
    let next = unit.next_wake.iter().map(|next| (BUSY, next_words(next, now)));
    let mut pieces: Vec<_> = next.chain([(PLAIN, unit.why.clone())]).collect();
    if let Some(source) = unit.source.as_ref().filter(|_| unit.reading == "dialog") {
        pieces.push((ODD, source.evidence.clone()));
    }
    if unit.changed {
        pieces.push((ODD, "changed, at next start".to_owned()));
    }
    pieces.extend(unit.limits.iter().map(|limit| (ODD, limit.clone())));
    Cell::joined(pieces, " · ")
}

/// `tries again in 4m`
pub(super) fn next_words(next: &NextWake, now: Timestamp) -> String {
    match relative(&next.at, now) {
        ahead if ahead.starts_with("in ") => format!("{} {ahead}", next.why),
        // What is due happens in this very moment.
        _ => format!("{} now", next.why),
    }
}

/// The words of the protocol as a person writes them.
pub(in crate::cli) fn words(word: &str) -> String {
    clean(word).replace('_', " ")
}

/// One line over a live view: what is missing, or how to leave.
pub(super) fn footer(lost: Option<&str>) -> String {
    match lost {
        Some(why) => paint(BAD, &clean(why)),
        None => paint(FAINT, "live · Ctrl-C to leave"),
    }
}

/// What a view that is too low leaves out.
pub(super) fn more(lines: usize) -> String {
    paint(FAINT, &format!("… {} more", count(lines, "line")))
}
