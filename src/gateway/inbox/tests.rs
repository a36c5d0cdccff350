use std::time::Duration;

use super::*;
use crate::gateway::azure;
use crate::gateway::ledger::NewWait;
use crate::gateway::ledger::view::{self, Whole};

struct House {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    runtime: tokio::runtime::Runtime,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("gateway.db")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { _folder: folder, ledger, runtime }
    }

    fn take(&self, body: &str) -> Stored {
        let news = azure::parse(body.as_bytes(), None);
        let arrival = Arrival::new(&news, body.as_bytes().to_vec(), Some("ryan"));
        self.runtime.block_on(take(&self.ledger, arrival)).unwrap()
    }

    fn show(&self, stored: &Stored) -> Whole {
        let event = stored.event.clone();
        let read = self.ledger.read(move |it| view::show(it, &event));
        self.runtime.block_on(read).unwrap().unwrap()
    }

    fn cody_waits_for(&self, branch: &str) {
        let wait =
            NewWait { branch: branch.into(), group: "cody".into(), lasts: Duration::from_secs(60) };
        let event = NewEvent { waits: vec![wait], ..NewEvent::default() };
        let now = SystemTime::now();
        self.runtime.block_on(self.ledger.write(move |it| events::store(it, &event, now))).unwrap();
    }
}

fn groups(whole: &Whole) -> Vec<&str> {
    whole.line.letters.iter().map(|letter| letter.group.as_str()).collect()
}

const V1: &str = include_str!("../../../tests/webhooks/azure/build_1_0_failed.json");
const MINIMAL: &str = include_str!("../../../tests/webhooks/azure/build_minimal_failed.json");
const V2: &str = include_str!("../../../tests/webhooks/azure/build_2_0_failed.json");
const GOOD: &str = include_str!("../../../tests/webhooks/azure/build_2_0_succeeded.json");

#[test]
fn a_build_that_is_told_in_three_shapes_is_one_event_in_any_order() {
    for order in [[V1, MINIMAL, V2], [MINIMAL, V2, V1], [V2, V1, MINIMAL]] {
        let house = House::new();
        let first = house.take(order[0]);
        assert!(!first.duplicate);
        for again in [order[1], order[2], order[0]] {
            assert_eq!(house.take(again), Stored { event: first.event.clone(), duplicate: true });
        }
        let whole = house.show(&first);
        assert_eq!(groups(&whole), ["ryan"]);
        assert_eq!(whole.line.repeats, 3);
    }
}

#[test]
fn a_build_that_is_tried_again_and_fails_again_is_another_event() {
    let house = House::new();
    let first = house.take(V2);
    let again = V2
        .replace("06:15:20", "07:00:00")
        .replace("\"notificationId\": 19", "\"notificationId\": 90");
    let second = house.take(&again);
    assert!(!second.duplicate && second.event != first.event);
    assert!(house.take(&again.replace("90,", "91,")).duplicate);
}

#[test]
fn a_good_build_wakes_who_waits_for_it_once() {
    let house = House::new();
    let unheard = house.take(GOOD);
    assert!(groups(&house.show(&unheard)).is_empty());
    house.cody_waits_for("feature/login");
    let next =
        GOOD.replace("4720", "4800").replace("\"notificationId\": 20", "\"notificationId\": 200");
    assert_eq!(groups(&house.show(&house.take(&next))), ["cody"]);
    let later =
        GOOD.replace("4720", "4801").replace("\"notificationId\": 20", "\"notificationId\": 201");
    assert!(groups(&house.show(&house.take(&later))).is_empty());
}

#[test]
fn a_bad_build_that_somebody_waits_for_wakes_both() {
    let house = House::new();
    house.cody_waits_for("feature/login");
    assert_eq!(groups(&house.show(&house.take(V2))), ["ryan", "cody"]);
}
