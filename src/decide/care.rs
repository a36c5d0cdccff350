//! What is being done about one session that does not go on, and the means: a line or a command that
//! is typed, within the limits of each remedy. When which is used, is in `remedy.rs`.

use std::time::Duration;

use super::event::{Action, Answer, Ticket};
use super::message::MessageId;
use super::spent::{ALL_WITHIN, Ledger, Remedy};
use super::stall::Motion;
use super::unit::{State, Unit};
use super::watchdog::{Watchdog, journal};
use super::{Mono, Now, Sighting, UnitName};

/// A command that clears a conversation has been taken, and the agent has said so, within this time.
pub(super) const CLEAR_CEILING: Duration = Duration::from_secs(45);
/// A conversation was made shorter within this time: a model writes the summary.
pub(super) const COMPACT_CEILING: Duration = Duration::from_secs(10 * 60);
/// Moving a mark and reading it back takes less than a second; beyond this the terminal hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// A line that could not be typed in this time is of no use any more.
const NUDGE_EXPIRES: Duration = Duration::from_secs(10 * 60);
/// When all sessions together have used up their share, it is asked again after this time.
const SHARE_AGAIN: Duration = Duration::from_secs(10 * 60);

/// What is being done about one session, and what is to be done next.
#[derive(Debug, Default)]
pub(super) struct Care {
    pub(super) spent: Ledger,
    pub(super) step: Option<Step>,
    /// When something is done next, and what.
    pub(super) next: Option<(Mono, &'static str)>,
    /// What is wrong and what follows, in words.
    pub(super) says: String,
    /// The failure (by its time) for which a time was set, and that time.
    pub(super) planned: Option<(Mono, Mono)>,
    /// Lines typed since the last good turn.
    pub(super) tries: u32,
    /// The line that was typed, or is to be, so that it goes on: it may be tried although the last
    /// turn failed for a reason that lasts. Messages are not risked for that.
    pub(super) line: Option<MessageId>,
    /// The dialog, by its time, whose screen was looked at.
    pub(super) looked: Option<Mono>,
    /// What the dialog says that is being answered.
    pub(super) asked: String,
    /// The dialog, by its time, that is not answered once more.
    pub(super) unanswered: Option<Mono>,
    /// That the limits are reached was journalled.
    pub(super) told: bool,
    /// The failure of which it was journalled that it is a long limit.
    pub(super) long: Option<Mono>,
    /// When the kickoff prompt was asked for.
    pub(super) kickoff: Option<Mono>,
    pub(super) motion: Motion,
}

/// What was begun and is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Clear { since: Mono },
    Compact { since: Mono },
    Answer { ticket: Ticket, since: Mono, of: Mono, answer: Answer },
}

impl Step {
    pub(super) fn deadline(self) -> Mono {
        match self {
            Self::Clear { since } => since + CLEAR_CEILING,
            Self::Compact { since } => since + COMPACT_CEILING,
            Self::Answer { since, .. } => since + ANSWER_DEADLINE,
        }
    }
}

impl Care {
    /// Says what is under way, if anything is.
    pub(super) fn shows_step(&mut self) {
        let Some(step) = self.step else { return };
        let (says, then) = match step {
            Step::Clear { .. } => (
                "its conversation is being cleared",
                "begins a fresh conversation, if that does not help",
            ),
            Step::Compact { .. } => (
                "its conversation is being compacted",
                "clears the conversation, if that does not help",
            ),
            Step::Answer { .. } => ("its dialog is being answered", "must have been answered"),
        };
        let by = step.deadline();
        self.next = Some(self.next.filter(|(at, _)| *at < by).unwrap_or((by, then)));
        says.clone_into(&mut self.says);
    }

    /// Another process: nothing is under way in it. What was used up stays.
    pub(super) fn begin_life(&mut self) {
        let spent = std::mem::take(&mut self.spent);
        *self = Self { spent, tries: self.tries, told: self.told, ..Self::default() };
    }

