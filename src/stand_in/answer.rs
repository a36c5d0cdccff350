//! What is answered: status, headers, and what is sent when. Pure: the clock is an argument.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::failure::Refusal;
use super::limits::Usage;
use super::message::{Message, Part, event, tokens};
use super::mode::{Mode, unmarked};
use super::request::Request;

/// So much of the end of a prompt is repeated.
const REPEATED: usize = 120;
/// The real service says every so often that it still lives.
const PING: Duration = Duration::from_secs(1);

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) steps: Vec<Step>,
}

/// A part of an answer's body.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// This is sent.
    Send(String),
    /// Nothing is, for so long.
    Wait(Duration),
    /// Nothing is, ever again.
    Hang,
}

/// Who asks, and when: what an answer depends on beside the request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Seconds since 1970.
    pub(super) now: u64,
    /// Whether a subscriber asks, and not a key.
    pub(super) subscribes: bool,
    /// The number of this request, in words.
    pub(super) id: String,
    /// How many bytes were sent.
    pub(super) bytes: usize,
}

/// The answer to a request, or none at all.
pub(super) fn answer(request: &Request, mode: &Mode, caller: &Caller) -> Option<Answer> {
    let message = message(request, mode, caller);
    Some(match mode {
        Mode::HangNoHeaders => return None,
        Mode::Refuse(refusal) => refuse(refusal, &request.model, caller),
        Mode::Hang => ok(request, caller, vec![Step::Hang]),
        Mode::Normal
        | Mode::Slow(_)
        | Mode::HangMid
        | Mode::Cut
        | Mode::SseError
        | Mode::Tool { .. }
        | Mode::Think
        | Mode::Usage(_) => {
            let steps = match request.stream {
                true => streamed(&message, mode),
                // What goes wrong in the middle of a stream has no middle here.
                false => vec![Step::Wait(delay(mode)), Step::Send(message.whole())],
            };
            ok(request, caller, steps)
        }
    })
}

/// The answer to the question how many tokens there are.
pub(super) fn count(caller: &Caller) -> Answer {
    let body = json!({ "input_tokens": tokens(caller.bytes) }).to_string();
    Answer {
        status: 200,
        headers: headers("application/json", caller),
        steps: vec![Step::Send(body)],
    }
}

/// An error for an answer.
pub(super) fn refuse(refusal: &Refusal, model: &str, caller: &Caller) -> Answer {
    let refused = refusal.refused(caller.now, model, &caller.id);
    let mut headers = refused.headers;
    headers.push(("request-id", caller.id.clone()));
    Answer { status: refused.status, headers, steps: vec![Step::Send(refused.body)] }
}

fn ok(request: &Request, caller: &Caller, steps: Vec<Step>) -> Answer {
    let kind = if request.stream { "text/event-stream; charset=utf-8" } else { "application/json" };
    Answer { status: 200, headers: headers(kind, caller), steps }
}

fn headers(kind: &str, caller: &Caller) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-type", kind.to_owned()), ("request-id", caller.id.clone())];
    if caller.subscribes {
        headers.extend(Usage::little().headers(caller.now));
    }
    headers
}

fn streamed(message: &Message, mode: &Mode) -> Vec<Step> {
    let mut sent: Vec<Step> = message.events().into_iter().map(Step::Send).collect();
    let half = sent.len() / 2;
    match mode {
        Mode::Slow(delay) => {
            // Between the opening of the message and its text.
            let text = sent.split_off(2);
            let pings = delay.as_secs() / PING.as_secs();
            for _ in 0..pings {
                sent.extend([Step::Wait(PING), Step::Send(event(&json!({ "type": "ping" })))]);
            }
            sent.extend(text);
        }
        Mode::HangMid => {
            sent.truncate(half);
            sent.push(Step::Hang);
        }
        Mode::Cut => sent.truncate(half),
        Mode::SseError => {
            sent.truncate(half);
            sent.push(Step::Send(event(&json!({
                "type": "error",
                "error": { "type": "overloaded_error", "message": "Overloaded" },
            }))));
        }
        Mode::Normal
        | Mode::Hang
        | Mode::HangNoHeaders
        | Mode::Tool { .. }
        | Mode::Think
        | Mode::Usage(_)
        | Mode::Refuse(_) => {}
    }
    sent
}

fn delay(mode: &Mode) -> Duration {
    match mode {
        Mode::Slow(delay) => *delay,
        Mode::Normal
        | Mode::Hang
        | Mode::HangNoHeaders
        | Mode::HangMid
        | Mode::Cut
        | Mode::SseError
        | Mode::Tool { .. }
        | Mode::Think
        | Mode::Usage(_)
        | Mode::Refuse(_) => Duration::ZERO,
    }
}

fn message(request: &Request, mode: &Mode, caller: &Caller) -> Message {
    let text = Part::Text(text(request));
    let parts = match mode {
        Mode::Tool { name, input } if request.tool_result().is_none() => {
            if request.offers(name) {
                let id = caller.id.replace("req_", "toolu_");
                vec![Part::Call { id, name: name.clone(), input: input.clone() }]
            } else {
                vec![Part::Text(format!("I have no tool {name}."))]
            }
        }
        Mode::Think => vec![Part::Thought("I repeat the end of the prompt.".to_owned()), text],
        Mode::Normal
        | Mode::Slow(_)
        | Mode::Hang
        | Mode::HangNoHeaders
        | Mode::HangMid
        | Mode::Cut
        | Mode::SseError
        | Mode::Tool { .. }
        | Mode::Usage(_)
        | Mode::Refuse(_) => vec![text],
    };
    let input_tokens = if let Mode::Usage(used) = mode { *used } else { tokens(caller.bytes) };
    let id = caller.id.replace("req_", "msg_");
    Message { id, model: request.model.clone(), parts, input_tokens }
}

fn text(request: &Request) -> String {
    if let Some(schema) = request.schema() {
        return example(schema).to_string();
    }
    match request.tool_result() {
        Some(result) => format!("The tool said: {}", end(&result)),
        None => format!("You said: {}", end(&unmarked(&request.newest()))),
    }
}

/// Something that fits a schema, as far as the agents' own side requests go.
fn example(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let filled = properties.map(|(name, schema)| (name.clone(), example(schema)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        Some("array") => json!([]),
        Some("boolean") => json!(false),
        Some("integer" | "number") => json!(0),
        Some(_) | None => match schema["enum"].get(0) {
            Some(first) => first.clone(),
            None => json!("a stand-in answer"),
        },
    }
}

pub(super) fn end(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = words.chars().count().saturating_sub(REPEATED);
    words.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests;
