//! Operators who wait until what they asked for is so.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::decide::{Goal, Mono, Outcome, UnitName, Watchdog};
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

fn verdict(missed: BTreeMap<String, String>) -> Answer {
    if missed.is_empty() {
        return Answer::Done { notes: BTreeMap::new() };
    }
    let lines: Vec<String> =
        missed.into_iter().map(|(unit, why)| format!("{unit}: {why}")).collect();
    Answer::Failed { why: lines.join("; ") }
}
