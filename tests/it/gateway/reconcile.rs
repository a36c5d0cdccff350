//! What is learnt by asking Azure DevOps, from a double of its interface.

use serde_json::json;

use super::azure_double::AzureDouble;
use super::gate::{Gate, USUAL, build};

fn gate(azure: &AzureDouble) -> Gate {
    let service = azure.service();
    Gate::with(&USUAL.replace(
        "[gateway.azure_devops]",
        &format!(
            "[gateway.azure_devops]\norganization = \"devgem\"\nproject = \"forma-3d\"\n\
             token_file = \"secrets/pat\"\nreconcile = \"1s\"\nservice = \"{service}\""
        ),
    ))
}

const BUILDS: &str = "/devgem/forma-3d/_apis/build/builds";

#[test]
fn a_build_that_no_webhook_told_of_is_found_with_the_log_of_its_failed_step() {
    let azure = AzureDouble::new();
    let listed = json!({
        "id": 77, "buildNumber": "1", "result": "failed", "status": "completed",
        "finishTime": "2026-05-27T06:15:20Z", "sourceBranch": "refs/heads/main",
        "sourceVersion": "abc1234def5678", "definition": {"name": "ci"},
    });
    azure.gives(BUILDS, json!({"value": [listed]}).to_string());
    azure.gives(
        &format!("{BUILDS}/77/timeline"),
        json!({"records": [
            {"type": "Stage", "name": "CI", "result": "failed"},
            {"type": "Task", "name": "Build", "result": "succeeded", "order": 1, "log": {"id": 4}},
            {"type": "Task", "name": "Lint", "result": "failed", "order": 2, "log": {"id": 5}},
        ]})
        .to_string(),
    );
    azure.gives(&format!("{BUILDS}/77/logs/5"), "error: a line is too long\n".repeat(1000));
    let mut gate = gate(&azure);
    gate.start();
    gate.wait("the letter", || gate.events().iter().any(|event| event["state"] == "queued"));
    let event = gate.events()[0]["event"].as_str().expect("an event").to_owned();
    let whole = gate.show(&event);
    assert_eq!((&whole["build"], &whole["group"]), (&json!("77"), &json!("ryan")));
    assert_eq!(whole["texts"][0]["attachments"], json!([["build-77-Lint.log", 26_000]]));
    let text = whole["texts"][0]["text"].as_str().expect("a text");
    assert!(text.contains("Failed step: Lint") && !text.contains("too long"), "{text}");
    // The webhook that comes late says nothing new.
    let late = gate.azure(build(77));
    assert_eq!((late.status, late.text("event")), (200, event));
}

#[test]
fn a_subscription_that_is_on_probation_is_told_once() {
    let azure = AzureDouble::new();
    azure.gives(BUILDS, r#"{"value":[]}"#);
    let subscription = |url: &str, status: &str| {
        json!({
            "id": "9c1d", "eventType": "build.complete", "status": status,
            "consumerInputs": {"url": url},
        })
    };
    let state = |status: &str| {
        let ours = subscription("https://agents.example.org/webhook/azure-devops", status);
        let other = subscription("https://other.example.org/", "disabledBySystem");
        let body = json!({"value": [ours, other]}).to_string();
        azure.gives("/devgem/_apis/hooks/subscriptions", body);
    };
    state("onProbation");
    let mut gate = gate(&azure);
    gate.start();
    gate.wait("the alarm", || gate.said().contains("state=onProbation"));
    state("enabled");
    gate.wait("the end of it", || gate.said().contains("the webhook is enabled again"));
    assert_eq!(gate.said().matches("does not send this webhook").count(), 1, "{}", gate.said());
}

#[test]
fn a_letter_goes_without_its_log_if_there_is_none_to_be_had() {
    let azure = AzureDouble::new();
    let mut gate = gate(&azure);
    std::fs::write(gate.path("secrets/pat"), "a-wrong-one").expect("a file");
    gate.start();
    let event = gate.azure(build(5)).text("event");
    gate.wait("the letter", || gate.show(&event)["state"] == "queued");
    assert_eq!(gate.show(&event)["texts"][0]["attachments"], json!([]));
    gate.wait("the complaint", || gate.said().contains("cannot be asked for builds"));
    assert!(!gate.said().contains("a-wrong-one"), "{}", gate.said());
}
