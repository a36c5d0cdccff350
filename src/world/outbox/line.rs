//! One target's place in the outbox: what it is told next and when, and how long it has not taken
//! anything. Not here: the telling.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::shelf::Entry;
use crate::world::random;

/// So many messages a minute are told one by one. More than that is a storm, and it is told once a
/// minute, all that has come since in one message.
const SINGLES: usize = 10;
/// The minute.
const WINDOW: Duration = Duration::from_secs(60);
/// When more than this wait, they are told in one message: they are old news.
const DIGEST_ABOVE: usize = 10;

/// After the first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest wait of our own choice; a server may ask for more.
const LAST_RETRY: Duration = Duration::from_secs(10 * 60);

/// What is to be done for a target now.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing waits.
    Nothing,
    /// Nothing before this time.
    At(Instant),
    /// These are to be told, in one message.
    Tell(Vec<Entry>),
}

/// The state of one target, which begins anew with each sender.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// When something was told within the last minute.
    told_at: VecDeque<Instant>,
    storm: bool,
    failures: u32,
    failing: Option<Failing>,
    not_before: Option<Instant>,
    /// What was told, for as long as the file does not say so.
    told: BTreeMap<String, u64>,
}

/// Since when, and why.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) why: String,
}

impl Line {
    /// What is next of all that wait.
    pub(super) fn next(&mut self, target: &str, entries: &[Entry], now: Instant) -> Next {
        self.told.retain(|name, _| entries.iter().any(|entry| entry.name == *name));
        let mut waiting: Vec<Entry> =
            entries.iter().filter(|entry| self.waits(target, entry)).cloned().collect();
        if waiting.is_empty() {
            return Next::Nothing;
        }
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Next::At(at);
        }
        while self.told_at.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.told_at.pop_front();
        }
        self.storm |= self.told_at.len() >= SINGLES;
        if self.storm {
            if let Some(last) = self.told_at.back() {
                return Next::At(*last + WINDOW);
            }
            self.storm = waiting.len() > 1;
            return Next::Tell(waiting);
        }
        if waiting.len() <= DIGEST_ABOVE {
            waiting.truncate(1);
        }
        Next::Tell(waiting)
    }

    /// All that this target has not been told of yet.
    pub(super) fn waiting(&self, target: &str, entries: &[Entry]) -> Vec<Entry> {
        entries.iter().filter(|entry| self.waits(target, entry)).cloned().collect()
    }

    fn waits(&self, target: &str, entry: &Entry) -> bool {
        let told = self.told.get(&entry.name).copied().unwrap_or(0);
        entry.kept.waits_for(target) && told < entry.kept.count
    }

    /// These need not be told any more, whatever becomes of their files.
    pub(super) fn done(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.told.insert(entry.name.clone(), entry.kept.count);
        }
    }

    /// It took something; whether it had failed before.
    pub(super) fn took(&mut self, now: Instant) -> bool {
        self.told_at.push_back(now);
        self.failures = 0;
        self.not_before = None;
        self.failing.take().is_some()
    }

    /// It did not, and is left alone for a while; whether it is the first time.
    pub(super) fn failed(&mut self, why: String, patience: Option<Duration>, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let wait = retry_after(self.failures, random::number()).max(patience.unwrap_or_default());
        self.not_before = Some(now + wait);
        let first = self.failing.is_none();
        let failing =
            self.failing.get_or_insert(Failing { since: now, tries: 0, why: String::new() });
        failing.tries = failing.tries.saturating_add(1);
        failing.why = why;
        first
    }

    /// Something is under way for longer than it should.
    pub(super) fn hangs(&mut self, why: &str, now: Instant) -> bool {
        let first = self.failing.is_none();
        let failing =
            self.failing.get_or_insert(Failing { since: now, tries: 1, why: String::new() });
        why.clone_into(&mut failing.why);
        first
    }

    pub(super) fn failing(&self) -> Option<&Failing> {
        self.failing.as_ref()
    }

    /// How often in a row it has failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether it is being left alone.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now)
    }
}

/// Doubled each time, give or take a fifth, so that many machines do not come back together.
fn retry_after(failures: u32, dice: u64) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let jitter = 80 + u32::try_from(dice % 41).unwrap_or(0);
    doubled.min(LAST_RETRY) * jitter / 100
}

#[cfg(test)]
mod tests;
