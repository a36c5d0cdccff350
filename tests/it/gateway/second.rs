//! The whole way to NanoClaw 2: from HTTP to an agent that reads of it, and back, at the double.

#[expect(dead_code, reason = "the unit tests of the courier use the rest of the double")]
#[path = "../../doubles/nanoclaw_v2.rs"]
mod nanoclaw_v2;

use std::process::{Command, Stdio};
use std::time::SystemTime;

use rusqlite::Connection;
use serde_json::json;

use super::caller::Ask;
use super::gate::{Gate, USUAL, build, filled};
use nanoclaw_v2::{NanoClaw2, Taken};

/// A gateway in front of an installation whose groups are its own.
fn installed(name: &str) -> (Gate, NanoClaw2) {
    let mut config = USUAL.to_owned();
    let own = |agent: &str| format!("{agent}{name}{}", std::process::id());
    for agent in ["ryan", "cody"] {
        let head = format!("[gateway.groups.{agent}]\n");
        config = config.replace(&head, &format!("{head}folder = \"{}\"\n", own(agent)));
    }
    let gate = Gate::with(&format!("{config}[gateway.nanoclaw]\ndirectory = \"nanoclaw\"\n"));
    let mut nanoclaw = NanoClaw2::new(&gate.path("nanoclaw"));
    for agent in ["ryan", "cody"] {
        nanoclaw.wire(agent, &own(agent), "whatsapp", &format!("{agent}@g.us"));
    }
    nanoclaw.starts();
    (gate, nanoclaw)
}

/// What comes next.
fn next(gate: &Gate, nanoclaw: &mut NanoClaw2) -> Taken {
    let mut taken = Vec::new();
    gate.wait("a message", || {
        taken = nanoclaw.receives();
        !taken.is_empty()
    });
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

/// A process that is called as the client of a container that begins now.
fn container(folder: &str) -> std::process::Child {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time");
    let name = format!("nanoclaw-v2-{folder}-{}", now.as_millis());
    let mut command = Command::new("sh");
    command.args(["-c", "read x", "sh", "run", "--rm", "--name", &name]);
    command.stdin(Stdio::piped()).spawn().expect("a process")
}

fn is(gate: &Gate, event: &str, state: &str) -> bool {
    gate.show(event)["state"] == state
}

#[test]
fn a_failed_build_is_read_by_its_agent_and_done_when_that_says_so() {
    let (mut gate, mut nanoclaw) = installed("build");
    gate.start();
    let event = gate.azure(build(99999)).text("event");
    let taken = next(&gate, &mut nanoclaw);
    assert_eq!(taken.group, "ryan");
    assert!(taken.text.starts_with(&format!("[evt {event}] ")), "{taken:?}");
    assert!(taken.text.contains("feature/test-webhook"), "{taken:?}");
    gate.wait("it to be shown", || nanoclaw.shows("ryan").len() == 1);
    nanoclaw.notes("ryan", &taken.id, "processing");
    gate.wait("it to be taken", || is(&gate, &event, "taken"));
    let body = json!({"event": event}).to_string();
    let ack = Ask::post("/ack", &body).with("x-relay-secret", "ryan-secret");
    assert_eq!(gate.ask(&ack).status, 200);
    assert!(is(&gate, &event, "done"));
    gate.does(&["gateway", "replay", &event]);
    assert!(next(&gate, &mut nanoclaw).text.starts_with(&format!("[evt {event}, delivery 2] ")));
}

#[test]
fn a_message_with_a_log_lies_in_the_folder_of_its_agent_and_is_done_when_the_turn_is_over() {
    let (mut gate, mut nanoclaw) = installed("log");
    let folder = format!("codylog{}", std::process::id());
    // Whoever runs a NanoClaw beside the tests has a host that is taken for this one's.
    let mut container = container(&folder);
    gate.start();
    let log = filled(1 << 20);
    let ask = Ask::post("/relay?to=cody&kind=handoff", &log).with("Content-Type", "text/plain");
    let answer = gate.ask(&ask.with("X-Relay-Secret", "ryan-secret"));
    assert_eq!(answer.status, 200);
    let taken = next(&gate, &mut nanoclaw);
    assert_eq!(taken.group, "cody");
    let mut words = taken.text.split_whitespace();
    let path = words.find(|word| word.ends_with("/message-from-ryan.txt")).expect("a path");
    let path = path.strip_prefix("/workspace/agent/").expect("a path in the container");
    let folder = gate.path("nanoclaw/groups").join(folder);
    let file = std::fs::read(folder.join(path)).expect("the file");
    assert!(file == log, "the file is another one: {} bytes", file.len());
    let event = answer.text("id");
    nanoclaw.agent_reads("cody", &taken.text);
    nanoclaw.notes("cody", &taken.id, "completed");
    gate.wait("it to be taken", || is(&gate, &event, "taken"));
    nanoclaw.agent_ends_its_turn("cody");
    gate.wait("it to be done", || is(&gate, &event, "done"));
    // Its standard input closes, and it ends.
    drop(container.stdin.take());
    container.wait().expect("its end");
}

#[test]
fn a_gateway_that_is_killed_after_it_has_sent_sends_again_only_what_nanoclaw_does_not_have() {
    let (mut gate, mut nanoclaw) = installed("kill");
    gate.start();
    // Sent, and not yet written down; then written down.
    let first = gate.azure(build(1)).text("event");
    gate.wait("it to be sent", || is(&gate, &first, "delivered"));
    gate.end("KILL");
    gate.start();
    let taken = next(&gate, &mut nanoclaw);
    gate.wait("it to be shown", || nanoclaw.shows("ryan").len() == 1);
    gate.end("KILL");
    nanoclaw.agent_reads("ryan", &taken.text);
    nanoclaw.agent_ends_its_turn("ryan");
    nanoclaw.notes("ryan", &taken.id, "completed");
    gate.start();
    gate.wait("it to be done", || is(&gate, &first, "done"));
    assert_eq!((nanoclaw.receives(), nanoclaw.shows("ryan").len()), (vec![], 1));

    // Sent to one that is killed before it reads: ten seconds later it goes again.
    let second = gate.azure(build(2)).text("event");
    gate.wait("it to be sent", || is(&gate, &second, "delivered"));
    gate.end("KILL");
    nanoclaw.is_killed();
    let ledger = Connection::open(gate.path("state/gateway.db")).expect("the ledger");
    ledger.execute("UPDATE deliveries SET at = at - 10000", []).expect("an older delivery");
    drop(ledger);
    nanoclaw.starts();
    gate.start();
    let again = next(&gate, &mut nanoclaw).text;
    assert!(again.starts_with(&format!("[evt {second}, delivery 2] ")), "{again}");
}
