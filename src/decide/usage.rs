//! What a session has spent: turns and tokens of each day, and tokens of each ten minutes for its
//! budget. Plain sums; where the numbers come from, and what follows from them, is not here.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::{Duration, SystemTime};

/// A day, in seconds.
pub const DAY: u64 = 24 * 60 * 60;
/// The grain of a budget's window, in seconds: a week has a thousand of them.
pub const SLOT: u64 = 10 * 60;
/// So many days are kept.
const DAYS_KEPT: u64 = 35;

/// The longest window of a budget: tokens are kept for so long by ten minutes.
pub const WINDOW_MAX: Duration = Duration::from_secs(7 * DAY);

/// Tokens, by what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, for the first time.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Read from the cache of the service.
    pub cache_read: u64,
    /// Put into that cache.
    pub cache_write: u64,
}

/// Turns, and the tokens they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Turns that ended well; those of sub-agents are part of one.
    pub turns: u64,
    /// Tokens, those of sub-agents included.
    pub tokens: Tokens,
}

/// All that is known of what a session has spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By day, counted from 1970-01-01 (UTC).
    pub days: BTreeMap<u64, Spent>,
    /// Tokens by ten minutes, counted from the same moment.
    pub slots: BTreeMap<u64, u64>,
}

impl Tokens {
    /// All of them.
    pub fn total(&self) -> u64 {
        let cache = self.cache_read.saturating_add(self.cache_write);
        self.input.saturating_add(self.output).saturating_add(cache)
    }

    /// Each the larger of the two.
    pub fn max(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    /// What is in these beyond `counted`.
    pub fn beyond(self, counted: Self) -> Self {
        self.zip(counted, u64::saturating_sub)
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: with(self.input, other.input),
            output: with(self.output, other.output),
            cache_read: with(self.cache_read, other.cache_read),
            cache_write: with(self.cache_write, other.cache_write),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, more: Self) {
        *self = self.zip(more, u64::saturating_add);
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.turns = self.turns.saturating_add(more.turns);
        self.tokens += more.tokens;
    }
}

impl Usage {
    /// Counts what was spent `at` a time. A date that lies ahead is today.
    pub fn add(&mut self, at: SystemTime, spent: Spent, wall: SystemTime) {
        let (at, now) = (seconds(at.min(wall)), seconds(wall));
        *self.days.entry(at / DAY).or_default() += spent;
        let total = spent.tokens.total();
        if total > 0 {
            let slot = self.slots.entry(at / SLOT).or_default();
            *slot = slot.saturating_add(total);
        }
        self.days.retain(|day, _| day + DAYS_KEPT > now / DAY);
        self.slots.retain(|slot, _| end(*slot) + WINDOW_MAX.as_secs() > now);
    }

    /// What was spent on a day.
    pub fn on_day_of(&self, at: SystemTime) -> Spent {
        self.days.get(&(seconds(at) / DAY)).copied().unwrap_or_default()
    }

    /// The tokens of the window that ends now.
    pub fn within(&self, per: Duration, wall: SystemTime) -> u64 {
        self.window(per, wall).fold(0, |sum, (_, tokens)| sum.saturating_add(tokens))
    }

    /// How long until fewer than so many `tokens` are in the window, if no more are spent.
    pub fn room_in(&self, tokens: u64, per: Duration, wall: SystemTime) -> Duration {
        let mut left = self.within(per, wall);
        let mut wait = 0;
        for (slot, spent) in self.window(per, wall) {
            if left < tokens {
                break;
            }
            left = left.saturating_sub(spent);
            wait = (end(slot) + per.as_secs()).saturating_sub(seconds(wall));
        }
        Duration::from_secs(wait)
    }

    fn window(&self, per: Duration, wall: SystemTime) -> impl Iterator<Item = (u64, u64)> {
        let begin = seconds(wall).saturating_sub(per.as_secs());
        let slots = self.slots.iter().map(|(slot, tokens)| (*slot, *tokens));
        slots.filter(move |(slot, _)| end(*slot) > begin)
    }
}

/// A number of tokens as a person says it: `1.2 M`.
pub fn tokens_in_words(tokens: u64) -> String {
    let (unit, name) = match tokens {
        0..10_000 => return tokens.to_string(),
        10_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    let (whole, tenth) = (tokens / unit, tokens % unit * 10 / unit);
    match tenth {
        _ if whole >= 100 => format!("{whole} {name}"),
        0 => format!("{whole} {name}"),
        _ => format!("{whole}.{tenth} {name}"),
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn end(slot: u64) -> u64 {
    (slot + 1) * SLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;

    /// Noon of some day, and so many seconds.
    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * DAY + DAY / 2 + second)
    }

    fn spent(input: u64) -> Spent {
        Spent { turns: 1, tokens: Tokens { input, ..Tokens::default() } }
    }

    #[test]
    fn what_is_spent_counts_on_its_own_day() {
        let mut usage = Usage::default();
        usage.add(at(0), spent(5), at(0));
        usage.add(at(DAY), spent(7), at(DAY + 60));
        usage.add(at(9 * DAY), spent(1), at(DAY + 60));
        assert_eq!(usage.on_day_of(at(60)), spent(5));
        let both = Spent { turns: 2, ..spent(8) };
        assert_eq!(usage.on_day_of(at(DAY)), both, "a date that lies ahead is today");
        assert_eq!(usage.on_day_of(at(2 * DAY)), Spent::default());
        usage.add(at(35 * DAY), spent(1), at(35 * DAY));
        assert_eq!(usage.days.len(), 2, "35 days are kept, and of a week the ten minutes");
        assert_eq!(usage.slots.len(), 1);
    }

    #[test]
    fn a_window_forgets_what_is_older_and_says_when_there_is_room() {
        let mut usage = Usage::default();
        let per = Duration::from_secs(24 * HOUR);
        for (second, tokens) in [(0, 40), (HOUR, 30), (2 * HOUR, 30)] {
            usage.add(at(second), spent(tokens), at(2 * HOUR));
        }
        let now = at(3 * HOUR);
        assert_eq!(usage.within(per, now), 100);
        assert_eq!(usage.room_in(101, per, now), Duration::ZERO);
        // The first ten minutes fall out 24 hours after their end.
        assert_eq!(usage.room_in(100, per, now), Duration::from_secs(21 * HOUR + SLOT));
        assert_eq!(usage.room_in(60, per, now), Duration::from_secs(22 * HOUR + SLOT));
        assert_eq!(usage.within(per, at(24 * HOUR + SLOT)), 60);
        assert_eq!(usage.within(Duration::from_secs(HOUR), now), 30);
        assert_eq!(Usage::default().room_in(1, per, now), Duration::ZERO);
    }

    #[test]
    fn numbers_are_said_shortly() {
        for (tokens, words) in [
            (0, "0"),
            (9_999, "9999"),
            (14_020, "14 k"),
            (14_732, "14.7 k"),
            (1_234_567, "1.2 M"),
            (5_000_000, "5 M"),
            (123_456_789, "123 M"),
            (2_000_000_000, "2 G"),
        ] {
            assert_eq!(tokens_in_words(tokens), words);
        }
    }
}
