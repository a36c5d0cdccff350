use serde_json::{Value, json};

use super::Request;

fn request(messages: Value) -> Request {
    let body = json!({
        "model": "m", "max_tokens": 9, "messages": messages, "tools": [{ "name": "Bash" }],
    });
    Request::read(body.to_string().as_bytes(), false).expect("a request")
}

fn refused(body: &Value) -> String {
    let refusal = Request::read(body.to_string().as_bytes(), false).expect_err("no request");
    refusal.refused(0, "m", "r").body
}

fn called(id: &str) -> Value {
    json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "Bash" }] })
}

fn resulted(id: &str, more: &str) -> Value {
    json!({ "role": "user", "content": [
        { "type": "tool_result", "tool_use_id": id, "content": "out" },
        { "type": "text", "text": more },
    ]})
}

#[test]
fn the_prompt_is_what_the_user_said_last_and_no_reminder() {
    let request = request(json!([
        { "role": "user", "content": "old" },
        { "role": "assistant", "content": "yes" },
        { "role": "user", "content": [
            { "type": "text", "text": "<system-reminder>be good</system-reminder>" },
            { "type": "text", "text": "new" },
        ]},
        { "role": "system", "content": "today is a day" },
    ]));
    assert_eq!((request.prompt().as_str(), request.tool_result()), ("new", None));
}

#[test]
fn a_result_belongs_to_the_prompt_before_it() {
    let reminder = "<system-reminder>x</system-reminder>";
    let ask = json!({ "role": "user", "content": "[[mode:tool:ls]] do it" });
    let after = request(json!([ask, called("a"), resulted("a", reminder)]));
    assert_eq!(after.prompt(), "[[mode:tool:ls]] do it");
    assert_eq!(after.tool_result().as_deref(), Some("out"));
    let newer = request(json!([ask, called("a"), resulted("a", "and now this")]));
    assert_eq!((newer.prompt().as_str(), newer.tool_result()), ("and now this", None));
}

#[test]
fn a_mark_in_the_newest_prompt_beats_a_sticky_one_and_that_the_standing_mode() {
    let talk = |first: &str, last: &str| {
        let request = request(json!([
            { "role": "user", "content": first },
            { "role": "assistant", "content": "[[mode:think]]" },
            { "role": "user", "content": last },
        ]));
        request.wanted(Some("hang".to_owned()))
    };
    assert_eq!(talk("[[sticky:cut]]", "[[mode:hang_mid]]"), "hang_mid");
    assert_eq!(talk("[[sticky:cut]]", "on"), "cut");
    assert_eq!(talk("[[mode:cut]]", "on"), "hang");
}

#[test]
fn what_got_no_answer_comes_again_and_its_mark_does_not_count_again() {
    let text = "[[mode:err529]] first\n\nsecond, [[mode:think]]\n\nthird\n";
    let request = request(json!([{ "role": "user", "content": text }]));
    assert_eq!((request.newest().trim(), &*request.wanted(None)), ("third", "normal"));
}

#[test]
fn what_was_said_while_a_tool_ran_is_found_in_its_wrapping() {
    let text = "The user sent a new message while you were working:\n[[mode:think]] and this\n\n\
                This is how Claude Code surfaces messages.";
    let request = request(json!([{ "role": "user", "content": text }]));
    assert_eq!(request.newest(), "[[mode:think]] and this");
}

#[test]
fn a_request_on_the_side_uses_up_no_mode() {
    let body = json!({
        "model": "m", "max_tokens": 9,
        "messages": [{ "role": "user", "content": "a title for: [[mode:cut]] [[sticky:cut]]" }],
    });
    let aside = Request::read(body.to_string().as_bytes(), false).expect("a request");
    assert_eq!(aside.wanted(Some("hang".to_owned())), "normal");
}

#[test]
fn a_conversation_without_tools_is_still_poisoned() {
    let body = json!({
        "model": "m", "max_tokens": 9,
        "messages": [
            { "role": "user", "content": "[[sticky:cut]]" },
            { "role": "assistant", "content": "no" },
            { "role": "user", "content": "sum it up" },
        ],
    });
    let summary = Request::read(body.to_string().as_bytes(), false).expect("a request");
    assert_eq!(summary.wanted(None), "cut");
}

#[test]
fn what_the_real_service_refuses_is_refused() {
    let ask = json!({ "role": "user", "content": "do it" });
    for (messages, words) in [
        (json!([]), "at least one message"),
        (json!([{ "role": "tool", "content": "x" }]), "Unexpected role"),
        (json!([ask, called("a")]), "without `tool_result` blocks immediately after: a"),
        (json!([ask, called("a"), ask]), "without `tool_result` blocks immediately after: a"),
        (json!([ask, called("a"), resulted("b", "")]), "immediately after: a"),
        (json!([resulted("b", "")]), "unexpected `tool_use_id` found"),
    ] {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": messages });
        assert!(refused(&body).contains(words), "{messages}: {}", refused(&body));
    }
    assert!(refused(&json!({ "model": "m", "messages": [ask] })).contains("max_tokens"));
    assert!(refused(&json!({ "messages": [ask] })).contains("model"));
}
