use serde_json::{Value, json};

use super::*;

fn caller() -> Caller {
    Caller { now: 1_000, subscribes: true, id: "req_1".to_owned(), bytes: 400 }
}

fn message(role: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": "input_text", "text": text }] })
}

fn request(input: &[Value]) -> Result<Request, Refusal> {
    let tools = json!([{ "type": "function", "name": "exec_command" }]);
    let body = json!({ "model": "m", "stream": true, "input": input, "tools": tools });
    Request::read(body.to_string().as_bytes())
}

fn asks(text: &str) -> Request {
    request(&[
        message("developer", "be good"),
        message("user", "<environment_context>\n</e>"),
        message("user", text),
    ])
    .expect("a request")
}

fn sent(request: &Request) -> Vec<Value> {
    let wanted = request.wanted(None);
    let answer = answer(request, &wanted, &caller()).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = |step: &Step| match step {
        Step::Send(text) => {
            Some(serde_json::from_str(text.split_once("\ndata: ").expect("data").1).expect("JSON"))
        }
        Step::Wait(_) | Step::Hang => None,
    };
    answer.steps.iter().filter_map(data).collect()
}

#[test]
fn an_answer_repeats_the_prompt_and_ends_as_completed() {
    let events = sent(&asks("say [[mode:normal]] hello"));
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds.first(), Some(&"response.created"));
    assert_eq!(kinds.last(), Some(&"response.completed"));
    let done = events.iter().find(|event| event["type"] == "response.output_item.done");
    assert_eq!(done.expect("an item")["item"]["content"][0]["text"], "You said: say hello");
    let pieces: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(pieces, "You said: say hello");
}

#[test]
fn a_tool_is_called_once_and_its_output_answered() {
    let first = asks("[[mode:tool:echo a]] go");
    let done = sent(&first).into_iter().find(|it| it["type"] == "response.output_item.done");
    let call = done.expect("an item")["item"].clone();
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("exec_command"), &json!(r#"{"cmd":"echo a"}"#))
    );
    let output =
        json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "a" });
    let second = request(&[message("user", "[[mode:tool:echo a]] go"), call, output]).expect("one");
    let done = sent(&second).into_iter().find(|it| it["type"] == "response.output_item.done");
    assert_eq!(done.expect("an item")["item"]["content"][0]["text"], "The tool said: a");
}

#[test]
fn an_error_has_the_words_of_the_service() {
    for (mode, status, code) in [
        ("err401_key", 401, "invalid_api_key"),
        ("err429", 429, "rate_limit_exceeded"),
        ("err429_quota", 429, "insufficient_quota"),
        ("err400_toolong", 400, "context_length_exceeded"),
    ] {
        let answer = answer(&asks("x"), mode, &caller()).expect("an answer");
        let [Step::Send(body)] = &answer.steps[..] else { panic!("{answer:?}") };
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((answer.status, &body["error"]["code"]), (status, &json!(code)), "{mode}");
    }
    let limit = Refusal::named("err429_usage:60", "m", 1_000).expect("known");
    assert_eq!(limit.body["error"]["resets_at"], 1_060);
    assert_eq!(Refusal::named("err429_usage:soon", "m", 1_000), None);
}

#[test]
fn a_broken_history_and_an_unknown_mode_are_refused() {
    let call = json!({ "type": "function_call", "call_id": "c", "name": "x", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "" });
    assert!(request(&[message("user", "x"), call.clone()]).is_err());
    assert!(request(&[message("user", "x"), output.clone()]).is_err());
    assert!(request(&[message("user", "x"), output, call]).is_err());
    assert!(request(&[]).is_err());
    for mode in ["nromal", "err529", "slow:soon"] {
        assert_eq!(answer(&asks("x"), mode, &caller()).map(|it| it.status), Some(400), "{mode}");
    }
}

#[test]
fn a_request_without_tools_is_on_the_side_and_obeys_no_mark() {
    let body = json!({ "model": "m", "stream": true, "input": [message("user", "[[mode:hang]]")] });
    let aside = Request::read(body.to_string().as_bytes()).expect("a request");
    assert_eq!(aside.wanted(Some("err500".to_owned())), "normal");
    assert_eq!(asks("x").wanted(Some("err500".to_owned())), "err500");
}
