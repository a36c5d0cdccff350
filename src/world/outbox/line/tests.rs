use super::*;
use crate::world::outbox::shelf::Shelf;
use crate::world::outbox::{Notice, Severity};

const SECOND: Duration = Duration::from_secs(1);

/// So many notices on a shelf.
fn entries(count: usize) -> Vec<Entry> {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), &dir.path().join("run"));
    for n in 0..count {
        let key = format!("k{n}");
        let notice =
            Notice { title: key.clone(), key, text: String::new(), severity: Severity::Info };
        shelf.post(&notice, std::time::SystemTime::now()).unwrap();
    }
    shelf.waiting()
}

fn tells(next: Next) -> usize {
    match next {
        Next::Tell(batch) => batch.len(),
        Next::Nothing | Next::At(_) => 0,
    }
}

#[test]
fn a_few_are_told_one_by_one_and_many_at_once() {
    let now = Instant::now();
    assert!(matches!(Line::default().next("t", &entries(0), now), Next::Nothing));
    assert_eq!(tells(Line::default().next("t", &entries(3), now)), 1);
    assert_eq!(tells(Line::default().next("t", &entries(DIGEST_ABOVE), now)), 1);
    assert_eq!(tells(Line::default().next("t", &entries(DIGEST_ABOVE + 1), now)), DIGEST_ABOVE + 1);
}

#[test]
fn more_than_so_many_a_minute_are_a_storm_which_is_told_once_a_minute() {
    let mut line = Line::default();
    let begin = Instant::now();
    let mut now = begin;
    for n in 0..SINGLES {
        let all = entries(1);
        assert_eq!(tells(line.next("t", &all, now)), 1, "the {n}th");
        line.done(&all);
        line.took(now);
        now += SECOND;
    }
    let all = entries(5);
    let Next::At(at) = line.next("t", &all, now) else { panic!("a storm") };
    assert_eq!(at, now - SECOND + WINDOW);
    assert_eq!(tells(line.next("t", &all, at)), 5);
    line.done(&all);
    line.took(at);
    let more = entries(2);
    assert!(matches!(line.next("t", &more, at + SECOND), Next::At(again) if again == at + WINDOW));
    assert_eq!(tells(line.next("t", &more, at + WINDOW)), 2);
    line.done(&more);
    line.took(at + WINDOW);
    // One alone is no storm any more, and the next may come at once.
    let one = entries(1);
    let calm = at + WINDOW * 2;
    assert_eq!(tells(line.next("t", &one, calm)), 1);
    line.done(&one);
    line.took(calm);
    assert_eq!(tells(line.next("t", &entries(1), calm + SECOND)), 1);
}

#[test]
fn one_that_fails_is_left_alone_for_longer_each_time_and_as_long_as_it_asks() {
    let mut line = Line::default();
    let all = entries(1);
    let now = Instant::now();
    assert!(line.failed("no route".into(), None, now));
    assert!(matches!(line.next("t", &all, now), Next::At(at) if at <= now + SECOND * 3));
    assert!(!line.failed("no route".into(), Some(SECOND * 90), now));
    assert!(matches!(line.next("t", &all, now), Next::At(at) if at == now + SECOND * 90));
    assert_eq!(tells(line.next("t", &all, now + SECOND * 90)), 1);
    assert_eq!(line.failing().unwrap().tries, 2);
    assert!(line.took(now));
    assert!(line.failing().is_none() && !line.took(now));
    for dice in 0..41 {
        let first = retry_after(1, dice);
        assert!(first >= FIRST_RETRY * 4 / 5 && first <= FIRST_RETRY * 6 / 5, "{first:?}");
        let last = retry_after(u32::MAX, dice);
        assert!(last >= LAST_RETRY * 4 / 5 && last <= LAST_RETRY * 6 / 5, "{last:?}");
    }
}

#[test]
fn what_was_told_and_could_not_be_noted_is_not_told_again() {
    let mut line = Line::default();
    let all = entries(1);
    line.done(&all);
    assert!(matches!(line.next("t", &all, Instant::now()), Next::Nothing));
    assert!(line.waiting("t", &all).is_empty());
}
