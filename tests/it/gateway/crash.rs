//! Killed in the middle of it: what was answered with success is in the ledger, once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::caller::Ask;
use super::gate::{Gate, build};

/// How often it is killed; `GATEWAY_KILLS` for more.
const ROUNDS: u32 = 4;
const CALLERS: usize = 8;
/// So many are answered before each kill, and then some more.
const ANSWERS: usize = 40;

#[test]
fn whoever_is_killed_has_stored_what_was_answered_with_success_once() {
    let rounds = std::env::var("GATEWAY_KILLS").ok().and_then(|text| text.parse().ok());
    let mut gate = Gate::closed();
    let answered = Mutex::new(BTreeMap::new());
    let next = AtomicU64::new(1);
    for round in 0..rounds.unwrap_or(ROUNDS) {
        gate.start();
        let address = gate.address();
        let stop = AtomicBool::new(false);
        let before = answered.lock().expect("ours").len();
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
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
                });
            }
            gate.wait("answers", || answered.lock().expect("ours").len() > before + ANSWERS);
            // At another point of its work each time.
            std::thread::sleep(std::time::Duration::from_micros(u64::from(round) * 337));
            gate.end("KILL");
            stop.store(true, Ordering::Relaxed);
        });
    }
    let mut stored: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for event in gate.events() {
        let id = event["build"].as_str().expect("a build").parse().expect("its id");
        stored.entry(id).or_default().push(event["event"].as_str().expect("an event").to_owned());
    }
    for (id, event) in answered.into_inner().expect("ours") {
        assert_eq!(stored.get(&id), Some(&vec![event]), "build {id}");
    }
    assert!(stored.values().all(|events| events.len() == 1));
}
