//! Time as an argument: a monotonic reading for waits, a wall reading for dates.

use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A point on the clock that counts from the machine's boot and does not stop in suspend
/// (`CLOCK_BOOTTIME`). It is the same for every process of one boot, so it may be saved in a
/// record that dies with the boot, and it never steps when a person or NTP sets the date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(Duration);

impl Mono {
    /// The point `since_boot` after the boot.
    pub const fn from_boot(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// How long after the boot this point lies.
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this point; zero if `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// One moment, read from both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For every wait, deadline and age.
    pub mono: Mono,
    /// For dates that a person reads. It may step in either direction; no decision uses it.
    pub wall: SystemTime,
}

impl Now {
    /// A past date on the clock that does not step. One from before the boot is the boot's own
    /// moment, and one that lies ahead is now.
    pub fn mono_of(&self, at: SystemTime) -> Mono {
        let age = self.wall.duration_since(at).unwrap_or_default();
        Mono(self.mono.0.saturating_sub(age))
    }

    /// The date of a past point; one that lies ahead is now.
    pub fn wall_of(&self, at: Mono) -> SystemTime {
        self.wall.checked_sub(self.mono.since(at)).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
