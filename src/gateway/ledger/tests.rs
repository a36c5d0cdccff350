use std::time::{Duration, SystemTime};

use rusqlite::params;

use super::letters::{self, Delivery};
use super::*;
use crate::gateway::small_disk::SmallDisk;

mod killed;
mod scale;
mod states;

pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// A loop like the gateway's own.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

pub(super) fn house() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    (dir, ledger)
}

pub(super) fn failed_build(number: u32) -> NewEvent {
    NewEvent {
        source: "azure-devops".into(),
        kind: "build.complete".into(),
        keys: vec![format!("azure-devops/notification/{number}")],
        title: format!("build {number} failed"),
        build: Some(number.to_string()),
        branch: Some("main".into()),
        body: br#"{"eventType":"build.complete"}"#.to_vec(),
        letters: vec![NewLetter {
            group: "ryan".into(),
            subject: format!("Build {number} failed"),
            text: "The build failed. Look at it.".into(),
            ..NewLetter::default()
        }],
        ..NewEvent::default()
    }
}

pub(super) async fn stored(ledger: &Ledger, event: NewEvent) -> Stored {
    ledger.write(move |tx| events::store(tx, &event, at(0))).await.unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_event_is_stored_once_however_often_it_is_sent() {
    let (_dir, ledger) = house();
    run(async {
        let first = stored(&ledger, failed_build(7)).await;
        assert!(!first.duplicate);
        let again = stored(&ledger, failed_build(7)).await;
        assert_eq!(again, Stored { event: first.event.clone(), duplicate: true });
        let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].state(), lines[0].repeats), ("queued", 1));
        assert_eq!(EventId::parse(first.event.as_str()), Some(first.event));
    });
}

#[test]
fn the_keys_of_a_repetition_are_learnt_so_that_a_third_one_is_recognised_by_them() {
    let (_dir, ledger) = house();
    run(async {
        let mut event = failed_build(7);
        event.keys = vec!["a".into()];
        let first = stored(&ledger, event.clone()).await;
        event.keys = vec!["a".into(), "b".into()];
        assert!(stored(&ledger, event.clone()).await.duplicate);
        event.keys = vec!["b".into()];
        assert_eq!(stored(&ledger, event).await, Stored { event: first.event, duplicate: true });
    });
}

#[test]
fn a_closure_that_fails_takes_nothing_with_it_and_leaves_nothing() {
    let (_dir, ledger) = house();
    run(async {
        let good = |number| {
            let event = failed_build(number);
            ledger.write(move |tx| events::store(tx, &event, at(0)))
        };
        let bad = ledger.write(|tx| {
            events::store(tx, &failed_build(99), at(0))?;
            tx.execute("INSERT INTO no_such_table VALUES (1)", [])
        });
        let (one, bad, two) = tokio::join!(good(1), bad, good(2));
        assert!(one.is_ok() && two.is_ok());
        assert!(matches!(bad, Err(LedgerError::Refused { .. })), "{bad:?}");
        let counts = ledger.read(view::counts).await.unwrap();
        assert_eq!(counts.events, 2);
    });
}

#[test]
fn what_was_answered_is_there_for_whoever_opens_the_ledger_next() {
    let (dir, ledger) = house();
    let id = run(async { stored(&ledger, failed_build(7)).await.event });
    drop(ledger);
    let connection = by_hand(&dir.path().join("gateway.db")).unwrap();
    let whole = view::show(&connection, &id).unwrap().unwrap();
    assert_eq!(whole.line.build.as_deref(), Some("7"));
    assert_eq!(whole.letters[0].text, "The build failed. Look at it.");
    assert_eq!(whole.body.as_deref(), Some(br#"{"eventType":"build.complete"}"#.as_slice()));
}

#[test]
fn a_corrupt_ledger_is_set_aside_with_its_log_and_a_new_one_is_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    fs::write(&path, "this was a ledger once, and it is long enough to look like one\n").unwrap();
    fs::write(dir.path().join("gateway.db-wal"), "its log").unwrap();
    let ledger = Ledger::open(&path).unwrap();
    run(stored(&ledger, failed_build(1)));
    let names = names(dir.path());
    assert!(names.iter().any(|name| name.starts_with("gateway.db.corrupt-2")), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("gateway.db-wal.corrupt-2")), "{names:?}");
}

