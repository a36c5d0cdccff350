//! `metrics`: the snapshot as OpenMetrics text, for the text file collector of a node exporter.

use std::fmt::Write as _;

use super::Context;
use super::client::AT_ONCE;
use super::failure::Failure;
use super::render::put;
use crate::protocol::{Status, UnitStatus};

/// Runs the verb.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    put(&text(&context.client()?.status(AT_ONCE)?))
}

/// One family of metrics: its name, its kind, what it says, and its values.
struct Family<'s> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    values: Vec<(Vec<(&'static str, &'s str)>, u64)>,
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    for Family { name, kind, help, values } in families(status) {
        // In OpenMetrics the samples of a counter have a suffix that the family has not.
        let suffix = if kind == "counter" { "_total" } else { "" };
        let _infallible = write!(text, "# TYPE {name} {kind}\n# HELP {name} {help}\n");
        for (labels, value) in values {
            let labels: Vec<_> =
                labels.iter().map(|(label, value)| format!("{label}={}", quoted(value))).collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let _infallible = writeln!(text, "{name}{suffix}{labels} {value}");
        }
    }
    text + "# EOF\n"
}

fn families(status: &Status) -> Vec<Family<'_>> {
    let each = |value: &dyn Fn(&UnitStatus) -> u64| {
        let one = |unit| (labels(unit, &[]), value(unit));
        status.units.iter().map(one).collect::<Vec<_>>()
    };
    let words = |label: &'static str, word: &dyn Fn(&UnitStatus) -> &str| {
        let word = status.units.iter().map(|unit| (unit, word(unit)));
        word.map(|(unit, word)| (labels(unit, &[(label, word)]), 1)).collect::<Vec<_>>()
    };
    let spenders = || status.units.iter().filter_map(|unit| Some((unit, unit.usage.as_ref()?)));
    let tokens = spenders().flat_map(|(unit, usage)| {
        let it = usage.tokens;
        let kinds = [
            ("input", it.input),
            ("output", it.output),
            ("cache_read", it.cache_read),
            ("cache_write", it.cache_write),
        ];
        kinds.map(|(kind, tokens)| (labels(unit, &[("kind", kind)]), tokens))
    });
    let remedies = status.units.iter().flat_map(|unit| {
        unit.remedies.iter().map(|(word, times)| (labels(unit, &[("remedy", word)]), *times))
    });
    let turns = spenders().map(|(unit, usage)| (labels(unit, &[]), usage.turns));
    let family = |name, kind, help, values| Family { name, kind, help, values };
    vec![
        family(
            "supervisor_ready",
            "gauge",
            "Whether the supervisor has looked at every unit.",
            vec![(Vec::new(), status.supervisor.ready.into())],
        ),
        family(
            "supervisor_troubles",
            "gauge",
            "What is wrong with the supervisor's own surroundings.",
            vec![(Vec::new(), status.supervisor.troubles.len() as u64)],
        ),
        family(
            "supervisor_unit_wished",
            "gauge",
            "Whether the unit is wished up.",
            each(&|unit| (unit.wish == "up").into()),
        ),
        family(
            "supervisor_unit_up",
            "gauge",
            "Whether the unit is up.",
            each(&|unit| (unit.state == "up").into()),
        ),
        family(
            "supervisor_unit_state",
            "gauge",
            "What is being done about the unit, as a label.",
            words("state", &|unit| &unit.state),
        ),
        family(
            "supervisor_unit_reading",
            "gauge",
            "What the unit is doing, as a label.",
            words("reading", &|unit| &unit.reading),
        ),
        family(
            "supervisor_unit_restarts",
            "counter",
            "Restarts in this boot.",
            each(&|unit| unit.restarts.total),
        ),
        family(
            "supervisor_unit_messages",
            "gauge",
            "Messages that are still to be typed.",
            each(&|unit| unit.messages as u64),
        ),
        family(
            "supervisor_unit_remedies_24h",
            "gauge",
            "How often each remedy was used within 24 hours.",
            remedies.collect(),
        ),
        family(
            "supervisor_unit_turns_today",
            "gauge",
            "Turns that ended well since midnight UTC.",
            turns.collect(),
        ),
        family(
            "supervisor_unit_tokens_today",
            "gauge",
            "Tokens since midnight UTC, those of sub-agents included.",
            tokens.collect(),
        ),
    ]
}

fn labels<'s>(
    unit: &'s UnitStatus,
    more: &[(&'static str, &'s str)],
) -> Vec<(&'static str, &'s str)> {
    [("unit", unit.name.as_str())].iter().chain(more).copied().collect()
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::cli::status::samples::{status, unit};
    use crate::protocol::{TokenCount, Usage};

    #[test]
    fn what_units_do_and_spend_is_said_in_openmetrics() {
        let mut builder = unit("builder", "up", "waiting");
        builder.restarts.total = 3;
        builder.messages = 2;
        let tokens = TokenCount { input: 5, output: 6, cache_read: 7, cache_write: 8 };
        let day = "2026-11-21".to_owned();
        builder.usage = Some(Usage { day, turns: 14, tokens, total: 26 });
        let text = text(&status(vec![builder, unit("web", "up", "up")]));
        for line in [
            "# TYPE supervisor_unit_restarts counter",
            "supervisor_unit_restarts_total{unit=\"builder\"} 3",
            "supervisor_unit_up{unit=\"builder\"} 0",
            "supervisor_unit_up{unit=\"web\"} 1",
            "supervisor_unit_state{unit=\"builder\",state=\"waiting\"} 1",
            "supervisor_unit_messages{unit=\"builder\"} 2",
            "supervisor_unit_turns_today{unit=\"builder\"} 14",
            "supervisor_unit_tokens_today{unit=\"builder\",kind=\"cache_write\"} 8",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("tokens_today{unit=\"web\""), "{text}");
        assert!(text.ends_with("\n# EOF\n"));
        assert_eq!(super::quoted("a\"b\\\n"), r#""a\"b\\\n""#);
    }
}
