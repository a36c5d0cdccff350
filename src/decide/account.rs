//! What holds for all sessions of one login: when it is lost, or nothing is left to pay with, every
//! turn of each of them fails. They wait together, a person is told once, and they go on by
//! themselves as soon as the login is back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Action;
use super::unit::Unit;
use super::watchdog::{Watchdog, journal};
use super::{Channel, Doing, Failure, Mono, Now, UnitName};

/// The first wait before it is tried whether the login is back, though nothing has told of it; it
/// doubles. Such a try fails at once and costs nothing.
const TRY_FROM: Duration = Duration::from_secs(30 * 60);
/// The longest such wait.
const TRY_TO: Duration = Duration::from_secs(4 * 60 * 60);
/// One that is refused again so soon after its files had changed was perhaps refused to a process
/// that still has the old login.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// The logins that are known not to be as they should.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    held: BTreeMap<String, Hold>,
    /// When each was released last.
    released: BTreeMap<String, Mono>,
    /// When the files of each were last seen to change.
    renewed: BTreeMap<String, Mono>,
}

impl Accounts {
    /// When the next of them is tried.
    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.held.values().filter_map(|hold| hold.wake).min()
    }
}

#[derive(Debug)]
struct Hold {
    since: Mono,
    why: String,
    /// Whose failure it was.
    by: UnitName,
    tries: u32,
    next_try: Mono,
    /// When somebody else is to be found who tries; none while the session that tries says so
    /// itself.
    wake: Option<Mono>,
}

/// What an account means for one session whose turn it has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits; if it is the one that tries, when that is.
    Held(Option<Mono>),
    /// It was released after the failure. `stale` = by then another process is needed.
    Released {
        /// This very process was refused again although the login had been renewed.
        stale: bool,
    },
}

impl Unit {
    /// The account, or the session itself where none is known.
    fn account_of(&self, name: &UnitName) -> String {
        self.account.clone().unwrap_or_else(|| format!("of {name}"))
    }

    /// Since when a turn has failed for want of a login, and by which words.
    fn refused_by_account(&self) -> Option<(Mono, String)> {
        let best = self.sightings.best().filter(|_| self.process.is_some())?;
        let refused = matches!(best.doing, Doing::Failed(Failure::LoggedOut | Failure::Unpaid));
        refused.then(|| (best.at, best.evidence.clone()))
    }

    /// When it has ended a turn well, if that is the newest that is known.
    fn went_well(&self) -> Option<Mono> {
        let best = self.sightings.best()?;
        (best.doing == Doing::Idle && best.channel == Channel::Hook).then_some(best.at)
    }
}

