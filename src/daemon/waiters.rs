//! Operators who wait until what they asked for is so, or what they sent has arrived.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::decide::{Delivery, Goal, MessageId, Mono, Outcome, UnitName, Watchdog};
use crate::protocol::Answer;

/// One request that is answered when every unit has reached the goal or missed it.
pub(super) struct Waiter {
    units: Vec<UnitName>,
    goal: Goal,
    deadline: Mono,
    answer: oneshot::Sender<Answer>,
}

impl Waiter {
    pub(super) fn new(
        units: Vec<UnitName>,
        goal: Goal,
        deadline: Mono,
        answer: oneshot::Sender<Answer>,
    ) -> Self {
        Self { units, goal, deadline, answer }
    }

    pub(super) fn deadline(&self) -> Mono {
        self.deadline
    }

    /// Answers if there is an answer; else waits on.
    pub(super) fn settle(self, watchdog: &Watchdog, now: Mono) -> Option<Self> {
        if self.answer.is_closed() {
            return None;
        }
        let mut missed = BTreeMap::new();
        for unit in &self.units {
            match watchdog.outcome(unit, self.goal) {
                Some(Outcome::Reached) => {}
                // A unit of no config is forgotten once it is down.
                None if self.goal == Goal::Down => {}
                None => {
                    missed.insert(unit.to_string(), "no such unit any more".to_owned());
                }
                Some(Outcome::Missed(why)) => {
                    missed.insert(unit.to_string(), why);
                }
                Some(Outcome::Pending(_)) if now < self.deadline => return Some(self),
                Some(Outcome::Pending(why)) => {
                    let why = if why.is_empty() { "it takes long".to_owned() } else { why };
                    missed.insert(unit.to_string(), format!("not yet: {why}"));
                }
            }
        }
        // The caller may have hung up meanwhile; then nobody wants the answer.
        let _ = self.answer.send(verdict(missed));
        None
    }
}

/// One who sent a message, and is answered when it has arrived, or will not.
pub(super) struct Sender {
    unit: UnitName,
    id: MessageId,
    deadline: Mono,
    answer: oneshot::Sender<Answer>,
}

impl Sender {
    pub(super) fn new(
        unit: UnitName,
        id: MessageId,
        deadline: Mono,
        answer: oneshot::Sender<Answer>,
    ) -> Self {
        Self { unit, id, deadline, answer }
    }

    pub(super) fn deadline(&self) -> Mono {
        self.deadline
    }

    /// Answers if there is an answer; else waits on.
    pub(super) fn settle(self, watchdog: &Watchdog, now: Mono) -> Option<Self> {
        if self.answer.is_closed() {
            return None;
        }
        let unit = &self.unit;
        let answer = match watchdog.delivery(unit, self.id) {
            Some(Delivery::Arrived) => Answer::Done { notes: BTreeMap::new() },
            Some(Delivery::Dropped(why)) => Answer::Failed { why: format!("{unit}: {why}") },
            Some(Delivery::Waiting(_)) if now < self.deadline => return Some(self),
            Some(Delivery::Waiting(why)) => {
                let why = if why.is_empty() { "it takes long".to_owned() } else { why };
                let why = format!("{unit}: not yet: {why}; the message stays in its queue");
                Answer::Failed { why }
            }
            None => Answer::Failed { why: format!("{unit}: there is no such session any more") },
        };
        // The caller may have hung up meanwhile; then nobody wants the answer.
        let _ = self.answer.send(answer);
        None
    }
}

fn verdict(missed: BTreeMap<String, String>) -> Answer {
    if missed.is_empty() {
        return Answer::Done { notes: BTreeMap::new() };
    }
    let lines: Vec<String> =
        missed.into_iter().map(|(unit, why)| format!("{unit}: {why}")).collect();
    Answer::Failed { why: lines.join("; ") }
}
