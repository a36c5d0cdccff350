//! The whole way: from a webhook over HTTP to an agent that reads of it in NanoClaw, and back. The
//! gateway is confined, as it is wherever no systemd unit confines it.

#[expect(dead_code, reason = "the unit tests of the courier use the rest of the double")]
#[path = "../../doubles/nanoclaw_v1.rs"]
pub(super) mod nanoclaw_v1;

use std::time::{Duration, Instant};

use rusqlite::TransactionBehavior;
use serde_json::json;

use super::caller::Ask;
use super::gate::{Gate, USUAL, build, filled};
use nanoclaw_v1::{Disk, NanoClaw};

pub(super) const RYAN: &str = "120363012345678901@g.us";
const CODY: &str = "120363012345678902@g.us";

/// A gateway in front of an installation of NanoClaw whose groups are its own.
pub(super) fn installed(name: &str) -> (Gate, Disk) {
    let own = |agent: &str| format!("{agent}{name}{}", std::process::id());
    let mut config = USUAL.to_owned();
    for agent in ["ryan", "cody"] {
        let head = format!("[gateway.groups.{agent}]\n");
        config = config.replace(&head, &format!("{head}folder = \"{}\"\n", own(agent)));
    }
    let gate = Gate::with(&format!("{config}[gateway.nanoclaw]\ndirectory = \"nanoclaw\"\n"));
    let disk = Disk::new(&gate.path("nanoclaw"));
    disk.register(RYAN, &own("ryan"));
    disk.register(CODY, &own("cody"));
    (gate, disk)
}

#[test]
fn a_failed_build_is_read_by_its_agent_and_done_when_that_says_so() {
    let (mut gate, disk) = installed("build");
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    gate.start();
    let event = gate.azure(build(99999)).text("event");
    gate.wait("the row", || disk.rows_of_ours().len() == 1);
    nanoclaw.polls();
    let heard = &nanoclaw.heard[RYAN][0].content;
    assert!(heard.contains(&event) && heard.contains("feature/test-webhook"), "{heard}");
    gate.wait("it to be taken", || gate.show(&event)["state"] == "taken");
    let body = json!({"event": event}).to_string();
    let ack = Ask::post("/ack", &body).with("x-relay-secret", "ryan-secret");
    assert_eq!(gate.ask(&ack).status, 200);
    assert_eq!(gate.show(&event)["state"], "done");
    // The same build by hand: a running gateway heeds it at once, and the agent sees that it is one.
    gate.does(&["gateway", "replay", &event]);
    gate.wait("the next row", || disk.rows_of_ours().len() == 2);
    nanoclaw.container_ends(RYAN, 0, true);
    nanoclaw.polls();
    let again = &nanoclaw.heard[RYAN][1].content;
    assert!(again.contains(&event) && again.contains("delivery 2"), "{again}");
}

#[test]
fn a_log_that_one_agent_sends_lies_in_the_folder_of_the_other() {
    let (mut gate, disk) = installed("log");
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    gate.start();
    let log = filled(1 << 20);
    let ask = Ask::post("/relay?to=cody&kind=handoff", &log).with("Content-Type", "text/plain");
    assert_eq!(gate.ask(&ask.with("X-Relay-Secret", "ryan-secret")).status, 200);
    gate.wait("the row", || disk.rows_of_ours().len() == 1);
    nanoclaw.polls();
    let heard = &nanoclaw.heard[CODY][0].content;
    let mut words = heard.split_whitespace();
    let path = words.find(|word| word.ends_with("/message-from-ryan.txt")).expect("a path");
    let path = path.strip_prefix("/workspace/group/").expect("a path in the container");
    let folder = format!("nanoclaw/groups/codylog{}", std::process::id());
    let file = std::fs::read(gate.path(&folder).join(path)).expect("the file");
    assert!(file == log, "the file is another one: {} bytes", file.len());
}

/// For how many seconds NanoClaw's database is locked; `GATEWAY_LOCKED=60` was run by hand. As long as
/// it takes to be told of it is enough.
#[test]
fn a_database_that_is_locked_keeps_no_webhook_waiting_and_loses_none() {
    let (mut gate, disk) = installed("locked");
    let seconds = std::env::var("GATEWAY_LOCKED").ok().and_then(|text| text.parse().ok());
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    gate.start();
    let mut writer = disk.open();
    let lock = writer.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    let began = Instant::now();
    let over = Duration::from_secs(seconds.unwrap_or(0));
    let mut answers: Vec<(String, Duration)> = Vec::new();
    gate.wait_up_to(over + Duration::from_secs(60), "it to be told, and the time", || {
        let asked = Instant::now();
        let event = gate.azure(build(answers.len() as u64)).text("event");
        answers.push((event, asked.elapsed()));
        std::thread::park_timeout(Duration::from_millis(100));
        let told = gate.said().contains("another process holds its lock");
        told && began.elapsed() >= over
    });
    let slowest = answers.iter().map(|it| it.1).max().expect("an answer");
    println!("locked for {:?}: {} webhooks, at most {slowest:?}", began.elapsed(), answers.len());
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(disk.rows_of_ours(), []);
    drop(lock);
    gate.wait_up_to(Duration::from_secs(120), "all to be heard", || {
        nanoclaw.polls();
        nanoclaw.heard.get(RYAN).is_some_and(|heard| heard.len() >= answers.len())
    });
    let heard: Vec<&str> = nanoclaw.heard[RYAN].iter().map(|it| it.id.as_str()).collect();
    let expected: Vec<String> = answers.iter().map(|it| format!("gw-{}-1", it.0)).collect();
    assert_eq!(heard, expected, "each once, in order");
}

#[test]
fn agents_that_answer_each_other_are_stopped_and_a_person_lets_them_go_on() {
    let (mut gate, disk) = installed("talk");
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    gate.start();
    let mut rows = 0;
    let mut sent = 0;
    let mut last = None;
    for turn in 0..20 {
        let (from, to) = [("ryan", "cody"), ("cody", "ryan")][turn % 2];
        let answer = gate.says(from, &json!({"to": to, "message": format!("answer {turn}")}));
        if answer.status != 200 {
            last = Some(answer);
            break;
        }
        sent += 1;
        rows += 1;
        gate.wait("the row", || disk.rows_of_ours().len() == rows);
        nanoclaw.polls();
        gate.does(&["ack", &answer.text("id")]);
        let jid = if to == "cody" { CODY } else { RYAN };
        if nanoclaw.is_at_work(jid) {
            nanoclaw.container_ends(jid, 0, true);
        }
    }
    let held = last.expect("they are stopped");
    assert_eq!((sent, held.status), (8, 429), "{held:?}");
    assert_eq!(held.json()["held"], true);
    assert_eq!(gate.said().matches("a thread of messages is held").count(), 1);
    let metrics = gate.ask(&Ask::get("/metrics")).body;
    assert!(metrics.contains("supervisor_gateway_threads_held 1"), "{metrics}");
    let event = gate.show(&held.text("id"));
    assert_eq!(event["state"], "held");
    let thread = event["thread"].as_str().expect("a thread");
    gate.does(&["relay", "release", thread]);
    gate.wait("the row", || disk.rows_of_ours().len() == rows + 1);
}