impl Watchdog {
    /// A session works on this account.
    pub(super) fn has_account(&mut self, name: &UnitName, account: String) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let before = unit.account_of(name);
        unit.account = Some(account.clone());
        // What was held before it was known which login it is, is one with that.
        if let Some(hold) = self.accounts.held.remove(&before) {
            self.accounts.held.entry(account).or_insert(hold);
        }
    }

    /// The login of an account was renewed.
    pub(super) fn login_changed(&mut self, now: Now, account: &str, actions: &mut Vec<Action>) {
        self.accounts.renewed.insert(account.to_owned(), now.mono);
        self.release(now, account, "its files have changed", actions);
    }

    /// Sees which accounts are to be held or released, and tells each session.
    pub(super) fn mind_accounts(&mut self, now: Now, actions: &mut Vec<Action>) {
        let of = |name: &UnitName, unit: &Unit| unit.account_of(name);
        let failed: Vec<_> = self
            .units
            .iter()
            .filter_map(|(name, unit)| {
                let (at, why) = unit.refused_by_account()?;
                Some((of(name, unit), name.clone(), at, why))
            })
            .collect();
        let well: Vec<String> = self
            .accounts
            .held
            .iter()
            .filter(|(_, hold)| {
                let by = self.units.get(&hold.by);
                by.and_then(Unit::went_well).is_some_and(|at| at > hold.since)
            })
            .map(|(account, _)| account.clone())
            .collect();
        for account in well {
            self.release(now, &account, "a turn went well", actions);
        }
        self.pass_on(now, &failed, actions);
        for (account, name, at, why) in failed {
            let heard =
                self.accounts.released.get(&account).is_some_and(|released| at <= *released);
            if heard || self.accounts.held.contains_key(&account) {
                continue;
            }
            let others = self.units.iter().filter(|(other, unit)| {
                **other != name && unit.policy.agent.is_some() && of(other, unit) == account
            });
            let others: Vec<_> = others.map(|(other, _)| other.to_string()).collect();
            let who = match others.as_slice() {
                [] => String::new(),
                others => format!("; {} of the same login wait, too", others.join(", ")),
            };
            actions.push(journal(&name, "account-held", format!("{why}{who}")));
            let (tries, next_try) = (0, now.mono + TRY_FROM);
            let hold = Hold { since: now.mono, why, by: name, tries, next_try, wake: None };
            self.accounts.held.insert(account, hold);
        }
        for (name, unit) in &mut self.units {
            let hold = self.accounts.held.get(&of(name, unit));
            unit.account_hold = hold.map(|hold| format!("its login is not accepted: {}", hold.why));
        }
    }

    /// What the account of a session means for it, whose turn has failed.
    pub(super) fn standing(&self, name: &UnitName) -> Standing {
        let account = self.units.get(name).map(|unit| unit.account_of(name)).unwrap_or_default();
        let Some(hold) = self.accounts.held.get(&account) else {
            return Standing::Released { stale: false };
        };
        if hold.by != *name {
            return Standing::Held(None);
        }
        let born = self.units.get(name).and_then(|unit| unit.born);
        let stale = self.accounts.renewed.get(&account).is_some_and(|renewed| match hold.tries {
            0 => hold.since >= *renewed && hold.since.since(*renewed) < AGAIN,
            // It was tried, too, and the process is older than the login.
            1 => born.is_some_and(|born| born < *renewed),
            _ => false,
        });
        match stale {
            true => Standing::Released { stale },
            false => Standing::Held(Some(hold.next_try)),
        }
    }

    /// It is tried whether the login is back; or that is not to be done soon.
    pub(super) fn account_tried(&mut self, now: Now, name: &UnitName) {
        for hold in self.accounts.held.values_mut().filter(|hold| hold.by == *name) {
            hold.tries = hold.tries.saturating_add(1);
            let wait = TRY_FROM.saturating_mul(1 << hold.tries.min(6)).min(TRY_TO);
            hold.next_try = now.mono + wait;
        }
    }

    /// Who was to try may be gone: another one tries, or whoever is started next.
    fn pass_on(
        &mut self,
        now: Now,
        failed: &[(String, UnitName, Mono, String)],
        actions: &mut Vec<Action>,
    ) {
        let mut over = Vec::new();
        for (account, hold) in &mut self.accounts.held {
            let mut here = failed.iter().filter(|(of, ..)| of == account).map(|(_, name, ..)| name);
            hold.wake = None;
            if here.clone().any(|name| *name == hold.by) {
                continue;
            }
            // It is gone, or it tries, or its turn was broken off.
            let tries = self.units.get(&hold.by).is_some_and(|unit| {
                unit.process.is_some() && unit.sightings.working_since().is_some()
            });
            match here.next().filter(|_| !tries || now.mono >= hold.next_try) {
                Some(name) => hold.by = name.clone(),
                None if now.mono >= hold.next_try => over.push(account.clone()),
                None => hold.wake = Some(hold.next_try),
            }
        }
        for account in over {
            self.release(now, &account, "nobody is left to try it", actions);
        }
    }

    fn release(&mut self, now: Now, account: &str, how: &str, actions: &mut Vec<Action>) {
        let Some(hold) = self.accounts.held.remove(account) else { return };
        self.accounts.released.insert(account.to_owned(), now.mono);
        actions.push(journal(&hold.by, "account-released", how));
    }
}
