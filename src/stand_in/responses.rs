//! The same double for agents that speak the Responses API: its requests, its errors, its streams.
//! Modes and marks are those of the Messages API.

mod request;

use serde_json::{Value, json};

use super::answer::{Answer, Caller, Step, end};
use super::message::{event, tokens};
use super::mode::{Mode, unmarked};

pub(super) use self::request::Request;

/// The tool that runs a command of a shell.
const SHELL: &str = "exec_command";

/// Name in a mark, status, type, code and message; `MODEL` is the model that was asked for.
const NAMED: &[(&str, u16, &str, Option<&str>, &str)] = &[
    (
        "err400_toolong",
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "Your input exceeds the context window of this model. Please adjust your input and try \
         again.",
    ),
    (
        "err401_key",
        401,
        "invalid_request_error",
        Some("invalid_api_key"),
        "Incorrect API key provided: sk-fake. You can find your API key at \
         https://platform.openai.com/account/api-keys.",
    ),
    (
        "err404_model",
        404,
        "invalid_request_error",
        Some("model_not_found"),
        "The model `MODEL` does not exist or you do not have access to it.",
    ),
    (
        "err429",
        429,
        "tokens",
        Some("rate_limit_exceeded"),
        "Rate limit reached for MODEL on tokens per min (TPM): Limit 30000, Used 29000, Requested \
         2000. Please try again in 2s.",
    ),
    (
        "err429_quota",
        429,
        "insufficient_quota",
        Some("insufficient_quota"),
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    (
        "err500",
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
];

/// A subscription's limit, over in so many seconds if the mark does not say.
const LIMIT: (&str, u64) = ("err429_usage", 30 * 60);

/// An error of the service.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    /// The request is none that the real service would take.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", None, &message.into())
    }

    /// Nobody says who asks.
    pub(super) fn no_credentials() -> Self {
        let message = "Missing bearer or basic authentication in header";
        Self::new(401, "invalid_request_error", None, message)
    }

    /// Something is there, for those who post.
    pub(super) fn no_such_method() -> Self {
        Self::new(405, "invalid_request_error", Some("method_not_supported"), "Not allowed to GET")
    }

    /// The error that is called so in a mark. `now` is in seconds since 1970.
    fn named(word: &str, model: &str, now: u64) -> Option<Self> {
        let (name, left) = word.split_once(':').unwrap_or((word, ""));
        if name == LIMIT.0 {
            let left = if left.is_empty() { LIMIT.1 } else { left.parse().ok()? };
            let error = json!({
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_at": now + left,
                "resets_in_seconds": left,
            });
            return Some(Self { status: 429, body: json!({ "error": error }) });
        }
        let (_, status, kind, code, message) = NAMED.iter().find(|named| named.0 == word)?;
        Some(Self::new(*status, kind, *code, &message.replace("MODEL", model)))
    }

    fn new(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let error = json!({ "message": message, "type": kind, "param": null, "code": code });
        Self { status, body: json!({ "error": error }) }
    }
}

/// The answer to a request, in the mode that is `wanted`; or none at all.
pub(super) fn answer(request: &Request, wanted: &str, caller: &Caller) -> Option<Answer> {
    if let Some(refusal) = Refusal::named(wanted, &request.model, caller.now) {
        return Some(refuse(&refusal, caller));
    }
    let mode = match Mode::parse(wanted) {
        Ok(Mode::Refuse(_)) => {
            let why = format!("no error of this service is called {wanted:?}");
            return Some(refuse(&Refusal::invalid(why), caller));
        }
        Ok(mode) => mode,
        Err(error) => return Some(refuse(&Refusal::invalid(error.to_string()), caller)),
    };
    let steps = match &mode {
        Mode::HangNoHeaders => return None,
        Mode::Hang => vec![Step::Hang],
        Mode::Normal
        | Mode::Slow(_)
        | Mode::HangMid
        | Mode::Cut
        | Mode::SseError
        | Mode::Tool { .. }
        | Mode::Think
        | Mode::Usage(_)
        | Mode::Refuse(_) => streamed(request, &mode, caller),
    };
    let headers = headers("text/event-stream; charset=utf-8", caller);
    Some(Answer { status: 200, headers, steps })
}

