//! The ledger by hand, with the gateway up and down.

use serde_json::{Value, json};

use super::gate::{Gate, build};

#[test]
fn the_ledger_is_worked_on_by_hand_with_the_gateway_up_and_down() {
    let mut gate = Gate::open();
    let event = gate.azure(build(12)).text("event");
    for up in [true, false] {
        if !up {
            gate.end("TERM");
        }
        assert!(gate.does(&["gateway", "list"]).contains(&event));
        assert!(gate.does(&["gateway", "show", &event]).contains("BUILD FAILED"));
        gate.does(&["gateway", "drop", &event]);
        assert_eq!(gate.show(&event)["state"], "dropped");
        gate.does(&["gateway", "replay", &event]);
        assert_eq!(gate.show(&event)["state"], "queued");
        let test: Value =
            serde_json::from_str(&gate.does(&["gateway", "test", "--json"])).expect("JSON");
        let shown = gate.show(test["event"].as_str().expect("an event"));
        assert_eq!((&shown["test"], &shown["group"]), (&json!(true), &json!("ryan")));
        let text = format!("up: {up}");
        assert!(
            gate.does(&["relay", "send", "--from", "ryan", "--to", "cody", &text]).contains("way")
        );
    }
    gate.does(&["ack", &event]);
    assert_eq!(gate.show(&event)["state"], "done");
    assert_eq!(gate.does(&["gateway", "list", "--json", "-n", "2"]).lines().count(), 2);
}

#[test]
fn what_is_not_there_is_said() {
    let mut gate = Gate::closed();
    assert!(gate.refuses(&["gateway", "list"]).contains("has the gateway run here?"));
    gate.start();
    for (words, says) in [
        (&["gateway", "show", "zzzzzzzz"][..], "there is no event"),
        (&["gateway", "show", "no event"], "is no event"),
        (&["gateway", "replay", "zzzzzzzz"], "no letters"),
        (&["gateway", "test", "--to", "nobody"], "no agent is called"),
        (&["gateway", "rotate-secret", "nobody"], "has no secret here"),
        (&["relay", "send", "--from", "cody", "--to", "sam", "x"], "no route"),
        (&["relay", "release", "INC-1"], "is not held"),
        (&["relay", "drop", "INC-1"], "is not held"),
        (&["ack", "zzzzzzzz"], "no such letter"),
    ] {
        let said = gate.refuses(words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
    let other = Gate::with("");
    assert!(other.refuses(&["gateway"]).contains("has no [gateway]"));
}

#[test]
fn a_message_from_a_file_is_sent_whole() {
    let gate = Gate::open();
    std::fs::write(gate.path("build.log"), "line\n".repeat(100_000)).expect("a file");
    let words =
        ["relay", "send", "--from", "ryan", "--to", "cody", "--file", "build.log", "--json"];
    let sent: Value = serde_json::from_str(&gate.does(&words)).expect("JSON");
    let shown = gate.show(sent["id"].as_str().expect("an id"));
    assert_eq!(shown["texts"][0]["attachments"][0][1], 500_000);
}
