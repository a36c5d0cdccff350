use super::*;
use crate::gateway::ledger::EventId;
use crate::gateway::ledger::letters::LetterId;

const ROW: &str = "2026-05-27T06:00:00.001Z";
const BEFORE: &str = "2026-05-27T06:00:00.000Z";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn delivery() -> Delivery {
    Delivery {
        number: 1,
        row: "gw-00000001-1".into(),
        chat: "1@g.us".into(),
        row_time: ROW.into(),
        host: "one".into(),
        at: at(0),
        taken: None,
        wakes: 0,
        woken: None,
    }
}

fn letter(state: State, since: SystemTime) -> Letter {
    Letter {
        id: LetterId::of_a_test(),
        event: EventId::parse("00000001").unwrap(),
        received: at(0),
        group: "ryan".into(),
        subject: String::new(),
        text: String::new(),
        state,
        since,
        deliveries: 1,
        last: None,
    }
}

fn alive(life: &str) -> Host {
    Host::Alive(life.into())
}

fn seen<'a>(seconds: u64, chat: &'a str, host: &'a Host) -> Seen<'a> {
    Seen {
        now: at(seconds),
        row: true,
        global: chat,
        chat,
        host,
        container: false,
        runs: &[],
        stranded: None,
        answered: false,
    }
}

fn run(began: u64, ended: u64, code: i32, output: bool) -> Run {
    Run { began: at(began), ended: at(ended), code: Some(code), timed_out: false, output }
}

fn delivered(seen: &Seen<'_>) -> Fate {
    judge(&letter(State::Delivered, at(0)), &delivery(), seen)
}

fn taken(seen: &Seen<'_>) -> Fate {
    let last = Delivery { taken: Some(at(2)), ..delivery() };
    judge(&letter(State::Taken, at(2)), &last, seen)
}

#[test]
fn it_is_taken_when_the_cursor_of_its_chat_has_reached_it() {
    let host = alive("one");
    assert_eq!(delivered(&seen(1, BEFORE, &host)), Fate::Stays);
    assert_eq!(delivered(&seen(1, ROW, &host)), Fate::Taken("one".into()));
    assert_eq!(delivered(&Seen { row: false, ..seen(1, ROW, &host) }), Fate::Taken("one".into()));
}

#[test]
fn a_row_that_is_gone_before_it_was_taken_is_written_again() {
    let host = alive("one");
    let gone = Seen { row: false, ..seen(1, BEFORE, &host) };
    assert!(matches!(delivered(&gone), Fate::Again(_)));
}

#[test]
fn while_it_waits_a_new_life_of_nanoclaw_changes_nothing_but_who_has_it() {
    let host = alive("two");
    assert_eq!(delivered(&seen(1, BEFORE, &host)), Fate::Moves("two".into()));
    // Taken between two looks, in either life: the older one's containers are dead.
    assert_eq!(delivered(&seen(1, ROW, &host)), Fate::Taken("one".into()));
    let working = Seen { container: true, ..seen(1, ROW, &host) };
    assert_eq!(delivered(&working), Fate::Taken("two".into()));
    assert_eq!(delivered(&seen(1, BEFORE, &Host::Absent)), Fate::Stays);
}

#[test]
fn a_row_that_was_passed_over_is_woken_for_and_less_often_each_time() {
    let host = alive("one");
    let passed = |seconds| Seen { global: ROW, ..seen(seconds, BEFORE, &host) };
    assert_eq!(delivered(&passed(29)), Fate::Stays);
    assert_eq!(delivered(&passed(30)), Fate::Wake);
    assert_eq!(delivered(&Seen { container: true, ..passed(30) }), Fate::Stays);
    assert_eq!(delivered(&seen(3000, BEFORE, &host)), Fate::Stays, "not seen yet");
    let woken = Delivery { wakes: 1, woken: Some(at(30)), ..delivery() };
    let again = |seconds| judge(&letter(State::Delivered, at(0)), &woken, &passed(seconds));
    assert_eq!((again(89), again(90)), (Fate::Stays, Fate::Wake));
    let often = Delivery { wakes: WAKES_MAX, ..woken };
    assert_eq!(judge(&letter(State::Delivered, at(0)), &often, &passed(999_999)), Fate::Stays);
}

