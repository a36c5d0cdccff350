//! What its pane shows: the input line between a rule and the footer, what stands above it, or a box in
//! its place.

use super::failure;
use crate::agents::rows::{Row, rows, squeezed};
use crate::agents::text::one_line;
use crate::agents::{Composer, ScreenReading, ScreenText, Shows};
use crate::decide::{Dialog, Doing};

/// The rule above the input line.
const RULE: &str = "────";
/// In front of what is typed: plain, everything allowed, a command of the shell.
const MARKERS: [&str; 3] = [" > ", " * ", " ! "];
/// What stands in an empty input line.
const SUGGESTION: &str = "Type your message or @path/to/file";
/// The first row of the footer.
const FOOTER: &str = " workspace (";
/// While a turn goes on, directly above the rule.
const BUSY: [&str; 2] = ["(esc to cancel", "Executing Hook"];
/// In front of what was entered and waits.
const QUEUED: &str = "Queued (press";
/// In front of an error.
const ERROR: char = '✕';
/// In front of a prompt and of an answer.
const GOES_ON: [&str; 2] = [" > ", "✦"];
/// Evidence is a few words of a screen, not the screen.
const EVIDENCE_MAX: usize = 200;

/// What a box says, squeezed, and what it is.
const DIALOGS: [(&str, Dialog, &str); 6] = [
    ("Allowexecution", Dialog::Permission, "it asks for permission"),
    ("Applythischange?", Dialog::Permission, "it asks for permission"),
    ("UseGeminiAPIKey", Dialog::Start, "it asks for a login: run `gemini` by hand as this user"),
    ("Doyoutrust", Dialog::Start, "it asks whether the directory is trusted"),
    ("EnterGeminiAPIKey", Dialog::Start, "it asks for a key: set GEMINI_API_KEY"),
    ("Pressentertoselect", Dialog::Other, "a dialog"),
];

pub(super) fn read(screen: &ScreenText<'_>) -> ScreenReading {
    let (rows, _) = rows(screen.text);
    let rule = rows.iter().rposition(|row| row.text.starts_with(RULE));
    let input = rule.and_then(|rule| Some((rule, composer(rows.get(rule + 1..)?)?)));
    let Some((rule, composer)) = input else {
        let (shows, why) = in_its_place(&rows);
        return ScreenReading { shows, why, composer: Composer::Absent, queued: None };
    };
    let above = rows.get(..rule).unwrap_or_default();
    let (doing, why) = above_it(above);
    let queued = above.iter().rposition(|row| row.text.trim().starts_with(QUEUED));
    // In history it does not stand.
    let queued = queued.and_then(|at| above.get(at..)).map(quoted);
    ScreenReading { shows: Shows::Doing(doing), why, composer, queued }
}

/// What is typed between the rule and the footer; none if that is no input line.
fn composer(rows: &[Row]) -> Option<Composer> {
    let footer = rows.iter().position(|row| row.text.starts_with(FOOTER))?;
    let marked =
        |row: &Row| MARKERS.iter().any(|marker| format!("{} ", row.text).starts_with(marker));
    let first = rows.get(..footer)?.iter().position(marked)?;
    let texts = rows.get(first..footer)?.iter().map(|row| row.text.get(3..).unwrap_or("").trim());
    let text = texts.collect::<Vec<_>>().join("\n");
    Some(match text.trim() {
        "" => Composer::Empty,
        text if text == SUGGESTION => Composer::Empty,
        text => Composer::Text(text.to_owned()),
    })
}

fn above_it(rows: &[Row]) -> (Doing, String) {
    let last = rows.iter().rev().filter(|row| !row.is_blank()).take(3);
    let busy = |row: &&Row| BUSY.iter().any(|words| row.text.contains(words));
    if let Some(row) = last.clone().find(busy) {
        return (Doing::Working, quoted(std::slice::from_ref(row)));
    }
    let begins = |row: &Row| {
        row.text.starts_with(ERROR) || GOES_ON.iter().any(|marker| row.text.starts_with(marker))
    };
    let entry = rows.iter().rposition(begins).and_then(|at| rows.get(at..)).unwrap_or_default();
    if entry.first().is_some_and(|row| row.text.starts_with(ERROR)) {
        let end = entry.iter().position(Row::is_blank).unwrap_or(entry.len());
        let said = entry.get(..end).unwrap_or_default();
        // Its JSON is broken wherever the pane ends.
        let text: String = said.iter().map(|row| row.text.trim_start_matches("  ")).collect();
        return (Doing::Failed(failure(&text)), quoted(said));
    }
    (Doing::Idle, "the input line, and nothing that goes on".to_owned())
}

/// No input line.
fn in_its_place(rows: &[Row]) -> (Shows, String) {
    let screen = squeezed(rows);
    if screen.is_empty() {
        return (Shows::Unknown, "the screen is empty".to_owned());
    }
    let known = DIALOGS.iter().filter_map(|known| Some((screen.rfind(known.0)?, known)));
    let ends_a_box = rows.last().is_some_and(|row| row.text.trim_start().starts_with('╰'));
    if let Some((_, (_, asks, what))) = known.max_by_key(|(at, _)| *at).filter(|_| ends_a_box) {
        return (Shows::Doing(Doing::Dialog(*asks)), (*what).to_owned());
    }
    if screen.contains("Waitingforauthentication") || screen.contains("Initializing...") {
        return (Shows::Starting, "it is not ready yet".to_owned());
    }
    (Shows::Unknown, "neither an input line nor a dialog".to_owned())
}

/// The text of rows in one line.
fn quoted(rows: &[Row]) -> String {
    let words = rows.iter().flat_map(|row| row.text.split_whitespace());
    one_line(words, EVIDENCE_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Gemini;
    use super::*;
    use crate::agents::captures;
    use crate::decide::Reading;

    fn seen(file: &str) -> ScreenReading {
        let text = captures::text("gemini", file);
        read(&captures::screen(&text))
    }

    #[test]
    fn every_capture_is_read_as_what_it_shows() {
        captures::check(
            &Gemini,
            "gemini",
            &[
                (Reading::Idle, "idle_80 idle_100 typed_80"),
                (Reading::Working, "busy_80 busy_queued_80 busy_hook_80"),
                (Reading::Dialog, "permission_100 auth_dialog_100"),
                (Reading::LoggedOut, "err401_80"),
            ],
        );
    }

    #[test]
    fn what_is_typed_is_told_from_the_suggestion_and_what_waits_is_seen() {
        for file in ["idle_80.txt", "idle_80.ansi", "busy_80.txt", "busy_queued_80.txt"] {
            assert_eq!(seen(file).composer, Composer::Empty, "{file}");
        }
        assert_eq!(seen("typed_80.txt").composer, Composer::Text("a typed text".to_owned()));
        assert_eq!(seen("permission_100.txt").composer, Composer::Absent);
        assert!(seen("busy_queued_80.txt").queued.is_some_and(|it| it.contains("[msg abc123]")));
        assert_eq!(seen("busy_80.txt").queued, None);
    }
}
