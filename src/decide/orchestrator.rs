//! Sessions that must be the only ones: the orchestrator always, and every agent session before its
//! first start, in case somebody else does its work already. Whoever is there already is left alone.
//! And what the orchestrator is told when it is there again.

use std::collections::BTreeMap;

use super::event::Action;
use super::message::MessageId;
use super::unit::{State, Unit};
use super::watchdog::{Watchdog, journal};
use super::{Dependency, Now, Reading, UnitKind, UnitName};

/// What happened lately, by the word of the journal, for an orchestrator that was away.
pub(super) type Tally = BTreeMap<&'static str, u32>;

/// What of the journal an orchestrator wants to know, and how it is said.
const COUNTED: [(&str, &str); 6] = [
    ("exited", "deaths"),
    ("remedy", "remedies"),
    ("handoff", "hand-offs"),
    ("gave-up", "crash loops"),
    ("blocked", "blocked"),
    ("phase", "phases begun"),
];

/// When it has to be known that nobody else runs in a session's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alone {
    /// Never: only its conversation is looked after.
    #[default]
    Never,
    /// Before its first start.
    First,
    /// Before each start, and while it runs.
    Always,
}

impl Unit {
    /// It is to be known first that nobody else is there.
    pub(super) fn stands_back(&self) -> bool {
        match self.policy.agent.as_ref().map(|agent| agent.alone) {
            Some(Alone::Always) => true,
            Some(Alone::First) => !self.met,
            Some(Alone::Never) | None => false,
        }
    }

    /// It is left to a person until one was seen, or asks for it.
    pub(super) fn waits_for_a_person(&self) -> bool {
        let by_hand = self.policy.agent.as_ref().is_some_and(|agent| agent.by_hand);
        by_hand && !self.met
    }
}

impl Watchdog {
    /// Somebody else is there, in the place of a session of ours.
    pub(super) fn stranger(&mut self, name: &UnitName, who: &str, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let news = unit.stranger.as_deref() != Some(who);
        unit.stranger = Some(who.to_owned());
        let up = unit.state == State::Up && unit.process.is_some();
        let only = unit.policy.agent.as_ref().is_some_and(|agent| agent.alone == Alone::Always);
        // It may live, though nobody has seen it yet, or be on its way.
        let may_live = up || unit.flight.is_some() || matches!(unit.state, State::Unseen(_));
        if may_live && only {
            if !std::mem::replace(&mut unit.yields, true) {
                actions.push(journal(name, "yields", who));
            }
        } else if news && !up {
            // Whoever is seen once is kept alive when that one ends.
            unit.met |= only;
            actions.push(journal(name, "stands-back", who));
        }
        // Whatever was found before, it is not alone now.
        let outside = self.outside.entry(Dependency::Alone(name.clone())).or_default();
        outside.there = None;
        who.clone_into(&mut outside.why);
        if may_live {
            outside.awaited = None;
        }
    }

    /// Tells an orchestrator that was started what it has to know.
    pub(super) fn brief(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let kind = self.units.get(name).map(|unit| (unit.policy.kind, unit.policy.agent.is_some()));
        if kind != Some((UnitKind::Orchestrator, true)) {
            return;
        }
        let text = self.briefing(name);
        self.tally.clear();
        let id = MessageId::new(self.random.short());
        if let Some(unit) = self.units.get_mut(name) {
            unit.queue.push_about("briefing", id, text, now);
        }
        actions.push(Action::Save(self.saved()));
    }

    fn briefing(&self, name: &UnitName) -> String {
        let mut words = vec!["You were started by the supervisor.".to_owned()];
        let plan = self.plan_view();
        if let Some(phase) = &plan.phase {
            let done = if plan.done { ", and all is done" } else { "" };
            words.push(format!("The plan is in phase {phase}{done}."));
        }
        if let Some(blocked) = &plan.blocked {
            words.push(format!("It is blocked: {blocked}."));
        }
        let loops = self.units.iter().filter(|(other, _)| *other != name);
        let loops = loops.filter(|(_, unit)| unit.policy.agent.is_some());
        let loops: Vec<String> =
            loops.map(|(other, unit)| format!("{other} {}", is(unit))).collect();
        if !loops.is_empty() {
            words.push(format!("Sessions: {}.", loops.join(", ")));
        }
        if !self.boots.is_empty() {
            words.push(format!("Reboots of this machine: {}.", self.boots));
        }
        let meanwhile: Vec<String> = COUNTED
            .iter()
            .filter_map(|(event, word)| Some(format!("{} {word}", self.tally.get(event)?)))
            .collect();
        words.push(match meanwhile.is_empty() {
            true => "Nothing else has happened meanwhile.".to_owned(),
            false => format!("Meanwhile: {}; see `supervisor events`.", meanwhile.join(", ")),
        });
        words.join(" ")
    }

    /// Counts what an orchestrator will want to know.
    pub(super) fn count_for_briefing(&mut self, actions: &[Action]) {
        for action in actions {
            let Action::Journal(entry) = action else { continue };
            if COUNTED.iter().any(|(event, _)| *event == entry.event) {
                *self.tally.entry(entry.event).or_default() += 1;
            }
        }
    }
}

fn is(unit: &Unit) -> &'static str {
    match &unit.state {
        State::Up => match unit.sightings.best().map(|it| it.doing.reading()) {
            Some(Reading::Working) => "works",
            Some(Reading::Idle) => "is at its prompt",
            Some(Reading::Limited) => "waits for a limit",
            Some(Reading::Dialog) => "asks something",
            Some(_) => "does not go on",
            None => "is up",
        },
        State::Held | State::GivenUp(_) => "is held",
        State::Stopped => "is down",
        State::Unseen(_) | State::Waiting(_) | State::Starting | State::Stopping(_) => {
            "is not up yet"
        }
    }
}
