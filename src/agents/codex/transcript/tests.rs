//! Lines as 0.169.0 writes them.

use std::time::Duration;

use serde_json::json;

use super::*;

fn line(payload: &Value) -> Vec<u8> {
    // The order of keys is the program's.
    format!(
        r#"{{"timestamp":"2026-11-21T21:31:49.005Z","ordinal":21,"type":"event_msg","payload":{payload}}}"#
    )
    .into_bytes()
}

fn item(item: &Value) -> Vec<u8> {
    line(&json!({ "type": "item_completed", "thread_id": "t", "turn_id": "u", "item": item }))
}

fn said(kind: &str, text: &str) -> Vec<u8> {
    item(&json!({ "type": kind, "id": "i", "content": [{ "type": "text", "text": text }] }))
}

fn ended(message: &str, info: &Value) -> Option<Doing> {
    let error = json!({ "message": message, "codex_error_info": info });
    let complete = json!({ "type": "task_complete", "turn_id": "u", "error": error });
    news(&line(&complete)).and_then(|news| news.doing)
}

#[test]
fn a_file_is_that_of_the_conversation_in_its_name() {
    const ID: &str = "01a20005-68d0-74c0-83df-306eab3141b9";
    let name = format!("rollout-2026-11-21T21-31-24-{ID}.jsonl");
    assert!(is_of(&name, ID));
    assert!(!is_of(&name, "306eab3141b"));
    assert!(!is_of(&name, ""));
    assert!(!is_of(&format!("{name}.tmp"), ID));
}

#[test]
fn a_turn_begins_and_ends_and_may_be_broken_off() {
    let started = news(&line(&json!({ "type": "task_started", "turn_id": "u" }))).unwrap();
    assert_eq!(started.doing, Some(Doing::Working));
    let since = started.at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since, Duration::from_millis(1_795_296_709_005));
    let complete = line(&json!({ "type": "task_complete", "last_agent_message": "x" }));
    assert_eq!(news(&complete).and_then(|it| it.doing), Some(Doing::Idle));
    let aborted = news(&line(&json!({ "type": "turn_aborted", "reason": "interrupted" }))).unwrap();
    assert_eq!(
        (aborted.doing, aborted.evidence.as_str()),
        (Some(Doing::Idle), "the turn was interrupted")
    );
    // Whoever was asked for permission has given it.
    let used = item(&json!({ "type": "CommandExecution", "command": ["bash", "-lc", "x"] }));
    assert_eq!(news(&used).and_then(|it| it.doing), Some(Doing::Working));
    assert_eq!(news(&said("AgentMessage", "x")), None);
}

#[test]
fn an_error_says_what_it_means_for_the_next_turn() {
    const LIMIT: &str = "You’ve hit your usage limit. Upgrade to Pro \
        (https://chatgpt.com/explore/pro), visit https://chatgpt.com/settings/usage to purchase more \
        credits or try again at 10:38 PM.";
    const REFUSED: &str = "unexpected status 401 Unauthorized: Incorrect API key provided: sk-x., url: \
        http://127.0.0.1:1/v1/responses";
    let limit = json!("usage_limit_exceeded");
    let status = |code: u16| json!({ "http_connection_failed": { "http_status_code": code } });
    for (message, info, failure) in [
        (LIMIT, limit.clone(), Failure::Limited { until: None }),
        ("Quota exceeded. Check your plan and billing details.", limit, Failure::Unpaid),
        (REFUSED, status(401), Failure::LoggedOut),
        ("unexpected status 403 Forbidden: no", status(403), Failure::Errored),
        (
            "The model `gpt-5` does not exist or you do not have access to it.",
            json!("model_not_found"),
            Failure::Misconfigured,
        ),
        (
            "exceeded retry limit, last status: 429 Too Many Requests",
            json!({ "response_too_many_failed_attempts": { "http_status_code": 429 } }),
            Failure::Errored,
        ),
        (
            "We’re currently experiencing high demand",
            json!("internal_server_error"),
            Failure::Errored,
        ),
        // Its next turn begins with a compaction.
        (
            "Codex ran out of room in the model's context window. Start a new thread or clear \
             earlier history before retrying.",
            json!("context_window_exceeded"),
            Failure::Errored,
        ),
        ("a text of a later version", json!("unauthorized"), Failure::LoggedOut),
        ("a text of a later version", Value::Null, Failure::Errored),
    ] {
        assert_eq!(ended(message, &info), Some(Doing::Failed(failure)), "{message}");
    }
}

#[test]
fn a_prompt_is_what_was_entered_as_the_agent_got_it() {
    assert_eq!(
        prompt(&said("UserMessage", "go\non [msg abc123]")).as_deref(),
        Some("go\non [msg abc123]")
    );
    assert_eq!(prompt(&said("AgentMessage", "go on")), None);
    let other =
        br#"{"timestamp":"t","type":"response_item","payload":{"type":"message","role":"user"}}"#;
    assert_eq!(prompt(other), None);
}

#[test]
fn people_read_who_said_what_and_which_tool_was_used() {
    let shown = |line: &[u8]| super::shown(line).unwrap_or_default();
    assert_eq!(shown(&said("UserMessage", "one\ntwo")), "2026-11-21T21:31:49Z user: one\n  two");
    assert_eq!(shown(&said("AgentMessage", "yes\u{1b}[1m")), "2026-11-21T21:31:49Z codex: yes[1m");
    let command = json!(["/bin/bash", "-lc", "make\n  test"]);
    let used = item(&json!({ "type": "CommandExecution", "command": command, "exit_code": 2 }));
    assert_eq!(shown(&used), "2026-11-21T21:31:49Z tool: make test (exit status 2)");
    assert_eq!(super::shown(&line(&json!({ "type": "token_count" }))), None);
}

#[test]
fn half_a_line_is_nothing() {
    let whole = said("UserMessage", "go on");
    for end in 0..whole.len() {
        assert_eq!(prompt(&whole[..end]), None, "{end} bytes");
    }
}
