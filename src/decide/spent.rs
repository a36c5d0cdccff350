//! What was done about sessions that could not go on, and how often that may be done: a loop that
//! replays prompts burns money.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::{Mono, Now};

/// So long each use of a remedy is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The time of the limits of one session.
const WITHIN: Duration = Duration::from_secs(6 * 60 * 60);
/// The time of the limits of all sessions together.
pub(super) const ALL_WITHIN: Duration = Duration::from_secs(60 * 60);

/// What can be done about a session that lives and does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Its conversation is made shorter, in the same process.
    Compact,
    /// Another conversation is begun in the same process.
    Clear,
    /// Another process with another conversation.
    Fresh,
    /// Another process with the same conversation.
    Resume,
    /// A line is typed that makes it go on.
    Nudge,
    /// A dialog is answered.
    Answer,
}

/// One use of a remedy, to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemedyUse {
    /// What was done.
    pub remedy: Remedy,
    /// When.
    pub at: SystemTime,
}

impl Remedy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Compact, Self::Clear, Self::Fresh, Self::Resume, Self::Nudge, Self::Answer];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Clear => "clear",
            Self::Fresh => "fresh",
            Self::Resume => "resume",
            Self::Nudge => "nudge",
            Self::Answer => "answer",
        }
    }

    /// So often within [`WITHIN`] for one session. A line is cheap where turns fail at once; what
    /// begins a conversation anew replays its prompt.
    fn most(self) -> usize {
        match self {
            Self::Fresh | Self::Resume => 3,
            Self::Compact | Self::Clear => 4,
            Self::Nudge => 16,
            Self::Answer => 12,
        }
    }

    /// Those that share a limit over all sessions, and that limit, within [`ALL_WITHIN`].
    pub(super) fn shared_most(self) -> (&'static [Self], usize) {
        match self {
            Self::Compact | Self::Clear | Self::Fresh | Self::Resume => {
                (&[Self::Compact, Self::Clear, Self::Fresh, Self::Resume], 10)
            }
            Self::Nudge | Self::Answer => (&[Self::Nudge, Self::Answer], 60),
        }
    }
}

/// The uses of one session: on the clock that does not step, and as dates to be saved.
#[derive(Debug, Default)]
pub(super) struct Ledger(VecDeque<(Remedy, Mono, SystemTime)>);

impl Ledger {
    /// As it was saved. A use from before this boot counts as if it had been at its beginning:
    /// rather too long than too short.
    pub(super) fn restored(spent: &[RemedyUse], now: Now) -> Self {
        let recent = spent.iter().filter(|it| {
            let age = now.wall.duration_since(it.at).unwrap_or_default();
            age < KEPT
        });
        Self(recent.map(|it| (it.remedy, now.mono_of(it.at), it.at)).collect())
    }

    pub(super) fn saved(&self) -> Vec<RemedyUse> {
        self.0.iter().map(|(remedy, _, at)| RemedyUse { remedy: *remedy, at: *at }).collect()
    }

    pub(super) fn spend(&mut self, remedy: Remedy, now: Now) {
        self.0.retain(|(_, at, _)| now.mono.since(*at) < KEPT);
        self.0.push_back((remedy, now.mono, now.wall));
    }

    /// The last use of any of `remedies` did not come to anything.
    pub(super) fn take_back(&mut self, remedies: &[Remedy]) {
        let last = self.0.iter().rposition(|(remedy, ..)| remedies.contains(remedy));
        last.and_then(|last| self.0.remove(last));
    }

    /// How often any of `remedies` was used within `time`.
    pub(super) fn within(&self, remedies: &[Remedy], time: Duration, now: Mono) -> usize {
        let counted = |(remedy, at, _): &&(Remedy, Mono, SystemTime)| {
            remedies.contains(remedy) && now.since(*at) < time
        };
        self.0.iter().filter(counted).count()
    }

    /// How often each was used in a day; those that were not are left out.
    pub(super) fn in_a_day(&self, now: Mono) -> Vec<(Remedy, usize)> {
        let count = |remedy| (remedy, self.within(&[remedy], KEPT, now));
        Remedy::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
    }

    /// When the remedy may be used next.
    pub(super) fn free_at(&self, remedy: Remedy, now: Mono) -> Mono {
        let mut recent = self.0.iter().filter(|(used, _, _)| *used == remedy);
        let used = self.within(&[remedy], WITHIN, now);
        let Some(surplus) = used.checked_sub(remedy.most()) else { return now };
        let in_time = recent.by_ref().filter(|(_, at, _)| now.since(*at) < WITHIN);
        in_time.map(|(_, at, _)| *at + WITHIN).nth(surplus).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(second: u64) -> Now {
        let since = Duration::from_secs(second);
        Now { mono: Mono::from_boot(since), wall: SystemTime::UNIX_EPOCH + since }
    }

    #[test]
    fn a_remedy_is_free_until_its_limit_and_again_when_the_oldest_use_is_long_ago() {
        let mut ledger = Ledger::default();
        for second in [10, 20, 30] {
            assert_eq!(ledger.free_at(Remedy::Fresh, now(second).mono), now(second).mono);
            ledger.spend(Remedy::Fresh, now(second));
        }
        ledger.spend(Remedy::Nudge, now(31));
        assert_eq!(ledger.free_at(Remedy::Fresh, now(40).mono), now(10).mono + WITHIN);
        assert_eq!(ledger.free_at(Remedy::Nudge, now(40).mono), now(40).mono);
        let later = now(10 + WITHIN.as_secs()).mono;
        assert_eq!(ledger.free_at(Remedy::Fresh, later), later);
    }

    #[test]
    fn what_was_saved_counts_in_another_life() {
        let mut ledger = Ledger::default();
        (0..3).for_each(|_| ledger.spend(Remedy::Fresh, now(100)));
        let restored = Ledger::restored(&ledger.saved(), now(200));
        assert!(restored.free_at(Remedy::Fresh, now(200).mono) > now(200).mono);
        assert_eq!(restored.in_a_day(now(200).mono), [(Remedy::Fresh, 3)]);
    }
}
