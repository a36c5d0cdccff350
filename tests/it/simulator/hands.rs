//! What the simulated machine does about an action, step by step, and how it goes wrong.

use std::time::Duration;

use agent_supervisor::decide::{
    Action, Event, Exit, Look, NoStart, Process, Ticket, UnitKind, UnitName,
};

use super::client::ACCOUNT;
use super::house::{House, secs};
use super::story::{Hitch, Kind};
use super::typing::Task;
use super::world::{Op, Step, World};

impl World {
    /// Begins an action. The one before it of the same unit is abandoned.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Save(saved) => self.disk.saved = saved,
            Action::Record { unit, record } => {
                self.disk.records.insert(unit, record);
            }
            Action::Forget { unit } => {
                self.disk.records.remove(&unit);
            }
            Action::Look { unit, ticket } => self.begin(unit, op(ticket, Kind::Look)),
            Action::Start { unit, ticket, record, conversation, because, .. } => {
                let because = because.is_some();
                let record = Some(record);
                let op = Op { record, conversation, because, ..op(ticket, Kind::Start) };
                self.begin(unit, op);
            }
            Action::Stop { unit, ticket, grace } => {
                self.begin(unit, Op { grace, ..op(ticket, Kind::Stop) });
            }
            Action::Await { dependency } => {
                self.awaited.insert(dependency.clone());
                let wait = self.dice.time(Duration::from_millis(1), secs(2));
                self.after(wait, Step::Says(dependency));
            }
            Action::ReadScreen { unit, ticket } => self.takes_pen(unit, ticket, Task::Look),
            Action::Type { unit, ticket, message, suspected } => {
                self.takes_pen(unit, ticket, Task::Type(message, suspected));
            }
            Action::Answer { unit, ticket, dialog, answer } => {
                self.takes_pen(unit, ticket, Task::Answer(dialog, answer));
            }
            Action::Kickoff { unit, because } => self.kickoff(unit, &because),
            Action::Lease { .. } | Action::Journal(_) | Action::Notify(_) => {}
        }
    }

    fn begin(&mut self, unit: UnitName, mut op: Op) {
        self.pens.remove(&unit);
        op.hitch = self.hitch(&unit, op.kind);
        let (ticket, hitch) = (op.ticket, op.hitch);
        self.ops.insert(unit.clone(), op);
        self.then(unit, ticket, 0, hitch);
    }

    /// The step after this one comes soon, or late, or never.
    fn then(&mut self, unit: UnitName, ticket: Ticket, step: usize, hitch: Option<Hitch>) {
        let usual = self.dice.time(Duration::from_micros(20), Duration::from_millis(30));
        let wait = match hitch {
            Some(Hitch::Hangs(at)) if at == step => return,
            Some(Hitch::Slow(at, by)) if at == step => by,
            Some(Hitch::Hangs(_) | Hitch::Slow(..) | Hitch::Fails) | None => usual,
        };
        let pause = self.ops.get_mut(&unit).map(|op| std::mem::take(&mut op.pause));
        self.after(wait + pause.unwrap_or_default(), Step::Op(unit, ticket, step));
    }

    pub(super) fn go_on(&mut self, unit: UnitName, ticket: Ticket, step: usize, house: &House) {
        let Some(op) = self.ops.get(&unit).filter(|op| op.ticket == ticket) else { return };
        let (hitch, fails) = (op.hitch, matches!(op.hitch, Some(Hitch::Fails)));
        let answer = match op.kind {
            Kind::Look => self.look(&unit, ticket, step, fails),
            Kind::Start => self.start(&unit, ticket, step, fails, house),
            Kind::Stop => self.stop(&unit, ticket, step, fails),
            Kind::Type | Kind::Screen | Kind::Answer => None,
        };
        match answer {
            Some(event) => self.answer(unit, event),
            None => self.then(unit, ticket, step + 1, hitch),
        }
    }

    fn answer(&mut self, unit: UnitName, event: Event) {
        self.ops.remove(&unit);
        if let Some(wait) = self.trouble.echoes.remove(&unit) {
            self.after(wait, Step::Deliver(event.clone()));
        }
        self.after(Duration::ZERO, Step::Deliver(event));
    }

    fn look(&mut self, unit: &UnitName, ticket: Ticket, step: usize, fails: bool) -> Option<Event> {
        if step == 0 {
            return None;
        }
        if step == 1 {
            let seen = self.seen(unit);
            if let Some(process) = seen {
                self.attends(unit, process);
            }
            let op = self.ops.get_mut(unit)?;
            op.process = seen;
            return None;
        }
        let look = match self.ops.get(unit)?.process {
            _ if fails => Look::Failed("no such file".to_owned()),
            // As it was a step ago, whatever has become of it meanwhile.
            Some(process) => {
                let ready = self.procs.get(&process).is_some_and(|it| it.ready.is_some());
                Look::Alive { process, ready }
            }
            None => Look::Absent { exit: self.learnt(unit) },
        };
        Some(Event::Looked { unit: unit.clone(), ticket, look })
    }

    /// A service is found by its record; a session by its tmux.
    fn seen(&self, unit: &UnitName) -> Option<Process> {
        let recorded = self.disk.records.get(unit);
        match recorded {
            Some(record) if record.kind == UnitKind::Service => {
                record.process.filter(|it| self.procs.get(it).is_some_and(|it| it.ended.is_none()))
            }
            _ => self.living(unit),
        }
    }

    fn learnt(&self, unit: &UnitName) -> Option<Exit> {
        let process = self.disk.records.get(unit)?.process?;
        let it = self.procs.get(&process)?;
        it.ended.filter(|_| it.learnable)
    }

    fn start(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        step: usize,
        fails: bool,
        house: &House,
    ) -> Option<Event> {
        let service = house.of(unit).kind == UnitKind::Service;
        match step {
            0 => {
                if let Some(why) = self.no_start(unit) {
                    return Some(Event::Started { unit: unit.clone(), ticket, outcome: Err(why) });
                }
                let process = self.fork();
                self.ops.get_mut(unit)?.process = Some(process);
                if service {
                    self.write_process(unit, process);
                } else if !fails {
                    self.birth(unit, process, house);
                }
                None
            }
            1 => {
                let process = self.ops.get(unit)?.process?;
                if !service {
                    self.write_process(unit, process);
                } else if !fails {
                    self.birth(unit, process, house);
                }
                self.watch(process);
                None
            }
            _ => {
                let process = self.ops.get(unit)?.process?;
                let outcome =
                    if fails { Err("no such program".to_owned().into()) } else { Ok(process) };
                Some(Event::Started { unit: unit.clone(), ticket, outcome })
            }
        }
    }

    /// Why an agent cannot be started.
    fn no_start(&mut self, unit: &UnitName) -> Option<NoStart> {
        let talk = self.ops.get(unit)?.conversation.clone()?;
        if self.trouble.refused.remove(unit) {
            return Some(NoStart::Refused("not as root".to_owned()));
        }
        let held = self.held_until(&talk).is_some();
        held.then(|| NoStart::Taken("it is open in a process of a person".to_owned()))
    }

    fn write_process(&mut self, unit: &UnitName, process: Process) {
        let Some(mut record) = self.ops.get(unit).and_then(|op| op.record.clone()) else { return };
        record.process = Some(process);
        self.disk.records.insert(unit.clone(), record);
    }

    /// From here on the end and the readiness of a process are told, also what was before.
    fn watch(&mut self, process: Process) {
        let Some(it) = self.procs.get(&process) else { return };
        let unit = it.unit.clone();
        match it.ended {
            Some(exit) => self.after(
                Duration::from_micros(30),
                Step::Deliver(Event::Exited { unit, process, exit }),
            ),
            None => {
                self.attends(&unit, process);
            }
        }
    }

    /// From here on its channels are read.
    fn attends(&mut self, unit: &UnitName, process: Process) {
        self.watched.insert(process);
        if self.agents.clients.contains_key(&process) {
            self.after(Duration::from_millis(1), Step::Registry(process));
            self.after(Duration::from_millis(1), Step::Moves(process));
            let (unit, account) = (unit.clone(), ACCOUNT.to_owned());
            let wait = self.dice.time(Duration::from_millis(1), secs(1));
            self.after(wait, Step::Deliver(Event::Account { unit, account }));
        }
    }

    /// Says what a kickoff prompt is: soon, late, or never; and some sessions have none.
    fn kickoff(&mut self, unit: UnitName, because: &str) {
        let text = self.dice.percent(80).then(|| format!("Build it. ({because})"));
        let wait = match self.dice.below(10) {
            0 => return,
            1 => self.dice.time(secs(1), secs(90)),
            _ => Duration::from_millis(20),
        };
        self.after(wait, Step::Deliver(Event::Kickoff { unit, text }));
    }

    fn stop(&mut self, unit: &UnitName, ticket: Ticket, step: usize, fails: bool) -> Option<Event> {
        let grace = self.ops.get(unit)?.grace;
        match step {
            0 => {
                let process = self.living(unit);
                self.ops.get_mut(unit)?.process = process;
                if let Some(process) = process {
                    self.procs.get_mut(&process)?.signalled = true;
                    if !fails {
                        let polite = self.dice.time(Duration::from_micros(100), grace * 2);
                        let (wait, exit) = if polite < grace {
                            (polite, self.dice.pick(&[Exit::Code(0), Exit::Signal(15)]))
                        } else {
                            (grace, Exit::Signal(9))
                        };
                        self.after(wait, Step::Dies(process, exit));
                        self.ops.get_mut(unit)?.pause = wait;
                    }
                }
                None
            }
            _ => {
                let process = self.ops.get(unit)?.process;
                let it = process.and_then(|process| self.procs.get(&process));
                let outcome = match it.map(|it| it.ended) {
                    Some(None) if fails => Err("it does not die".to_owned()),
                    Some(exit) => Ok(exit),
                    None => Ok(None),
                };
                Some(Event::Stopped { unit: unit.clone(), ticket, outcome })
            }
        }
    }
}

fn op(ticket: Ticket, kind: Kind) -> Op {
    Op {
        ticket,
        kind,
        hitch: None,
        process: None,
        record: None,
        conversation: None,
        because: false,
        grace: Duration::ZERO,
        pause: Duration::ZERO,
    }
}
