//! The restart budget: how long to wait after a death, and when to give up.

use std::collections::VecDeque;
use std::time::Duration;

use super::policy::{Cap, RestartPolicy};
use super::{Mono, Record};

/// How far a wait is moved at random, in percent to either side, so that what died together does
/// not come back together for ever.
const JITTER_PERCENT: u64 = 20;

/// One unit's budget.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    crashes: VecDeque<Mono>,
    level: u32,
    looping: bool,
    total: u64,
}

/// What a death leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Start again after this wait.
    After(Duration),
    /// A crash loop: try once more after this wait, or wait for a person.
    GiveUp(Option<Duration>),
}

impl Budget {
    pub(super) fn from_record(record: &Record) -> Self {
        Self {
            crashes: record.crashes.iter().copied().collect(),
            level: record.level,
            looping: record.looping,
            total: record.total,
        }
    }

    /// Accounts for a death at `now` of a process that had lived since `born` (none = it never
    /// came to life).
    pub(super) fn spend(
        &mut self,
        policy: &RestartPolicy,
        born: Option<Mono>,
        now: Mono,
        random: &mut Random,
    ) -> Verdict {
        if born.is_some_and(|born| now.since(born) >= policy.stable_after) {
            self.clear();
        }
        self.crashes.push_back(now);
        self.prune(policy, now);
        let crashes = u32::try_from(self.crashes.len()).unwrap_or(u32::MAX);
        if self.looping || crashes >= policy.loop_starts {
            self.looping = true;
            return Verdict::GiveUp(policy.loop_retry.map(|wait| random.jitter(wait)));
        }
        let wait = match self.level {
            0 => policy.first_delay,
            level => {
                let doubled = policy
                    .backoff_from
                    .saturating_mul(1_u32.checked_shl(level.saturating_sub(1)).unwrap_or(u32::MAX));
                random.jitter(doubled.min(policy.backoff_to)).min(policy.backoff_to)
            }
        };
        self.level = self.level.saturating_add(1);
        Verdict::After(wait)
    }

    /// A person or a stable life: all is forgiven. The total stays.
    pub(super) fn clear(&mut self) {
        self.crashes.clear();
        self.level = 0;
        self.looping = false;
    }

    pub(super) fn count_restart(&mut self) {
        self.total = self.total.saturating_add(1);
    }

    /// The restart that was counted was not made.
    pub(super) fn uncount_restart(&mut self) {
        self.total = self.total.saturating_sub(1);
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many deaths count towards a crash loop now.
    pub(super) fn in_window(&self, policy: &RestartPolicy, now: Mono) -> u32 {
        let counted = self.crashes.iter().filter(|at| now.since(**at) < policy.loop_within);
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn write(&self, record: &mut Record) {
        record.crashes = self.crashes.iter().copied().collect();
        record.level = self.level;
        record.looping = self.looping;
        record.total = self.total;
    }

    fn prune(&mut self, policy: &RestartPolicy, now: Mono) {
        while self.crashes.front().is_some_and(|at| now.since(*at) >= policy.loop_within) {
            self.crashes.pop_front();
        }
    }
}

/// The cap over all units together.
#[derive(Clone, Debug, Default)]
pub(super) struct Turnstile {
    passed: VecDeque<Mono>,
}

impl Turnstile {
    /// Lets one restart through at `now`, or says when to ask again.
    pub(super) fn pass(&mut self, cap: Cap, now: Mono) -> Result<(), Mono> {
        while self.passed.front().is_some_and(|at| now.since(*at) >= cap.within) {
            self.passed.pop_front();
        }
        let full = u32::try_from(self.passed.len()).unwrap_or(u32::MAX) >= cap.restarts;
        match self.passed.front() {
            Some(oldest) if full => Err(*oldest + cap.within),
            _ => {
                self.passed.push_back(now);
                Ok(())
            }
        }
    }
}

/// A seeded source of jitter (SplitMix64), so that the same events give the same actions.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of 32 bits.
    pub(super) fn short(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    pub(super) fn jitter(&mut self, wait: Duration) -> Duration {
        let percent = 100 - JITTER_PERCENT + self.next() % (2 * JITTER_PERCENT + 1);
        wait.saturating_mul(u32::try_from(percent).unwrap_or(100)) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        first_delay: Duration::ZERO,
        backoff_from: Duration::from_secs(1),
        backoff_to: Duration::from_secs(6),
        stable_after: Duration::from_secs(600),
        loop_starts: 9,
        loop_within: Duration::from_secs(900),
        loop_retry: Some(Duration::from_secs(1800)),
    };

    fn at(seconds: u64) -> Mono {
        Mono::from_boot(Duration::from_secs(seconds))
    }

    fn waits(budget: &mut Budget, deaths: usize) -> Vec<Duration> {
        let mut random = Random::new(1);
        (0..deaths)
            .map(|_| match budget.spend(&POLICY, Some(at(0)), at(1), &mut random) {
                Verdict::After(wait) => wait,
                Verdict::GiveUp(_) => panic!("gave up too early"),
            })
            .collect()
    }

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_back_off_to_the_limit() {
        let waits = waits(&mut Budget::default(), 8);
        assert_eq!(waits[0], Duration::ZERO);
        for (wait, nominal) in waits[1..].iter().zip([1000, 2000, 4000, 6000, 6000]) {
            let milliseconds = wait.as_millis();
            assert!((nominal * 8 / 10..=nominal * 12 / 10).contains(&milliseconds), "{waits:?}");
            assert!(*wait <= POLICY.backoff_to, "{waits:?}");
        }
    }

    #[test]
    fn a_stable_life_makes_the_budget_fresh() {
        let mut budget = Budget::default();
        waits(&mut budget, 5);
        let mut random = Random::new(1);
        let verdict = budget.spend(&POLICY, Some(at(1)), at(601), &mut random);
        assert_eq!(verdict, Verdict::After(Duration::ZERO));
    }

    #[test]
    fn a_crash_loop_gives_up_and_each_later_try_is_a_single_one() {
        let mut budget = Budget::default();
        waits(&mut budget, 8);
        let mut random = Random::new(1);
        for now in [2, 5000, 9000] {
            let verdict = budget.spend(&POLICY, Some(at(now)), at(now), &mut random);
            assert!(matches!(verdict, Verdict::GiveUp(Some(_))), "{verdict:?} at {now}");
        }
    }

    #[test]
    fn the_cap_lets_so_many_through_and_names_the_next_turn() {
        let cap = Cap { restarts: 2, within: Duration::from_secs(60) };
        let mut turnstile = Turnstile::default();
        assert_eq!(turnstile.pass(cap, at(0)), Ok(()));
        assert_eq!(turnstile.pass(cap, at(1)), Ok(()));
        assert_eq!(turnstile.pass(cap, at(2)), Err(at(60)));
        assert_eq!(turnstile.pass(cap, at(60)), Ok(()));
    }
}
