//! Ledger and courier in a process that is killed at any moment, again and again, while NanoClaw
//! reads: every event that was answered for is heard, and none twice without its mark.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};

use super::*;

/// The house that the child is to work in.
const HOUSE: &str = "SUPERVISOR_TEST_HOUSE";

/// How many rounds, if not a few.
const ROUNDS: &str = "SUPERVISOR_TEST_ROUNDS";

fn open(dir: &Path, folder: &str) -> (Ledger, Courier) {
    let ledger = Ledger::open(&dir.join("gateway.db")).unwrap();
    let addressee = Addressee { name: "ryan".into(), folder: folder.into(), chat: None };
    let settings = Settings { directory: dir.join("nanoclaw"), addressees: vec![addressee] };
    let (courier, _) = Courier::new(ledger.clone(), settings);
    (ledger, courier)
}

#[test]
#[ignore = "the child of the test below"]
fn the_child_stores_and_carries_until_it_is_killed() {
    let Some(dir) = std::env::var_os(HOUSE) else { return };
    run(async {
        let (ledger, courier) = open(Path::new(&dir), "carried");
        let storing = async {
            for number in 0.. {
                let mut event = letter(number);
                event.keys = vec![format!("{}/{number}", std::process::id())];
                let store = move |tx: &rusqlite::Transaction<'_>| {
                    events::store(tx, &event, SystemTime::now())
                };
                let stored = ledger.write(store).await.unwrap();
                let line = format!("{}\n", stored.event);
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                // So that letters are carried as fast as they come.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::join!(storing, courier.run(std::future::pending()));
    });
}

#[test]
fn every_event_that_was_answered_for_is_heard_once_after_any_deaths() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new(&dir.path().join("nanoclaw"));
    disk.register(RYAN, "carried");
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    let rounds = std::env::var(ROUNDS).ok().and_then(|it| it.parse().ok()).unwrap_or(4);
    let mut answered = BTreeSet::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "--quiet"])
            .arg("gateway::courier::tests::killed::the_child_stores_and_carries_until_it_is_killed")
            .env(HOUSE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let most = 1 + (round * 7) % 23;
        let mut seen = 0;
        while seen < most {
            let line = lines.next().expect("the child died by itself").unwrap();
            if let Some(id) = EventId::parse(&line) {
                answered.insert(id);
                seen += 1;
                nanoclaw.polls();
            }
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            answered.extend(EventId::parse(&line));
        }
        child.wait().unwrap();
    }

    // Whatever is left is carried by the last one.
    run(async {
        let (ledger, mut courier) = open(dir.path(), "carried");
        loop {
            courier.go_round().await;
            nanoclaw.polls();
            let counts = ledger.read(view::counts).await.unwrap();
            if !counts.letters.contains_key(&State::Queued) {
                break;
            }
        }
    });
    let mut heard: BTreeMap<&str, u32> = BTreeMap::new();
    for one in &nanoclaw.heard[RYAN] {
        *heard.entry(one.id.as_str()).or_default() += 1;
    }
    let first = |id: &EventId| format!("gw-{id}-1");
    let missing: Vec<_> = answered.iter().filter(|id| !heard.contains_key(&*first(id))).collect();
    assert!(missing.is_empty(), "{} of {} are missing", missing.len(), answered.len());
    assert!(heard.values().all(|times| *times == 1), "one row was heard twice");
    let again = heard.keys().filter(|row| !row.ends_with("-1")).count();
    assert_eq!(again, 0, "nothing was a reason to give a letter again");
    println!("{rounds} deaths, {} answered, {} heard", answered.len(), heard.len());
}
