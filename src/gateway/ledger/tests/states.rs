//! A letter's way through its states.

use super::*;
use crate::gateway::ledger::retention;

async fn next(ledger: &Ledger) -> Option<letters::Letter> {
    ledger.read(|c| letters::next(c, "ryan", at(100))).await.unwrap()
}

async fn way(ledger: &Ledger) -> Vec<letters::Letter> {
    ledger.read(|c| letters::under_way(c, "ryan")).await.unwrap()
}

#[test]
fn a_letter_is_delivered_taken_given_back_delivered_again_and_done() {
    let (_dir, ledger) = house();
    run(async {
        let event = stored(&ledger, failed_build(7)).await.event;
        let letter = next(&ledger).await.unwrap();
        assert_eq!(
            (letter.event.clone(), letter.deliveries, letter.last),
            (event.clone(), 0, None)
        );
        let id = letter.id;

        let first = delivery(&event, 1);
        ledger.write(move |tx| letters::delivered(tx, id, &first)).await.unwrap();
        assert_eq!(next(&ledger).await, None);
        assert_eq!(way(&ledger).await[0].last, Some(delivery(&event, 1)));

        ledger.write(move |tx| letters::taken(tx, id, at(2))).await.unwrap();
        assert_eq!(way(&ledger).await[0].state, State::Taken);
        assert_eq!(way(&ledger).await[0].last.as_ref().unwrap().taken, Some(at(2)));
        ledger.write(move |tx| letters::given_back(tx, id, at(3))).await.unwrap();
        assert_eq!(way(&ledger).await[0].state, State::Delivered);
        ledger.write(move |tx| letters::woken(tx, id, at(4))).await.unwrap();
        assert_eq!(way(&ledger).await[0].last.as_ref().unwrap().wakes, 1);

        ledger.write(move |tx| letters::again(tx, id, "died", at(200), at(5))).await.unwrap();
        assert_eq!(next(&ledger).await, None, "it is not due yet");
        let due = ledger.read(|c| letters::next_due(c, "ryan", at(100))).await.unwrap();
        assert_eq!(due, Some(at(200)));
        let second = delivery(&event, 2);
        ledger.write(move |tx| letters::delivered(tx, id, &second)).await.unwrap();
        assert_eq!(way(&ledger).await[0].deliveries, 2);

        ledger.write(move |tx| letters::end(tx, id, State::Done, "proof", at(9))).await.unwrap();
        ledger.write(move |tx| letters::end(tx, id, State::Dead, "late", at(9))).await.unwrap();
        let lines = ledger.read(|c| view::list(c, Some(1))).await.unwrap();
        assert_eq!((lines[0].state(), lines[0].deliveries()), ("done", 2));
    });
}

#[test]
fn a_held_thread_is_released_or_dropped_as_a_whole() {
    let (_dir, ledger) = house();
    run(async {
        let held = |number, thread: &str| {
            let mut event = failed_build(number);
            event.thread = Some(thread.into());
            event.letters[0].held = true;
            event
        };
        for (number, thread) in [(1, "a"), (2, "a"), (3, "b")] {
            stored(&ledger, held(number, thread)).await;
        }
        assert_eq!(next(&ledger).await, None);
        let released = ledger.write(|tx| said::release(tx, "a", true, at(1))).await.unwrap();
        let dropped = ledger.write(|tx| said::release(tx, "b", false, at(1))).await.unwrap();
        assert_eq!((released, dropped), (2, 1));
        assert_eq!(next(&ledger).await.unwrap().subject, "Build 1 failed");
    });
}

