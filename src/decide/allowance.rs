//! A session's budget of tokens: whether it is spent, and what that means. What was spent is
//! counted elsewhere. Restarts have a budget of their own.

use std::time::Duration;

use super::event::Action;
use super::policy::TokenBudget;
use super::unit::{State, Unit};
use super::usage::tokens_in_words;
use super::watchdog::{Watchdog, journal};
use super::{Doing, Mono, Now, UnitName};

/// Whether a budget is spent.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// It is, until then.
    until: Option<Mono>,
}

impl Unit {
    fn token_budget(&self) -> Option<&TokenBudget> {
        self.policy.agent.as_ref()?.budget.as_ref()
    }

    /// That its budget is spent, in words.
    pub(super) fn overspent(&self) -> Option<String> {
        let budget = self.token_budget().filter(|_| self.allowance.until.is_some())?;
        let (tokens, per) = (tokens_in_words(budget.tokens), span(budget.per));
        Some(format!("its budget of {tokens} tokens per {per} is spent"))
    }

    /// Until when it gets no message and no start, for its budget is spent.
    pub(super) fn holds_until(&self) -> Option<Mono> {
        self.allowance.until.filter(|_| self.token_budget().is_some_and(|budget| budget.hold))
    }

    /// Whether it is to be stopped for that: its turn is over.
    pub(super) fn may_be_held(&self) -> bool {
        let over = |doing| matches!(doing, Doing::Idle | Doing::Failed(_));
        self.holds_until().is_some()
            && self.pen.is_none()
            && self.sightings.best().is_some_and(|it| over(it.doing))
    }
}

impl Watchdog {
    /// A session has spent so many tokens.
    pub(super) fn used(
        &mut self,
        now: Now,
        name: &UnitName,
        tokens: u64,
        until: Mono,
        actions: &mut Vec<Action>,
    ) {
        self.free(now, name, actions);
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(budget) = unit.token_budget().copied() else { return };
        if tokens < budget.tokens || until <= now.mono {
            // What was counted before may have been counted too high.
            unit.allowance.until = unit.allowance.until.map(|_| now.mono);
            return self.free(now, name, actions);
        }
        let before = unit.allowance.until.replace(until);
        if before.is_none() {
            let hold = if budget.hold { ": held after this turn" } else { "" };
            let why = unit.overspent().unwrap_or_default();
            actions.push(journal(name, "budget-spent", format!("{why}{hold}")));
        }
    }

    /// Takes note that the window has room again.
    pub(super) fn free(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.allowance.until.take_if(|until| *until <= now.mono).is_some() {
            if unit.state == State::Up {
                unit.queue.hurry();
            }
            actions.push(journal(name, "budget-free", "its budget of tokens has room again"));
        }
    }
}

/// As the config says it.
fn span(per: Duration) -> String {
    let seconds = per.as_secs();
    match () {
        () if seconds > 86_400 && seconds.is_multiple_of(86_400) => {
            format!("{}d", seconds / 86_400)
        }
        () if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        () if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        () => format!("{seconds}s"),
    }
}
