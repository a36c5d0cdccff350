use super::*;
use crate::gateway::ledger::{NewEvent, NewLetter, by_hand, events, schema};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// A ledger, and the connection of a verb to it.
fn ledger() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    std::fs::write(&path, "").unwrap();
    let connection = by_hand(&path).unwrap();
    assert_eq!(
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)),
        Ok(schema::VERSION)
    );
    (dir, connection)
}

fn told(connection: &Connection, now: SystemTime) -> Vec<(String, String, String)> {
    let all = read(connection, now).unwrap();
    all.into_iter().map(|it| (it.kind, it.name, it.mark)).collect()
}

fn write<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> T {
    let transaction = connection.transaction().unwrap();
    let said = work(&transaction).unwrap();
    transaction.commit().unwrap();
    said
}

fn letter(connection: &mut Connection, key: &str) -> EventId {
    let event = NewEvent {
        keys: vec![key.to_owned()],
        title: format!("build {key}"),
        letters: vec![NewLetter { group: "ryan".into(), ..NewLetter::default() }],
        ..NewEvent::default()
    };
    write(connection, |it| events::store(it, &event, at(0))).event
}

#[test]
fn a_thread_that_is_held_once_more_is_another_time_of_it() {
    let (_dir, mut ledger) = ledger();
    assert_eq!(told(&ledger, at(0)), []);
    write(&mut ledger, |it| book::hold(it, "t-1", "8 in a row", at(1)));
    let first = told(&ledger, at(2));
    assert_eq!((first[0].0.as_str(), first[0].1.as_str()), (THREAD_HELD, "t-1"));
    // The same one, however often somebody writes into it.
    write(&mut ledger, |it| book::hold(it, "t-1", "again", at(3)));
    assert_eq!(told(&ledger, at(4)), first);
    write(&mut ledger, |it| book::release(it, "t-1", at(5)));
    assert_eq!(told(&ledger, at(6)), []);
    write(&mut ledger, |it| book::hold(it, "t-1", "8 in a row", at(7)));
    assert_ne!(told(&ledger, at(8)), first);
}

#[test]
fn letters_that_wait_are_told_after_a_while_and_once_for_a_group() {
    let (_dir, mut ledger) = ledger();
    letter(&mut ledger, "1");
    letter(&mut ledger, "2");
    let trouble = |connection: &mut Connection, why| {
        write(connection, |it| letters_trouble(it, why));
    };
    assert_eq!(told(&ledger, at(3599)), []);
    let stuck = told(&ledger, at(3600));
    assert_eq!(stuck, [(LETTERS_WAIT.to_owned(), "ryan".to_owned(), String::new())]);
    trouble(&mut ledger, Some("NanoClaw has no group with the folder \"ryan\": register it"));
    assert_eq!(told(&ledger, at(599)), []);
    let all = read(&ledger, at(3600)).unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].why.contains("register it") && all[0].mark == millis(at(0)).to_string());
    trouble(&mut ledger, None);
    assert_eq!(told(&ledger, at(599)), []);
}

fn letters_trouble(it: &Transaction<'_>, why: Option<&str>) -> rusqlite::Result<()> {
    crate::gateway::ledger::letters::trouble(it, "ryan", why, at(0))
}

#[test]
fn a_letter_that_was_given_up_is_named_until_a_person_has_seen_to_it() {
    let (_dir, mut ledger) = ledger();
    let event = letter(&mut ledger, "1");
    let id = crate::gateway::ledger::letters::next(&ledger, "ryan", at(1)).unwrap().unwrap().id;
    write(&mut ledger, |it| {
        let why = "given up after 6 deliveries";
        crate::gateway::ledger::letters::end(
            it,
            id,
            crate::gateway::ledger::State::Dead,
            why,
            at(2),
        )
    });
    let all = read(&ledger, at(3)).unwrap();
    assert_eq!(
        (all[0].kind.as_str(), all[0].name.as_str()),
        (LETTER_DEAD, &*format!("{event} ryan"))
    );
    assert!(all[0].why.contains("given up after 6") && all[0].remedy.contains("gateway replay"));
    write(&mut ledger, |it| crate::gateway::ledger::said::replay(it, &event, at(4)));
    assert_eq!(told(&ledger, at(5)), []);
}

#[test]
fn a_silenced_subscription_keeps_its_date_and_is_forgotten_when_it_is_enabled() {
    let (_dir, mut ledger) = ledger();
    let one = |state: &str| Silenced {
        id: "9c1d".into(),
        event: "build.complete".into(),
        state: state.into(),
    };
    write(&mut ledger, |it| note_silenced(it, &[one("onProbation")], at(1)));
    write(&mut ledger, |it| note_silenced(it, &[one("onProbation")], at(2)));
    let all = read(&ledger, at(3)).unwrap();
    assert_eq!((all[0].kind.as_str(), all[0].mark.as_str()), (HOOK_SILENCED, "onProbation"));
    assert!(all[0].why.contains(&rfc3339(at(1))), "{}", all[0].why);
    write(&mut ledger, |it| note_silenced(it, &[one("disabledBySystem")], at(4)));
    assert_eq!(told(&ledger, at(5))[0].2, "disabledBySystem");
    write(&mut ledger, |it| note_silenced(it, &[], at(6)));
    assert_eq!(told(&ledger, at(7)), []);
    // What else has a date is not touched.
    write(&mut ledger, |it| book::mark(it, "readyz", at(8)));
    write(&mut ledger, |it| note_silenced(it, &[], at(9)));
    assert_eq!(book::marked(&ledger, "readyz").unwrap(), Some(at(8)));
}