#[test]
fn a_ledger_that_was_called_corrupt_in_use_is_examined_whole_at_the_next_start() {
    let (dir, ledger) = house();
    let path = dir.path().join("gateway.db");
    run(async {
        for number in 0..200 {
            stored(&ledger, failed_build(number)).await;
        }
    });
    drop(ledger);
    let connection = by_hand(&path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    // The first pages stay as they are: opening it finds nothing wrong.
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 30_000..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    drop(Ledger::open(&path).unwrap());
    assert!(names(dir.path()).iter().all(|name| !name.contains("corrupt")));

    fs::write(suspect_mark(&path), "").unwrap();
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(run(ledger.read(view::counts)).unwrap().events, 0);
    assert!(names(dir.path()).iter().any(|name| name.contains("gateway.db.corrupt-2")));
    assert!(!suspect_mark(&path).exists());
}

#[test]
fn a_ledger_of_a_later_release_is_left_alone() {
    let (dir, ledger) = house();
    drop(ledger);
    let path = dir.path().join("gateway.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Ledger::open(&path).unwrap_err();
    assert!(matches!(refused, LedgerError::Later { version: 99, .. }), "{refused:?}");
}

#[test]
fn a_ledger_of_every_version_is_read_for_ever() {
    is_read(include_str!("../../../tests/saved/gateway-v1.sql"));
    is_read(include_str!("../../../tests/saved/gateway-v2.sql"));
}

fn is_read(saved: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    Connection::open(&path).unwrap().execute_batch(saved).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    run(async {
        let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.event.as_str(), line.state(), line.deliveries()))
            .collect();
        assert_eq!(
            seen,
            [
                ("00000004", "stored", 0),
                ("00000003", "held", 0),
                ("00000002", "taken", 2),
                ("00000001", "done", 1)
            ]
        );
        let way = ledger.read(|c| letters::under_way(c, "ryan")).await.unwrap();
        assert_eq!(way[0].last.as_ref().unwrap().row, "gw-00000002-2");
        assert!(stored(&ledger, failed_build(7)).await.duplicate);
    });
}

#[test]
fn while_another_process_holds_the_lock_it_says_that_it_cannot_store_now_and_later_it_can() {
    let (dir, ledger) = house();
    let other = Connection::open(dir.path().join("gateway.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    run(async {
        let refused = ledger.write(|tx| events::store(tx, &failed_build(1), at(0))).await;
        assert!(matches!(refused, Err(LedgerError::CannotStore { .. })), "{refused:?}");
        other.execute_batch("COMMIT").unwrap();
        assert!(!stored(&ledger, failed_build(1)).await.duplicate);
    });
}

#[test]
fn on_a_full_disk_nobody_is_told_that_it_was_stored_and_with_room_it_works_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else { return };
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    run(async {
        stored(&ledger, failed_build(0)).await;
        fs::write(dir.path().join("ballast"), vec![0; 700_000]).unwrap();
        let mut told = 1;
        for number in 1.. {
            let large = NewEvent { body: vec![b'x'; 50_000], ..failed_build(number) };
            match ledger.write(move |tx| events::store(tx, &large, at(0))).await {
                Ok(_) => told += 1,
                Err(LedgerError::CannotStore { .. }) => break,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(ledger.read(view::counts).await.unwrap().events, told);
        fs::remove_file(dir.path().join("ballast")).unwrap();
        stored(&ledger, failed_build(told)).await;
        assert_eq!(ledger.read(view::counts).await.unwrap().events, told + 1);
    });
}

#[test]
fn when_one_of_a_batch_does_not_fit_none_of_it_is_said_to_be_stored() {
    let (_dir, ledger) = house();
    run(async {
        let limit = |pages: u32| {
            ledger.write(move |tx| {
                tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            })
        };
        limit(1).await.unwrap();
        let large = NewEvent { body: vec![b'x'; 1 << 20], ..failed_build(1) };
        let refused = ledger.write(move |tx| events::store(tx, &large, at(0)));
        let small = ledger.write(|tx| events::store(tx, &failed_build(2), at(0)));
        let (refused, small) = tokio::join!(refused, small);
        assert!(matches!(refused, Err(LedgerError::CannotStore { .. })), "{refused:?}");
        let counts = ledger.read(view::counts).await.unwrap();
        assert_eq!(counts.events, u32::from(small.is_ok()));
        limit(1_000_000).await.unwrap();
        assert!(!stored(&ledger, failed_build(1)).await.duplicate);
    });
}

#[test]
fn a_verb_makes_no_ledger_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let refused = by_hand(&dir.path().join("gateway.db")).unwrap_err();
    assert!(matches!(refused, LedgerError::Missing { .. }));
    assert!(names(dir.path()).is_empty());
}

/// A delivery as the courier makes it.
pub(super) fn delivery(event: &EventId, number: u32) -> Delivery {
    Delivery {
        number,
        row: format!("gw-{event}-{number}"),
        chat: "1@g.us".into(),
        row_time: "2027-01-15T08:00:00.001Z".into(),
        host: "one".into(),
        at: at(1),
        taken: None,
        wakes: 0,
        woken: None,
    }
}

#[test]
fn only_the_addressee_acknowledges_a_letter_and_twice_does_no_harm() {
    let (_dir, ledger) = house();
    run(async {
        let id = stored(&ledger, failed_build(7)).await.event;
        let ack = |group: &'static str| {
            let id = id.clone();
            ledger.write(move |tx| said::ack(tx, &id, group, at(2)))
        };
        assert_eq!(ack("cody").await.unwrap(), Acked::NotYours);
        assert_eq!(ack("ryan").await.unwrap(), Acked::Done);
        assert_eq!(ack("ryan").await.unwrap(), Acked::Already);
        let stranger = EventId::parse("zzzzzzzz").unwrap();
        let acked = ledger.write(move |tx| said::ack(tx, &stranger, "ryan", at(2))).await;
        assert_eq!(acked.unwrap(), Acked::NotYours);
        let open: u32 = ledger
            .read(|c| {
                c.query_row(
                    "SELECT count(*) FROM letters WHERE state != ?1",
                    params!["done"],
                    |r| r.get(0),
                )
            })
            .await
            .unwrap();
        assert_eq!(open, 0);
    });
}
