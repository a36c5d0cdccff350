//! opencode. It is read by its screen alone: no hooks, and conversations in a database. So each start
//! is a fresh one with the kickoff prompt, and what was typed is never typed again.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::rows::{Row, rows, squeezed};
use super::{
    Calls, Composer, Places, Profile, ScreenReading, ScreenText, Shows, Start, StartFacts, Typing,
};
use crate::decide::{Dialog, Doing, Failure};

/// The profile of opencode.
#[derive(Debug)]
pub struct Opencode;

/// Which options the config may not give, and what to do instead.
const NOT_IN_ARGS: [(&[&str], &str); 2] = [
    (
        &["-c", "--continue", "-s", "--session", "--fork", "--prompt"],
        "each start of the session is a fresh one with its `prompt_file`: take it out",
    ),
    (
        &["run", "serve", "web", "acp", "attach"],
        "a session is an interactive program in its own pane: take it out",
    ),
];

/// In front of every row of what was entered, of an error, and of the input line.
const BAR: char = '┃';
/// The end of the input line's box.
const BOX_ENDS: &str = "╹▀";
/// In front of what answers.
const ANSWERS: char = '▣';
/// What stands in an empty input line.
const SUGGESTION: &str = "Ask anything";
/// Below the input line while a turn goes on; after the first Esc it is `esc again to interrupt`.
const BUSY: [&str; 2] = ["esc interrupt", "esc again to interrupt"];
/// Evidence is a few words of a screen, not the screen.
const EVIDENCE_MAX: usize = 200;

/// Texts of errors, squeezed, and what each means.
const ERRORS: [(&str, Failure); 4] = [
    ("invalidx-api-key", Failure::LoggedOut),
    ("authentication_error", Failure::LoggedOut),
    ("OAuthtoken", Failure::LoggedOut),
    ("creditbalance", Failure::Unpaid),
];

impl Profile for Opencode {
    fn program(&self) -> &'static str {
        "opencode"
    }

    fn known_versions(&self) -> &'static [&'static str] {
        &["1.18.33"]
    }

    fn arguments(&self, start: &Start<'_>) -> Vec<OsString> {
        let mut words: Vec<OsString> = start.args.iter().map(OsString::from).collect();
        if let Some(prompt) = start.prompt {
            // In one word: it may begin with `-`.
            words.push(format!("--prompt={prompt}").into());
        }
        words
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        &[("LANG", "C.UTF-8"), ("OPENCODE_DISABLE_AUTOUPDATE", "1")]
    }

    fn places(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME")?;
        let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let data = absolute("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        Some(Places {
            config_file: data.join("opencode/opencode.db"),
            settings_file: config.join("opencode/opencode.json"),
            registry: None,
            transcripts: data.join("opencode"),
            credentials: data.join("opencode/auth.json"),
        })
    }

    fn refusal(&self, facts: &StartFacts<'_>) -> Option<String> {
        super::refused(facts.args, &NOT_IN_ARGS)
    }

    fn calls(&self) -> Calls {
        Calls {
            paths: &[],
            batch_options: &["-v", "--version", "-h", "--help"],
            batch_commands: &[
                "run",
                "serve",
                "web",
                "acp",
                "auth",
                "agent",
                "upgrade",
                "uninstall",
                "models",
                "stats",
                "export",
                "import",
                "github",
                "mcp",
                "session",
                "pr",
                "debug",
            ],
            batch_words: &[],
            labels: &[],
        }
    }

    fn screen(&self, screen: &ScreenText<'_>) -> ScreenReading {
        let (rows, _) = rows(screen.text);
        match rows.iter().rposition(|row| row.text.trim_start().starts_with(BOX_ENDS)) {
            Some(end) => composed(&rows, end),
            None => {
                let (shows, why) = in_its_place(&rows);
                ScreenReading { shows, why, composer: Composer::Absent, queued: None }
            }
        }
    }

    fn typing(&self) -> Typing {
        Typing { enter_after: Duration::from_millis(400), lines: false, mark: true, proof: false }
    }
}

