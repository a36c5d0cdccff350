//! The one harness: a watchdog, a clock and a disk, and what is done in words.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::super::*;

/// A watchdog, the time, and what is on disk.
pub(super) struct Stage {
    pub(super) watchdog: Watchdog,
    pub(super) policy: Policy,
    pub(super) saved: Saved,
    pub(super) records: BTreeMap<UnitName, Record>,
    pub(super) tickets: BTreeMap<UnitName, Ticket>,
    /// What is done at terminals.
    pub(super) pens: BTreeMap<UnitName, Ticket>,
    /// The conversation that was last opened.
    pub(super) conversation: Option<String>,
    /// Why it was another one.
    pub(super) because: Option<String>,
    /// The journal.
    pub(super) said: Vec<Entry>,
    /// What the operator was told.
    pub(super) told: Vec<Notice>,
    time: Duration,
    pub(super) wall: SystemTime,
    pids: i32,
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

pub(super) fn plain() -> UnitPolicy {
    UnitPolicy {
        kind: UnitKind::Service,
        spec: "1".to_owned(),
        after: Vec::new(),
        ready_within: None,
        restart: RestartPolicy {
            first_delay: Duration::ZERO,
            backoff_from: SECOND,
            backoff_to: SECOND * 600,
            stable_after: SECOND * 600,
            loop_starts: 3,
            loop_within: SECOND * 900,
            loop_retry: Some(SECOND * 1800),
        },
        restart_on_change: false,
        ends_by_hand: false,
        grace: SECOND * 10,
        paced: false,
        hold: None,
        agent: None,
    }
}

pub(super) fn session() -> UnitPolicy {
    UnitPolicy { kind: UnitKind::Session, ends_by_hand: true, paced: true, ..plain() }
}

pub(super) fn agent() -> UnitPolicy {
    UnitPolicy { agent: Some(AgentPolicy::default()), ..session() }
}

pub(super) fn slow() -> UnitPolicy {
    UnitPolicy { ready_within: Some(SECOND * 60), ..plain() }
}

pub(super) fn after(dependency: Dependency) -> UnitPolicy {
    UnitPolicy { after: vec![dependency], ..plain() }
}

impl Stage {
    pub(super) fn with(units: &[(&str, UnitPolicy)]) -> Self {
        let policy = Policy {
            units: units.iter().map(|(text, policy)| (name(text), policy.clone())).collect(),
            cap: Cap { restarts: 2, within: SECOND * 60 },
            stagger: SECOND * 2,
            plan: PlanPolicy::default(),
            handoffs: Vec::new(),
            requires: false,
            boots: String::new(),
        };
        let now = Now { mono: Mono::default(), wall: SystemTime::UNIX_EPOCH };
        let (saved, records) = (Saved::default(), BTreeMap::new());
        Self {
            watchdog: Watchdog::new(policy.clone(), &saved, &records, now, 1),
            policy,
            saved,
            records,
            tickets: BTreeMap::new(),
            pens: BTreeMap::new(),
            conversation: None,
            because: None,
            said: Vec::new(),
            told: Vec::new(),
            time: Duration::ZERO,
            wall: SystemTime::UNIX_EPOCH,
            pids: 0,
        }
    }

    /// All units of it, looked at, started, and up.
    pub(super) fn up(units: &[(&str, UnitPolicy)]) -> Self {
        let mut stage = Self::with(units);
        stage.tick();
        for (text, _) in units {
            stage.absent(text);
            stage.wait(SECOND * 3);
            stage.started(text);
        }
        stage
    }

    /// The supervisor is killed, and another begins with what is on disk.
    pub(super) fn killed(&mut self) -> String {
        let now = self.now();
        let policy = self.policy.clone();
        self.watchdog = Watchdog::new(policy, &self.saved, &self.records, now, 1);
        self.tick()
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: Mono::from_boot(self.time), wall: self.wall + self.time }
    }

