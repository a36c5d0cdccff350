//! The simulated agent program: the conversation it is in, what it is doing, and what its hooks
//! and its registry say of that. What its hooks say while no supervisor lives is spooled.

mod channels;
mod failing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use agent_supervisor::decide::{
    Complaint, Dialog, Doing, Event, Exit, MessageId, Process, UnitName,
};

use super::house::secs;
use super::story::AgentDoes;
use super::world::{Step, World};
pub(super) use failing::{ACCOUNT, Ailments};

/// All agents, what they have been told, and what is done at their terminals.
#[derive(Default)]
pub(super) struct Agents {
    pub(super) clients: BTreeMap<Process, Client>,
    /// What the hooks said that no supervisor has taken in, in order.
    pub(super) spool: VecDeque<Event>,
    /// The messages that were entered, in the order of their arrival.
    pub(super) arrived: Vec<(UnitName, MessageId)>,
    /// The messages of which the hands said that they can never be typed.
    pub(super) never: BTreeSet<MessageId>,
    /// Conversations that cannot be opened any more.
    pub(super) broken: BTreeSet<String>,
    /// Conversations that a process launched by hand holds.
    pub(super) held: BTreeMap<String, Duration>,
    /// Every conversation that there ever was.
    pub(super) used: BTreeSet<String>,
    /// When the hooks that tell of conversations have all spoken: they come in their order.
    opened: Duration,
    cleared: u32,
}

/// One process of an agent program.
pub(super) struct Client {
    unit: UnitName,
    pub(super) conversation: String,
    /// None until its first prompt.
    pub(super) doing: Option<Doing>,
    /// Since when.
    at: Duration,
    changes: u64,
    pub(super) start_dialog: bool,
    /// A person has left half-typed text until then.
    pub(super) half_typed: Duration,
    /// Our text, typed and not entered.
    pub(super) composer: Option<String>,
    /// Entered in the middle of a turn, and taken up after it.
    pub(super) queued: VecDeque<String>,
    /// When its transcript has grown last.
    moved: Duration,
    /// It has read a login that is not accepted any more.
    old_login: bool,
    /// It is in another conversation than the last, and is to be told why.
    because: bool,
    /// A supervisor died that knew of its failure: its file says that it is idle.
    pub(super) forgotten: bool,
}

impl Client {
    /// How long it has been doing what it does.
    pub(super) fn works_for(&self, now: Duration) -> Duration {
        now - self.at
    }

    fn is_at_its_prompt(&self) -> bool {
        matches!(self.doing, Some(Doing::Idle | Doing::Failed(_)))
    }
}

impl Agents {
    fn next_cleared(&mut self) -> String {
        self.cleared += 1;
        let cleared = format!("cleared-{}", self.cleared);
        self.used.insert(cleared.clone());
        cleared
    }
}

/// What a client does next by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Prompt,
    Complains(Complaint),
    /// The rest are of what began with this change. A turn or dialog is over.
    Ends(u64),
    /// Its conversation was to be made shorter.
    Compacted(u64),
    /// The limit that it waits for was reset.
    Resumes(u64),
}

/// How the hooks of a unit behave for a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lateness {
    pub(super) until: Duration,
    pub(super) by: Duration,
    pub(super) twice: bool,
}

/// The text that is entered for a message.
pub(super) fn entered(text: &str, id: MessageId) -> String {
    format!("{text} {}", id.mark())
}

impl World {
    /// An agent program begins, in the conversation it was started with.
    pub(super) fn client_begins(
        &mut self,
        unit: &UnitName,
        process: Process,
        talk: String,
        because: bool,
    ) {
        let start_dialog = self.trouble.start_dialogs.remove(unit);
        let broken = self.agents.broken.contains(&talk);
        let cut_off = self.time < self.ailments.cut_off;
        if self.agents.used.insert(talk.clone()) {
            self.begins_conversation(unit, &talk);
        }
        let client = Client {
            unit: unit.clone(),
            conversation: talk,
            doing: None,
            at: self.time,
            changes: 0,
            start_dialog: start_dialog.is_some() && !broken,
            half_typed: Duration::ZERO,
            composer: None,
            queued: VecDeque::new(),
            moved: self.time,
            old_login: false,
            because,
            forgotten: false,
        };
        self.agents.clients.insert(process, client);
        let quick = self.dice.time(Duration::from_millis(1), secs(3));
        if broken || cut_off {
            let about = if broken { Complaint::Conversation } else { Complaint::Network };
            self.after(quick, Step::Client(process, Turn::Complains(about)));
        } else {
            let wait = start_dialog.unwrap_or_default() + quick;
            self.worry(wait);
            self.after(wait, Step::Client(process, Turn::Prompt));
        }
    }

