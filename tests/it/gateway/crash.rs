//! Killed in the middle of it: what was answered with success is in the ledger, once, and is heard by
//! its agent in NanoClaw, once, or bears its mark when it comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::caller::Ask;
use super::gate::build;
use super::whole::nanoclaw_v1::{Disk, Heard, NanoClaw};
use super::whole::{RYAN, installed};

/// How often it is killed; `GATEWAY_KILLS` for more.
const ROUNDS: u32 = 4;
const CALLERS: usize = 4;
/// So many are answered before each kill, and then some more.
const ANSWERS: usize = 12;
/// NanoClaw takes one after the other: for each kill so long, at the end.
const EACH: Duration = Duration::from_secs(15);

/// A NanoClaw that reads, and an agent that acknowledges what it has read, until `over`. What was
/// heard, in order.
fn reads(
    disk: &Disk,
    gateway: &Mutex<Option<SocketAddr>>,
    said: &AtomicUsize,
    over: &AtomicBool,
) -> Vec<Heard> {
    let mut nanoclaw = NanoClaw::start(disk, 10);
    let mut acknowledged = 0;
    while !over.load(Ordering::Relaxed) {
        nanoclaw.polls();
        let heard = nanoclaw.heard.get(RYAN).map(Vec::as_slice).unwrap_or_default();
        let address = *gateway.lock().expect("ours");
        if let (Some(next), Some(address)) = (heard.get(acknowledged), address) {
            let event = next.id.split('-').nth(1).expect("an event");
            let body = json!({"event": event}).to_string();
            let ack = Ask::post("/ack", &body).with("x-relay-secret", "ryan-secret");
            // It may be killed, or not be back yet.
            if let Ok(answer) = ack.try_to(address) {
                assert_eq!(answer.status, 200, "{answer:?}");
                acknowledged += 1;
                said.store(acknowledged, Ordering::Relaxed);
            }
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    nanoclaw.heard.remove(RYAN).unwrap_or_default()
}

#[test]
fn whoever_is_killed_has_stored_what_was_answered_with_success_and_its_agent_hears_it_once() {
    let rounds = std::env::var("GATEWAY_KILLS").ok().and_then(|text| text.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    let (mut gate, disk) = installed("crash");
    let answered = Mutex::new(BTreeMap::new());
    let next = AtomicU64::new(1);
    let (address, said, over) = (Mutex::new(None), AtomicUsize::new(0), AtomicBool::new(false));
    let heard = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reads(&disk, &address, &said, &over));
        for round in 0..rounds {
            gate.start();
            *address.lock().expect("ours") = Some(gate.address());
            let stop = AtomicBool::new(false);
            let before = answered.lock().expect("ours").len();
            std::thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| call(gate.address(), &next, &answered, &stop));
                }
                gate.wait("answers", || answered.lock().expect("ours").len() > before + ANSWERS);
                // At another point of its work each time.
                std::thread::sleep(Duration::from_micros(u64::from(round) * 337));
                *address.lock().expect("ours") = None;
                crate::house::kill(gate.pid(), "KILL");
                stop.store(true, Ordering::Relaxed);
            });
            gate.end("KILL");
        }
        gate.start();
        *address.lock().expect("ours") = Some(gate.address());
        let stored = gate.events().len();
        gate.wait_up_to(EACH * rounds, "all to be acknowledged", || {
            said.load(Ordering::Relaxed) >= stored || reader.is_finished()
        });
        over.store(true, Ordering::Relaxed);
        reader.join().expect("a reader")
    });

    let mut stored: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for event in gate.events() {
        assert_eq!(event["state"], "done", "{event}");
        let id = event["build"].as_str().expect("a build").parse().expect("its id");
        stored.entry(id).or_default().push(event["event"].as_str().expect("an event").to_owned());
    }
    let answered = answered.into_inner().expect("ours");
    let rows: BTreeSet<&str> = heard.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(rows.len(), heard.len(), "a row was heard twice");
    for (id, event) in &answered {
        assert_eq!(stored.get(id), Some(&vec![event.clone()]), "build {id}");
        assert!(rows.contains(format!("gw-{event}-1").as_str()), "build {id} was not heard");
    }
    assert!(stored.values().all(|events| events.len() == 1));
    let again = heard.iter().filter(|it| !it.id.ends_with("-1"));
    let marked = |it: &&Heard| it.content.contains(", delivery ");
    assert_eq!(again.clone().filter(marked).count(), again.clone().count());
    println!(
        "{rounds} kills: {} answered, {} stored, {} heard, {} of these again, with their mark",
        answered.len(),
        stored.len(),
        heard.len(),
        again.count()
    );
}

fn call(
    address: SocketAddr,
    next: &AtomicU64,
    answered: &Mutex<BTreeMap<u64, String>>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        let id = next.fetch_add(1, Ordering::Relaxed);
        let body = build(id);
        let ask = Ask::post("/webhook/azure-devops", &body);
        let ask = ask.with("x-webhook-secret", "azure-secret");
        if let Ok(answer) = ask.try_to(address) {
            assert_eq!(answer.status, 202, "{answer:?}");
            answered.lock().expect("ours").insert(id, answer.text("event"));
        }
    }
}
