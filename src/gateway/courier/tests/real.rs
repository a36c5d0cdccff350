//! At a real NanoClaw 1.2, with a stand-in docker and a stand-in channel: see tests/nanoclaw/prepare.

use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;

use super::*;

/// Where it has been prepared.
const PLACE: &str = "SUPERVISOR_TEST_NANOCLAW";

/// How long all may take.
const CEILING: Duration = Duration::from_secs(120);

struct Real {
    directory: PathBuf,
    chat: String,
    folder: String,
}

impl Real {
    fn start(&self) -> Process {
        let log = File::options().create(true).append(true).open(self.directory.join("own.log"));
        let log = log.unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.directory.join("standin").display());
        let mut command = Command::new("node");
        command.arg("dist/index.js").current_dir(&self.directory);
        command.env("PATH", path).env("IDLE_TIMEOUT", "3000");
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        Process(command.spawn().unwrap())
    }

    /// They outlive NanoClaw, as real ones do.
    fn end_containers(&self) {
        let containers = fs::read_dir(self.directory.join("containers")).into_iter().flatten();
        for one in containers.flatten() {
            let mut docker = Command::new(self.directory.join("standin/docker"));
            docker.args(["stop", "-t", "1"]).arg(one.file_name()).current_dir(&self.directory);
            docker.status().unwrap();
        }
    }

    fn lines(&self, file: &str, field: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        let values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter_map(|it| Some(it[field].as_str()?.to_owned())).collect()
    }

    fn person_writes(&self, number: u32) {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let message = serde_json::json!({
            "id": format!("p{number}"), "chat_jid": self.chat, "sender": "p", "sender_name": "P",
            "content": format!("person {number} says hello"), "timestamp": now, "is_from_me": false,
        });
        let inbox = self.directory.join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        let path = inbox.join(format!("{number:04}.tmp"));
        fs::write(&path, message.to_string()).unwrap();
        fs::rename(&path, path.with_extension("json")).unwrap();
    }

    /// How often agents heard a text.
    fn heard(&self, text: &str) -> usize {
        self.lines("heard.log", "text").iter().filter(|it| it.contains(text)).count()
    }
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < CEILING, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn log_has(real: &Real, text: &str) -> bool {
    fs::read_to_string(real.directory.join("own.log")).is_ok_and(|log| log.contains(text))
}

#[test]
#[ignore = "needs a NanoClaw that was prepared: tests/nanoclaw/prepare 1.2.12|1.2.53 FOLDER"]
fn a_real_nanoclaw_1_gets_every_letter_through_kills_and_people_are_heard() {
    let place = std::env::var_os(PLACE).expect("tests/nanoclaw/prepare says how");
    let directory = PathBuf::from(place);
    for old in ["store", "data", "groups", "inbox", "containers"] {
        let _ = fs::remove_dir_all(directory.join(old));
    }
    for old in ["heard.log", "sent.log", "own.log"] {
        let _ = fs::remove_file(directory.join(old));
    }
    let folder = format!("real{}", std::process::id());
    let real = Real { directory: directory.clone(), chat: RYAN.into(), folder: folder.clone() };
    run(async {
        // Its first start makes the database; groups are read at starts.
        let first = real.start();
        until("it runs", || log_has(&real, "NanoClaw running")).await;
        drop(first);
        let sql = format!(
            "INSERT INTO chats (jid, name) VALUES ('{RYAN}', 'r'); INSERT INTO registered_groups \
             (jid, name, folder, trigger_pattern, added_at, requires_trigger) VALUES \
             ('{RYAN}', 'r', '{folder}', '@Andy', '2026-01-01T00:00:00.000Z', 0)"
        );
        Connection::open(directory.join("store/messages.db")).unwrap().execute_batch(&sql).unwrap();
        fs::create_dir_all(directory.join("groups").join(&folder)).unwrap();

        let ledgers = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&ledgers.path().join("gateway.db")).unwrap();
        let addressee = Addressee { name: "ryan".into(), folder: real.folder.clone(), chat: None };
        let settings = Settings { directory: directory.clone(), addressees: vec![addressee] };
        let (courier, _report) = Courier::new(ledger.clone(), settings);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let going = courier.run(async {
            let _ = stopped.await;
        });
        let story = async {
            let mut host = real.start();
            let store = |number: u32, text: &'static str| {
                let mut event = letter(number);
                event.letters[0].text = format!("number {number}. {text}");
                ledger.write(move |tx| events::store(tx, &event, SystemTime::now()))
            };
            let mut ids = Vec::new();
            // Letters and people together; the row is what counts for the time.
            let mut times = Vec::new();
            for number in 1..=12 {
                let began = Instant::now();
                let id = store(number, "").await.unwrap().event;
                let like = format!("gw-{id}-1");
                if number == 1 {
                    let path = directory.join("store/messages.db");
                    until("a row", || {
                        let connection = Connection::open(&path).unwrap();
                        let sql = "SELECT count(*) FROM messages WHERE id = ?1";
                        let count = connection.query_row(sql, [&like], |r| r.get::<_, i64>(0));
                        count.is_ok_and(|count| count == 1)
                    })
                    .await;
                    times.push(began.elapsed());
                }
                ids.push(id);
                real.person_writes(number);
                tokio::time::sleep(Duration::from_millis(1100)).await;
                if number == 6 {
                    drop(host);
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    host = real.start();
                }
            }
            println!("webhook to row: {times:?}");
            for id in &ids {
                let mark = format!("[evt {id}");
                until(&mark, || real.heard(&mark) > 0).await;
            }
            println!("all letters heard after {} states {:?}", ids.len(), states(&ledger).await);
            // One whose agent never answers, and whose NanoClaw is killed.
            let mute = store(50, "[[mute]]").await.unwrap().event;
            let first = format!("[evt {mute}]");
            until("the mute one is heard", || real.heard(&first) > 0).await;
            until_state(&ledger, 50, "taken").await;
            drop(host);
            host = real.start();
            let second = format!("[evt {mute}, delivery 2]");
            until("it comes again, with its mark", || real.heard(&second) > 0).await;
            // One that kills its agent at once: NanoClaw tries again by itself.
            let dies = store(60, "[[die]]").await.unwrap().event;
            let mark = format!("[evt {dies}]");
            until("it is tried again", || real.heard(&mark) > 1).await;
            for id in [mute, dies] {
                let acked = ledger
                    .write(move |tx| said::ack(tx, &id, "ryan", SystemTime::now()))
                    .await
                    .unwrap();
                println!("{acked:?}");
            }
            drop(host);
            stop.send(()).unwrap();
            real.end_containers();
            for number in 1..=12 {
                let text = format!("person {number} says");
                println!("{text}: heard {} times", real.heard(&text));
            }
            for id in &ids {
                println!("[evt {id}: heard {} times", real.heard(&format!("[evt {id}")));
            }
            println!("{:?}", states(&ledger).await);
            println!("shown: {} lines", real.lines("sent.log", "text").len());
        };
        tokio::join!(going, story);
    });
}

async fn states(ledger: &Ledger) -> Vec<(&'static str, u32)> {
    let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
    lines.iter().rev().map(|line| (line.state(), line.deliveries())).collect()
}

async fn until_state(ledger: &Ledger, number: u32, state: &str) {
    let began = Instant::now();
    loop {
        let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
        let key = format!("test/{number}");
        let line = lines.iter().find(|line| line.key.as_ref() == Some(&key)).unwrap();
        if line.state() == state {
            return;
        }
        assert!(began.elapsed() < CEILING, "{number} is {}", line.state());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
