//! What is believed of the plan as a whole: whether it is blocked, whether it moves, who wrote what
//! is another's, and what could not be looked at. Hand-offs are in `handoffs.rs`, phases and DONE in
//! `phases.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::care::plain;
use super::event::{Action, Entry};
use super::message::MessageId;
use super::plan::{HandoffPolicy, Mark, PlanPolicy, PlanSaved, Written};
use super::unit::State;
use super::watchdog::{Watchdog, journal};
use super::{Doing, Failure, Mono, Now, UnitName};

/// A note of what was written by another than its owner is of no use after this time.
const OWNER_EXPIRES: Duration = Duration::from_secs(6 * 60 * 60);
/// The longest text of a heading that is told, in characters.
const TEXT_MAX: usize = 600;

/// The plan, and what is believed of it.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) policy: PlanPolicy,
    pub(super) handoffs: Vec<HandoffPolicy>,
    pub(super) saved: PlanSaved,
    /// The DONE that is consented to, and since when: whoever works is let finish first.
    pub(super) accepted: Option<(String, Mono)>,
    /// What the DONE that stands there lacks.
    pub(super) missing: Vec<String>,
    /// What the builder says of what blocks it.
    pub(super) blocked: Option<String>,
    /// When something last moved.
    pub(super) moved: Mono,
    /// That nothing does was told.
    pub(super) stalled: bool,
    /// Why something cannot be looked at, by what it is.
    pub(super) blind: BTreeMap<String, String>,
    /// How often each hand-off woke its session, and the last time.
    pub(super) pings: BTreeMap<String, (u64, String)>,
}

impl Course {
    pub(super) fn new(
        policy: PlanPolicy,
        handoffs: Vec<HandoffPolicy>,
        saved: &PlanSaved,
        now: Now,
    ) -> Self {
        let mut saved = saved.clone();
        if let (None, Some(first)) = (&saved.phase, policy.phases.first()) {
            saved.phase = Some(first.name.clone());
            saved.since = Some(now.wall);
        }
        // What the config asks for no more is looked at anew if it is asked for again.
        saved.edges.retain(|key, _| handoffs.iter().any(|handoff| handoff.key == *key));
        Self { policy, handoffs, saved, moved: now.mono, ..Self::default() }
    }

    /// Whether sessions that sit idle have something to do.
    pub(super) fn has_work(&self) -> bool {
        self.blocked.is_none() && self.saved.done.is_none() && self.saved.waits.is_none()
    }

    /// Whether this session works on the plan.
    pub(super) fn employs(&self, name: &UnitName) -> bool {
        !self.policy.phases.is_empty() && self.policy.stops.contains(name)
    }

    /// A look could not be made: said once for each cause, however many looks it stands in the way of.
    pub(super) fn cannot_see(&mut self, what: &str, why: String, actions: &mut Vec<Action>) {
        if self.blind.values().all(|known| *known != why) {
            actions.push(noted("cannot-look", format!("{what}: {why}")));
        }
        self.blind.insert(what.to_owned(), why);
    }

    /// It could be looked at.
    pub(super) fn sees(&mut self, what: &str, actions: &mut Vec<Action>) {
        let Some(why) = self.blind.remove(what) else { return };
        if self.blind.values().all(|left| *left != why) {
            actions.push(noted("can-look-again", what));
        }
    }
}

impl Watchdog {
    /// What stands under `## Blocked`.
    pub(super) fn blocked_seen(
        &mut self,
        outcome: Result<Option<Mark>, String>,
        actions: &mut Vec<Action>,
    ) {
        const WHAT: &str = "what is blocked";
        let course = &mut self.course;
        let mark = match outcome {
            Err(why) => return course.cannot_see(WHAT, why, actions),
            Ok(mark) => mark,
        };
        course.sees(WHAT, actions);
        let text = mark.as_ref().map(|mark| cut(&mark.text));
        let id = mark.map(|mark| mark.id);
        course.blocked.clone_from(&text);
        if course.saved.blocked == id {
            return;
        }
        course.saved.blocked = id;
        // Rather told twice than never.
        actions.push(match text {
            Some(text) => noted("blocked", text),
            None => noted("unblocked", "its heading is gone"),
        });
        actions.push(Action::Save(self.saved()));
    }

