//! At the double of NanoClaw 2.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;

use super::*;
use crate::gateway::nanoclaw_v2::tests::double::NanoClaw2;
use crate::nanoclaw::v2;

async fn state(ledger: &Ledger) -> (&'static str, u32) {
    let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
    (lines[0].state(), lines[0].deliveries())
}

fn settings(directory: &Path) -> Settings {
    let addressee = Addressee { name: "ryan".into(), folder: "ryan".into(), chat: None };
    Settings { directory: directory.into(), addressees: vec![addressee] }
}

#[test]
fn a_letter_goes_by_the_socket_and_is_confirmed_shown_and_done_by_the_databases() {
    let dir = tempfile::tempdir().unwrap();
    let nanoclaw = NanoClaw2::new(dir.path());
    nanoclaw.wire("ag-1", "ryan", "whatsapp", "1@g.us");
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    run(async {
        let (mut courier, report) = Courier::new(ledger.clone(), settings(dir.path()));
        let event = letter(1);
        let stored = ledger.write(move |tx| events::store(tx, &event, SystemTime::now()));
        let id = stored.await.unwrap().event;

        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("queued", 0));
        assert!(report.borrow().troubles["ryan"].contains("cli.sock"));

        let listener = UnixListener::bind(v2::socket(dir.path())).unwrap();
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("delivered", 1));
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = sent["text"].as_str().unwrap();
        assert!(text.contains(&format!("/workspace/agent/mail/{id}/step.log")), "{text}");

        nanoclaw.takes("ag-1", "cli-1", text);
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("delivered", 1));
        assert_eq!(nanoclaw.shows("ag-1"), [format!("Build 1 failed [evt {id}]")]);
        nanoclaw.notes("ag-1", "cli-1", "processing");
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("taken", 1));
        nanoclaw.notes("ag-1", "cli-1", "completed");
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("done", 1));
        assert_eq!(nanoclaw.shows("ag-1").len(), 1);
    });
}

#[test]
fn a_letter_that_nanoclaw_does_not_write_down_is_sent_again_with_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    let nanoclaw = NanoClaw2::new(dir.path());
    nanoclaw.wire("ag-1", "ryan", "whatsapp", "1@g.us");
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    let listener = UnixListener::bind(v2::socket(dir.path())).unwrap();
    let line = || {
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    };
    run(async {
        let (mut courier, report) = Courier::new(ledger.clone(), settings(dir.path()));
        let event = letter(1);
        ledger.write(move |tx| events::store(tx, &event, SystemTime::now())).await.unwrap();
        courier.go_round().await;
        line();
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("delivered", 1), "it may still come");
        // Ten seconds later.
        let earlier = ledger.write(|tx| tx.execute("UPDATE deliveries SET at = at - 10000", []));
        earlier.await.unwrap();
        courier.go_round().await;
        assert!(report.borrow().troubles["ryan"].contains("dropped"));
        courier.go_round().await;
        assert_eq!(state(&ledger).await, ("delivered", 2));
        assert!(line().contains("delivery 2]"));
    });
}
