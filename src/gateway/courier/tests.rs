use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::gateway::ledger::{Attachment, EventId, NewEvent, NewLetter, events, said, view};
use crate::gateway::nanoclaw_v1::tests::double::{Disk, NanoClaw};

mod killed;
mod real;
mod second;

const RYAN: &str = "1@g.us";

/// A gateway without a server, and an installation of NanoClaw.
struct House {
    _dir: tempfile::TempDir,
    disk: Disk,
    ledger: Ledger,
    courier: Courier,
    report: watch::Receiver<Report>,
    /// Unlike that of any other test, whose processes are seen here too.
    folder: String,
}

/// A process that looks like one of NanoClaw's.
struct Process(Child);

impl Process {
    fn start(directory: &Path, words: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "read x", "sh"]).args(words).current_dir(directory);
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

fn house(name: &str) -> House {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("nanoclaw");
    let disk = Disk::new(&directory);
    let folder = format!("{name}{}", std::process::id());
    disk.register(RYAN, &folder);
    let ledger = Ledger::open(&dir.path().join("gateway.db")).unwrap();
    let addressee = Addressee { name: "ryan".into(), folder: folder.clone(), chat: None };
    let settings = Settings { directory, addressees: vec![addressee] };
    let (courier, report) = Courier::new(ledger.clone(), settings);
    House { _dir: dir, disk, ledger, courier, report, folder }
}

pub(super) fn letter(number: u32) -> NewEvent {
    NewEvent {
        source: "test".into(),
        kind: "test".into(),
        keys: vec![format!("test/{number}")],
        letters: vec![NewLetter {
            group: "ryan".into(),
            subject: format!("Build {number} failed"),
            text: format!("Build {number} failed on main."),
            attachments: vec![Attachment { name: "step.log".into(), bytes: b"line\n".to_vec() }],
            held: false,
        }],
        ..NewEvent::default()
    }
}

impl House {
    async fn stores(&self, number: u32) -> EventId {
        let event = letter(number);
        let stored =
            self.ledger.write(move |tx| events::store(tx, &event, SystemTime::now())).await;
        stored.unwrap().event
    }

    /// The states of all events, the oldest first, and how often each was delivered.
    async fn states(&self) -> Vec<(&'static str, u32)> {
        let lines = self.ledger.read(|c| view::list(c, None)).await.unwrap();
        lines.iter().rev().map(|line| (line.state(), line.deliveries())).collect()
    }

    async fn state(&self) -> (&'static str, u32) {
        self.states().await[0]
    }

    fn trouble(&self) -> Option<String> {
        self.report.borrow().troubles.get("ryan").cloned()
    }
}

#[test]
fn a_letter_is_given_shown_taken_and_acknowledged_and_then_the_next_one_goes() {
    run(async {
        let mut house = house("acks");
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        let event = house.stores(1).await;
        house.stores(2).await;
        house.courier.go_round().await;
        house.courier.go_round().await;
        assert_eq!(house.states().await, [("delivered", 1), ("queued", 0)]);
        let shown = nanoclaw.shows();
        assert_eq!(shown, [(RYAN.into(), format!("Build 1 failed [evt {event}]"))]);

        nanoclaw.polls();
        house.courier.go_round().await;
        assert_eq!(house.states().await, [("taken", 1), ("delivered", 1)]);
        let heard = &nanoclaw.heard[RYAN][0];
        assert_eq!(heard.id, format!("gw-{event}-1"));
        assert!(heard.content.starts_with(&format!("[evt {event}] received 2")));
        assert!(heard.content.contains("Build 1 failed on main."));
        assert!(heard.content.contains(&format!("/workspace/group/mail/{event}/step.log")));
        let mail = house.disk.directory().join("groups").join(&house.folder).join("mail");
        assert_eq!(fs::read(mail.join(event.as_str()).join("step.log")).unwrap(), b"line\n");

        let acked =
            house.ledger.write(move |tx| said::ack(tx, &event, "ryan", SystemTime::now())).await;
        acked.unwrap();
        nanoclaw.polls();
        house.courier.go_round().await;
        assert_eq!(house.states().await, [("done", 1), ("taken", 1)]);
        assert_eq!(house.trouble(), None);
    });
}

