//! `doctor`: every check of the installation, each with its remedy. Looks only, changes nothing that
//! stays. Not here: whether the units are well, which is `check`.

mod machine;
mod places;
mod programs;

use serde::Serialize;

use super::Context;
use super::failure::{Failure, chain};
use super::render::{BAD, BOLD, Cell, FAINT, GOOD, ODD, PLAIN, View, count, put, put_json};
use crate::config::{Config, find};

/// What was looked at, what was found, and what to do.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    verdict: Verdict,
    finding: String,
    /// Empty where nothing needs doing.
    remedy: String,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// Something is lost, and the rest works.
    Warn,
    /// It does not work.
    Fail,
}

impl Check {
    fn ok(name: &str, finding: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, finding, "")
    }

    fn warn(name: &str, finding: impl Into<String>, remedy: &str) -> Self {
        Self::new(name, Verdict::Warn, finding, remedy)
    }

    fn fail(name: &str, finding: impl Into<String>, remedy: &str) -> Self {
        Self::new(name, Verdict::Fail, finding, remedy)
    }

    fn new(name: &str, verdict: Verdict, finding: impl Into<String>, remedy: &str) -> Self {
        let (name, remedy) = (name.to_owned(), remedy.to_owned());
        Self { name, verdict, finding: finding.into(), remedy }
    }
}

/// Prints them all; fails if one does.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let mut checks = Vec::new();
    let config = match find(context.config.as_deref())
        .and_then(|file| Ok((Config::load(&file)?, file)))
    {
        Ok((config, file)) => {
            let units = count(config.units.len(), "unit");
            checks.push(Check::ok("configuration", format!("{}: {units}", file.display())));
            Some((file, config))
        }
        Err(error) => {
            let remedy = "`supervisor init` writes one to start from; the other checks of it wait";
            checks.push(Check::fail("configuration", chain(&error), remedy));
            None
        }
    };
    checks.extend(machine::checks(config.as_ref().map(|(_, config)| config)));
    if let Some((file, config)) = &config {
        checks.extend(places::checks(file, config));
        checks.extend(programs::checks(config));
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if context.json {
        put_json(&checks)?;
    } else {
        put(&text(&checks, &View::of_stdout()))?;
    }
    if failed { Err(Failure::Said) } else { Ok(()) }
}

fn text(checks: &[Check], view: &View) -> String {
    let mut text = String::new();
    for check in checks {
        let (mark, word, style) = match check.verdict {
            Verdict::Ok => ("✓", "ok", GOOD),
            Verdict::Warn => ("!", "warn", ODD),
            Verdict::Fail => ("✗", "fail", BAD),
        };
        let name = format!("{}:", check.name);
        // On a terminal the remedy has a line of its own; a pipe gets one line for each check.
        let line = if view.is_terminal() {
            Cell::new(style, mark).with(BOLD, &name).with(PLAIN, &check.finding)
        } else {
            let end = if check.remedy.is_empty() { "" } else { ";" };
            let line = Cell::new(style, &format!("{word}:")).with(BOLD, &name);
            line.with(PLAIN, &format!("{}{end}", check.finding)).with(PLAIN, &check.remedy)
        };
        text.push_str(&line.painted());
        text.push('\n');
        if view.is_terminal() && !check.remedy.is_empty() {
            text.push_str(&Cell::new(FAINT, "  →").with(ODD, &check.remedy).painted());
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Check, View, text};

    fn shown(width: Option<usize>) -> String {
        let checks = [
            Check::ok("git", "git version 2.47"),
            Check::warn("tmux", "tmux 3.3a loses ends", "take 3.6"),
            Check::fail("web", "node is not on its PATH", "install it"),
        ];
        let view = View { width, height: None, now: jiff::Timestamp::UNIX_EPOCH };
        anstream::adapter::strip_str(&text(&checks, &view)).to_string()
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_check() {
        assert_eq!(
            shown(None),
            "ok: git: git version 2.47\n\
             warn: tmux: tmux 3.3a loses ends; take 3.6\n\
             fail: web: node is not on its PATH; install it\n"
        );
    }

    #[test]
    fn a_terminal_gets_marks_and_the_remedies_below() {
        assert_eq!(
            shown(Some(80)),
            "✓ git: git version 2.47\n\
             ! tmux: tmux 3.3a loses ends\n  → take 3.6\n\
             ✗ web: node is not on its PATH\n  → install it\n"
        );
    }
}
