use rusqlite::Connection;

use super::*;
use crate::gateway::ledger;
use crate::gateway::ledger::Ledger;
use crate::gateway::ledger::letters::{self, Delivery};
use crate::gateway::relay::guard::{HOPS_MAX, PATH_MAX};
use crate::gateway::relay::message;

struct House {
    _folder: tempfile::TempDir,
    book: Connection,
    now: SystemTime,
    said: u32,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        drop(Ledger::open(&path).unwrap());
        let book = ledger::by_hand(&path).unwrap();
        Self { _folder: folder, book, now: SystemTime::UNIX_EPOCH + MINUTE * 30_000_000, said: 0 }
    }

    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> T {
        let transaction = self.book.transaction().unwrap();
        let result = work(&transaction).unwrap();
        transaction.commit().unwrap();
        result
    }

    /// Something that was never said before.
    fn say(&mut self, from: &str, to: &str) -> Posted {
        self.said += 1;
        let text = format!("word {}", self.said);
        self.send(from, &format!("to={to}"), &text)
    }

    fn send(&mut self, from: &str, query: &str, text: &str) -> Posted {
        let message = message::parse("text/plain", query, text.as_bytes()).unwrap();
        let now = self.now;
        let posting = Posting::new(from, message, now);
        self.write(|it| post(it, posting, now))
    }

    /// NanoClaw is given every letter of a group.
    fn hand_over(&mut self, group: &str) {
        let now = self.now;
        while let Some(letter) = letters::next(&self.book, group, now).unwrap() {
            let delivery = Delivery {
                number: letter.deliveries + 1,
                row: String::new(),
                chat: String::new(),
                row_time: String::new(),
                host: String::new(),
                at: now,
                taken: None,
                wakes: 0,
                woken: None,
            };
            self.write(|it| letters::delivered(it, letter.id, &delivery));
        }
    }

    fn happens_outside(&mut self, group: &str) {
        let letter = NewLetter { group: group.into(), ..NewLetter::default() };
        let event = NewEvent { letters: vec![letter], ..NewEvent::default() };
        let now = self.now;
        self.write(|it| events::store(it, &event, now));
        self.hand_over(group);
    }

    /// How many messages get through when these agents answer each other, one a minute.
    fn talk(&mut self, ring: &[&str]) -> u32 {
        for turn in 0..100 {
            let (from, to) = (ring[turn % ring.len()], ring[(turn + 1) % ring.len()]);
            let posted = self.say(from, to);
            if matches!(posted, Posted::Held { .. }) {
                return u32::try_from(turn).unwrap();
            }
            assert!(matches!(posted, Posted::Sent(_)), "turn {turn}: {posted:?}");
            self.hand_over(to);
            self.now += MINUTE * 2;
        }
        panic!("they talk for ever");
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn two_and_three_agents_that_answer_each_other_are_stopped() {
    for ring in [["ryan", "cody"].as_slice(), &["ryan", "cody", "sam"]] {
        let mut house = House::new();
        house.happens_outside("ryan");
        assert_eq!(house.talk(ring), HOPS_MAX, "{ring:?}");
        // Something from outside does not end the hold: of three, those two who had the last word
        // are silent.
        house.now += MINUTE * 60;
        house.happens_outside(ring[0]);
        assert_eq!(house.talk(ring), if ring.len() == 2 { 0 } else { 2 });
    }
}

#[test]
fn a_held_thread_is_told_once_and_goes_on_when_it_is_released() {
    let mut house = House::new();
    house.happens_outside("ryan");
    house.talk(&["ryan", "cody"]);
    let again = house.say("ryan", "cody");
    let Posted::Held { thread, news: None, .. } = again else { panic!("{again:?}") };
    let now = house.now;
    assert_eq!(house.write(|it| book::release(it, "another", now)), None);
    assert_eq!(house.write(|it| book::release(it, &thread, now)), Some(2));
    assert_eq!(house.write(|it| book::release(it, &thread, now)), None);
    house.hand_over("cody");
    assert_eq!(book::held(&house.book).unwrap(), []);
    assert_eq!(house.talk(&["cody", "ryan"]), HOPS_MAX);
}

#[test]
fn something_from_outside_lets_agents_talk_again() {
    let mut house = House::new();
    for _ in 0..5 {
        house.happens_outside("ryan");
        for pair in [["ryan", "cody"], ["cody", "ryan"], ["ryan", "cody"], ["cody", "ryan"]] {
            assert!(matches!(house.say(pair[0], pair[1]), Posted::Sent(_)));
            house.hand_over(pair[1]);
            house.now += MINUTE * 5;
        }
    }
}

#[test]
fn a_path_carries_so_many_in_a_while() {
    let mut house = House::new();
    for _ in 0..PATH_MAX {
        assert!(matches!(house.say("sam", "cody"), Posted::Sent(_)));
    }
    assert_eq!(house.say("sam", "cody"), Posted::Later(MINUTE * 10));
    assert!(matches!(house.say("sam", "ryan"), Posted::Sent(_)));
    house.now += MINUTE * 10;
    assert!(matches!(house.say("sam", "cody"), Posted::Sent(_)));
}

#[test]
fn the_same_thing_is_said_once_however_it_is_sent() {
    let mut house = House::new();
    let Posted::Sent(first) = house.send("ryan", "to=cody&id=a", "Acknowledged.") else { panic!() };
    let again = Posted::Duplicate(first);
    assert_eq!(house.send("ryan", "to=cody&id=a", "something else"), again);
    assert_eq!(house.send("ryan", "to=cody", "acknowledged"), again);
    assert_eq!(house.send("cody", "to=ryan", "ACKNOWLEDGED!"), again);
    assert!(matches!(house.send("ryan", "to=sam", "Acknowledged."), Posted::Sent(_)));
    house.now += MINUTE * 31;
    assert!(matches!(house.send("ryan", "to=cody", "acknowledged"), Posted::Sent(_)));
}

#[test]
fn a_pushed_fix_makes_its_reader_wait_for_the_next_build() {
    let mut house = House::new();
    house.send("cody", "to=ryan&kind=fix_pushed&branch=refs/heads/feature/x", "pushed");
    let now = house.now;
    let waits = house.write(|it| events::take_waits(it, "feature/x", now));
    assert_eq!(waits.iter().map(|wait| wait.group.as_str()).collect::<Vec<_>>(), ["ryan"]);
    house.send("cody", "to=ryan&kind=fix_pushed&branch=feature/y", "pushed y");
    let late = now + WAIT + MINUTE;
    assert_eq!(house.write(|it| events::take_waits(it, "feature/y", late)), []);
}

#[test]
fn a_long_message_travels_as_a_file_and_only_its_beginning_is_read() {
    let text = format!("first line\n{}", "x".repeat(INLINE_MAX));
    let message = message::parse("text/plain", "to=cody", text.as_bytes()).unwrap();
    let Posting { event, .. } = Posting::new("ryan", message, SystemTime::now());
    let letter = &event.letters[0];
    assert!(letter.text.len() < 5000 && letter.text.contains("first line"));
    assert_eq!(letter.attachments[0].bytes, text.as_bytes());
    assert!(event.body.is_empty());
}
