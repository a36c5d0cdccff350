//! `check`: one question for a machine: is all well?

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Context;
use super::args;
use super::failure::Failure;
use super::render::{BAD, Cell, GOOD, PLAIN, Table, count, paint, put, put_json, span};
use super::status::words;
use crate::protocol::{Status, UnitStatus};

/// A daemon that takes longer to say how it is, is not well, however old a sign of life may be.
const ANSWER: Duration = Duration::from_secs(30);

/// Succeeds, or says on standard output what is wrong and fails.
pub(super) fn run(context: &Context, args: &args::Check) -> Result<(), Failure> {
    let (well, problems) = match context.client()?.status(args.max_age.min(ANSWER)) {
        Ok(status) => (wished(&status).count(), problems(&status, args.max_age, Timestamp::now())),
        // For whoever checks, no daemon is one more thing that is not well.
        Err(failure @ (Failure::NoDaemon { .. } | Failure::Failed(_))) => {
            (0, vec![("supervisor".to_owned(), failure.to_string())])
        }
        Err(failure) => return Err(failure),
    };
    let said = if context.json {
        let lines = problems.iter().map(|(what, why)| json!({ "what": what, "why": why }));
        let lines: Vec<_> = lines.collect();
        put_json(&json!({ "ok": problems.is_empty(), "problems": lines }))
    } else if problems.is_empty() {
        put(&format!("{}: {} up\n", paint(GOOD, "ok"), count(well, "unit")))
    } else {
        let rows = problems.iter();
        let rows =
            rows.map(|(what, why)| [Cell::new(BAD, &format!("{what}:")), Cell::new(PLAIN, why)]);
        put(&Table::new(["", ""], rows.collect()).text(None))
    };
    if !problems.is_empty() {
        return Err(Failure::Said);
    }
    said
}

fn wished(status: &Status) -> impl Iterator<Item = &UnitStatus> {
    status.units.iter().filter(|unit| unit.wish == "up")
}

/// What is not as it should be: of the daemon, then of each unit.
fn problems(status: &Status, max_age: Duration, now: Timestamp) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    if let Some(age) = age(status, now)
        && age > max_age
    {
        let (age, limit) = (span(age.as_secs()), span(max_age.as_secs()));
        let why = format!("its loop last came round {age} ago (limit {limit}): restart it");
        problems.push(("supervisor".to_owned(), why));
    }
    let troubles = status.supervisor.troubles.iter();
    problems.extend(troubles.map(|trouble| ("supervisor".to_owned(), trouble.clone())));
    if status.plan.stalled {
        let why = "stalled: no commit and no hand-off for long; look at its sessions";
        problems.push(("plan".to_owned(), why.to_owned()));
    }
    for unit in wished(status).filter(|unit| !unit.is_well()) {
        if matches!(unit.state.as_str(), "up" | "starting") {
            let seen = unit.source.as_ref().map(|it| format!(": {}", it.evidence));
            let why = format!("{}{}", words(&unit.reading), seen.unwrap_or_default());
            problems.push((unit.name.clone(), why));
            continue;
        }
        let state = words(&unit.state);
        let why = if unit.why.is_empty() { String::new() } else { format!(": {}", unit.why) };
        problems.push((unit.name.clone(), format!("{state}, wished up{why}")));
    }
    problems
}

/// How long ago the loop came round; unknown with a daemon that does not say.
fn age(status: &Status, now: Timestamp) -> Option<Duration> {
    let at: Timestamp = status.supervisor.alive_at.as_ref()?.parse().ok()?;
    // A clock that was set back makes the last turn lie ahead: then it is not old.
    Some(Duration::try_from(now.duration_since(at)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::problems;
    use crate::cli::status::samples::{NOW, status, unit};

    fn found(alive_at: Option<&str>, wish: &str, state: &str) -> Vec<String> {
        let mut status = status(vec![unit("web", wish, state)]);
        status.supervisor.alive_at = alive_at.map(str::to_owned);
        status.supervisor.troubles.clear();
        let now = NOW.parse().expect("a time");
        let found = problems(&status, Duration::from_secs(180), now);
        found.into_iter().map(|(what, why)| format!("{what}: {why}")).collect()
    }

    #[test]
    fn a_wished_unit_must_be_up_or_starting() {
        for (wish, state, well) in [
            ("up", "up", true),
            ("up", "starting", true),
            ("up", "waiting", false),
            ("up", "held", false),
            ("up", "given_up", false),
            ("up", "stopped", false),
            ("up", "stopping", false),
            ("down", "stopped", true),
            ("down", "up", true),
        ] {
            assert_eq!(found(None, wish, state).is_empty(), well, "{wish} {state}");
        }
        assert_eq!(found(None, "up", "given_up"), ["web: given up, wished up"]);
    }

    #[test]
    fn a_session_that_is_up_and_needs_a_person_is_a_problem() {
        for (reading, well) in [("idle", true), ("limited", true), ("dialog", false)] {
            let mut unit = unit("builder", "up", "up");
            unit.reading = reading.to_owned();
            let mut status = status(vec![unit]);
            status.supervisor.alive_at = None;
            status.supervisor.troubles.clear();
            let now = NOW.parse().expect("a time");
            let found = problems(&status, Duration::from_secs(180), now);
            assert_eq!(found.is_empty(), well, "{reading}: {found:?}");
        }
    }

    #[test]
    fn what_troubles_the_daemon_itself_is_a_problem() {
        let mut status = status(Vec::new());
        status.supervisor.alive_at = None;
        status.supervisor.troubles = vec!["cannot save the wishes: no space left".to_owned()];
        let now = NOW.parse().expect("a time");
        let found = problems(&status, Duration::from_secs(180), now);
        let said = ("supervisor".to_owned(), "cannot save the wishes: no space left".to_owned());
        assert_eq!(found, [said]);
    }

    #[test]
    fn a_loop_that_does_not_come_round_is_a_problem() {
        assert_eq!(found(Some("2026-01-01T00:08:00Z"), "up", "up"), [""; 0]);
        assert_eq!(found(Some("2026-01-01T00:30:00Z"), "up", "up"), [""; 0]);
        assert_eq!(
            found(Some("2026-01-01T00:05:00Z"), "up", "up"),
            ["supervisor: its loop last came round 5m ago (limit 3m): restart it"]
        );
    }
}