    pub(super) fn client_goes_on(&mut self, process: Process, turn: Turn) {
        let Some(client) = self.agents.clients.get_mut(&process) else { return };
        match turn {
            Turn::Prompt => {
                client.start_dialog = false;
                let told = client.because;
                self.tells_conversation(process, "startup");
                self.does_now(process, Doing::Idle, true);
                if told {
                    let lasts = self.dice.time(secs(1), secs(20));
                    self.begins_turn(process, Some(lasts));
                }
            }
            Turn::Ends(of) if of == client.changes => {
                if let Some(text) = client.queued.pop_front() {
                    client.doing = Some(Doing::Idle);
                    return self.arrives(process, &text);
                }
                self.ends_turn(process);
            }
            Turn::Compacted(of) if of == client.changes => self.is_compacted(process),
            Turn::Resumes(of) if of == client.changes => {
                let lasts = self.dice.time(secs(1), secs(20));
                self.begins_turn(process, Some(lasts));
            }
            Turn::Ends(_) | Turn::Compacted(_) | Turn::Resumes(_) => {}
            Turn::Complains(about) => {
                let unit = client.unit.clone();
                let why = match about {
                    Complaint::Conversation => "no such conversation".to_owned(),
                    Complaint::Network => "ENOTFOUND".to_owned(),
                };
                let event = Event::Complained { unit: unit.clone(), process, about, why };
                self.hook(&unit, event);
                self.after(Duration::from_millis(40), Step::Dies(process, Exit::Code(1)));
            }
        }
    }

    /// What a story says that an agent, or a person at its terminal, does.
    pub(super) fn agent_does(&mut self, unit: &UnitName, doing: AgentDoes, lasts: Duration) {
        let World { trouble, time, .. } = self;
        match doing {
            AgentDoes::Turn => self.person_prompts(unit, lasts),
            AgentDoes::Asks => self.asks(unit, Dialog::Permission, lasts),
            AgentDoes::Wonders => self.asks(unit, Dialog::Question, lasts),
            AgentDoes::FallsIll(ill) => self.falls_ill(unit, ill, lasts),
            AgentDoes::Clears => self.person_clears(unit),
            AgentDoes::HalfTyped => self.person_half_types(unit, lasts),
            AgentDoes::OpensByHand => self.person_opens(unit, lasts),
            AgentDoes::Breaks => self.conversation_breaks(unit),
            AgentDoes::StartDialog => {
                trouble.start_dialogs.insert(unit.clone(), lasts);
            }
            AgentDoes::IsRefused => {
                trouble.refused.insert(unit.clone());
            }
            AgentDoes::HooksLate { by, twice } => {
                let until = *time + lasts;
                trouble.late_hooks.insert(unit.clone(), Lateness { until, by, twice });
                self.worry(lasts + by * 3);
            }
        }
    }

    /// A person types a prompt.
    fn person_prompts(&mut self, unit: &UnitName, lasts: Duration) {
        if let Some(process) = self.at_its_prompt(unit) {
            let prompt = "and now this".to_owned();
            self.hook(unit, Event::Prompted { unit: unit.clone(), process, prompt });
            self.begins_turn(process, Some(lasts));
        }
    }

    /// The agent asks for a permission, or something of its own.
    fn asks(&mut self, unit: &UnitName, dialog: Dialog, lasts: Duration) {
        if let Some(process) = self.client_at(unit, &[Doing::Idle, Doing::Working]) {
            let by_hook = self.dice.percent(50);
            self.does_now(process, Doing::Dialog(dialog), by_hook);
            self.goes_on_after(process, lasts, Turn::Ends);
        }
    }

    /// A person clears the conversation.
    fn person_clears(&mut self, unit: &UnitName) {
        if let Some(process) = self.at_its_prompt(unit) {
            self.clears(process);
        }
    }

    fn person_half_types(&mut self, unit: &UnitName, lasts: Duration) {
        let until = self.time + lasts;
        if let Some(process) = self.client_at(unit, &[Doing::Idle, Doing::Working])
            && let Some(client) = self.agents.clients.get_mut(&process)
        {
            client.half_typed = until;
        }
    }