/// An error for an answer.
pub(super) fn refuse(refusal: &Refusal, caller: &Caller) -> Answer {
    Answer {
        status: refusal.status,
        headers: headers("application/json", caller),
        steps: vec![Step::Send(refusal.body.to_string())],
    }
}

fn headers(kind: &str, caller: &Caller) -> Vec<(&'static str, String)> {
    vec![("content-type", kind.to_owned()), ("x-request-id", caller.id.clone())]
}

fn streamed(request: &Request, mode: &Mode, caller: &Caller) -> Vec<Step> {
    let id = caller.id.replace("req_", "resp_");
    let response = |status: &str| json!({ "id": id, "object": "response", "model": request.model, "status": status });
    let item = item(request, mode, caller);
    let mut sent = vec![
        json!({ "type": "response.created", "response": response("in_progress") }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": begun(&item) }),
    ];
    sent.extend(deltas(&item));
    let half = sent.len().div_ceil(2);
    sent.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }));
    let mut whole = response("completed");
    whole["usage"] = usage(mode, caller);
    sent.push(json!({ "type": "response.completed", "response": whole }));
    let mut steps: Vec<Step> = sent.iter().map(|data| Step::Send(event(data))).collect();
    match mode {
        Mode::Slow(delay) => steps.insert(1, Step::Wait(*delay)),
        Mode::HangMid => {
            steps.truncate(half);
            steps.push(Step::Hang);
        }
        Mode::Cut => steps.truncate(half),
        Mode::SseError => {
            steps.truncate(half);
            let mut failed = response("failed");
            failed["error"] = json!({ "code": "server_error", "message": "Overloaded" });
            let failed = json!({ "type": "response.failed", "response": failed });
            steps.push(Step::Send(event(&failed)));
        }
        Mode::Normal
        | Mode::Hang
        | Mode::HangNoHeaders
        | Mode::Tool { .. }
        | Mode::Think
        | Mode::Usage(_)
        | Mode::Refuse(_) => {}
    }
    steps
}

/// What the model says, whole: a text, or a call of a tool.
fn item(request: &Request, mode: &Mode, caller: &Caller) -> Value {
    if let Mode::Tool { name, input } = mode
        && request.tool_result().is_none()
    {
        // A shell is called otherwise here.
        let (name, input) = match input.get("command") {
            Some(command) if name == "Bash" => (SHELL, json!({ "cmd": command })),
            Some(_) | None => (name.as_str(), input.clone()),
        };
        if request.offers(name) {
            return json!({
                "type": "function_call",
                "id": caller.id.replace("req_", "fc_"),
                "call_id": caller.id.replace("req_", "call_"),
                "name": name,
                "arguments": input.to_string(),
                "status": "completed",
            });
        }
        return text(&format!("I have no tool {name}."), caller);
    }
    match request.tool_result() {
        Some(result) => text(&format!("The tool said: {}", end(&result)), caller),
        None => text(&format!("You said: {}", end(&unmarked(&request.prompt()))), caller),
    }
}

fn text(text: &str, caller: &Caller) -> Value {
    json!({
        "type": "message",
        "id": caller.id.replace("req_", "msg_"),
        "role": "assistant",
        "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }],
    })
}

/// The same before anything of it has come.
fn begun(item: &Value) -> Value {
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    match item["type"].as_str() {
        Some("message") => begun["content"] = json!([]),
        Some(_) | None => begun["arguments"] = json!(""),
    }
    begun
}

/// The text of a message, in two pieces.
fn deltas(item: &Value) -> Vec<Value> {
    let text: Vec<char> = item["content"][0]["text"].as_str().unwrap_or_default().chars().collect();
    let size = text.len().div_ceil(2).max(1);
    let pieces = text.chunks(size).map(|piece| piece.iter().collect::<String>());
    let delta = |piece: String| {
        json!({
            "type": "response.output_text.delta",
            "item_id": item["id"],
            "output_index": 0,
            "content_index": 0,
            "delta": piece,
        })
    };
    pieces.map(delta).collect()
}

fn usage(mode: &Mode, caller: &Caller) -> Value {
    let input = if let Mode::Usage(used) = mode { *used } else { tokens(caller.bytes) };
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 9,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input + 9,
    })
}

#[cfg(test)]
mod tests;
