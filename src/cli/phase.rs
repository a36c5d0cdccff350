//! `phase`: which phase the plan is in, and beginning another.

use std::time::Duration;

use serde_json::json;

use super::args::{self, PhaseVerb};
use super::failure::Failure;
use super::render::{BAD, BOLD, Cell, FAINT, GOOD, ODD, PLAIN, Table, put, put_json};
use super::{Context, units};
use crate::protocol::{PlanStatus, Verb};

/// The daemon answers at once; a busy machine may need long.
const ANSWER: Duration = Duration::from_secs(30);

/// Shows, or begins.
pub(super) fn run(context: &Context, args: args::Phase) -> Result<(), Failure> {
    let name = match args.what {
        None | Some(PhaseVerb::Show) => return show(context),
        Some(PhaseVerb::Set { name }) => Some(name),
        Some(PhaseVerb::Next) => None,
    };
    units::wish(context, Verb::Phase { name }, "the phase to begin")
}

fn show(context: &Context) -> Result<(), Failure> {
    let plan = context.client()?.status(ANSWER)?.plan;
    if context.json {
        return put_json(&json!(plan));
    }
    if plan.phase.is_none() {
        return put("the config has no plan: name its phases in [plan]\n");
    }
    put(&text(&plan))
}

/// A row for each phase, then what stands in the way.
pub(super) fn text(plan: &PlanStatus) -> String {
    let now = plan.phases.iter().position(|phase| plan.phase.as_ref() == Some(phase));
    let mut rows: Vec<[Cell; 2]> = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        let (style, word) = match now {
            Some(now) if index < now => (GOOD, "done"),
            Some(now) if index == now && (plan.done || plan.waits) => (GOOD, "done"),
            Some(now) if index == now => (BOLD, "now"),
            Some(_) | None => (FAINT, "to come"),
        };
        rows.push([Cell::new(BOLD, phase), Cell::new(style, word)]);
    }
    if let (None, Some(phase)) = (now, &plan.phase) {
        let why = "now, and in the config no more: `supervisor phase set` begins one that is";
        rows.push([Cell::new(BOLD, phase), Cell::new(BAD, why)]);
    }
    let mut notes: Vec<(&str, Cell)> = Vec::new();
    if let Some(by) = plan.blocked_by.as_ref().filter(|_| plan.blocked) {
        notes.push(("blocked", Cell::new(ODD, by)));
    }
    if plan.waits {
        notes.push(("waits", Cell::new(ODD, "for `supervisor phase next`")));
    }
    for missing in &plan.missing {
        notes.push(("missing", Cell::new(ODD, missing)));
    }
    for unknown in &plan.unknown {
        notes.push(("unknown", Cell::new(ODD, unknown)));
    }
    if plan.stalled {
        notes.push(("stalled", Cell::new(BAD, "no commit and no hand-off for long")));
    }
    rows.extend(notes.into_iter().map(|(what, cell)| [Cell::new(PLAIN, what), cell]));
    Table::new(["", ""], rows).text(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_shown_as_done_now_and_to_come_with_what_is_missing() {
        let plan = PlanStatus {
            phase: Some("2".to_owned()),
            phases: ["1c", "2", "3"].map(str::to_owned).to_vec(),
            missing: vec!["D2: no word of consent in REVIEW.md".to_owned()],
            ..PlanStatus::default()
        };
        let text = anstream::adapter::strip_str(&text(&plan)).to_string();
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["1c", "done"]);
        assert_eq!(lines[1], ["2", "now"]);
        assert_eq!(lines[2], ["3", "to", "come"]);
        assert_eq!(lines[3][..2], ["missing", "D2:"]);
    }
}
