//! Webhooks: who may send them, and what is answered.

use agent_supervisor::gateway::github::sign;

use super::caller::Ask;
use super::gate::{Gate, build, filled};

#[test]
fn a_failed_build_is_stored_once_with_a_letter_for_its_group() {
    let gate = Gate::open();
    let first = gate.azure(build(99999));
    assert_eq!(first.status, 202, "{first:?}");
    assert!(first.body.starts_with(r#"{"ok":true,"event":""#), "{first:?}");
    let again = gate.azure(build(99999));
    assert_eq!((again.status, again.text("event")), (200, first.text("event")));
    assert_eq!(again.json()["duplicate"], true);
    let events = gate.events();
    assert_eq!(events.len(), 1);
    for (key, value) in [("build", "99999"), ("group", "ryan"), ("state", "queued")] {
        assert_eq!(events[0][key], value, "{events:?}");
    }
    assert_eq!(events[0]["key"], "azure-devops/build/devgem/99999/failed");
    let text = gate.show(&first.text("event"))["texts"][0]["text"].to_string();
    assert!(text.contains("feature/test-webhook") && text.contains("buildId=99999"), "{text}");
}

#[test]
fn whatever_is_no_webhook_is_not_found() {
    let gate = Gate::open();
    for path in ["/webhook/azure-devops", "/webhook/github", "/relay", "/ack", "/", "/webhook"] {
        assert_eq!(gate.ask(&Ask::get(path)).status, 404, "{path}");
    }
    for path in ["/webhook/gitlab", "/healthz", "/webhook/azure-devops/", "/RELAY"] {
        assert_eq!(gate.ask(&Ask::post(path, "{}")).status, 404, "{path}");
    }
    let put = Ask { method: "PUT", ..Ask::post("/webhook/azure-devops", "{}") };
    assert_eq!(gate.ask(&put.with("x-webhook-secret", "azure-secret")).status, 404);
}

#[test]
fn an_authenticated_caller_sees_success_and_a_stranger_does_not() {
    let gate = Gate::open();
    let deep = "[".repeat(1 << 20);
    let bodies: [&[u8]; 7] =
        [b"", b"no json", b"\xff\xfe\x00", deep.as_bytes(), b"null", b"{}", b"{\"eventType\":7}"];
    for body in bodies {
        let answer = gate.azure(body);
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    for secret in [None, Some("wrong"), Some(""), Some("azure-secre"), Some("ryan-secret")] {
        let body = build(1);
        let ask = Ask::post("/webhook/azure-devops", &body);
        let ask = secret.map_or(ask.clone(), |secret| ask.with("x-webhook-secret", secret));
        assert_eq!(gate.ask(&ask).status, 401, "{secret:?}");
    }
    assert_eq!(gate.azure(filled((2 << 20) + 1)).status, 413);
    assert_eq!(gate.azure(filled(2 << 20)).status, 202);
    assert!(gate.events().iter().all(|event| event["state"] == "stored"));
}

#[test]
fn old_and_new_secrets_are_right_during_a_rotation_and_nobody_is_wrong_without_a_file() {
    let gate = Gate::open();
    let with = |secret: &str| {
        let ask = Ask::post("/webhook/azure-devops", "{}");
        gate.ask(&ask.with("x-webhook-secret", secret)).status
    };
    let said = gate.does(&["gateway", "rotate-secret", "azure-devops"]);
    let text = std::fs::read_to_string(gate.path("secrets/azure")).expect("the file");
    let fresh = text.lines().next().expect("a secret");
    assert!(fresh.len() == 64 && !said.contains(fresh), "{said}");
    assert_eq!((with("azure-secret"), with(fresh), with("other")), (202, 202, 401));
    gate.does(&["gateway", "rotate-secret", "azure-devops", "--keep", "0s"]);
    assert_eq!((with("azure-secret"), with(fresh)), (401, 401));
    std::fs::remove_file(gate.path("secrets/azure")).expect("ours");
    assert_eq!((with("azure-secret"), with("other")), (503, 503));
}

#[test]
fn github_is_known_by_its_signature() {
    let gate = Gate::open();
    let body = include_str!("../../webhooks/github/workflow_run_failed.json");
    let signed = |event: &str, secret: &str, body: &str| {
        let signature = sign(secret.as_bytes(), body.as_bytes()).expect("a signature");
        let ask = Ask::post("/webhook/github", body).with("X-GitHub-Event", event);
        gate.ask(&ask.with("X-Hub-Signature-256", signature).with("X-GitHub-Delivery", "d-1"))
    };
    let stored = signed("workflow_run", "github-secret", body);
    assert_eq!(stored.status, 202, "{stored:?}");
    assert_eq!(signed("workflow_run", "github-secret", body).status, 200);
    assert_eq!(signed("workflow_run", "another", body).status, 401);
    assert_eq!(gate.ask(&Ask::post("/webhook/github", body)).status, 401);
    let ping = signed("ping", "github-secret", "{}");
    assert_eq!((ping.status, ping.body.trim()), (200, r#"{"ok":true,"ignored":"ping"}"#));
    assert_eq!(gate.events().len(), 1);
    assert_eq!(gate.events()[0]["group"], "ryan");
}
