//! The status again and again: a picture that is redrawn in place on a terminal, else a stream.

use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};

use super::overview::{footer, more};
use super::{find, text};
use crate::cli::client::{AT_ONCE, Answers, Client, Next, snapshot};
use crate::cli::failure::Failure;
use crate::cli::render::{View, put, put_raw, seen};
use crate::protocol::{Status, Verb};

/// Relative times are told in seconds, so the picture is redrawn as often. Also how long a lost
/// daemon is left alone before it is looked for again.
const REDRAW: Duration = Duration::from_secs(1);

/// A stream waits for as long as nothing changes; it looks up so often, for nothing.
const QUIET: Duration = Duration::from_secs(3600);

/// Shows it until the caller has seen enough.
pub(super) fn run(client: &Client, unit: Option<&str>, json: bool) -> Result<(), Failure> {
    let answers = open(client)?;
    if !json && View::of_stdout().is_terminal() {
        picture(client, answers, unit)
    } else {
        stream(answers, unit, json)
    }
}

fn open(client: &Client) -> Result<Answers, Failure> {
    client.send(Verb::Status { watch: true }, AT_ONCE)
}

/// One snapshot after another, as JSON a line each or as text with an empty line between.
fn stream(mut answers: Answers, unit: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut first = true;
    loop {
        let status = match answers.wait(QUIET)? {
            Next::Answer(answer) => snapshot(answer)?,
            Next::Nothing => continue,
            Next::Over => return Err(Failure::failed(GONE)),
        };
        if json {
            let line = match unit {
                None => serde_json::to_string(&status),
                Some(unit) => serde_json::to_string(find(&status, unit)?),
            };
            let line = line.context("cannot write the status as JSON")?;
            put_raw(format!("{line}\n").as_bytes())?;
        } else {
            let gap = if first { "" } else { "\n" };
            put(&format!("{gap}{}", text(&status, unit, &View::of_stdout())?))?;
        }
        first = false;
    }
}

const GONE: &str = "the supervisor has gone: `supervisor logs` may say why";

/// The snapshot, drawn over itself whenever something changes and once a second. A daemon that goes
/// is looked for until it is back: an upgrade must not end the view.
fn picture(client: &Client, answers: Answers, unit: Option<&str>) -> Result<(), Failure> {
    let enough = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&enough)).context("cannot catch Ctrl-C")?;
    }
    // Only so that a new size ends the wait: the next picture asks for the size anyway.
    signal_hook::flag::register(SIGWINCH, Arc::new(AtomicBool::new(false)))
        .context("cannot watch the size of the terminal")?;

    let _screen = Screen::take()?;
    let mut answers = Some(answers);
    let mut shown: Option<Status> = None;
    while !enough.load(Ordering::Relaxed) {
        match &mut answers {
            Some(open) => match open.wait(REDRAW)? {
                Next::Answer(answer) => shown = Some(snapshot(answer)?),
                Next::Nothing => {}
                Next::Over => answers = None,
            },
            None => {
                std::thread::sleep(REDRAW);
                answers = match open(client) {
                    Ok(answers) => Some(answers),
                    Err(Failure::NoDaemon { .. }) => None,
                    Err(failure) => return Err(failure),
                };
            }
        }
        if let Some(status) = &shown {
            let view = View::of_stdout();
            let lost = answers.is_none().then_some(GONE);
            put_raw(frame(&text(status, unit, &view)?, lost, &view).as_bytes())?;
        }
    }
    Ok(())
}

/// A picture that replaces the one before it without a flicker: from the top left, each line to its
/// end, and nothing left below. Never higher than the terminal, or it would scroll.
fn frame(text: &str, lost: Option<&str>, view: &View) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The last line of the terminal stays free for the cursor, one is the footer, one a gap.
    let room = view.height.unwrap_or(usize::MAX).saturating_sub(3).max(1);
    let mut frame = "\x1b[H".to_owned();
    let mut line = |text: &str| {
        // Only the colours may be unwanted, never the movements of the cursor.
        frame.push_str(&seen(text));
        frame.push_str("\x1b[K\n");
    };
    if lines.len() > room {
        let shown = room.saturating_sub(1);
        lines.iter().take(shown).for_each(|text| line(text));
        line(&more(lines.len() - shown));
    } else {
        lines.iter().for_each(|text| line(text));
    }
    line("");
    line(&footer(lost));
    frame.push_str("\x1b[J");
    frame
}

/// A terminal that is ours: cleared, without a cursor. The cursor comes back at the end.
struct Screen;

impl Screen {
    fn take() -> Result<Self, Failure> {
        stdout().write_all(b"\x1b[?25l\x1b[2J\x1b[H").map_err(Failure::Output)?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = stdout();
        // A terminal that went away has no cursor to give back.
        let _ = out.write_all(b"\x1b[?25h").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::{View, frame};
    use anstream::adapter::strip_str;

    fn lines(height: Option<usize>) -> Vec<String> {
        let view = View { width: Some(80), height, now: jiff::Timestamp::UNIX_EPOCH };
        let frame = frame("one\ntwo\nthree\nfour\n", None, &view);
        strip_str(&frame).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_picture_is_never_higher_than_the_terminal() {
        let whole = ["one", "two", "three", "four", "", "live · Ctrl-C to leave"];
        assert_eq!(lines(None), whole);
        assert_eq!(lines(Some(7)), whole);
        assert_eq!(lines(Some(6)), ["one", "two", "… 2 lines more", "", "live · Ctrl-C to leave"]);
    }
}