#[test]
fn after_a_death_between_nanoclaws_row_and_our_note_of_it_there_is_one_row() {
    run(async {
        let mut house = house("dies");
        let event = house.stores(1).await;
        house.courier.go_round().await;
        // As if the note had never been written.
        let forget = house.ledger.write(|tx| {
            tx.execute("DELETE FROM deliveries", [])?;
            tx.execute("UPDATE letters SET state = 'queued', deliveries = 0", [])
        });
        forget.await.unwrap();
        let settings = house.courier.settings.clone();
        let (mut successor, _) = Courier::new(house.ledger.clone(), settings);
        successor.go_round().await;
        assert_eq!(house.state().await, ("delivered", 1));
        let rows = house.disk.rows_of_ours();
        assert_eq!(
            rows.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(),
            [format!("gw-{event}-1")]
        );
    });
}

#[test]
fn a_restart_of_nanoclaw_while_its_agent_works_gives_the_letter_again_with_its_mark() {
    run(async {
        let mut house = house("again");
        let directory = house.disk.directory().to_owned();
        let first = Process::start(&directory, &["dist/index.js"]);
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        let event = house.stores(1).await;
        house.courier.go_round().await;
        nanoclaw.polls();
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("taken", 1));

        drop(first);
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("taken", 1), "nothing is known while it is down");
        let _second = Process::start(&directory, &["dist/index.js"]);
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        for _ in 0..100 {
            house.courier.go_round().await;
            if house.state().await == ("delivered", 2) {
                break;
            }
        }
        nanoclaw.polls();
        let heard = &nanoclaw.heard[RYAN][0];
        assert!(heard.content.starts_with(&format!("[evt {event}, delivery 2]")), "{heard:?}");
        assert_eq!(heard.id, format!("gw-{event}-2"));
    });
}

#[test]
fn an_answer_and_a_good_end_of_its_container_are_proof() {
    run(async {
        let mut house = house("proof");
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        house.stores(1).await;
        house.courier.go_round().await;
        nanoclaw.polls();
        house.courier.go_round().await;
        nanoclaw.container_ends(RYAN, 0, true);
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("done", 1));
    });
}

#[test]
fn an_agent_that_dies_at_once_is_nanoclaws_to_try_again() {
    run(async {
        let mut house = house("back");
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        house.stores(1).await;
        house.courier.go_round().await;
        nanoclaw.polls();
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("taken", 1));
        nanoclaw.container_ends(RYAN, 1, false);
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("delivered", 1));
        assert_eq!(house.disk.rows_of_ours().len(), 1);
    });
}

#[test]
fn whatever_is_wrong_with_nanoclaw_letters_stay_queued_it_is_told_and_later_they_go() {
    run(async {
        let mut house = house("wrong");
        house.stores(1).await;
        let path = house.disk.path();
        let aside = path.with_extension("aside");

        fs::rename(&path, &aside).unwrap();
        house.courier.go_round().await;
        assert!(house.trouble().unwrap().contains("there is no NanoClaw"));
        assert_eq!(house.state().await, ("queued", 0));
        let counts = house.ledger.read(view::counts).await.unwrap();
        assert_eq!(counts.troubles[0].0, "ryan");

        // Replaced by an older one, which knows no such group.
        let other = tempfile::tempdir().unwrap();
        fs::copy(Disk::new(other.path()).path(), &path).unwrap();
        house.courier.go_round().await;
        assert!(house.trouble().unwrap().contains("no group"));
        fs::rename(&aside, &path).unwrap();

        let sql = |sql: &str| house.disk.open().execute_batch(sql).unwrap();
        sql("ALTER TABLE messages RENAME COLUMN content TO body");
        house.courier.go_round().await;
        assert!(house.trouble().unwrap().contains("messages.content"));
        assert_eq!(house.state().await, ("queued", 0));
        let sql = |sql: &str| house.disk.open().execute_batch(sql).unwrap();
        sql("ALTER TABLE messages RENAME COLUMN body TO content");

        let lock = house.disk.open();
        lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
        house.courier.go_round().await;
        assert!(house.trouble().unwrap().contains("lock"));
        assert_eq!(house.state().await, ("queued", 0));
        lock.execute_batch("COMMIT").unwrap();
        drop(lock);

        house.courier.go_round().await;
        assert_eq!((house.state().await, house.trouble()), (("delivered", 1), None));
        assert!(house.ledger.read(view::counts).await.unwrap().troubles.is_empty());
    });
}

