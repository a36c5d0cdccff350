//! At the double of NanoClaw 2.

use super::*;
use crate::gateway::nanoclaw_v2::tests::double::NanoClaw2;

struct Second {
    dir: tempfile::TempDir,
    nanoclaw: NanoClaw2,
    ledger: Ledger,
    courier: Courier,
    report: watch::Receiver<Report>,
    /// Unlike that of any other test, whose processes are seen here too.
    folder: String,
}

fn second(name: &str) -> Second {
    let dir = tempfile::tempdir().unwrap();
    let nanoclaw = NanoClaw2::new(dir.path());
    let folder = format!("{name}{}", std::process::id());
    nanoclaw.wire("ag-1", &folder, "whatsapp", "1@g.us");
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    let addressee = Addressee { name: "ryan".into(), folder: folder.clone(), chat: None };
    let settings = Settings { directory: dir.path().into(), addressees: vec![addressee] };
    let (courier, report) = Courier::new(ledger.clone(), settings);
    Second { dir, nanoclaw, ledger, courier, report, folder }
}

impl Second {
    async fn stores(&self) -> EventId {
        let event = letter(1);
        let stored = self.ledger.write(move |tx| events::store(tx, &event, SystemTime::now()));
        stored.await.unwrap().event
    }

    /// After a round.
    async fn state(&mut self) -> (&'static str, u32) {
        self.courier.go_round().await;
        let lines = self.ledger.read(|c| view::list(c, None)).await.unwrap();
        (lines[0].state(), lines[0].deliveries())
    }
}

#[test]
fn a_letter_goes_by_the_socket_and_is_confirmed_shown_and_done_by_what_is_on_disk() {
    run(async {
        let mut it = second("goes");
        let id = it.stores().await;
        assert_eq!(it.state().await, ("queued", 0));
        assert!(it.report.borrow().troubles["ryan"].contains("cli.sock"));

        it.nanoclaw.starts();
        assert_eq!(it.state().await, ("delivered", 1));
        let taken = it.nanoclaw.receives().remove(0);
        assert!(taken.text.contains(&format!("/workspace/agent/mail/{id}/step.log")), "{taken:?}");
        assert_eq!(it.state().await, ("delivered", 1));
        assert_eq!(it.nanoclaw.shows("ag-1"), [format!("Build 1 failed [evt {id}]")]);
        it.nanoclaw.notes("ag-1", &taken.id, "processing");
        assert_eq!(it.state().await, ("taken", 1));
        it.nanoclaw.agent_reads("ag-1", &taken.text);
        it.nanoclaw.agent_ends_its_turn("ag-1");
        it.nanoclaw.notes("ag-1", &taken.id, "completed");
        assert_eq!(it.state().await, ("done", 1));
        assert_eq!(it.nanoclaw.shows("ag-1").len(), 1);
    });
}

#[test]
fn what_its_runner_calls_completed_is_done_when_the_turn_ends_and_goes_again_if_it_never_can() {
    run(async {
        let mut it = second("lost");
        let _host = Process::start(it.dir.path(), &["dist/index.js"]);
        let container = |it: &Second| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let name = format!("nanoclaw-v2-{}-{}", it.folder, now.as_millis());
            Process::start(it.dir.path(), &["run", "--rm", "--name", &name])
        };
        let first = container(&it);
        it.nanoclaw.starts();
        it.stores().await;
        it.state().await;
        // The real one notes this when it has queued the letter behind the turn that is under way.
        let taken = it.nanoclaw.receives().remove(0);
        it.nanoclaw.notes("ag-1", &taken.id, "completed");
        it.nanoclaw.agent_ends_its_turn("ag-1");
        assert_eq!(it.state().await, ("taken", 1));
        assert_eq!(it.state().await, ("taken", 1));

        drop(first);
        it.nanoclaw.earlier("ag-1", &taken.id);
        let _second = container(&it);
        assert_eq!(it.state().await, ("queued", 1));
        assert!(it.report.borrow().troubles.is_empty(), "it is nobody's fault");
        assert_eq!(it.state().await, ("delivered", 2));
        let taken = it.nanoclaw.receives().remove(0);
        assert!(taken.text.contains("delivery 2]"), "{taken:?}");
        it.nanoclaw.notes("ag-1", &taken.id, "completed");
        it.nanoclaw.agent_reads("ag-1", &taken.text);
        assert_eq!(it.state().await, ("taken", 2));
        it.nanoclaw.agent_ends_its_turn("ag-1");
        assert_eq!(it.state().await, ("done", 2));
    });
}

#[test]
fn a_letter_that_nanoclaw_does_not_write_down_is_sent_again_with_its_mark() {
    run(async {
        let mut it = second("dropped");
        it.nanoclaw.starts();
        it.stores().await;
        it.state().await;
        it.nanoclaw.is_killed();
        it.nanoclaw.starts();
        assert_eq!(it.state().await, ("delivered", 1), "it may still come");
        // Ten seconds later.
        let earlier = it.ledger.write(|tx| tx.execute("UPDATE deliveries SET at = at - 10000", []));
        earlier.await.unwrap();
        it.courier.go_round().await;
        assert!(it.report.borrow().troubles["ryan"].contains("dropped"));
        assert_eq!(it.state().await, ("delivered", 2));
        assert!(it.nanoclaw.receives()[0].text.contains("delivery 2]"));
    });
}
