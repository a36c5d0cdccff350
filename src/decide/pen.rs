//! What is typed into a session, and when its screen is looked at: the two things that are done to
//! a session that is up and stays up. A start or a stop comes first.

use std::time::Duration;

use super::event::{Action, Ticket};
use super::message::{Delivery, MessageId, Typed};
use super::unit::{State, Unit};
use super::watchdog::{Watchdog, journal};
use super::{Channel, Doing, Failure, Mono, Now, Process, Sighting, UnitName};

/// The pauses of typing and the client's own time to answer; beyond it something hangs.
const TYPE_DEADLINE: Duration = Duration::from_secs(40);
/// A capture takes less than a millisecond; beyond this the terminal hangs.
const SCREEN_DEADLINE: Duration = Duration::from_secs(10);
/// An agent that has not said a word by then may stand at a start dialog, which no channel but the
/// screen shows.
const SILENCE: Duration = Duration::from_secs(8);
/// The longest wait between two looks at a screen that nobody else speaks for.
const SILENCE_TO: Duration = Duration::from_secs(60);

/// A turn that has gone on for so long may be one that waits: for a limit, for a server.
const STILL: Duration = Duration::from_secs(90);
/// The longest wait between two looks at such a turn.
const STILL_TO: Duration = Duration::from_secs(10 * 60);

/// Something that is being done at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pen {
    ticket: Ticket,
    deadline: Mono,
    /// The message that is being typed; none = the screen is being looked at.
    message: Option<MessageId>,
}

/// When a silent screen is looked at next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Glances {
    next: Option<Mono>,
    made: u32,
}

impl Unit {
    /// Its screen is to be looked at then.
    pub(super) fn glance_at(&mut self, at: Mono) {
        self.glances.next = Some(self.glances.next.map_or(at, |next| next.min(at)));
    }

    /// A message is being typed into it.
    pub(super) fn is_typing(&self) -> bool {
        self.pen.is_some_and(|pen| pen.message.is_some())
    }

    /// A new life begins, or one is found: its agent is to speak for itself soon.
    pub(super) fn listen(&mut self, now: Now) {
        let silent = self.policy.agent.is_some() && !self.sightings.spoken();
        self.glances = Glances { next: silent.then(|| now.mono + SILENCE), made: 0 };
    }

    /// Nothing that was said of the last life is true of the next one.
    pub(super) fn unlisten(&mut self, now: Now) {
        self.sightings.clear();
        self.glances = Glances::default();
        self.lay_down_pen("its program ended", now);
    }

    /// What was under way at the terminal is given up. A message may have arrived.
    fn lay_down_pen(&mut self, why: &str, now: Now) {
        let message = self.pen.take().and_then(|pen| pen.message);
        if message.is_some() && self.queue.front() == message {
            self.queue.wait(true, why.to_owned(), now.mono);
        }
    }

    /// Whether the next message may be typed now; if not, why not.
    fn may_type(&self) -> Result<(), String> {
        if self.state != State::Up || self.process.is_none() {
            return Err("it is not up".to_owned());
        }
        if !self.wanted() || self.bounce.is_some() || self.flight.is_some() {
            return Err("it is about to be stopped or started".to_owned());
        }
        if self.policy.agent.is_none() {
            return Ok(());
        }
        if self.care.is_answering() {
            return Err("its dialog is being answered".to_owned());
        }
        let line = self.care.line.is_some() && self.care.line == self.queue.front();
        if let Some(why) = self.account_hold.clone().filter(|_| !line) {
            return Err(why);
        }
        if let Some(why) = self.overspent().filter(|_| self.holds_until().is_some()) {
            return Err(why);
        }
        match self.sightings.best().map(|it| (it.doing, it)) {
            // Queued behind a turn, it comes back into the input line when the turn is broken off.
            Some((Doing::Working, _)) if self.queue.is_command() => {
                Err("a command waits for the end of the turn".to_owned())
            }
            Some((Doing::Idle | Doing::Working | Doing::Failed(Failure::Errored), _)) => Ok(()),
            Some((Doing::Dialog(_), it)) => Err(format!("it is at a dialog ({})", it.evidence)),
            // A command to the program is no turn, and may be what helps.
            Some((Doing::Failed(_), _)) if self.queue.is_command() => Ok(()),
            // Whether it goes on again is tried with a line that may be lost.
            Some((Doing::Failed(_), _)) if line => Ok(()),
            // A turn would fail, and take the message with it.
            Some((Doing::Failed(failure), it)) => {
                Err(format!("it {} ({})", failure.in_words(), it.evidence))
            }
            None => Err("it has not said yet that it is at its prompt".to_owned()),
        }
    }

