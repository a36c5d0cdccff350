//! `budget = { … }` of a session.

use std::time::Duration;

use super::Check;
use crate::config::key::Key;
use crate::config::raw::{RawBudget, RawBudgetAct};
use crate::decide::{TokenBudget, WINDOW_MAX};

const PER: Duration = Duration::from_secs(24 * 60 * 60);
/// Windows are made of ten minutes each; a shorter one would be too coarse.
const WINDOW_MIN: Duration = Duration::from_secs(60 * 60);

impl Check<'_> {
    pub(super) fn budget(&mut self, key: &Key, raw: &RawBudget) -> Option<TokenBudget> {
        match raw.tokens {
            None => self.wrong(key, "has no `tokens`; write tokens = 5_000_000"),
            Some(0) => self.wrong(&key.of("tokens"), "is 0; write how many may be spent"),
            Some(_) => {}
        }
        let per = self.span(&key.of("per"), raw.per, PER);
        if !per.is_zero() && !(WINDOW_MIN..=WINDOW_MAX).contains(&per) {
            self.wrong(&key.of("per"), "must lie between \"1h\" and \"7d\"; write \"24h\"");
        }
        let hold = match raw.act {
            Some(RawBudgetAct::Hold) => true,
            Some(RawBudgetAct::Tell) | None => false,
        };
        Some(TokenBudget { tokens: raw.tokens?, per, hold })
    }
}
