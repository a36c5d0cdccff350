//! Messages between agents and their acknowledgements.

use serde_json::json;

use super::caller::Ask;
use super::gate::{Gate, build, filled};

#[test]
fn a_shared_secret_is_answered_as_old_installations_expect() {
    let gate = Gate::open();
    let body = r#"{"from":"ryan","to":"cody","message":"relay test"}"#;
    for kind in ["application/json", "application/x-www-form-urlencoded"] {
        let ask = Ask::post("/relay", body).with("X-Relay-Secret", "shared-secret");
        let answer = gate.ask(&ask.with("Content-Type", kind));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.starts_with(r#"{"ok":true,"#), "{answer:?}");
    }
    // The second one said the same.
    let events = gate.events();
    assert_eq!((events.len(), events[0]["group"].as_str()), (1, Some("cody")));
}

#[test]
fn who_speaks_is_decided_by_the_secret_and_where_to_by_the_routes() {
    let gate = Gate::open();
    for (secret, from, to, status) in [
        ("ryan", Some("ryan"), "cody", 200),
        ("ryan", None, "sam", 200),
        ("ryan", Some("cody"), "ryan", 403),
        ("ryan", Some("sam"), "cody", 403),
        ("cody", None, "ryan", 200),
        ("cody", None, "sam", 403),
        ("cody", None, "cody", 403),
        ("cody", None, "nobody", 403),
        ("shared", Some("sam"), "ryan", 200),
        ("shared", Some("cody"), "sam", 403),
        ("shared", None, "sam", 400),
        ("azure", None, "cody", 401),
        ("nobody", None, "cody", 401),
    ] {
        let message = format!("{secret} {from:?} {to}");
        let answer = gate.says(secret, &json!({"from": from, "to": to, "message": message}));
        assert_eq!(answer.status, status, "{message}: {answer:?}");
    }
    let none = Ask::post("/relay", "{}");
    assert_eq!(gate.ask(&none).status, 401);
    assert_eq!(gate.says("ryan", &json!({"to": "cody"})).status, 400);
}

#[test]
fn an_agents_socket_is_its_identity() {
    let gate = Gate::open();
    let socket = gate.socket("ryan");
    let say = |body: &str| Ask::post("/relay", body).through(&socket).status;
    assert_eq!(say(r#"{"to":"cody","message":"by socket"}"#), 200);
    assert_eq!(say(r#"{"from":"sam","to":"cody","message":"as sam"}"#), 403);
    assert_eq!(Ask::post("/webhook/github", "{}").through(&socket).status, 404);
    let path = socket.display().to_string();
    let sent = gate.does(&["relay", "send", "--socket", &path, "--to", "cody", "from a container"]);
    assert!(sent.contains(r#""ok":true"#), "{sent}");
    let letter = gate.azure(build(7)).text("event");
    assert!(gate.does(&["ack", &letter, "--socket", &path]).contains(r#"{"ok":true}"#));
    assert_eq!(gate.show(&letter)["state"], "done");
}

#[test]
fn a_log_of_megabytes_travels_whole_as_a_file() {
    let gate = Gate::open();
    let mut log = filled(3 << 20);
    log[5] = 0xff;
    let ask = Ask::post("/relay?from=ryan&to=cody&kind=handoff&thread=INC-7", &log);
    let ask = ask.with("Content-Type", "text/plain").with("X-Relay-Secret", "ryan-secret");
    let answer = gate.ask(&ask);
    assert_eq!(answer.status, 200, "{answer:?}");
    let whole = gate.show(&answer.text("id"));
    assert_eq!(whole["texts"][0]["attachments"], json!([["message-from-ryan.txt", 3 << 20]]));
    let text = whole["texts"][0]["text"].as_str().expect("a text");
    assert!(text.len() < 10_000 && text.contains("INC-7"), "{text}");
    let large = filled((4 << 20) + 1);
    let ask = Ask::post("/relay?from=ryan&to=cody", &large);
    let ask = ask.with("Content-Type", "text/plain").with("X-Relay-Secret", "ryan-secret");
    assert_eq!(gate.ask(&ask).status, 413);
}

#[test]
fn a_message_with_an_id_is_sent_once() {
    let gate = Gate::open();
    let first = gate.says("ryan", &json!({"to": "cody", "message": "one", "id": "x"}));
    let again = gate.says("ryan", &json!({"to": "cody", "message": "two", "id": "x"}));
    assert_eq!((again.status, again.text("id")), (200, first.text("id")));
    assert_eq!(again.json()["duplicate"], true);
    // Another agent's ids are its own.
    let other = gate.says("sam", &json!({"to": "cody", "message": "three", "id": "x"}));
    assert_ne!(other.text("id"), first.text("id"));
}

#[test]
fn a_path_is_full_after_a_while_and_says_when_there_is_room_again_over_a_restart() {
    let mut gate = Gate::open();
    let say = |gate: &Gate, n: u32| {
        gate.says("ryan", &json!({"to": "cody", "message": format!("message {n}")}))
    };
    for n in 0..6 {
        assert_eq!(say(&gate, n).status, 200);
    }
    gate.end("KILL");
    gate.start();
    let full = say(&gate, 6);
    assert_eq!(full.status, 429, "{full:?}");
    assert!(full.head.to_lowercase().contains("retry-after: "), "{full:?}");
    assert_eq!(gate.events().len(), 6);
}

#[test]
fn only_its_addressee_acknowledges_a_letter() {
    let gate = Gate::open();
    let event = gate.azure(build(5)).text("event");
    let ack = |secret: &str, event: &str| {
        let body = json!({"event": event}).to_string();
        gate.ask(&Ask::post("/ack", &body).with("X-Relay-Secret", format!("{secret}-secret")))
            .status
    };
    for secret in ["cody", "shared", "azure", "nobody"] {
        assert_eq!(ack(secret, &event), 403, "{secret}");
    }
    assert_eq!(ack("ryan", "zzzzzzzz"), 403);
    assert_eq!(ack("ryan", "../../etc"), 403);
    assert_eq!(gate.show(&event)["state"], "queued");
    assert_eq!((ack("ryan", &event), ack("ryan", &event)), (200, 200));
    assert_eq!(gate.show(&event)["state"], "done");
}

#[test]
fn a_pushed_fix_makes_the_next_good_build_wake_who_was_told() {
    let gate = Gate::open();
    let good = |id: u64| gate.azure(build(id).replace("failed", "succeeded")).text("event");
    assert_eq!(gate.show(&good(1))["state"], "stored");
    let pushed = json!({
        "to": "ryan", "message": "fixed", "kind": "fix_pushed", "branch": "feature/test-webhook",
    });
    assert_eq!(gate.says("cody", &pushed).status, 200);
    assert_eq!(gate.show(&good(2))["group"], "ryan");
    assert_eq!(gate.show(&good(3))["state"], "stored");
}
