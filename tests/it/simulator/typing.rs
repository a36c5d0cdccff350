//! What the simulated hands do at a terminal: they type a message, answer a
//! dialog, or look at the screen.

use std::time::Duration;

use agent_supervisor::decide::{
    Answer, Channel, Dialog, Doing, Event, Message, Process, Sighting, Ticket, Typed, UnitName,
};

use super::client::entered;
use super::house::secs;
use super::story::{Hitch, Kind};
use super::world::{Step, World};

/// Something that is being done at a terminal.
pub(super) struct Pen {
    ticket: Ticket,
    hitch: Option<Hitch>,
    task: Task,
    /// What was seen of the screen.
    seen: Option<Sighting>,
}

/// What is done there.
pub(super) enum Task {
    Look,
    /// Whether it is to be looked for first.
    Type(Message, bool),
    Answer(Dialog, Answer),
}

impl World {
    /// Begins at the terminal. What was under way there is abandoned.
    pub(super) fn takes_pen(&mut self, unit: UnitName, ticket: Ticket, task: Task) {
        let kind = match task {
            Task::Look => Kind::Screen,
            Task::Type(..) => Kind::Type,
            Task::Answer(..) => Kind::Answer,
        };
        let hitch = self.hitch(&unit, kind);
        self.pens.insert(unit.clone(), Pen { ticket, hitch, task, seen: None });
        self.pen_then(unit, ticket, 0);
    }

    fn pen_then(&mut self, unit: UnitName, ticket: Ticket, step: usize) {
        let usual = self.dice.time(Duration::from_micros(20), Duration::from_millis(30));
        let wait = match self.pens.get(&unit).and_then(|pen| pen.hitch) {
            Some(Hitch::Hangs(at)) if at == step => return,
            Some(Hitch::Slow(at, by)) if at == step => by,
            Some(Hitch::Hangs(_) | Hitch::Slow(..) | Hitch::Fails) | None => usual,
        };
        self.after(wait, Step::Pen(unit, ticket, step));
    }

    pub(super) fn pen_goes_on(&mut self, unit: UnitName, ticket: Ticket, step: usize) {
        let Some(pen) = self.pens.get(&unit).filter(|pen| pen.ticket == ticket) else { return };
        let fails = matches!(pen.hitch, Some(Hitch::Fails));
        let event = match &pen.task {
            Task::Look => self.glances(&unit, ticket, step, fails),
            Task::Answer(dialog, answer) => {
                let (dialog, answer) = (*dialog, *answer);
                let outcome = self.presses(&unit, dialog, answer, step, fails);
                outcome.map(|outcome| Event::Answered { unit: unit.clone(), ticket, outcome })
            }
            Task::Type(message, suspected) => {
                let (message, suspected) = (message.clone(), *suspected);
                let outcome = self.types(&unit, &message, suspected, step, fails);
                outcome.map(|outcome| Event::Typed { unit: unit.clone(), ticket, outcome })
            }
        };
        match event {
            Some(event) => {
                self.pens.remove(&unit);
                if let Some(wait) = self.trouble.echoes.remove(&unit) {
                    self.after(wait, Step::Deliver(event.clone()));
                }
                self.after(Duration::ZERO, Step::Deliver(event));
            }
            None => self.pen_then(unit, ticket, step + 1),
        }
    }

    fn glances(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        step: usize,
        fails: bool,
    ) -> Option<Event> {
        if step == 0 {
            let seen = self.living(unit).and_then(|process| self.screen(process));
            self.pens.get_mut(unit)?.seen = seen.filter(|_| !fails);
            return None;
        }
        let sighting = self.pens.get(unit)?.seen.clone();
        Some(Event::Screened { unit: unit.clone(), ticket, sighting, picture: None })
    }

