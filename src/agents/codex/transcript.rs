//! Its log of a conversation ("rollout"): one JSON record a line. Prompts, answers and what tools did
//! are in it, and the beginning and the end of each turn, with the error that ended it.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::screen::failure_of;
use crate::agents::TranscriptNews;
use crate::agents::text::{evidence, one_line, second};
use crate::decide::{Doing, Failure};

/// Longer lines are book-keeping (or pictures), in bytes.
const LINE_MAX: usize = 32 << 20;

/// What stands in every line that is read: the rest is not even parsed.
const EVENT: &[u8] = br#""type":"event_msg""#;

/// What a tool was asked for is one line of at most so many characters.
const ASKED_MAX: usize = 160;

/// A record that tells of something that happened; everything else in it is passed over.
#[derive(Debug, Deserialize)]
struct Record {
    timestamp: String,
    payload: Event,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    TaskStarted,
    TaskComplete {
        #[serde(default)]
        error: Option<Error>,
    },
    TurnAborted {
        #[serde(default)]
        reason: String,
    },
    ItemCompleted {
        item: Item,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Error {
    message: String,
    /// A word, or an object with one key.
    #[serde(default)]
    codex_error_info: Value,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Item {
    UserMessage {
        #[serde(default)]
        content: Vec<Part>,
    },
    AgentMessage {
        #[serde(default)]
        content: Vec<Part>,
    },
    CommandExecution {
        #[serde(default)]
        command: Vec<String>,
        #[serde(default)]
        exit_code: Option<i64>,
    },
    FileChange,
    McpToolCall,
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

/// `rollout-TIME-ID.jsonl`.
pub(super) fn is_of(name: &str, conversation: &str) -> bool {
    let named = name.strip_prefix("rollout-").and_then(|rest| rest.strip_suffix(".jsonl"));
    let time = named.and_then(|named| named.strip_suffix(conversation));
    !conversation.is_empty() && time.is_some_and(|time| time.ends_with('-'))
}

/// Who said what, as `TIME who: text`, with the further lines of a text indented.
pub(super) fn shown(line: &[u8]) -> Option<String> {
    let record = read(line)?;
    let (who, text) = match record.payload {
        Event::ItemCompleted { item: Item::UserMessage { content } } => ("user", joined(&content)),
        Event::ItemCompleted { item: Item::AgentMessage { content } } => {
            ("codex", joined(&content))
        }
        Event::ItemCompleted { item: Item::CommandExecution { command, exit_code } } => {
            // What a shell was given is its last word.
            let asked = one_line(command.last()?.split_whitespace(), ASKED_MAX);
            match exit_code {
                Some(0) | None => ("tool", asked),
                Some(code) => ("tool", format!("{asked} (exit status {code})")),
            }
        }
        Event::TaskComplete { error: Some(error) } => ("error", error.message),
        Event::TurnAborted { reason } => ("note", format!("the turn was {reason}")),
        Event::ItemCompleted { item: Item::FileChange | Item::McpToolCall | Item::Other }
        | Event::TaskComplete { error: None }
        | Event::TaskStarted
        | Event::Other => return None,
    };
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let text = text.trim();
    let time = second(&record.timestamp).map(|time| format!("{time}Z ")).unwrap_or_default();
    let text = text.replace('\n', "\n  ").replace("\n  \n", "\n\n");
    (!text.is_empty()).then(|| format!("{time}{who}: {text}"))
}

/// The text that was entered. It is written down when the agent gets it.
pub(super) fn prompt(line: &[u8]) -> Option<String> {
    match read(line)?.payload {
        Event::ItemCompleted { item: Item::UserMessage { content } } => Some(joined(&content)),
        Event::ItemCompleted { .. }
        | Event::TaskStarted
        | Event::TaskComplete { .. }
        | Event::TurnAborted { .. }
        | Event::Other => None,
    }
}

/// What becomes of a turn.
pub(super) fn news(line: &[u8]) -> Option<TranscriptNews> {
    let record = read(line)?;
    let at: SystemTime = record.timestamp.parse::<jiff::Timestamp>().ok()?.into();
    let (doing, evidence) = match record.payload {
        Event::TaskStarted => (Doing::Working, "a turn has begun".to_owned()),
        Event::TaskComplete { error: None } => (Doing::Idle, "the turn is over".to_owned()),
        Event::TaskComplete { error: Some(error) } => {
            (Doing::Failed(failure(&error)), evidence(&error.message))
        }
        Event::TurnAborted { reason } => (Doing::Idle, evidence(&format!("the turn was {reason}"))),
        // Whatever was asked before it was used has been answered.
        Event::ItemCompleted {
            item: Item::CommandExecution { .. } | Item::FileChange | Item::McpToolCall,
        } => (Doing::Working, "a tool was used".to_owned()),
        Event::ItemCompleted {
            item: Item::UserMessage { .. } | Item::AgentMessage { .. } | Item::Other,
        }
        | Event::Other => return None,
    };
    Some(TranscriptNews { at, aside: false, doing: Some(doing), evidence, answer: None })
}

/// The text first: one word of the program's stands for a limit and for an account that is empty.
fn failure(error: &Error) -> Failure {
    let by_word = || match &error.codex_error_info {
        Value::String(word) => match word.as_str() {
            "unauthorized" => Failure::LoggedOut,
            "usage_limit_exceeded" => Failure::Limited { until: None },
            "model_not_found" => Failure::Misconfigured,
            _ => Failure::Errored,
        },
        Value::Object(info) => {
            let status = info.values().find_map(|it| it.get("http_status_code")?.as_u64());
            if status == Some(401) { Failure::LoggedOut } else { Failure::Errored }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Failure::Errored,
    };
    failure_of(&error.message).unwrap_or_else(by_word)
}

fn read(line: &[u8]) -> Option<Record> {
    let has = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
    if line.len() > LINE_MAX || !has(EVENT) {
        return None;
    }
    serde_json::from_slice(line).ok()
}

fn joined(content: &[Part]) -> String {
    content.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