    /// Tells an event; what is done about it, in words.
    pub(super) fn tell(&mut self, event: Event) -> String {
        let mut words = Vec::new();
        for action in self.watchdog.handle(self.now(), event) {
            match action {
                Action::Save(saved) => {
                    self.saved = saved;
                    words.push("save".to_owned());
                }
                Action::Record { unit, record } => {
                    self.records.insert(unit, record);
                }
                Action::Forget { unit } => {
                    self.records.remove(&unit);
                    words.push(format!("forget {unit}"));
                }
                Action::Look { unit, ticket } => {
                    words.push(format!("look {unit}"));
                    self.tickets.insert(unit, ticket);
                }
                Action::Start { unit, ticket, record, conversation, because, .. } => {
                    self.because = because;
                    words.push(format!("start {unit}"));
                    self.conversation = conversation;
                    self.records.insert(unit.clone(), record);
                    self.tickets.insert(unit, ticket);
                }
                Action::Stop { unit, ticket, .. } => {
                    words.push(format!("stop {unit}"));
                    self.tickets.insert(unit, ticket);
                }
                Action::Await { dependency } => words.push(format!("await {dependency}")),
                Action::Lease { unit, conversation, .. } => {
                    words.push(format!("lease {unit}"));
                    self.conversation = Some(conversation);
                }
                Action::ReadScreen { unit, ticket } => {
                    words.push(format!("read {unit}"));
                    self.pens.insert(unit, ticket);
                }
                Action::Type { unit, ticket, message, suspected } => {
                    let how = if suspected { "look for" } else { "type" };
                    words.push(format!("{how} {}", message.text));
                    self.pens.insert(unit, ticket);
                }
                Action::Answer { unit, ticket, answer, .. } => {
                    words.push(format!("answer {unit} {answer:?}"));
                    self.pens.insert(unit, ticket);
                }
                Action::Kickoff { unit, .. } => words.push(format!("kickoff {unit}")),
                Action::Journal(entry) => self.said.push(entry),
                Action::Notify(notice) => self.told.push(notice),
            }
        }
        words.join(", ")
    }

    pub(super) fn tick(&mut self) -> String {
        self.tell(Event::Tick)
    }

    pub(super) fn wait(&mut self, time: Duration) -> String {
        self.time += time;
        self.tick()
    }

    pub(super) fn look(&mut self, text: &str, look: Look) -> String {
        let unit = name(text);
        let ticket = self.tickets[&unit];
        self.tell(Event::Looked { unit, ticket, look })
    }

    pub(super) fn absent(&mut self, text: &str) -> String {
        self.look(text, Look::Absent { exit: None })
    }

    pub(super) fn alive(&mut self, text: &str, ready: bool) -> String {
        let recorded = self.records.get(&name(text)).and_then(|record| record.process);
        let process = recorded.unwrap_or(Process { pid: 7, start: 7 });
        self.look(text, Look::Alive { process, ready })
    }

    pub(super) fn started(&mut self, text: &str) -> String {
        self.pids += 1;
        let process = Process { pid: 100 + self.pids, start: self.time.as_secs() };
        let unit = name(text);
        if let Some(record) = self.records.get_mut(&unit) {
            record.process = Some(process);
        }
        let ticket = self.tickets[&unit];
        self.tell(Event::Started { unit, ticket, outcome: Ok(process) })
    }

    pub(super) fn fails_to_start(&mut self, text: &str) -> String {
        let unit = name(text);
        let ticket = self.tickets[&unit];
        self.tell(Event::Started {
            unit,
            ticket,
            outcome: Err("no such program".to_owned().into()),
        })
    }

    pub(super) fn stopped(&mut self, text: &str) -> String {
        let unit = name(text);
        let ticket = self.tickets[&unit];
        self.tell(Event::Stopped { unit, ticket, outcome: Ok(Some(Exit::Signal(15))) })
    }

    pub(super) fn exits(&mut self, text: &str, exit: Exit) -> String {
        let process = self.view(text).process.expect("it has a process");
        self.tell(Event::Exited { unit: name(text), process, exit })
    }

    pub(super) fn ready(&mut self, text: &str) -> String {
        let process = self.view(text).process.expect("it has a process");
        self.tell(Event::Ready { unit: name(text), process })
    }

    pub(super) fn found(&mut self, outcome: Result<(), &str>) -> String {
        let outcome = outcome.map_err(str::to_owned);
        self.tell(Event::Found { dependency: Dependency::Docker, outcome })
    }

    pub(super) fn start(&mut self, text: &str) -> String {
        self.tell(Event::Asked(Request::Start(vec![name(text)])))
    }

    pub(super) fn stop(&mut self, text: &str) -> String {
        self.tell(Event::Asked(Request::Stop(vec![name(text)])))
    }

    pub(super) fn restart(&mut self, text: &str, fresh: bool) -> String {
        self.tell(Event::Asked(Request::Restart { units: vec![name(text)], fresh }))
    }

    pub(super) fn view(&self, text: &str) -> UnitView {
        let views = self.watchdog.view(self.now());
        views.into_iter().find(|view| view.name == name(text)).expect("there is such a unit")
    }

    pub(super) fn state(&self, text: &str) -> StateView {
        self.view(text).state
    }

    /// Whether it is seen that the watchdog waits for nothing.
    pub(super) fn sleeps(&self) -> bool {
        self.watchdog.next_wake().is_none()
    }
}