    /// The command of a remedy is being typed: what it is given to work begins now.
    pub(super) fn types(&mut self, id: MessageId, now: Mono) {
        match &mut self.step {
            Some(Step::Clear { since } | Step::Compact { since }) if self.line == Some(id) => {
                *since = now;
            }
            Some(Step::Clear { .. } | Step::Compact { .. } | Step::Answer { .. }) | None => {}
        }
    }

    /// A dialog is being answered: nobody else is to press a key.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.step, Some(Step::Answer { .. }))
    }

    /// A person takes over.
    pub(super) fn forgive(&mut self) {
        *self = Self::default();
    }
}

impl Unit {
    /// Queues what is to be typed before anything else, but for what is being typed.
    pub(super) fn push_first(
        &mut self,
        id: MessageId,
        text: String,
        expires: Option<Duration>,
        now: Now,
    ) {
        let at = usize::from(self.is_typing());
        self.queue.push_at(at, id, text, expires, now);
    }

    /// Whether anything may be done to it but start and stop it.
    pub(super) fn is_tended(&self) -> bool {
        let idle = self.state == State::Up && self.flight.is_none() && self.bounce.is_none();
        idle && self.process.is_some()
            && self.policy.agent.is_some()
            && self.wanted()
            && !self.retired
            && self.holds_until().is_none()
    }
}

impl Watchdog {
    /// Types a line, if that may be done now.
    pub(super) fn nudge(
        &mut self,
        now: Now,
        name: &UnitName,
        line: String,
        actions: &mut Vec<Action>,
    ) -> bool {
        let may = self.may_use(now, name, Remedy::Nudge);
        let Some(unit) = self.units.get_mut(name) else { return false };
        if let Err(at) = may {
            if let Some(best) = unit.sightings.best().cloned() {
                let why = "telling it to go on did not help";
                self.exhausted(name, at, why, &best, actions);
            }
            return false;
        }
        if unit.care.line.is_some_and(|last| unit.queue.is_begun(last)) {
            // It may have arrived: two of them would be two turns.
            return false;
        }
        unit.care.tries = unit.care.tries.saturating_add(1);
        let what = format!("nudge: {line}");
        self.type_first(now, name, line, NUDGE_EXPIRES);
        self.uses(now, name, Remedy::Nudge, what, actions);
        true
    }

    pub(super) fn type_first(
        &mut self,
        now: Now,
        name: &UnitName,
        text: String,
        expires: Duration,
    ) {
        let id = MessageId::new(self.random.short());
        let Some(unit) = self.units.get_mut(name) else { return };
        if let Some(last) = unit.care.line.replace(id) {
            unit.queue.withdraw(last);
        }
        unit.push_first(id, text, Some(expires), now);
    }

    pub(super) fn uses(
        &mut self,
        now: Now,
        name: &UnitName,
        remedy: Remedy,
        what: String,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.spent.spend(remedy, now);
        actions.push(Action::Save(self.saved()));
        actions.push(journal(name, "remedy", what));
    }

    /// Whether a remedy may be used now; if not, when.
    pub(super) fn may_use(&self, now: Now, name: &UnitName, remedy: Remedy) -> Result<(), Mono> {
        let Some(unit) = self.units.get(name) else { return Err(now.mono + SHARE_AGAIN) };
        let free_at = unit.care.spent.free_at(remedy, now.mono);
        if free_at > now.mono {
            return Err(free_at);
        }
        let (kind, most) = remedy.shared_most();
        let used = |unit: &Unit| unit.care.spent.within(kind, ALL_WITHIN, now.mono);
        let all: usize = self.units.values().map(used).sum();
        if all < most { Ok(()) } else { Err(now.mono + SHARE_AGAIN) }
    }

    /// Nothing more is done for now: what comes again and again is for a person.
    pub(super) fn exhausted(
        &mut self,
        name: &UnitName,
        at: Mono,
        why: &str,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.next = Some((at, "tries once more"));
        unit.care.says =
            format!("{}: {why}; look at it (`restart --fresh` tries at once)", best.evidence);
        if !std::mem::replace(&mut unit.care.told, true) {
            let why = format!("{}: {why}; look at it", best.evidence);
            actions.push(journal(name, "remedies-spent", why));
        }
    }
}

/// What a program has said, to be typed: one line without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
