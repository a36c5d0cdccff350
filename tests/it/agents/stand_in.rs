//! That the double is good enough: the real client does whole turns against it, and takes its
//! errors for those of the real service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::api::Api;
use super::client::Place;

#[test]
fn the_real_client_does_a_turn() {
    let Some(place) = Place::new() else { return };
    let printed = place.prints(&["say it again, please"], &[]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_eq!(printed.text(), "You said: say it again, please");
    assert_eq!(place.api.prompts(), ["say it again, please"]);
}

#[test]
fn the_real_client_runs_a_tool_and_tells_what_came_of_it() {
    let Some(place) = Place::new() else { return };
    let printed = place.prints(&["[[mode:tool:echo $((20 + 3))]] count"], &[]);
    assert_eq!((printed.code, printed.text()), (Some(0), "The tool said: 23"), "{printed:?}");
    let goes_on: Vec<bool> = place.api.main_requests().iter().map(|asked| asked.goes_on).collect();
    assert_eq!(goes_on, [false, true]);
    assert_eq!(place.api.prompts().len(), 1);
}

#[test]
fn the_real_client_tries_an_overloaded_service_again_and_then_gives_up() {
    let Some(place) = Place::new() else { return };
    let printed = place.prints(&["[[mode:err529]] now"], &[("CLAUDE_CODE_MAX_RETRIES", "1")]);
    assert_eq!((printed.code, &printed.result["api_error_status"]), (Some(1), &json!(529)));
    assert!(printed.text().contains("529 Overloaded"), "{printed:?}");
    assert_eq!((place.api.main_requests().len(), place.api.prompts().len()), (2, 1));
}

#[test]
fn a_poisoned_conversation_stays_poisoned_and_a_new_one_is_not() {
    let Some(place) = Place::new() else { return };
    let id = "0c0ffee0-0000-4000-8000-000000000001";
    let first = place.prints(&["--session-id", id, "[[sticky:err400_thinking]] go"], &[]);
    let second = place.prints(&["--resume", id, "go on"], &[]);
    for printed in [first, second] {
        assert_eq!((printed.code, &printed.result["api_error_status"]), (Some(1), &json!(400)));
        assert!(
            printed.text().contains("blocks in the latest assistant message cannot be modified")
        );
    }
    let asked = place.api.main_requests();
    assert!(asked.iter().all(|asked| asked.conversation.as_deref() == Some(id)), "{asked:#?}");
    assert_eq!(place.prints(&["go on"], &[]).text(), "You said: go on");
}

#[test]
fn the_real_client_gets_over_a_stream_that_breaks() {
    let Some(place) = Place::new() else { return };
    for mode in ["cut", "sse_error"] {
        let printed = place.prints(&[&format!("[[mode:{mode}]] hold on")], &[]);
        assert_eq!(printed.text(), "You said: hold on", "{mode}: {printed:?}");
    }
}

#[test]
fn the_mode_that_stands_holds_for_who_brings_no_mark() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = Api::start(folder.path());
    api.set_mode("err401_oauth\n");
    let (status, body) = post(&api, "/v1/messages", &main_request("hello"));
    assert_eq!((status, &body["error"]["type"]), (401, &json!("authentication_error")));
    let (status, body) = post(&api, "/v1/messages", &main_request("[[mode:normal]] hello"));
    assert_eq!((status, &body["content"][0]["text"]), (200, &json!("You said: hello")));
    let modes: Vec<String> = api.asked().into_iter().map(|asked| asked.mode).collect();
    assert_eq!(modes, ["err401_oauth", "normal"]);
}

#[test]
fn what_the_double_does_not_know_it_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = Api::start(folder.path());
    for (path, body, wanted) in [
        ("/v1/nothing", main_request("x"), 404),
        ("/v1/messages", json!({ "model": "m" }), 400),
        ("/v1/messages", main_request("[[mode:nonsense]]"), 400),
        ("/v1/messages/count_tokens", main_request("x"), 200),
    ] {
        let (status, answer) = post(&api, path, &body);
        assert_eq!(status, wanted, "{path} {body}: {answer}");
    }
}

fn main_request(prompt: &str) -> Value {
    json!({
        "model": "m",
        "max_tokens": 10,
        "messages": [{ "role": "user", "content": prompt }],
        "tools": [{ "name": "Bash" }],
    })
}

/// One request over a connection of its own; status and body.
fn post(api: &Api, path: &str, body: &Value) -> (u16, Value) {
    let address = api.url().strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("a listener");
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nx-api-key: k\r\nanthropic-version: v\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), serde_json::from_str(body).expect(body))
}
