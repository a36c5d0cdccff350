//! Turns that fail for a reason that lies outside the conversation: a limit, a login, a server. It is
//! waited for; then a line makes the session go on.

use std::time::{Duration, SystemTime};

use super::account::Standing;
use super::care::plain;
use super::event::Action;
use super::spent::Remedy;
use super::watchdog::{Watchdog, journal};
use super::{Channel, Doing, Failure, Now, Sighting, UnitName};

/// An agent that goes on by itself after the reset of a limit does so within this time (measured:
/// 75 and 81 s).
const RESET_GRACE: Duration = Duration::from_secs(5 * 60);
/// A limit that holds for longer is told.
const LONG: Duration = Duration::from_secs(60 * 60);
/// A limit whose end nobody knows is tried again after this time; it doubles.
const UNKNOWN_RESET: Duration = Duration::from_secs(30 * 60);
/// The longest such wait.
const UNKNOWN_RESET_TO: Duration = Duration::from_secs(4 * 60 * 60);
/// The waits before a session is told to go on after errors in a row: the agent itself has tried
/// for three minutes before. The last one stays.
const AFTER_ERROR: [Duration; 6] = [
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
];

impl Watchdog {
    /// A usage limit: the agent goes on by itself after the reset, or is told to a little later.
    pub(super) fn limited(
        &mut self,
        now: Now,
        name: &UnitName,
        until: Option<SystemTime>,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if best.channel == Channel::Screen && unit.sightings.working_since().is_some() {
            unit.care.says = format!("{}; it tries again by itself", best.evidence);
            return;
        }
        let planned = unit.care.planned.filter(|(of, _)| *of == best.at).map(|(_, due)| due);
        let wait = UNKNOWN_RESET.saturating_mul(1 << unit.care.tries.min(3)).min(UNKNOWN_RESET_TO);
        // The date of the reset, anew each time: the clock may have been set meanwhile.
        let reset = until.map(|until| {
            let left = until.duration_since(now.wall).unwrap_or_default();
            now.mono + left
        });
        let due = match (planned, reset) {
            (Some(due), _) => due,
            (None, Some(reset)) if reset > now.mono => reset + RESET_GRACE,
            // The reset had come when the turn failed, or has come since.
            (None, Some(_)) => {
                let grace = until.map_or(best.at, |until| now.mono_of(until)) + RESET_GRACE;
                grace.max(best.at + AFTER_ERROR[0])
            }
            (None, None) => best.at + wait,
        };
        unit.care.says = format!("{}; then it goes on by itself, or is told to", best.evidence);
        let at = best.at;
        let long = due.since(now.mono) > LONG && unit.care.long.replace(at) != Some(at);
        if long {
            actions.push(journal(name, "long-limit", best.evidence.clone()));
        }
        if now.mono < due {
            unit.care.next = Some((due, "tells it to go on"));
            return;
        }
        let line = "The usage limit has been reset. Go on with your work.";
        self.try_again(now, name, best, wait, line, actions);
    }

    /// The login, or what is left to pay with: all sessions of the account wait for it.
    pub(super) fn refused(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let standing = self.standing(name);
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.says = format!("{}: it goes on by itself once that is mended", best.evidence);
        let due = match standing {
            Standing::Held(None) => return,
            Standing::Held(Some(at)) => at,
            Standing::Released { stale: false } => now.mono,
            Standing::Released { stale: true } => {
                self.account_tried(now, name);
                let why = "its process may still have the old login";
                // The conversation is well: it is not left for that, however often.
                return self.replace(now, name, Remedy::Resume, why, best, actions);
            }
        };
        if now.mono < due {
            unit.care.next = Some((due, "tries whether the login is back"));
            return;
        }
        let line = "The login is back. Go on with your work.";
        let wait = AFTER_ERROR[AFTER_ERROR.len() - 1];
        self.try_again(now, name, best, wait, line, actions);
        self.account_tried(now, name);
    }

    /// The agent has given up on a server, or on the way to it.
    pub(super) fn errored(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let wait = |tries: u32| {
            let last = AFTER_ERROR.len() - 1;
            AFTER_ERROR[usize::try_from(tries).unwrap_or(last).min(last)]
        };
        let Some(unit) = self.units.get_mut(name) else { return };
        let planned = unit.care.planned.filter(|(of, _)| *of == best.at);
        let tries = unit.care.tries;
        let due = match planned {
            Some((_, due)) => due,
            None => {
                let due = best.at + self.random.jitter(wait(tries));
                unit.care.planned = Some((best.at, due));
                due
            }
        };
        unit.care.says.clone_from(&best.evidence);
        if now.mono < due {
            unit.care.next = Some((due, "tells it to go on"));
            return;
        }
        let line = format!(
            "The last turn ended with an error ({}). Go on with your work.",
            plain(&best.evidence)
        );
        self.try_again(now, name, best, wait(tries + 1), &line, actions);
    }

    /// Types a line that makes it go on.
    fn try_again(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        wait: Duration,
        line: &str,
        actions: &mut Vec<Action>,
    ) {
        let wait = self.random.jitter(wait);
        let Some(unit) = self.units.get_mut(name) else { return };
        if best.doing == Doing::Failed(Failure::Errored) && unit.queue.front().is_some() {
            // A message does as well, and is typed anyway.
            return;
        }
        if self.nudge(now, name, line.to_owned(), actions)
            && let Some(unit) = self.units.get_mut(name)
        {
            unit.care.planned = Some((best.at, now.mono + wait));
        }
    }
}