#[test]
fn a_wait_is_ended_by_the_first_build_of_its_branch_and_by_time() {
    let (_dir, ledger) = house();
    run(async {
        let mut asks = failed_build(1);
        let lasts = Duration::from_secs(60);
        for group in ["ryan", "ryan", "sam"] {
            asks.waits.push(NewWait { branch: "fix".into(), group: group.into(), lasts });
        }
        let id = stored(&ledger, asks.clone()).await.event;
        let take =
            |branch: &'static str, now| ledger.write(move |tx| events::take_waits(tx, branch, now));
        assert!(take("main", at(1)).await.unwrap().is_empty());
        let waited = take("fix", at(1)).await.unwrap();
        let waited: Vec<_> = waited.iter().map(|it| (it.group.as_str(), &it.asked_by)).collect();
        assert_eq!(waited, [("ryan", &Some(id.clone())), ("sam", &Some(id))]);
        assert!(take("fix", at(1)).await.unwrap().is_empty());

        asks.keys = vec!["other".into()];
        stored(&ledger, asks).await;
        assert!(take("fix", at(61)).await.unwrap().is_empty(), "too late");
    });
}

#[test]
fn by_hand_an_event_is_dropped_and_played_again() {
    let (_dir, ledger) = house();
    run(async {
        let id = stored(&ledger, failed_build(1)).await.event;
        let (one, two) = (id.clone(), id);
        let dropped = ledger.write(move |tx| said::drop_event(tx, &one, at(1))).await.unwrap();
        assert_eq!((dropped, next(&ledger).await), (1, None));
        let played = ledger.write(move |tx| said::replay(tx, &two, at(1))).await.unwrap();
        assert_eq!(played, 1);
        assert!(next(&ledger).await.is_some());
    });
}

#[test]
fn what_keeps_a_group_waiting_is_told_with_the_date_of_its_first_time() {
    let (_dir, ledger) = house();
    run(async {
        let say = |why: Option<&'static str>, now| {
            ledger.write(move |tx| letters::trouble(tx, "ryan", why, now))
        };
        say(Some("locked"), at(1)).await.unwrap();
        say(Some("missing"), at(2)).await.unwrap();
        let counts = ledger.read(view::counts).await.unwrap();
        assert_eq!(counts.troubles, [("ryan".to_owned(), "missing".to_owned(), at(1))]);
        say(None, at(3)).await.unwrap();
        assert!(ledger.read(view::counts).await.unwrap().troubles.is_empty());
    });
}

#[test]
fn an_attachment_reaches_the_letters_that_are_not_given_away_yet() {
    let (_dir, ledger) = house();
    run(async {
        let id = stored(&ledger, failed_build(1)).await.event;
        let log = Attachment { name: "step.log".into(), bytes: b"line\n".to_vec() };
        let event = id.clone();
        let added = ledger.write(move |tx| events::attach(tx, &event, &log)).await.unwrap();
        assert!(added);
        let letter = next(&ledger).await.unwrap().id;
        let files = ledger.read(move |c| letters::attachments(c, letter)).await.unwrap();
        assert_eq!(files[0].1, "step.log");
        let number = files[0].0;
        let bytes = ledger.read(move |c| letters::attachment(c, number)).await.unwrap();
        assert_eq!(bytes, b"line\n");
        let whole = ledger.read(move |c| view::show(c, &id)).await.unwrap().unwrap();
        assert_eq!(whole.letters[0].attachments, [("step.log".to_owned(), 5)]);
    });
}

#[test]
fn retention_takes_what_has_ended_and_never_what_is_under_way() {
    let (_dir, ledger) = house();
    run(async {
        let ended = stored(&ledger, failed_build(1)).await.event;
        let open = stored(&ledger, failed_build(2)).await.event;
        let id = ended.clone();
        ledger.write(move |tx| said::ack(tx, &id, "ryan", at(1))).await.unwrap();
        let sweep = |after: Duration| ledger.write(move |tx| retention::sweep(tx, at(10) + after));
        let body = |id: &EventId| {
            let id = id.clone();
            ledger.read(move |c| Ok(view::show(c, &id)?.map(|whole| whole.body)))
        };
        assert!(!sweep(retention::BODIES).await.unwrap());
        assert_eq!(body(&ended).await.unwrap(), Some(None));
        assert!(body(&open).await.unwrap().unwrap().is_some());
        sweep(retention::EVENTS).await.unwrap();
        assert_eq!(body(&ended).await.unwrap(), None);
        assert!(body(&open).await.unwrap().unwrap().is_some());
    });
}