    /// When something happens at the terminal by itself.
    pub(super) fn pen_wake(&self) -> Option<(Mono, &'static str)> {
        if let Some(pen) = self.pen {
            return Some((pen.deadline, "typing must have been answered"));
        }
        let up = self.state == State::Up && self.process.is_some() && self.flight.is_none();
        let up = up && !self.care.is_answering();
        let glance = self.glances.next.filter(|_| up).map(|at| (at, "look at a silent screen"));
        let type_at = self.queue.again().filter(|_| self.may_type().is_ok());
        let again = type_at.map(|at| (at, "type a message"));
        let over = self.queue.expires().map(|at| (at, "a message expires"));
        glance.into_iter().chain(again).chain(over).min_by_key(|(at, _)| *at)
    }
}

impl Watchdog {
    /// A channel said something of a living process.
    pub(super) fn sighted(
        &mut self,
        now: Now,
        name: &UnitName,
        process: Process,
        sighting: Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.policy.agent.is_none() {
            return;
        }
        match unit.process {
            Some(known) if known == process => {}
            Some(_) => return,
            None => return unit.hearsay.keep(process, sighting),
        }
        let before = unit.sightings.best().map(|it| (it.doing, it.evidence.clone()));
        let by_screen = sighting.channel == Channel::Screen;
        if !by_screen {
            unit.care.motion.moves(sighting.at);
            unit.is_connected();
        }
        let news = unit.sightings.note(sighting);
        if by_screen || !news {
            // It is looked at again as it was to be.
        } else if let Some(since) = unit.sightings.working_since() {
            // Why a long turn does not go on, no other channel says.
            unit.glances = Glances { next: Some((since + STILL).max(now.mono)), made: 0 };
        } else {
            unit.glances = Glances::default();
        }
        let Some(after) = unit.sightings.best() else { return };
        let (doing, evidence) = (after.doing, after.evidence.clone());
        if before.as_ref().map(|(doing, _)| *doing) != Some(doing) {
            unit.queue.hurry();
        }
        let (word, channel) = (word(doing), after.channel);
        let (was, same) = match &before {
            Some((before, said)) => (self::word(*before), *said == evidence),
            None => (None, false),
        };
        match (was, word) {
            // Another dialog is another cause; the words of a wait count down.
            (was, Some(word)) if was != Some(word) || (word == "dialog" && !same) => {
                actions.push(journal(name, word, format!("{evidence} ({channel})")));
            }
            (Some("dialog"), None) => actions.push(journal(name, "dialog-over", evidence)),
            (Some(_), None) => actions.push(journal(name, "well-again", evidence)),
            (None | Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// The answer to a look at a screen.
    pub(super) fn screened(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        (sighting, picture): (Option<Sighting>, Option<u64>),
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.pen.is_none_or(|pen| pen.ticket != ticket || pen.message.is_some()) {
            return;
        }
        unit.pen = None;
        if let Some(picture) = picture.filter(|_| unit.sightings.working_since().is_some()) {
            unit.care.motion.shows(picture, now.mono);
        }
        if let (Some(sighting), Some(process)) = (sighting, unit.process) {
            self.sighted(now, name, process, sighting, actions);
        }
    }

    /// A prompt was entered in a session, by us or by anybody.
    pub(super) fn prompted(
        &mut self,
        name: &UnitName,
        process: Process,
        prompt: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get(name) else { return };
        // What a process had not written down when it ended is lost with it.
        let Some(id) = unit.queue.entered(prompt).filter(|_| unit.process == Some(process)) else {
            return;
        };
        // Whoever is typing it sees to it that it is written down.
        if unit.pen.is_none_or(|pen| pen.message != Some(id)) {
            self.end_message(name, id, &Delivery::Arrived, actions);
        }
    }

    /// The answer to typing.
    pub(super) fn typed(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        typed: Typed,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let ours = |pen: &mut Pen| pen.ticket == ticket;
        let Some(id) = unit.pen.take_if(ours).and_then(|pen| pen.message) else { return };
        if unit.queue.front() != Some(id) {
            // A hook has told of its arrival meanwhile.
            return;
        }
        match typed {
            Typed::Arrived => self.end_message(name, id, &Delivery::Arrived, actions),
            Typed::Never(why) => {
                if let Some(text) = unit.queue.says_about() {
                    // It may stand there all the same: a person sees whether.
                    actions.push(journal(name, "handoff-lost", format!("{text}: {why}")));
                }
                self.end_message(name, id, &Delivery::Dropped(why), actions);
            }
            Typed::NotNow(why) => self.not_typed(name, false, why, now.mono, actions),
            Typed::Unsure(why) => self.not_typed(name, true, why, now.mono, actions),
        }
    }

    fn not_typed(
        &mut self,
        name: &UnitName,
        begun: bool,
        why: String,
        now: Mono,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.queue.why() != why {
            actions.push(journal(name, "message-waits", why.clone()));
        }
        unit.queue.wait(begun, why, now);
        // That it was begun is saved already.
        if !begun {
            actions.push(Action::Save(self.saved()));
        }
    }

    pub(super) fn end_message(
        &mut self,
        name: &UnitName,
        id: MessageId,
        delivery: &Delivery,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(message) = unit.queue.end(id, delivery) else { return };
        // Whoever sent one that was folded looks for its own name.
        let ids: Vec<String> = message.ids.iter().map(ToString::to_string).collect();
        let ids = ids.join(" ");
        let saved = self.saved();
        actions.push(Action::Save(saved));
        actions.push(match delivery {
            Delivery::Dropped(why) => journal(name, "message-dropped", format!("{ids}: {why}")),
            Delivery::Arrived | Delivery::Waiting(_) => journal(name, "message-arrived", ids),
        });
    }

    /// Begins what can be begun at the terminal of a unit that is left as it is.
    pub(super) fn take_pen(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        self.expire_messages(now, name, actions);
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.pen.is_some_and(|pen| now.mono >= pen.deadline) {
            unit.lay_down_pen("typing did not answer in time", now);
            actions.push(journal(name, "no-answer", "the terminal did not answer in time"));
        }
        if unit.flight.is_some() {
            unit.lay_down_pen("it is being stopped or started", now);
            return;
        }
        if unit.pen.is_some() || unit.care.is_answering() {
            return;
        }
        if unit.may_type().is_err()
            && let Some(line) = unit.care.line
            // What may have been typed before is not to stand in the way of what helps.
            && unit.queue.bring_forward(line)
        {
            actions.push(Action::Save(self.saved()));
        }
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.queue.due(now.mono).is_some() {
            match unit.may_type() {
                Ok(()) => return self.type_next(now, name, actions),
                Err(why) => unit.queue.wait_for(why),
            }
        }
        let up = unit.state == State::Up && unit.process.is_some();
        if up && unit.glances.next.is_some_and(|at| now.mono >= at) {
            self.glance(now, name, actions);
        }
    }

    fn type_next(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let ticket = self.ticket();
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some((message, suspected)) = unit.queue.begin() else { return };
        unit.care.types(message.id(), now.mono);
        let deadline = now.mono + TYPE_DEADLINE;
        unit.pen = Some(Pen { ticket, deadline, message: Some(message.id()) });
        if !suspected {
            actions.push(Action::Save(self.saved()));
        }
        actions.push(Action::Type { unit: name.clone(), ticket, message, suspected });
    }

    fn glance(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let ticket = self.ticket();
        let Some(unit) = self.units.get_mut(name) else { return };
        let (first, most) = match unit.sightings.spoken() {
            true => (STILL, STILL_TO),
            false => (SILENCE, SILENCE_TO),
        };
        let wait = first.saturating_mul(1 << unit.glances.made.min(4)).min(most);
        unit.glances =
            Glances { next: Some(now.mono + wait), made: unit.glances.made.saturating_add(1) };
        unit.pen = Some(Pen { ticket, deadline: now.mono + SCREEN_DEADLINE, message: None });
        actions.push(Action::ReadScreen { unit: name.clone(), ticket });
    }

    pub(super) fn expire_messages(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get(name) else { return };
        for id in unit.queue.expired(now.mono) {
            let why = "it was not delivered in its time".to_owned();
            self.end_message(name, id, &Delivery::Dropped(why), actions);
        }
    }
}

/// What a session does that an operator wants to read of, as a word of the journal.
fn word(doing: Doing) -> Option<&'static str> {
    Some(match doing {
        Doing::Working | Doing::Idle => return None,
        Doing::Dialog(_) => "dialog",
        Doing::Failed(Failure::Limited { .. }) => "limited",
        Doing::Failed(Failure::LoggedOut) => "logged-out",
        Doing::Failed(Failure::Unpaid) => "unpaid",
        Doing::Failed(Failure::Misconfigured) => "misconfigured",
        Doing::Failed(Failure::Errored) => "errored",
        Doing::Failed(Failure::Wedged(_)) => "wedged",
    })
}