    /// Something moves.
    pub(super) fn moves(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.course.moved = now.mono;
        if std::mem::take(&mut self.course.stalled) {
            actions.push(noted("moves-again", "there is a commit, or a hand-off"));
        }
    }

    /// A clone has other commits than before; `commits` changed what has an owner.
    pub(super) fn committed(
        &mut self,
        now: Now,
        place: &str,
        heads: Vec<String>,
        commits: &[Written],
        actions: &mut Vec<Action>,
    ) {
        let before = self.course.saved.heads.insert(place.to_owned(), heads.clone());
        if before.as_ref() == Some(&heads) {
            return;
        }
        self.course.sees(place, actions);
        // What was there before anybody looked is no news, and nobody's fault.
        if before.is_some() {
            self.moves(now, actions);
            for written in commits {
                self.wrote(now, written, actions);
            }
        }
        actions.push(Action::Save(self.saved()));
    }

    /// A commit that changed what has an owner: said, and never undone.
    fn wrote(&mut self, now: Now, written: &Written, actions: &mut Vec<Action>) {
        let Written { file, commit, by } = written;
        let Some(owner) = self.course.policy.owners.get(file).cloned() else { return };
        if by.as_ref() == Some(&owner) {
            return;
        }
        let by = by.as_ref().map_or("nobody of this plan", UnitName::as_str);
        let why = format!("{file} was changed by {by} in {commit}");
        if self.course.policy.owners_ping {
            let text = format!("{why}, and is yours alone to write. Look at it.");
            let id = MessageId::new(self.random.short());
            if let Some(unit) = self.units.get_mut(&owner) {
                unit.queue.push(id, text, Some(OWNER_EXPIRES), now);
            }
        }
        actions.push(journal(&owner, "foreign-commit", why));
    }

    /// Tells once that nothing moves although somebody is there who could.
    pub(super) fn mind_progress(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(after) = self.course.policy.stalled_after else { return };
        if !self.could_move() {
            // The time in which nobody could work does not count.
            self.course.moved = now.mono;
            return;
        }
        if !self.course.stalled && now.mono.since(self.course.moved) >= after {
            self.course.stalled = true;
            let why = format!("no commit and no hand-off for {}", in_words(after));
            actions.push(noted("stalled", why));
        }
    }

    /// When that is to be looked at next.
    pub(super) fn progress_wake(&self) -> Option<(Mono, &'static str)> {
        let after = self.course.policy.stalled_after?;
        let waits = !self.course.stalled && self.could_move();
        waits.then(|| (self.course.moved + after, "the plan must have moved"))
    }

    /// A session of the plan is up, and neither limited nor held.
    fn could_move(&self) -> bool {
        let course = &self.course;
        course.has_work()
            && course.policy.stops.iter().filter_map(|name| self.units.get(name)).any(|unit| {
                let waits = |doing: Doing| {
                    matches!(doing, Doing::Failed(Failure::Limited { .. } | Failure::LoggedOut))
                };
                unit.state == State::Up
                    && unit.account_hold.is_none()
                    && !unit.sightings.best().is_some_and(|it| waits(it.doing))
            })
    }
}

/// An entry that is about no unit.
pub(super) fn noted(event: &'static str, why: impl Into<String>) -> Action {
    Action::Journal(Entry { unit: None, event, why: why.into() })
}

/// A text of somebody's file, as one line that is not too long.
pub(super) fn cut(text: &str) -> String {
    let line = plain(text.trim());
    match line.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line,
    }
}

/// A time of minutes or hours.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        secs if secs >= 3600 && secs % 3600 == 0 => format!("{} h", secs / 3600),
        secs if secs >= 60 => format!("{} min", secs / 60),
        secs => format!("{secs} s"),
    }
}
