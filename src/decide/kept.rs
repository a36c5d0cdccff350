//! What is kept of a unit: over the power, and over our own death.

use super::message::Queue;
use super::spent::Ledger;
use super::unit::{State, Unit, Wait};
use super::{Now, Record, Saved, UnitName};

impl Unit {
    /// Takes up what was saved of it.
    pub(super) fn remember(&mut self, name: &UnitName, saved: &Saved, now: Now) {
        self.conversation = saved.conversations.get(name).cloned();
        if let Some(spent) = saved.remedies.get(name) {
            self.care.spent = Ledger::restored(spent, now);
        }
        self.because = saved.because.get(name).cloned();
        if let Some(messages) = saved.messages.get(name) {
            self.queue = Queue::restored(messages, now);
        }
    }

    /// The record to be written because an operator forgave, as soon as none can lose a process
    /// whose name is not known yet.
    pub(super) fn forgiven(&mut self) -> Option<Record> {
        let named = self.process.is_some() || self.born.is_none();
        (named && std::mem::take(&mut self.unrecorded)).then(|| self.record())
    }

    /// What a record of this unit says now.
    pub(super) fn record(&self) -> Record {
        let mut record = Record {
            process: self.process,
            since: self.born,
            since_wall: self.born.map(|_| self.since),
            ready: self.ready,
            ending: self.ending,
            spec: self.running_spec.clone(),
            kind: self.policy.kind,
            crashes: Vec::new(),
            level: 0,
            looping: false,
            total: 0,
            last_exit: self.last_exit,
            not_before: match self.state {
                State::Waiting(Wait::Until(at)) => Some(at),
                State::GivenUp(retry) => retry,
                State::Unseen(_)
                | State::Stopped
                | State::Waiting(_)
                | State::Starting
                | State::Up
                | State::Stopping(_)
                | State::Held => None,
            },
            why: match self.state {
                State::Waiting(_) | State::GivenUp(_) => self.why.clone(),
                State::Unseen(_)
                | State::Stopped
                | State::Starting
                | State::Up
                | State::Stopping(_)
                | State::Held => String::new(),
            },
        };
        self.budget.write(&mut record);
        record
    }
}
