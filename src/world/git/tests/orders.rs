//! What came after what, in one clone and in two.

use std::path::Path;
use std::time::SystemTime;

use super::super::{CommitAt, Order, later};
use super::support::House;

fn order(consent: (&Path, &str), done: (&Path, &str), times: (u64, u64)) -> Order {
    let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let than =
        CommitAt { repo: done.0.to_owned(), commit: done.1.to_owned(), committed_at: at(times.1) };
    let consents = [(consent.1.to_owned(), at(times.0))];
    later(consent.0, &consents, &than).unwrap()[0]
}

#[test]
fn only_what_descends_from_a_commit_is_later_than_it() {
    let house = House::new();
    let (_, builder, adversary) = house.shared();
    let early = house.commit(&adversary, "REVIEW.md", "PASS early\n");
    let done = house.commit(&builder, "STATUS.md", "## DONE\n");
    let claims = |consent| order((&adversary, consent), (&builder, &done), (9, 1));
    assert_eq!(claims(&early), Order::NotSeen, "nobody has both yet");
    house.git(&builder, &["push", "--quiet"]);
    house.git(&adversary, &["fetch", "--quiet"]);
    assert_eq!(claims(&early), Order::NotLater, "beside it, whatever its date");
    house.git(&adversary, &["pull", "--quiet", "--no-rebase"]);
    assert_eq!(claims(&early), Order::NotLater);
    let consent = house.commit(&adversary, "REVIEW.md", "PASS early\nPASS D1\n");
    assert_eq!(claims(&consent), Order::Later);
    assert_eq!(order((&builder, &done), (&builder, &done), (9, 1)), Order::NotLater, "the same");
    let next = house.commit(&builder, "x", "x\n");
    assert_eq!(order((&builder, &next), (&builder, &done), (1, 9)), Order::Later);
    assert_eq!(order((&builder, &done), (&builder, &next), (9, 1)), Order::NotLater);
}

#[test]
fn in_repositories_that_share_nothing_the_dates_decide() {
    let house = House::new();
    let (one, two) = (house.init("one"), house.init("two"));
    let done = house.commit(&one, "STATUS.md", "## DONE\n");
    let consent = house.commit(&two, "REVIEW.md", "PASS\n");
    assert_eq!(order((&two, &consent), (&one, &done), (9, 1)), Order::Later);
    assert_eq!(order((&two, &consent), (&one, &done), (1, 9)), Order::NotLater);
    assert_eq!(order((&two, &consent), (&one, &done), (9, 9)), Order::NotLater);
    assert_eq!(order((&two, "garbage"), (&one, &done), (9, 1)), Order::Later);
    assert_eq!(order((&two, &consent), (&one, "garbage"), (9, 1)), Order::NotSeen);
}