    /// A person opens the conversation of a unit in a process of their own, if it is not open.
    fn person_opens(&mut self, unit: &UnitName, lasts: Duration) {
        let Some(talk) = self.disk.saved.conversations.get(unit).cloned() else { return };
        if self.agents.clients.values().all(|client| client.conversation != talk) {
            self.agents.held.insert(talk, self.time + lasts);
        }
    }

    /// The conversation that the unit is in, as it is known on disk, cannot be opened again.
    fn conversation_breaks(&mut self, unit: &UnitName) {
        let known = self.disk.saved.conversations.get(unit).cloned();
        self.agents.broken.extend(known);
    }

    /// Until when a process launched by hand holds a conversation.
    pub(super) fn held_until(&self, talk: &str) -> Option<Duration> {
        self.agents.held.get(talk).copied().filter(|until| self.time < *until)
    }

    /// A text is entered in a client.
    pub(super) fn enters(&mut self, process: Process, text: &str) {
        let queues = self.dice.percent(40);
        if text.starts_with('/') {
            return self.commanded(process, text);
        }
        let Some(client) = self.agents.clients.get_mut(&process) else { return };
        let working = client.doing == Some(Doing::Working);
        if working && (queues || !client.queued.is_empty()) {
            client.queued.push_back(text.to_owned());
        } else {
            self.arrives(process, text);
        }
    }

    fn arrives(&mut self, process: Process, text: &str) {
        let Some(client) = self.agents.clients.get(&process) else { return };
        let (unit, idle) = (client.unit.clone(), client.is_at_its_prompt());
        self.has_arrived(&unit, text);
        let prompt = text.to_owned();
        self.hook(&unit, Event::Prompted { unit: unit.clone(), process, prompt });
        if idle {
            let lasts = self.dice.time(secs(1), secs(20));
            self.begins_turn(process, Some(lasts));
        }
    }

    pub(super) fn has_arrived(&mut self, unit: &UnitName, text: &str) {
        let mark = text.rsplit_once("[msg ").and_then(|(_, rest)| rest.strip_suffix(']'));
        if let Some(id) = mark.and_then(MessageId::parse) {
            self.agents.arrived.push((unit.clone(), id));
        }
    }

    /// The living client of a unit, if it is doing one of these.
    fn client_at(&self, unit: &UnitName, doing: &[Doing]) -> Option<Process> {
        let process = self.living(unit)?;
        let client = self.agents.clients.get(&process)?;
        client.doing.filter(|it| doing.contains(it)).map(|_| process)
    }

    fn at_its_prompt(&self, unit: &UnitName) -> Option<Process> {
        let process = self.living(unit)?;
        self.agents.clients.get(&process).filter(|it| it.is_at_its_prompt()).map(|_| process)
    }

    /// A turn begins, and is over after so long; none = nothing moves in it any more.
    fn begins_turn(&mut self, process: Process, lasts: Option<Duration>) {
        self.does_now(process, Doing::Working, true);
        if let Some(client) = self.agents.clients.get_mut(&process) {
            client.moved = self.time;
        }
        self.after(Duration::from_millis(50), Step::Moves(process));
        match lasts {
            Some(lasts) => self.goes_on_after(process, lasts, Turn::Ends),
            // After that it is in another process.
            None => self.worry(secs(80 * 60)),
        }
    }

    /// What began just now is over after so long.
    fn goes_on_after(&mut self, process: Process, wait: Duration, turn: impl Fn(u64) -> Turn) {
        if let Some(client) = self.agents.clients.get(&process) {
            let turn = turn(client.changes);
            self.after(wait, Step::Client(process, turn));
        }
    }

    fn does_now(&mut self, process: Process, doing: Doing, by_hook: bool) {
        let time = self.time;
        let Some(client) = self.agents.clients.get_mut(&process) else { return };
        (client.doing, client.at) = (Some(doing), time);
        // What no hook tells, nobody knows.
        client.forgotten = !by_hook && matches!(doing, Doing::Failed(_));
        client.changes += 1;
        if by_hook {
            self.says_by_hook(process, doing);
        }
        let wait = self.dice.time(Duration::from_millis(1), Duration::from_millis(30));
        self.after(wait, Step::Registry(process));
    }
}
