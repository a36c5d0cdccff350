//! A process that writes the ledger under load is killed at any moment, again and again: what it
//! was answered for is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

/// The ledger that the child is to write.
const PATH: &str = "SUPERVISOR_TEST_LEDGER";

/// How many rounds, if not a few.
const ROUNDS: &str = "SUPERVISOR_TEST_ROUNDS";

/// So many write at once in the child.
const WRITERS: u32 = 16;

#[test]
#[ignore = "the child of the test below"]
fn the_child_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let ledger = Ledger::open(Path::new(&path)).unwrap();
    let round: u32 = std::process::id();
    run(async {
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            let ledger = ledger.clone();
            tasks.push(async move {
                for number in 0.. {
                    let mut event = failed_build(number);
                    event.keys = vec![format!("{round}/{writer}/{number}")];
                    let stored = stored(&ledger, event).await;
                    // One write for a line: half a line says nothing.
                    let line = format!("{}\n", stored.event);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
        let mut all = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        for task in tasks {
            all.spawn_local_on(task, &local);
        }
        local.await;
    });
}

#[test]
fn whoever_was_answered_finds_the_event_after_any_death() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    let rounds = std::env::var(ROUNDS).ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let mut answered = BTreeSet::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "--quiet"])
            .arg("gateway::ledger::tests::killed::the_child_writes_until_it_is_killed")
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Another moment each time: after so many answers.
        let most = 1 + (round * 37) % 300;
        let mut seen = 0;
        while seen < most {
            let line = lines.next().expect("the child died by itself").unwrap();
            if let Some(id) = EventId::parse(&line) {
                answered.insert(id);
                seen += 1;
            }
        }
        child.kill().unwrap();
        // What it had said before it died counts too.
        for line in lines.map_while(Result::ok) {
            answered.extend(EventId::parse(&line));
        }
        child.wait().unwrap();
    }
    let ledger = Ledger::open(&path).unwrap();
    let there: Vec<_> = run(ledger.read(|c| view::list(c, None))).unwrap();
    let ids: BTreeSet<_> = there.iter().map(|line| line.event.clone()).collect();
    let keys: BTreeSet<_> = there.iter().map(|line| line.key.clone()).collect();
    let missing: Vec<_> = answered.difference(&ids).collect();
    assert!(missing.is_empty(), "{} of {} are missing", missing.len(), answered.len());
    assert_eq!(keys.len(), there.len(), "an event is there twice");
    assert!(there.iter().all(|line| line.letters.len() == 1), "half an event is there");
    let sound: String =
        run(ledger.read(|c| c.query_row("PRAGMA integrity_check", [], |r| r.get(0)))).unwrap();
    assert_eq!(sound, "ok");
    println!("{rounds} deaths, {} answered, {} there", answered.len(), ids.len());
}
