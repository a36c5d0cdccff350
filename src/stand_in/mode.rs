//! How a request is to be answered, as it is written in a prompt or in the control file.

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use super::failure::Refusal;
use super::limits::Window;

/// How long a slow answer may take at most: nothing waits longer for anything.
const SLOWEST: u64 = 24 * 60 * 60;

/// One way to answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode {
    /// A short text that repeats the end of the prompt.
    Normal,
    /// The same, after so long.
    Slow(Duration),
    /// Response headers, then nothing.
    Hang,
    /// Not even response headers.
    HangNoHeaders,
    /// Half an answer, then nothing.
    HangMid,
    /// Half an answer, and an end as if it were whole: a stream that somebody in between has cut.
    Cut,
    /// Half an answer, then an error event.
    SseError,
    /// A call of a tool; once its result is there, a text.
    Tool {
        /// Which tool.
        name: String,
        /// What it is given.
        input: Value,
    },
    /// A thought before the text.
    Think,
    /// As normal, with so many input tokens used.
    Usage(u64),
    /// An error instead of an answer.
    Refuse(Refusal),
}

/// A mode that is none.
#[derive(Debug, Error, PartialEq)]
#[error("no mode is called {0:?}")]
pub(super) struct NoSuchMode(pub(super) String);

impl Mode {
    /// Reads a mode: `normal`, `slow:3`, `tool:make test`, `err429_unified:600`.
    ///
    /// # Errors
    /// A word that is no mode, or a number that is none.
    pub(super) fn parse(text: &str) -> Result<Self, NoSuchMode> {
        let text = text.trim();
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        let wrong = || NoSuchMode(text.to_owned());
        let number = || rest.trim().parse::<u64>().map_err(|_| wrong());
        Ok(match word {
            "slow" => Self::Slow(Duration::from_secs(number()?.min(SLOWEST))),
            "usage" => Self::Usage(number()?),
            "tool" if !rest.trim().is_empty() => Self::Tool {
                name: "Bash".to_owned(),
                input: json!({ "command": rest, "description": "Run what was asked for" }),
            },
            "toolraw" => raw(rest).ok_or_else(wrong)?,
            "err429_unified" | "err429_unified7" if !rest.is_empty() => {
                let resets_in = Some(Duration::from_secs(number()?));
                let five_hours = word == "err429_unified";
                let window = if five_hours { Window::FiveHours } else { Window::SevenDays };
                Self::Refuse(Refusal::limit(window, resets_in))
            }
            _ if !rest.is_empty() => return Err(wrong()),
            "normal" => Self::Normal,
            "hang" => Self::Hang,
            "hang_noheaders" => Self::HangNoHeaders,
            "hang_mid" => Self::HangMid,
            "cut" => Self::Cut,
            "sse_error" => Self::SseError,
            "think" => Self::Think,
            _ => Self::Refuse(Refusal::named(word).ok_or_else(wrong)?),
        })
    }
}

/// What stands in the mark `[[KIND:…]]` of a text, if there is one.
pub(super) fn mark<'a>(kind: &str, text: &'a str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&opening(kind))?;
    Some(&rest[..inside(rest)])
}

/// `text` without its marks.
pub(super) fn unmarked(text: &str) -> String {
    let mut text = text.to_owned();
    for opening in ["mode", "sticky"].map(opening) {
        while let Some((before, rest)) = text.split_once(&opening) {
            let after = rest[inside(rest)..].trim_start_matches("]]");
            text = format!("{before}{after}");
        }
    }
    text
}

fn opening(kind: &str) -> String {
    format!("[[{kind}:")
}

/// How far a mark goes; JSON within it may have brackets of its own.
fn inside(rest: &str) -> usize {
    let skipped = match rest.strip_prefix("toolraw:") {
        Some(json) => {
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
            let whole = matches!(values.next(), Some(Ok(_)));
            rest.len() - json.len() + if whole { values.byte_offset() } else { 0 }
        }
        None => 0,
    };
    rest[skipped..].find("]]").map_or(rest.len(), |end| skipped + end)
}

fn raw(json: &str) -> Option<Mode> {
    let call: Value = serde_json::from_str(json).ok()?;
    let name = call.get("name")?.as_str()?.to_owned();
    let input = call.get("input").filter(|input| input.is_object())?.clone();
    Some(Mode::Tool { name, input })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::failure::Refusal;
    use super::super::limits::Window;
    use super::{Mode, NoSuchMode, mark, unmarked};

    #[test]
    fn modes_are_read_as_they_are_written() {
        let bash = |command: &str| Mode::Tool {
            name: "Bash".to_owned(),
            input: json!({ "command": command, "description": "Run what was asked for" }),
        };
        for (text, mode) in [
            ("normal", Mode::Normal),
            (" hang_mid\n", Mode::HangMid),
            ("slow:7", Mode::Slow(Duration::from_secs(7))),
            ("usage:190000", Mode::Usage(190_000)),
            ("tool:echo a:b", bash("echo a:b")),
            ("err529", Mode::Refuse(Refusal::named("err529").expect("known"))),
            ("err429_unified", Mode::Refuse(Refusal::limit(Window::FiveHours, None))),
            (
                "err429_unified7:60",
                Mode::Refuse(Refusal::limit(Window::SevenDays, Some(Duration::from_secs(60)))),
            ),
        ] {
            assert_eq!(Mode::parse(text), Ok(mode), "{text}");
        }
    }

    #[test]
    fn what_is_no_mode_is_refused_and_not_taken_for_normal() {
        for text in ["", "nromal", "slow", "slow:soon", "tool:", "normal:1", "err999", "toolraw:{}"]
        {
            assert_eq!(Mode::parse(text), Err(NoSuchMode(text.to_owned())));
        }
    }

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        assert_eq!(mark("mode", "go [[mode:cut]] on"), Some("cut"));
        assert_eq!(mark("sticky", "go [[mode:cut]] on"), None);
        assert_eq!(mark("mode", "[[their-name]] and a[0]"), None);
    }

    #[test]
    fn json_within_a_mark_may_have_brackets_of_its_own() {
        let text = r#"ask [[mode:toolraw:{"name":"Ask","input":{"of":[["a"]]}}]] me"#;
        let call = Mode::Tool { name: "Ask".to_owned(), input: json!({ "of": [["a"]] }) };
        assert_eq!(mark("mode", text).map(Mode::parse), Some(Ok(call)));
        assert_eq!(unmarked(text), "ask  me");
    }

    #[test]
    fn marks_are_taken_out_of_what_is_repeated() {
        assert_eq!(unmarked("a [[mode:cut]]b[[sticky:err529]]"), "a b");
        assert_eq!(unmarked("a [[mode:cut"), "a ");
    }
}
