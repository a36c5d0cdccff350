//! A ledger that is full of letters.

use super::*;

const MANY: u32 = 100_000;

/// As `events::store` does it, and faster.
const FILL: &str = "
    BEGIN;
    CREATE TEMP TABLE numbers AS WITH RECURSIVE numbers (n) AS
        (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 99999) SELECT n FROM numbers;
    INSERT INTO events (seq, id, source, kind, received, body)
        SELECT n + 1, printf('%08d', n), 'azure-devops', 'build.complete', n, zeroblob(3000)
        FROM numbers;
    INSERT INTO event_keys (key, event)
        SELECT 'azure-devops/notification/' || n, n + 1 FROM numbers ORDER BY 1;
    INSERT INTO letters (event, addressee, subject, text, state, since, due)
        SELECT n + 1, 'ryan', 'Build ' || n || ' failed', 'Look.', 'queued', n, n FROM numbers;
    COMMIT;";

/// How the answer is found, as SQLite explains it.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
    rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
}

#[test]
fn no_question_of_the_courier_reads_a_whole_table() {
    let (dir, _ledger) = house();
    let connection = by_hand(&dir.path().join("gateway.db")).unwrap();
    for sql in [
        "SELECT id FROM letters WHERE addressee = 'r' AND state = 'queued' AND +due <= 1 ORDER BY id LIMIT 1",
        "SELECT min(due) FROM letters WHERE addressee = 'r' AND state = 'queued' AND due > 1",
        "SELECT id FROM letters WHERE addressee = 'r' AND state IN ('delivered', 'taken') ORDER BY id",
        "SELECT event FROM letters WHERE state = 'queued' ORDER BY event LIMIT 1",
        "SELECT seq FROM events WHERE id = 'x'",
        "SELECT event FROM event_keys WHERE key = 'x'",
        "SELECT id FROM attachments WHERE letter = 1 ORDER BY id",
    ] {
        let plan = plan(&connection, sql);
        if sql.contains("addressee") {
            assert!(plan.contains("(addressee=?"), "{sql}: {plan}");
        }
        assert!(plan.contains("USING") && !plan.contains("SCAN"), "{sql}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

#[test]
fn a_hundred_thousand_queued_letters_are_opened_counted_and_the_first_is_found() {
    let (dir, ledger) = house();
    let path = dir.path().join("gateway.db");
    drop(ledger);
    let connection = by_hand(&path).unwrap();
    connection.execute_batch(FILL).unwrap();
    drop(connection);
    let began = std::time::Instant::now();
    let ledger = Ledger::open(&path).unwrap();
    run(async {
        let counts = ledger.read(view::counts).await.unwrap();
        assert_eq!(counts.letters[&State::Queued], MANY);
        let first = ledger.read(|c| letters::next(c, "ryan", at(1))).await.unwrap().unwrap();
        assert_eq!(first.subject, "Build 0 failed");
        stored(&ledger, failed_build(MANY)).await;
    });
    // Shown, not judged: how fast this is depends on who else works on this machine.
    println!("opened, counted, found and stored in {:?}", began.elapsed());
}

/// For the numbers of a machine; they are shown and not judged. `cargo test --release --lib -- \
/// --ignored how_fast --nocapture`.
#[test]
#[ignore = "numbers, by hand"]
fn how_fast_it_stores() {
    for writers in [1, 32, 256] {
        let (_dir, ledger) = house();
        let body = vec![b'x'; 3000];
        let began = std::time::Instant::now();
        let count = if writers == 1 { 500 } else { 20_000 };
        let mut waits: Vec<Duration> = run(async {
            let mut all = tokio::task::JoinSet::new();
            for writer in 0..writers {
                let (ledger, body) = (ledger.clone(), body.clone());
                all.spawn(async move {
                    let mut waits = Vec::new();
                    for number in 0..count / writers {
                        let mut event = NewEvent { body: body.clone(), ..failed_build(number) };
                        event.keys = vec![format!("{writer}/{number}")];
                        let began = std::time::Instant::now();
                        stored(&ledger, event).await;
                        waits.push(began.elapsed());
                    }
                    waits
                });
            }
            all.join_all().await.into_iter().flatten().collect()
        });
        waits.sort();
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        let at = |part: usize| waits[(waits.len() - 1) * part / 100];
        println!("{writers} writers: {rate:.0}/s, median {:?}, p99 {:?}", at(50), at(99));
    }
}
