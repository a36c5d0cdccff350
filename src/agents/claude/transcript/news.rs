//! What a record says of the session while it is written: whether a turn goes on, how it ended,
//! what it has cost. Not here: what people see of it.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::{INTERRUPTED, LINE_MAX, entered, has, local, texts};
use crate::agents::claude::{hooks, screen};
use crate::agents::text;
use crate::agents::{TranscriptAnswer, TranscriptNews};
use crate::decide::{Doing, Failure, Tokens};

/// The kinds of records that are read, as they stand in a line.
const KINDS: [&[u8]; 3] = [br#""type":"user""#, br#""type":"assistant""#, br#""type":"system""#];

/// The model of what the program says itself, in place of a model.
const SYNTHETIC: &str = "<synthetic>";

/// What the session does; none for book-keeping.
pub(in crate::agents::claude) fn news(line: &[u8]) -> Option<TranscriptNews> {
    if line.len() > LINE_MAX || !KINDS.iter().any(|kind| has(line, kind)) {
        return None;
    }
    let record: Record = serde_json::from_slice(line).ok()?;
    let (doing, evidence) = match record.kind.as_str() {
        "user" => of_user(&record),
        "assistant" => of_assistant(&record),
        "system" => of_system(&record),
        _ => return None,
    };
    let at: jiff::Timestamp = record.timestamp.as_deref()?.parse().ok()?;
    Some(TranscriptNews {
        at: SystemTime::from(at),
        aside: record.is_sidechain || record.agent_id.is_some(),
        doing,
        evidence,
        answer: answer(&record),
    })
}

/// What is read of a record; everything else in it is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    timestamp: Option<String>,
    message: Option<Message>,
    agent_id: Option<String>,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_meta: bool,
    #[serde(default)]
    is_visible_in_transcript_only: bool,
    #[serde(default)]
    is_compact_summary: bool,
    #[serde(default)]
    is_api_error_message: bool,
    /// The program's word for the error.
    error: Option<Value>,
    /// More exact, for some.
    api_error: Option<String>,
    api_error_status: Option<u16>,
    quota_limits: Option<Quota>,
}

#[derive(Debug, Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    content: Option<Value>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quota {
    status: Option<String>,
    resets_at: Option<f64>,
}

impl Record {
    fn content(&self) -> Option<&Value> {
        self.message.as_ref()?.content.as_ref()
    }

    fn text(&self) -> String {
        self.content().map(texts).unwrap_or_default()
    }
}

fn of_user(record: &Record) -> (Option<Doing>, String) {
    let Some(content) = record.content() else { return (None, String::new()) };
    // The summary that a compaction leaves is no prompt.
    if record.is_meta || record.is_visible_in_transcript_only || record.is_compact_summary {
        return (None, String::new());
    }
    let text = texts(content);
    if text.starts_with(INTERRUPTED) {
        return (Some(Doing::Idle), "a turn that was broken off".to_owned());
    }
    let is_result = |block: &Value| block.get("type").is_some_and(|kind| kind == "tool_result");
    if content.as_array().is_some_and(|blocks| blocks.iter().any(is_result)) {
        return (Some(Doing::Working), "a tool's result".to_owned());
    }
    // A command of the program's own is no turn.
    let is_command = text.starts_with("<command-") || local(&text).is_some();
    match entered(content).filter(|_| !is_command) {
        Some(_) => (Some(Doing::Working), "a prompt".to_owned()),
        None => (None, String::new()),
    }
}

fn of_assistant(record: &Record) -> (Option<Doing>, String) {
    if record.is_api_error_message {
        let text = record.text();
        return (Some(Doing::Failed(failure(record, &text))), evidence(record, &text));
    }
    match &record.message {
        Some(message) if message.model.as_deref() == Some(SYNTHETIC) => (None, String::new()),
        Some(message) if ends_turn(message) => (Some(Doing::Idle), "the end of a turn".to_owned()),
        Some(_) => (Some(Doing::Working), "an answer".to_owned()),
        None => (None, String::new()),
    }
}

fn of_system(record: &Record) -> (Option<Doing>, String) {
    match record.subtype.as_deref() {
        Some("turn_duration") => (Some(Doing::Idle), "the end of a turn".to_owned()),
        Some(_) | None => (None, String::new()),
    }
}

/// Whether the model has nothing more to say: a turn goes on after a tool, and after a part of an
/// answer.
fn ends_turn(message: &Message) -> bool {
    let reason = message.stop_reason.as_deref();
    reason.is_some_and(|reason| !matches!(reason, "tool_use" | "pause_turn"))
}

/// By its text, and where that says nothing particular, by its fields.
fn failure(record: &Record, text: &str) -> Failure {
    let by_text = screen::failure_of(text).filter(|failure| *failure != Failure::Errored);
    let failure = by_text.unwrap_or_else(|| by_fields(record));
    match until(record) {
        until @ Some(_) if matches!(failure, Failure::Limited { .. }) => Failure::Limited { until },
        Some(_) | None => failure,
    }
}

fn by_fields(record: &Record) -> Failure {
    let rejected = |quota: &Quota| quota.status.as_deref() == Some("rejected");
    if record.api_error.as_deref() == Some("usage_limit_reached")
        || record.quota_limits.as_ref().is_some_and(rejected)
    {
        return Failure::Limited { until: None };
    }
    match record.api_error_status {
        Some(401) => Failure::LoggedOut,
        Some(402) => Failure::Unpaid,
        Some(_) | None => {
            hooks::failure(record.error.as_ref().and_then(Value::as_str).unwrap_or_default())
        }
    }
}

fn until(record: &Record) -> Option<SystemTime> {
    let seconds = record.quota_limits.as_ref()?.resets_at?;
    let since_epoch = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}

fn evidence(record: &Record, text: &str) -> String {
    let short = text::evidence(text);
    let word = || record.error.as_ref().and_then(Value::as_str).unwrap_or("an error");
    if short.is_empty() { text::evidence(word()) } else { short }
}

fn answer(record: &Record) -> Option<TranscriptAnswer> {
    let message = record.message.as_ref().filter(|_| record.kind == "assistant")?;
    if record.is_api_error_message || message.model.as_deref() == Some(SYNTHETIC) {
        return None;
    }
    let usage = message.usage.as_ref()?;
    Some(TranscriptAnswer {
        message: message.id.clone()?,
        tokens: Tokens {
            input: usage.input_tokens.unwrap_or_default(),
            output: usage.output_tokens.unwrap_or_default(),
            cache_read: usage.cache_read_input_tokens.unwrap_or_default(),
            cache_write: usage.cache_creation_input_tokens.unwrap_or_default(),
        },
        ends_turn: ends_turn(message),
    })
}

#[cfg(test)]
mod tests;
