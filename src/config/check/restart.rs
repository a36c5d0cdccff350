//! `[restart]`, and what a unit says otherwise.

use std::time::Duration;

use super::Check;
use crate::config::checked::{Backoff, Cap, CrashLoop, Restart};
use crate::config::key::Key;
use crate::config::raw::{RawCap, RawCrashLoop, RawRestart, RawRetry, RawUnitRestart};

/// What holds where nothing is written.
const DEFAULT: Restart = Restart {
    first_delay: Duration::ZERO,
    backoff: Backoff { from: Duration::from_secs(1), to: Duration::from_secs(10 * 60) },
    stable_after: Duration::from_secs(10 * 60),
    crash_loop: CrashLoop {
        starts: 5,
        within: Duration::from_secs(15 * 60),
        retry: Some(Duration::from_secs(30 * 60)),
    },
};

const CAP: Cap = Cap { restarts: 100, within: Duration::from_secs(60) };
const STAGGER: Duration = Duration::from_secs(2);

/// `[restart]`, checked.
pub(super) struct Restarts {
    pub(super) of_a_unit: Restart,
    pub(super) cap: Cap,
    pub(super) stagger: Duration,
}

impl Check<'_> {
    pub(super) fn restart(&mut self, raw: &RawRestart) -> Restarts {
        let key = Key::top("restart");
        Restarts {
            of_a_unit: self.unit_restart(&key, &raw.of_each_unit(), &DEFAULT),
            cap: self.cap(&key.of("cap"), &raw.cap),
            stagger: raw.stagger.map_or(STAGGER, |length| length.0),
        }
    }

    /// `default` with whatever `raw` says otherwise.
    pub(super) fn unit_restart(
        &mut self,
        key: &Key,
        raw: &RawUnitRestart,
        default: &Restart,
    ) -> Restart {
        let backoff = Backoff {
            from: raw.backoff.from.map_or(default.backoff.from, |length| length.0),
            to: raw.backoff.to.map_or(default.backoff.to, |length| length.0),
        };
        let written = raw.backoff.from.is_some() || raw.backoff.to.is_some();
        if written && backoff.to < backoff.from {
            let what = format!(
                "the waits grow from {:?} to {:?}, and that is less; write a `to` that is not \
                 below `from`",
                backoff.from, backoff.to
            );
            self.wrong(&key.of("backoff"), what);
        }
        Restart {
            first_delay: raw.first_delay.map_or(default.first_delay, |length| length.0),
            backoff,
            stable_after: raw.stable_after.map_or(default.stable_after, |length| length.0),
            crash_loop: self.crash_loop(
                &key.of("crash_loop"),
                &raw.crash_loop,
                &default.crash_loop,
            ),
        }
    }

    fn crash_loop(&mut self, key: &Key, raw: &RawCrashLoop, default: &CrashLoop) -> CrashLoop {
        let starts = raw.starts.unwrap_or(default.starts);
        if starts == 0 {
            self.wrong(&key.of("starts"), "is 0; write at least 1");
        }
        let retry = match raw.retry {
            None => default.retry,
            Some(RawRetry::Never) => None,
            Some(RawRetry::After(Duration::ZERO)) => {
                let what = "is no time at all; write a wait such as \"30m\", or \"never\"";
                self.wrong(&key.of("retry"), what);
                default.retry
            }
            Some(RawRetry::After(wait)) => Some(wait),
        };
        let within = self.span(&key.of("within"), raw.within, default.within);
        CrashLoop { starts, within, retry }
    }

    fn cap(&mut self, key: &Key, raw: &RawCap) -> Cap {
        let restarts = raw.restarts.unwrap_or(CAP.restarts);
        if restarts == 0 {
            self.wrong(&key.of("restarts"), "is 0; write at least 1");
        }
        Cap { restarts, within: self.span(&key.of("within"), raw.within, CAP.within) }
    }
}