    /// Looks for the dialog, presses the key, and sees that it is gone.
    fn presses(
        &mut self,
        unit: &UnitName,
        dialog: Dialog,
        answer: Answer,
        step: usize,
        fails: bool,
    ) -> Option<Result<(), String>> {
        let Some(process) = self.living(unit) else {
            return Some(Err("its program is gone".into()));
        };
        match step {
            0 if fails => Some(Err("no such option".into())),
            0 => None,
            1 => self.answers(process, dialog, answer).err().map(Err),
            _ => Some(Ok(())),
        }
    }

    fn screen(&self, process: Process) -> Option<Sighting> {
        let client = self.agents.clients.get(&process)?;
        let doing = if client.start_dialog { Doing::Dialog(Dialog::Start) } else { client.doing? };
        let evidence = format!("the screen: {doing:?}");
        Some(Sighting { channel: Channel::Screen, at: self.now().mono, doing, evidence })
    }

    fn types(
        &mut self,
        unit: &UnitName,
        message: &Message,
        suspected: bool,
        step: usize,
        fails: bool,
    ) -> Option<Typed> {
        let id = message.id();
        let command = message.is_command();
        let text = if command { message.text.clone() } else { entered(&message.text, id) };
        let arrived = |it: &(UnitName, _)| it.1 == id;
        if (suspected || step == 3) && self.agents.arrived.iter().any(arrived) {
            let unsure = step == 3 && fails && self.dice.percent(50);
            let proof = if unsure { Typed::Unsure("no hook yet".into()) } else { Typed::Arrived };
            return Some(proof);
        }
        let Some(process) = self.living(unit) else {
            return Some(Typed::Unsure("its program is gone".into()));
        };
        if !self.agents.clients.contains_key(&process) {
            // What is no agent takes any text at once.
            if step == 2 {
                self.has_arrived(unit, &text);
            }
            return None;
        }
        let time = self.time;
        if command && suspected {
            return Some(Typed::Never("a command is not entered twice".into()));
        }
        let never = step == 0 && fails && self.dice.percent(20);
        let client = self.agents.clients.get_mut(&process)?;
        if client.queued.contains(&text) {
            return Some(Typed::Unsure("the agent has it, and works".into()));
        }
        if never {
            self.agents.never.insert(id);
            client.composer = None;
            return Some(Typed::Never("too long".into()));
        }
        let ours = client.composer.as_ref() == Some(&text);
        if !ours && client.composer.take_if(|left| left.starts_with('/')).is_some() {
            // What was not entered, nobody but a person takes away.
            client.half_typed = time + secs(600);
        }
        let working = client.doing == Some(Doing::Working);
        let asks = client.start_dialog || matches!(client.doing, None | Some(Doing::Dialog(_)));
        match step {
            0 | 1 if ours => None,
            0 | 1 if asks => {
                if let Some(seen) = self.screen(process) {
                    let unit = unit.clone();
                    let event = Event::Sighted { unit, process, sighting: seen };
                    self.after(Duration::ZERO, Step::Deliver(event));
                }
                Some(Typed::NotNow("a dialog".into()))
            }
            0 | 1 if command && working => Some(Typed::NotNow("a turn".into())),
            0 | 1 if client.composer.is_some() || time < client.half_typed => {
                Some(Typed::NotNow("half-typed text".into()))
            }
            0 if fails && self.dice.percent(40) => Some(Typed::NotNow("no control client".into())),
            0 => None,
            1 => {
                client.composer = Some(text);
                None
            }
            2 if asks => Some(Typed::Unsure("a dialog came".into())),
            2 if ours => {
                client.composer = None;
                self.enters(process, &text);
                None
            }
            3 if command && client.composer.is_none() => Some(Typed::Arrived),
            _ => Some(Typed::Unsure("it has not been seen to arrive".into())),
        }
    }

    /// The trouble that the story has for the next action of this kind.
    pub(super) fn hitch(&mut self, unit: &UnitName, kind: Kind) -> Option<Hitch> {
        let stored = self.trouble.hitches.get_mut(&(unit.clone(), kind));
        let hitch = stored.and_then(|hitches| hitches.pop_front());
        if hitch.is_some() {
            self.worry(secs(120));
        }
        hitch
    }
}
