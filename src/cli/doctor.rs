//! `doctor`: every check of the installation, each with its remedy. Looks only, changes nothing that
//! stays. Not here: whether the units are well, which is `check`.

mod agents;
mod gateway;
mod machine;
mod places;
mod programs;
mod required;
mod takeover;

use anstyle::Style;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

pub(super) use self::programs::{all_output, is_program, on_path, output};

use super::Context;
use super::failure::Failure;
use super::render::{
    BAD, BOLD, Cell, FAINT, GOOD, ODD, PLAIN, View, clean, count, paint, put, put_json, wrap,
};
use crate::config::{Config, find};
use crate::daemon::chain;

/// A narrower column of text is harder to read than one that the terminal breaks.
const LEAST_ROOM: usize = 30;

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
    let config =
        match find(context.config.as_deref()).and_then(|file| Ok((Config::load(&file)?, file))) {
            Ok((config, file)) => {
                let units = count(config.units.len(), "unit");
                checks.push(Check::ok("configuration", format!("{}: {units}", file.display())));
                Some((file, config))
            }
            Err(error) => {
                let remedy = "until then what it names cannot be checked";
                checks.push(Check::fail("configuration", chain(&error), remedy));
                None
            }
        };
    checks.extend(machine::checks(config.as_ref().map(|(_, config)| config)));
    if let Some((file, config)) = &config {
        checks.extend(places::checks(file, config));
        checks.extend(programs::checks(config));
        checks.extend(agents::checks(config));
        checks.extend(required::checks(config));
        checks.extend(takeover::checks(config));
        checks.extend(gateway::checks(file, config));
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if context.json {
        put_json(&checks)?;
    } else {
        put(&text(&checks, &View::of_stdout()))?;
    }
    if failed { Err(Failure::Said) } else { Ok(()) }
}

/// Whether there is a tmux for sessions to live in.
///
/// # Errors
/// There is none, or it is too old: what to install.
pub(super) fn sessions_can_be_had() -> Result<(), Failure> {
    let Check { name, verdict, finding, remedy } = machine::tmux_now(true);
    if verdict == Verdict::Fail {
        return Err(Failure::failed(format!("{name}: {finding}; {remedy}")));
    }
    Ok(())
}

/// On a terminal in columns, with the remedy below what it is for; a pipe gets one line for each.
fn text(checks: &[Check], view: &View) -> String {
    match view.width {
        Some(width) => columns(checks, width),
        None => checks.iter().map(line).collect(),
    }
}

fn columns(checks: &[Check], width: usize) -> String {
    let names = checks.iter().map(|check| check.name.width()).max().unwrap_or(0);
    let indent = names + "✓   ".width();
    let room = width.saturating_sub(indent).max(LEAST_ROOM);
    let mut text = String::new();
    for check in checks {
        let Check { name, verdict, finding, remedy } = check;
        let (mark, _, style) = look(*verdict);
        let fill = " ".repeat(names.saturating_sub(name.width()));
        text.push_str(&format!("{} {}{fill}  ", paint(style, mark), paint(BOLD, &clean(name))));
        text.push_str(&wrap(&clean(finding), room).join(&format!("\n{}", " ".repeat(indent))));
        text.push('\n');
        let mut arrow = "→ ";
        for part in wrap(&clean(remedy), room.saturating_sub(arrow.width())) {
            let fill = " ".repeat(indent);
            text.push_str(&format!("{fill}{}{}\n", paint(FAINT, arrow), paint(ODD, &part)));
            arrow = "  ";
        }
    }
    text
}

fn line(check: &Check) -> String {
    let (_, word, style) = look(check.verdict);
    let end = if check.remedy.is_empty() { "" } else { ";" };
    let line = Cell::new(style, &format!("{word}:"))
        .with(BOLD, &format!("{}:", check.name))
        .with(PLAIN, &format!("{}{end}", check.finding))
        .with(PLAIN, &check.remedy);
    line.painted() + "\n"
}

fn look(verdict: Verdict) -> (&'static str, &'static str, Style) {
    match verdict {
        Verdict::Ok => ("✓", "ok", GOOD),
        Verdict::Warn => ("!", "warn", ODD),
        Verdict::Fail => ("✗", "fail", BAD),
    }
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
            "✓ git   git version 2.47\n\
             ! tmux  tmux 3.3a loses ends\n        → take 3.6\n\
             ✗ web   node is not on its PATH\n        → install it\n"
        );
    }
}
