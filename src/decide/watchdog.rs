//! The watchdog: events in, actions out. What each answer changes is in `answers.rs`, which
//! actions follow in `advance.rs`, what can be asked of it in `view.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::budget::{Random, Turnstile};
use super::event::{Action, Entry, Event, Request};
use super::policy::{Cap, Policy, RestartPolicy, UnitPolicy};
use super::unit::{Bounce, State, Unit};
use super::{Dependency, Mono, Now, Record, Saved, UnitName, Wish};

/// Decides for all units. It holds no handle, no file and no clock: whoever feeds it events does
/// what it answers.
pub struct Watchdog {
    pub(super) units: BTreeMap<UnitName, Unit>,
    /// Wishes of units that the config does not name (now).
    pub(super) other_wishes: BTreeMap<UnitName, Wish>,
    pub(super) outside: BTreeMap<Dependency, Outside>,
    pub(super) cap: Cap,
    pub(super) stagger: Duration,
    pub(super) turnstile: Turnstile,
    pub(super) last_paced: Option<Mono>,
    pub(super) tickets: u64,
    pub(super) random: Random,
}

/// What is known of a dependency outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// When it was last seen to be there.
    pub(super) there: Option<Mono>,
    /// Since when it is being watched for.
    pub(super) awaited: Option<Mono>,
    /// Why it is not there.
    pub(super) why: String,
}

impl Watchdog {
    /// A watchdog that obeys `policy` and remembers what was saved, and the records of this boot.
    /// `seed` feeds the jitter.
    pub fn new(
        policy: Policy,
        saved: &Saved,
        records: &BTreeMap<UnitName, Record>,
        now: Now,
        seed: u64,
    ) -> Self {
        let wish = |name: &UnitName| saved.wishes.get(name).copied().unwrap_or(Wish::Up);
        let drained = |name: &UnitName| saved.drained.contains(name);
        let mut units = BTreeMap::new();
        for (name, unit_policy) in policy.units {
            let unit = Unit::new(unit_policy, wish(&name), drained(&name), records.get(&name), now);
            units.insert(name, unit);
        }
        for (name, record) in records {
            if !units.contains_key(name) {
                let policy = policy_of_retired(record);
                let mut unit = Unit::new(policy, wish(name), drained(name), Some(record), now);
                unit.retired = true;
                units.insert(name.clone(), unit);
            }
        }
        let other_wishes =
            saved.wishes.clone().into_iter().filter(|(name, _)| !units.contains_key(name));
        Self {
            other_wishes: other_wishes.collect(),
            units,
            outside: BTreeMap::new(),
            cap: policy.cap,
            stagger: policy.stagger,
            turnstile: Turnstile::default(),
            last_paced: None,
            tickets: 0,
            random: Random::new(seed),
        }
    }

    /// Takes one event in and answers with what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Looked { unit, ticket, look } => {
                self.looked(now, &unit, ticket, look, &mut actions);
            }
            Event::Started { unit, ticket, outcome } => {
                self.started(now, &unit, ticket, outcome, &mut actions);
            }
            Event::Stopped { unit, ticket, outcome } => {
                self.stopped(now, &unit, ticket, outcome, &mut actions);
            }
            Event::Ready { unit, process } => self.is_ready(&unit, process, &mut actions),
            Event::Exited { unit, process, exit } => {
                self.exited(now, &unit, process, exit, &mut actions);
            }
            Event::Found { dependency, outcome } => {
                self.found(now, dependency, outcome, &mut actions);
            }
            Event::Asked(request) => self.asked(now, request, &mut actions),
        }
        self.advance(now, &mut actions);
        actions
    }

    /// What is to survive the power, as it stands.
    pub fn saved(&self) -> Saved {
        let mut wishes = self.other_wishes.clone();
        wishes.extend(self.units.iter().map(|(name, unit)| (name.clone(), unit.wish)));
        let drained = self.units.iter().filter(|(_, unit)| unit.drained);
        Saved { wishes, drained: drained.map(|(name, _)| name.clone()).collect() }
    }

    fn asked(&mut self, now: Now, request: Request, actions: &mut Vec<Action>) {
        let before = self.saved();
        let (names, what) = match request {
            Request::Start(names) => {
                for unit in self.named(&names) {
                    unit.wish_up(now);
                }
                (names, "start")
            }
            Request::Stop(names) => {
                for unit in self.named(&names) {
                    unit.wish = Wish::Down;
                    unit.bounce = None;
                }
                (names, "stop")
            }
            Request::Restart { units: names, fresh } => {
                for unit in self.named(&names) {
                    unit.wish_up(now);
                    // What was not seen yet may live, though no record knows of it.
                    if unit.born.is_some() || matches!(unit.state, State::Unseen(_)) {
                        unit.bounce = Some(Bounce { fresh });
                    } else {
                        unit.fresh = fresh;
                    }
                }
                (names, if fresh { "restart --fresh" } else { "restart" })
            }
            Request::Drain => {
                for unit in self.units.values_mut() {
                    unit.drained = true;
                    unit.bounce = None;
                }
                (self.units.keys().cloned().collect(), "drain")
            }
        };
        let saved = self.saved();
        if saved != before {
            actions.push(Action::Save(saved));
        }
        for name in &names {
            actions.push(journal(name, "asked", what));
            let record = self.units.get_mut(name).and_then(Unit::forgiven);
            actions.extend(record.map(|record| Action::Record { unit: name.clone(), record }));
        }
    }

    fn named<'a>(&'a mut self, names: &'a [UnitName]) -> impl Iterator<Item = &'a mut Unit> {
        self.units.iter_mut().filter(|(name, _)| names.contains(name)).map(|(_, unit)| unit)
    }
}

pub(super) fn journal(name: &UnitName, event: &'static str, why: impl Into<String>) -> Action {
    Action::Journal(Entry { unit: Some(name.clone()), event, why: why.into() })
}

/// A unit that is in no config any more needs a policy only to be looked at and to be stopped.
fn policy_of_retired(record: &Record) -> UnitPolicy {
    UnitPolicy {
        kind: record.kind,
        spec: record.spec.clone(),
        after: Vec::new(),
        ready_within: None,
        restart: RestartPolicy {
            first_delay: Duration::ZERO,
            backoff_from: Duration::ZERO,
            backoff_to: Duration::ZERO,
            stable_after: Duration::MAX,
            loop_starts: 0,
            loop_within: Duration::MAX,
            loop_retry: None,
        },
        restart_on_change: false,
        ends_by_hand: false,
        grace: RETIRED_GRACE,
        paced: false,
        hold: None,
    }
}

/// How long a unit that is in no config any more may take to end politely.
const RETIRED_GRACE: Duration = Duration::from_secs(10);
