//! The watchdog: events in, actions out. What each answer changes is in `answers.rs`, which
//! actions follow in `advance.rs`, what can be asked of it in `view.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::account::Accounts;
use super::budget::{Random, Turnstile};
use super::course::Course;
use super::event::{Action, Entry, Event};
use super::orchestrator::Tally;
use super::policy::{Cap, Policy, RestartPolicy, UnitPolicy};
use super::request::Request;
use super::unit::{Bounce, State, Unit};
use super::{Delivery, Dependency, MessageId, Mono, Now, Record, Saved, UnitName, Wish};

/// Decides for all units. It holds no handle, no file and no clock: whoever feeds it events does
/// what it answers.
pub struct Watchdog {
    pub(super) units: BTreeMap<UnitName, Unit>,
    /// What is saved of units that the config does not name (now).
    pub(super) others: Saved,
    pub(super) outside: BTreeMap<Dependency, Outside>,
    pub(super) cap: Cap,
    pub(super) stagger: Duration,
    pub(super) turnstile: Turnstile,
    pub(super) last_paced: Option<Mono>,
    pub(super) tickets: u64,
    pub(super) random: Random,
    pub(super) accounts: Accounts,
    pub(super) course: Course,
    /// The operator requires something before the first start of an agent.
    pub(super) requires: bool,
    /// The reboots, in words.
    pub(super) boots: String,
    /// What happened since an orchestrator was told.
    pub(super) tally: Tally,
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
            let mut unit =
                Unit::new(unit_policy, wish(&name), drained(&name), records.get(&name), now);
            unit.remember(&name, saved, now);
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
        let mut others = Saved { drained: BTreeSet::new(), ..saved.clone() };
        others.wishes.retain(|name, _| !units.contains_key(name));
        others.conversations.retain(|name, _| units.get(name).is_none_or(|it| it.retired));
        others.remedies.retain(|name, _| units.get(name).is_none_or(|it| it.retired));
        others.because.retain(|name, _| units.get(name).is_none_or(|it| it.retired));
        others.messages.retain(|name, _| units.get(name).is_none_or(|it| it.retired));
        Self {
            others,
            units,
            outside: BTreeMap::new(),
            cap: policy.cap,
            stagger: policy.stagger,
            turnstile: Turnstile::default(),
            last_paced: None,
            tickets: 0,
            random: Random::new(seed),
            accounts: Accounts::default(),
            requires: policy.requires,
            boots: policy.boots,
            tally: Tally::default(),
            course: Course::new(policy.plan, policy.handoffs, &saved.plan, now),
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
            Event::Sighted { unit, process, sighting } => {
                self.sighted(now, &unit, process, sighting, &mut actions);
            }
            Event::Screened { unit, ticket, sighting, picture } => {
                self.screened(now, &unit, ticket, (sighting, picture), &mut actions);
            }
            Event::Opened { unit, process, conversation, how } => {
                self.opened(&unit, process, conversation, &how, &mut actions);
            }
            Event::Complained { unit, process, about, why } => {
                self.complained(&unit, process, about, &why, &mut actions);
            }
            Event::Answered { unit, ticket, outcome } => {
                self.answered(now, &unit, ticket, outcome, &mut actions);
            }
            Event::Kickoff { unit, text } => self.kicks_off(now, &unit, text, &mut actions),
            Event::Progress { unit, process, at } => self.progressed(&unit, process, at),
            Event::Account { unit, account } => self.has_account(&unit, account),
            Event::LoginChanged { account } => self.login_changed(now, &account, &mut actions),
            Event::Used { unit, tokens, until } => {
                self.used(now, &unit, tokens, until, &mut actions);
            }
            Event::Prompted { unit, process, prompt } => {
                self.prompted(&unit, process, &prompt, &mut actions);
            }
            Event::Typed { unit, ticket, outcome } => {
                self.typed(now, &unit, ticket, outcome, &mut actions);
            }
            Event::Marked { handoff, outcome } => {
                self.marked(now, &handoff, outcome, &mut actions);
            }
            Event::DoneSeen { phase, outcome } => {
                self.done_seen(now, &phase, outcome, &mut actions);
            }
            Event::BlockedSeen(outcome) => self.blocked_seen(outcome, &mut actions),
            Event::Committed { place, heads, commits } => {
                self.committed(now, &place, heads, &commits, &mut actions);
            }
            Event::Reached { what, outcome: Ok(()) } => self.course.sees(&what, &mut actions),
            Event::Reached { what, outcome: Err(why) } => {
                self.course.cannot_see(&what, why, &mut actions);
            }
            Event::Stranger { unit, who } => self.stranger(&unit, &who, &mut actions),
            Event::Asked(request) => self.asked(now, request, &mut actions),
        }
        self.advance(now, &mut actions);
        self.count_for_briefing(&actions);
        self.tell_operator(&mut actions);
        actions
    }

    /// What is to survive the power, as it stands.
    pub fn saved(&self) -> Saved {
        let mut saved = self.others.clone();
        for (name, unit) in &self.units {
            saved.wishes.insert(name.clone(), unit.wish);
            if unit.drained {
                saved.drained.insert(name.clone());
            }
            if let Some(conversation) = &unit.conversation {
                saved.conversations.insert(name.clone(), conversation.clone());
            }
            let remedies = unit.care.spent.saved();
            if !remedies.is_empty() {
                saved.remedies.insert(name.clone(), remedies);
            }
            if let Some(because) = &unit.because {
                saved.because.insert(name.clone(), because.clone());
            }
            let messages = unit.queue.saved();
            if !messages.is_empty() {
                saved.messages.insert(name.clone(), messages);
            }
        }
        saved.plan = self.course.saved.clone();
        saved
    }

    /// What became of a message; none if it was never heard of, or long ago.
    pub fn delivery(&self, unit: &UnitName, id: MessageId) -> Option<Delivery> {
        self.units.get(unit)?.queue.delivery(id)
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
                        let asked = unit.bounce.is_some_and(|bounce| bounce.fresh);
                        unit.bounce = Some(Bounce { fresh: fresh || asked });
                    } else {
                        unit.fresh |= fresh;
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
            Request::Phase(name) => return self.phase_asked(now, name, actions),
            Request::Tell { unit: name, id, text, expires_in } => {
                let Some(unit) = self.units.get_mut(&name) else { return };
                if unit.retired {
                    unit.queue.refuse(id, "no longer in the config".to_owned());
                } else {
                    unit.queue.push(id, text, expires_in, now);
                }
                let delivery = unit.queue.delivery(id);
                actions.push(Action::Save(self.saved()));
                actions.push(journal(&name, "message", id.to_string()));
                if let Some(Delivery::Dropped(why)) = delivery {
                    actions.push(journal(&name, "message-dropped", format!("{id}: {why}")));
                }
                return;
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
        agent: None,
    }
}

/// How long a unit that is in no config any more may take to end politely.
const RETIRED_GRACE: Duration = Duration::from_secs(10);