/// The box of the input line ends at the row `end`.
fn composed(rows: &[Row], end: usize) -> ScreenReading {
    // To the right of it may stand something else.
    let width =
        rows.get(end).map_or(0, |row| row.text.trim_end_matches(|c| c != '▀').chars().count());
    let inside = |row: &Row| -> String { row.text.chars().take(width).collect() };
    let texts: Vec<String> = rows.iter().take(end).map(inside).collect();
    let has_bar = |text: &String| text.trim_start().starts_with(BAR);
    let begin = texts.iter().rposition(|text| !has_bar(text)).map_or(0, |at| at + 1);
    // The last row of it names the model.
    let input = texts.get(begin..end.saturating_sub(1)).unwrap_or_default();
    let input: Vec<&str> = input.iter().map(|text| unbarred(text)).collect();
    let input = input.join("\n");
    let composer = match input.trim() {
        "" => Composer::Empty,
        text if text.starts_with(SUGGESTION) => Composer::Empty,
        text => Composer::Text(text.to_owned()),
    };
    let below = rows.get(end..).unwrap_or_default();
    let busy = BUSY.iter().find(|words| below.iter().any(|row| row.text.contains(*words)));
    let (doing, why) = match (busy, error(texts.get(..begin).unwrap_or_default())) {
        (Some(words), _) => (Doing::Working, format!("`{words}` below the input line")),
        (None, Some(error)) => error,
        (None, None) => (Doing::Idle, "the input line, and nothing that goes on".to_owned()),
    };
    ScreenReading { shows: Shows::Doing(doing), why, composer, queued: None }
}

/// The error that the last turn ended with: a block of its own between what was entered and the end of
/// the answer.
fn error(texts: &[String]) -> Option<(Doing, String)> {
    let mut blocks = texts
        .rsplit(|text| text.trim().is_empty())
        .filter(|block| !block.is_empty() && !block.iter().all(|text| unbarred(text).is_empty()));
    blocks.next().filter(|block| block.iter().any(|text| text.trim().starts_with(ANSWERS)))?;
    let barred = |block: &&[String]| block.iter().all(|text| text.trim_start().starts_with(BAR));
    let said = blocks.next().filter(barred)?;
    blocks.next().filter(barred)?;
    let words = said.iter().flat_map(|text| unbarred(text).split_whitespace());
    let said = words.collect::<Vec<_>>().join(" ");
    let squeezed: String = said.chars().filter(|c| !c.is_whitespace()).collect();
    let known = ERRORS.iter().find(|(words, _)| squeezed.contains(words));
    let failure = known.map_or(Failure::Errored, |(_, failure)| *failure);
    Some((Doing::Failed(failure), said.chars().take(EVIDENCE_MAX).collect()))
}

/// A row without the bar in front of it.
fn unbarred(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix(BAR).unwrap_or(text).trim()
}

/// No input line.
fn in_its_place(rows: &[Row]) -> (Shows, String) {
    let screen = squeezed(rows);
    if screen.is_empty() {
        return (Shows::Unknown, "the screen is empty".to_owned());
    }
    if screen.contains("Permissionrequired") {
        let why = "it asks for permission".to_owned();
        return (Shows::Doing(Doing::Dialog(Dialog::Permission)), why);
    }
    (Shows::Unknown, "neither an input line nor a dialog".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::captures;
    use super::*;
    use crate::decide::Reading;

    fn read(text: &str) -> ScreenReading {
        Opencode.screen(&captures::screen(text))
    }

    #[test]
    fn every_capture_is_read_as_what_it_shows() {
        captures::check(
            &Opencode,
            "opencode",
            &[
                (Reading::Idle, "start_120 idle_80 idle_100 idle_140 typed_80 typed_140"),
                (Reading::Working, "busy_100 busy_queued_100 busy_typed_80 busy_typed_140"),
                (Reading::LoggedOut, "err401_80 err401_140"),
            ],
        );
    }

    #[test]
    fn what_is_typed_is_told_from_the_suggestion() {
        for file in ["start_120.txt", "idle_80.txt", "idle_140.txt", "busy_queued_100.txt"] {
            assert_eq!(read(&captures::text("opencode", file)).composer, Composer::Empty, "{file}");
        }
        for file in ["typed_80.txt", "typed_140.txt", "busy_typed_80.txt", "busy_typed_140.txt"] {
            let typed = Composer::Text("a typed text".to_owned());
            assert_eq!(read(&captures::text("opencode", file)).composer, typed, "{file}");
        }
    }
}
