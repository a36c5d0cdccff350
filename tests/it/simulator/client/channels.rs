//! What is said of a client: by its hooks, by its file in the registry, and by its transcript.

use std::time::Duration;

use agent_supervisor::decide::{Channel, Dialog, Doing, Event, Process, Sighting, UnitName};

use super::super::world::{Step, World};

impl World {
    pub(super) fn says_by_hook(&mut self, process: Process, doing: Doing) {
        let Some(client) = self.agents.clients.get(&process) else { return };
        let unit = client.unit.clone();
        let at = self.now().mono;
        let evidence = format!("a hook: {doing:?}");
        let sighting = Sighting { channel: Channel::Hook, at, doing, evidence };
        self.hook(&unit, Event::Sighted { unit: unit.clone(), process, sighting });
    }

    /// What a channel that is watched says, to a supervisor that watches it.
    pub(in super::super) fn sighted(&self, process: Process, sighting: Sighting) -> Option<Event> {
        let client = self.agents.clients.get(&process).filter(|_| self.watched.contains(&process));
        Some(Event::Sighted { unit: client?.unit.clone(), process, sighting })
    }

    /// What the file of a living session says now. It knows nothing of failures.
    pub(in super::super) fn registry(&self, process: Process) -> Option<Event> {
        let client = self.agents.clients.get(&process)?;
        let doing = match client.doing? {
            Doing::Failed(_) => Doing::Idle,
            Doing::Dialog(Dialog::Limit) => Doing::Dialog(Dialog::Other),
            doing @ (Doing::Working | Doing::Idle | Doing::Dialog(_)) => doing,
        };
        let at = self.mono_of(client.at);
        let evidence = format!("its file: {doing:?}");
        self.sighted(process, Sighting { channel: Channel::Registry, at, doing, evidence })
    }

    /// What it says when it lags behind.
    pub(in super::super) fn lagging(&self, process: Process, doing: Doing) -> Option<Event> {
        let client = self.agents.clients.get(&process)?;
        if !matches!(client.doing, Some(Doing::Failed(_))) {
            return None;
        }
        let (at, evidence) = (self.now().mono, format!("its file, late: {doing:?}"));
        self.sighted(process, Sighting { channel: Channel::Registry, at, doing, evidence })
    }

    /// That its transcript has grown.
    pub(in super::super) fn moves(&self, process: Process) -> Option<Event> {
        let client = self.agents.clients.get(&process).filter(|_| self.watched.contains(&process));
        let client = client?;
        let at = self.mono_of(client.moved);
        Some(Event::Progress { unit: client.unit.clone(), process, at })
    }

    pub(super) fn tells_conversation(&mut self, process: Process, how: &str) {
        let Some(client) = self.agents.clients.get(&process) else { return };
        let (unit, conversation) = (client.unit.clone(), client.conversation.clone());
        let how = how.to_owned();
        self.hook(&unit, Event::Opened { unit: unit.clone(), process, conversation, how });
    }

    /// A hook speaks: soon, or late, or twice. Those that tell of conversations keep their order.
    pub(super) fn hook(&mut self, unit: &UnitName, event: Event) {
        let usual = self.dice.time(Duration::from_millis(1), Duration::from_millis(20));
        let lateness = self.trouble.late_hooks.get(unit).copied();
        let mut wait = usual;
        if let Some(lateness) = lateness.filter(|it| self.time < it.until) {
            wait = self.dice.time(usual, lateness.by);
        }
        if matches!(event, Event::Opened { .. }) {
            self.agents.opened = self.opened_after(wait);
            wait = self.agents.opened - self.time;
        } else if let Some(lateness) = lateness.filter(|it| it.twice && self.time < it.until) {
            let again = self.dice.time(wait, lateness.by * 2);
            self.after(again, Step::Hook(event.clone()));
        }
        self.after(wait, Step::Hook(event));
    }

    fn opened_after(&self, wait: Duration) -> Duration {
        (self.time + wait).max(self.agents.opened + Duration::from_micros(1))
    }
}
