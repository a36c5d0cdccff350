use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Caller, Step, answer};
use crate::stand_in::mode::Mode;
use crate::stand_in::request::Request;

fn caller() -> Caller {
    Caller { now: 1_000, subscribes: false, id: "req_1".to_owned(), bytes: 400 }
}

fn request(prompt: &str, more: Value) -> Request {
    let mut body = json!({
        "model": "m", "max_tokens": 9, "stream": true, "tools": [{ "name": "Bash" }],
        "messages": [{ "role": "user", "content": prompt }],
    });
    let all = body.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    Request::read(body.to_string().as_bytes(), false).expect("a request")
}

fn to(prompt: &str, more: Value) -> Option<Answer> {
    let request = request(prompt, more);
    let mode = Mode::parse(&request.wanted(None)).expect("a mode");
    answer(&request, &mode, &caller())
}

fn sent(answer: &Answer) -> String {
    let text = |step: &Step| match step {
        Step::Send(text) => Some(text.clone()),
        Step::Wait(_) | Step::Hang => None,
    };
    answer.steps.iter().filter_map(text).collect()
}

#[test]
fn a_normal_answer_repeats_the_end_of_the_prompt() {
    let whole = to(&format!("{} the end", "x".repeat(500)), json!({ "stream": false }));
    let whole = whole.expect("an answer");
    let body: Value = serde_json::from_str(&sent(&whole)).expect("JSON");
    let text = body["content"][0]["text"].as_str().expect("a text");
    assert!(text.starts_with("You said: x") && text.ends_with("x the end"), "{text}");
    assert!(text.len() < 150, "{text}");
}

#[test]
fn a_tool_is_called_and_then_its_result_told() {
    let called = sent(&to("[[mode:tool:ls]]", json!({})).expect("an answer"));
    assert!(called.contains("toolu_1") && called.contains("\"tool_use\""), "{called}");
    let done = to(
        "",
        json!({ "stream": false, "messages": [
            { "role": "user", "content": "[[mode:tool:ls]]" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "a", "name": "Bash" }] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "a", "content": "README" },
            ]},
        ]}),
    );
    assert!(sent(&done.expect("an answer")).contains("The tool said: README"));
}

#[test]
fn a_tool_that_is_not_offered_is_not_called() {
    let text = sent(
        &to("[[mode:toolraw:{\"name\":\"Fly\",\"input\":{}}]]", json!({ "stream": false }))
            .expect("an answer"),
    );
    assert!(text.contains("I have no tool Fly."), "{text}");
}

#[test]
fn what_ends_badly_ends_in_the_middle() {
    for (mode, hangs) in [("hang_mid", true), ("cut", false), ("hang", true)] {
        let answer = to(&format!("[[mode:{mode}]]"), json!({})).expect("an answer");
        let ends = answer.steps.last() == Some(&Step::Hang);
        assert_eq!((answer.status, ends), (200, hangs), "{mode}");
        assert!(!sent(&answer).contains("message_stop"), "{mode}");
    }
    assert_eq!(to("[[mode:hang_noheaders]]", json!({})), None);
    let error = to("[[mode:sse_error]]", json!({})).expect("an answer");
    assert!(sent(&error).contains("event: error\n") && !sent(&error).contains("message_stop"));
}

#[test]
fn what_breaks_streams_leaves_the_rest_whole() {
    for mode in ["hang_mid", "cut", "sse_error"] {
        let whole = to(&format!("[[mode:{mode}]] x"), json!({ "stream": false }));
        assert!(sent(&whole.expect("an answer")).contains("You said: x"), "{mode}");
    }
}

#[test]
fn a_slow_answer_waits_as_long_as_it_was_told() {
    let answer = to("[[mode:slow:3]]", json!({})).expect("an answer");
    let waits = |step: &Step| if let Step::Wait(wait) = step { Some(*wait) } else { None };
    let waited: Duration = answer.steps.iter().filter_map(waits).sum();
    assert_eq!(waited, Duration::from_secs(3));
    assert!(sent(&answer).ends_with("\"message_stop\"}\n\n"));
}

#[test]
fn a_schema_is_filled_in() {
    let schema = json!({ "type": "object", "properties": { "title": { "type": "string" } } });
    let more = json!({
        "stream": false, "tools": [], "output_config": { "format": { "schema": schema } },
    });
    let body: Value =
        serde_json::from_str(&sent(&to("a title", more).expect("an answer"))).expect("JSON");
    let title: Value =
        serde_json::from_str(body["content"][0]["text"].as_str().expect("a text")).expect("JSON");
    assert!(title["title"].is_string(), "{title}");
}

#[test]
fn only_a_mode_that_is_one_counts_the_tokens_otherwise() {
    for (prompt, wanted) in [("x", 100), ("[[mode:usage:5000]]", 5_000)] {
        let answer = to(prompt, json!({ "stream": false })).expect("an answer");
        let body: Value = serde_json::from_str(&sent(&answer)).expect("JSON");
        assert_eq!(body["usage"]["input_tokens"], wanted);
    }
}