#[test]
fn what_is_wrong_with_a_group_is_told_before_its_first_letter_comes() {
    run(async {
        let mut house = house("early");
        let sql = "UPDATE registered_groups SET requires_trigger = 1";
        house.disk.open().execute_batch(sql).unwrap();
        for _ in 0..2 {
            house.courier.go_round().await;
            assert!(house.trouble().unwrap().contains("trigger"));
        }
    });
}

#[test]
fn a_database_that_was_replaced_with_the_row_in_it_gets_the_letter_again() {
    run(async {
        let mut house = house("replaced");
        house.stores(1).await;
        let before = fs::read(house.disk.path()).unwrap();
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("delivered", 1));
        fs::write(house.disk.path(), before).unwrap();
        house.courier.go_round().await;
        house.courier.go_round().await;
        assert_eq!(house.state().await, ("delivered", 2));
        let mut nanoclaw = NanoClaw::start(&house.disk, 10);
        nanoclaw.polls();
        assert!(nanoclaw.heard[RYAN][0].content.contains("delivery 2]"));
    });
}

#[test]
fn a_letter_that_fails_again_and_again_is_dead_in_the_end_and_an_acknowledgement_still_counts() {
    let now = SystemTime::now();
    run(async {
        let mut house = house("dead");
        let event = house.stores(1).await;
        house.courier.go_round().await;
        let work = house.ledger.read(|c| letters::under_way(c, "ryan")).await.unwrap();
        let often = |deliveries| Letter { deliveries, ..work[0].clone() };
        assert_eq!(Courier::once_more(&often(1), "x", now), (State::Queued, now, "x".into()));
        let (state, due, _) = Courier::once_more(&often(3), "x", now);
        assert_eq!((state, due), (State::Queued, now + Duration::from_secs(300)));
        let (state, _, why) = Courier::once_more(&often(DELIVERIES_MAX), "x", now);
        assert_eq!((state, why.as_str()), (State::Dead, "given up after 6 deliveries: x"));
        let id = work[0].id;
        let dead = house.ledger.write(move |tx| letters::end(tx, id, State::Dead, "x", now));
        dead.await.unwrap();
        house.ledger.write(move |tx| said::ack(tx, &event, "ryan", now)).await.unwrap();
        assert_eq!(house.state().await.0, "done");
    });
}

#[test]
fn the_courier_is_woken_by_the_ledger_and_by_nanoclaws_files() {
    run(async {
        let house = house("woken");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let House { _dir, disk, ledger, courier, report, folder } = house;
        let going = courier.run(async {
            let _ = stopped.await;
        });
        let telling = async {
            let mut nanoclaw = NanoClaw::start(&disk, 10);
            let event = letter(1);
            ledger.write(move |tx| events::store(tx, &event, SystemTime::now())).await.unwrap();
            for wanted in ["delivered", "taken"] {
                let seen = async {
                    loop {
                        let lines = ledger.read(|c| view::list(c, None)).await.unwrap();
                        if lines[0].state() == wanted {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
                nanoclaw.polls();
            }
            drop((report, folder));
            stop.send(()).unwrap();
        };
        tokio::join!(going, telling);
    });
}
