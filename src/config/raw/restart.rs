//! `[restart]`, and the same keys as a unit overrides them.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::values::{RawDuration, Table, parse_duration};

/// `[restart]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawRestart {
    /// Before the first restart.
    pub first_delay: Option<RawDuration>,
    /// Before the further ones.
    pub backoff: Table<RawBackoff>,
    /// A unit that was up for so long starts with a fresh budget.
    pub stable_after: Option<RawDuration>,
    /// When to give up.
    pub crash_loop: Table<RawCrashLoop>,
    /// All units together.
    pub cap: Table<RawCap>,
    /// The least time between two starts of agent sessions.
    pub stagger: Option<RawDuration>,
}

impl RawRestart {
    /// The keys that a unit may override, as if a unit had written them.
    pub fn of_each_unit(&self) -> RawUnitRestart {
        RawUnitRestart {
            first_delay: self.first_delay,
            backoff: self.backoff,
            stable_after: self.stable_after,
            crash_loop: self.crash_loop,
        }
    }
}

/// `restart = { … }` of one unit; what it leaves out is as in `[restart]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawUnitRestart {
    /// Before the first restart.
    pub first_delay: Option<RawDuration>,
    /// Before the further ones.
    pub backoff: Table<RawBackoff>,
    /// When the budget is fresh again.
    pub stable_after: Option<RawDuration>,
    /// When to give up.
    pub crash_loop: Table<RawCrashLoop>,
}

/// `backoff = { from = "1s", to = "10m" }`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { from = \"1s\", to = \"10m\" }"
)]
pub struct RawBackoff {
    /// The first wait.
    pub from: Option<RawDuration>,
    /// The longest wait.
    pub to: Option<RawDuration>,
}

/// `crash_loop = { starts = 5, within = "15m", retry = "30m" }`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { starts = 5, within = \"15m\", retry = \"30m\" }"
)]
pub struct RawCrashLoop {
    /// How many deaths.
    pub starts: Option<u32>,
    /// Within which time.
    pub within: Option<RawDuration>,
    /// How long until the next single try.
    pub retry: Option<RawRetry>,
}

/// `cap = { restarts = 100, within = "1m" }`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { restarts = 100, within = \"1m\" }"
)]
pub struct RawCap {
    /// How many.
    pub restarts: Option<u32>,
    /// Within which time.
    pub within: Option<RawDuration>,
}

/// `retry = "30m"` or `retry = "never"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawRetry {
    /// Tried again after this.
    After(Duration),
    /// A person must.
    Never,
}

impl<'de> Deserialize<'de> for RawRetry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = RawRetry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as \"30m\", or \"never\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawRetry, E> {
                if text == "never" {
                    return Ok(RawRetry::Never);
                }
                parse_duration(text)
                    .map(RawRetry::After)
                    .map_err(|why| E::custom(format!("{why}, or \"never\"")))
            }
        }
        deserializer.deserialize_any(Words)
    }
}