#[test]
fn a_cursor_that_goes_back_gives_nanoclaw_the_time_for_its_own_retries() {
    let host = alive("one");
    assert_eq!(taken(&seen(10, BEFORE, &host)), Fate::GivenBack);
    let back = letter(State::Delivered, at(10));
    let passed = |seconds| Seen { global: ROW, ..seen(seconds, BEFORE, &host) };
    assert_eq!(judge(&back, &delivery(), &passed(240)), Fate::Stays);
    assert_eq!(judge(&back, &delivery(), &passed(250)), Fate::Wake);
}

#[test]
fn it_is_done_when_its_agent_spoke_and_its_container_ended_well_and_not_by_one_of_both() {
    let host = alive("one");
    let quiet = [run(1, 60, 0, false)];
    let spoke = [run(1, 60, 0, true)];
    let ended = |runs, answered| taken(&Seen { runs, answered, ..seen(99, ROW, &host) });
    assert_eq!(ended(&quiet, false), Fate::Stays);
    assert_eq!(ended(&quiet, true), Fate::Done);
    assert_eq!(ended(&spoke, false), Fate::Done);
    assert_eq!(ended(&[], true), Fate::Stays);
    let idle = [Run { timed_out: true, code: Some(137), ..run(1, 60, 137, true) }];
    assert_eq!(ended(&idle, false), Fate::Done, "ended for idling after it had spoken");
    // One that was there before, and ended before, says nothing of this letter.
    let earlier = [run(0, 1, 0, true)];
    let before = [Run { began: at(0) - Duration::from_secs(9), ..earlier[0].clone() }];
    assert_eq!(ended(&before, true), Fate::Stays);
    // A word to somebody else, while the letter still lies in the input.
    let unread = Seen { runs: &spoke, stranded: Some(at(59)), ..seen(61, ROW, &host) };
    assert_eq!(taken(&unread), Fate::Stays);
}

#[test]
fn a_container_that_died_means_once_more_unless_nanoclaw_takes_its_cursor_back() {
    let host = alive("one");
    let died = [run(1, 60, 1, false)];
    let dead = |seconds, chat| taken(&Seen { runs: &died, ..seen(seconds, chat, &host) });
    assert_eq!(dead(61, ROW), Fate::Stays, "the cursor may still go back");
    assert_eq!(dead(61, BEFORE), Fate::GivenBack);
    assert!(matches!(dead(65, ROW), Fate::Again(_)));
    let living = Seen { runs: &died, container: true, ..seen(99, ROW, &host) };
    assert_eq!(taken(&living), Fate::Stays, "another one is at work on it");
}

#[test]
fn a_new_life_of_nanoclaw_means_once_more_and_one_that_cannot_be_seen_means_nothing() {
    let (one, two) = (alive("one"), alive("two"));
    assert!(matches!(taken(&seen(9, ROW, &two)), Fate::Again(_)));
    assert_eq!(taken(&seen(9, ROW, &one)), Fate::Stays);
    assert_eq!(taken(&seen(9999, ROW, &Host::Unknown)), Fate::Stays);
    assert_eq!(taken(&seen(9999, ROW, &Host::Absent)), Fate::Stays, "its agent may live on");
    let spoke = [run(1, 60, 0, true)];
    assert_eq!(taken(&Seen { runs: &spoke, ..seen(99, ROW, &two) }), Fate::Done);
}

#[test]
fn what_lies_unread_in_the_input_of_a_dead_container_is_woken_for() {
    let host = alive("one");
    let lies = |seconds| Seen { stranded: Some(at(10)), ..seen(seconds, ROW, &host) };
    assert_eq!(taken(&lies(39)), Fate::Stays);
    assert_eq!(taken(&lies(40)), Fate::Wake);
    assert_eq!(taken(&Seen { container: true, ..lies(40) }), Fate::Stays);
}

#[test]
fn a_container_that_was_never_seen_is_gone_after_two_minutes() {
    let host = alive("one");
    assert_eq!(taken(&seen(121, ROW, &host)), Fate::Stays);
    assert!(matches!(taken(&seen(122, ROW, &host)), Fate::Again(_)));
}

#[test]
fn a_letter_of_which_nobody_says_anything_for_two_days_is_dead() {
    let host = alive("one");
    let quiet = [run(1, 60, 0, false)];
    let after = |hours: u64| taken(&Seen { runs: &quiet, ..seen(2 + hours * 3600, ROW, &host) });
    assert_eq!(after(47), Fate::Stays);
    assert!(matches!(after(48), Fate::Dead(_)));
}
