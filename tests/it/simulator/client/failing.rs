//! How turns fail: for want of an account, of a server, or because of their conversation; and what
//! the commands of the program do about the last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_supervisor::decide::{
    Answer, Channel, Dialog, Doing, Event, Failure, Process, Sighting, UnitName, Wedge,
};

use super::super::house::secs;
use super::super::story::{AgentDoes, Ill};
use super::super::world::{Step, World};
use super::Turn;

/// The login that all agents of the house share.
pub(in super::super) const ACCOUNT: &str = "a login";

/// What is wrong with what the agents need, and with their conversations.
#[derive(Default)]
pub(in super::super) struct Ailments {
    limit: Option<Limit>,
    lost: Option<Lost>,
    /// Turns end with an error until then.
    outage: Duration,
    /// Clients end before their prompt until then.
    pub(super) cut_off: Duration,
    poisoned: BTreeSet<String>,
    /// Whether it helps to make it shorter.
    full: BTreeMap<String, bool>,
    /// So many more conversations of a unit will be poisoned.
    comes_back: BTreeMap<UnitName, u32>,
    /// So many commands are entered in vain.
    deaf: BTreeMap<UnitName, u32>,
}

#[derive(Clone, Copy)]
struct Limit {
    until: Duration,
    dated: bool,
    resumes: bool,
    asks: bool,
}

#[derive(Clone, Copy)]
struct Lost {
    until: Duration,
    unpaid: bool,
    told: bool,
    keeps: bool,
}

impl World {
    /// What a story says that goes wrong with an agent.
    pub(super) fn falls_ill(&mut self, unit: &UnitName, ill: Ill, lasts: Duration) {
        let until = self.time + lasts;
        let talk = self.living(unit).and_then(|process| {
            self.agents.clients.get(&process).map(|client| client.conversation.clone())
        });
        match ill {
            Ill::Limited { dated, resumes, asks } => {
                self.ailments.limit = Some(Limit { until, dated, resumes, asks });
                self.worry(lasts + secs(700));
            }
            Ill::LoggedOut { told, keeps } => {
                self.loses_login(Lost { until, unpaid: false, told, keeps });
            }
            Ill::Unpaid { told } => {
                self.loses_login(Lost { until, unpaid: true, told, keeps: false });
            }
            Ill::Outage => self.ailments.outage = until,
            Ill::CutOff => self.ailments.cut_off = until,
            Ill::Poisoned { again, deaf } => {
                self.ailments.poisoned.extend(talk);
                self.ailments.comes_back.insert(unit.clone(), again);
                self.ailments.deaf.insert(unit.clone(), deaf);
            }
            Ill::Full { curable } => {
                self.ailments.full.extend(talk.map(|talk| (talk, curable)));
            }
            Ill::Stalls => {
                if let Some(process) = self.at_its_prompt(unit) {
                    self.begins_turn(process, None);
                }
                return;
            }
        }
        self.worry(lasts);
        if self.dice.percent(80) {
            let soon = self.dice.time(secs(1), secs(20));
            self.agent_does(unit, AgentDoes::Turn, soon);
        }
    }

    fn loses_login(&mut self, lost: Lost) {
        self.ailments.lost = Some(lost);
        let wait = lost.until - self.time;
        self.worry(wait);
        self.after(wait, Step::Mended);
    }

    /// A person has logged in again, or paid.
    pub(in super::super) fn is_mended(&mut self) {
        let time = self.time;
        let Some(lost) = self.ailments.lost.take_if(|lost| time >= lost.until) else { return };
        if lost.keeps {
            self.agents.clients.values_mut().for_each(|client| client.old_login = true);
        }
        if lost.told {
            // A file that is written is often written twice.
            for wait in [secs(0), secs(1)] {
                let account = ACCOUNT.to_owned();
                self.after(wait, Step::Deliver(Event::LoginChanged { account }));
            }
        }
    }

    /// A new conversation of a unit.
    pub(super) fn begins_conversation(&mut self, unit: &UnitName, talk: &str) {
        if let Some(left) = self.ailments.comes_back.get_mut(unit).filter(|left| **left > 0) {
            *left -= 1;
            self.ailments.poisoned.insert(talk.to_owned());
        }
    }

    /// How the turn of a client ends that ends now, if not well.
    fn ailment(&self, process: Process) -> Option<Failure> {
        let client = self.agents.clients.get(&process)?;
        let ailments = &self.ailments;
        let lost = ailments.lost.filter(|lost| self.time < lost.until);
        if client.old_login {
            return Some(Failure::LoggedOut);
        }
        if let Some(lost) = lost {
            return Some(if lost.unpaid { Failure::Unpaid } else { Failure::LoggedOut });
        }
        if let Some(limit) = ailments.limit.filter(|limit| self.time < limit.until) {
            let until = limit.dated.then(|| self.now().wall + (limit.until - self.time));
            return Some(Failure::Limited { until });
        }
        if self.time < ailments.outage {
            return Some(Failure::Errored);
        }
        if ailments.poisoned.contains(&client.conversation) {
            return Some(Failure::Wedged(Wedge::Poisoned));
        }
        let full = ailments.full.contains_key(&client.conversation);
        full.then_some(Failure::Wedged(Wedge::Full))
    }

    /// A turn is over.
    pub(super) fn ends_turn(&mut self, process: Process) {
        let Some(failure) = self.ailment(process) else {
            // Esc ends a turn without a hook.
            let by_hook = self.dice.percent(70);
            return self.does_now(process, Doing::Idle, by_hook);
        };
        let limit = self.ailments.limit.filter(|_| matches!(failure, Failure::Limited { .. }));
        if let Some(limit) = limit.filter(|limit| limit.asks) {
            if self.dice.percent(50) {
                self.says_by_hook(process, Doing::Failed(failure));
            }
            self.does_now(process, Doing::Dialog(Dialog::Limit), false);
            // A person who comes by answers it.
            let wait = limit.until.saturating_sub(self.time) + secs(600);
            self.goes_on_after(process, wait, Turn::Ends);
            self.worry(wait);
            return;
        }
        self.has_failed(process, failure, true);
    }

    fn has_failed(&mut self, process: Process, failure: Failure, by_hook: bool) {
        let doing = Doing::Failed(failure);
        self.does_now(process, doing, by_hook);
        if self.dice.percent(30) {
            let at = self.now().mono;
            let wait = self.dice.time(secs(1), secs(30));
            let sighting = Sighting {
                channel: Channel::Transcript,
                at,
                doing,
                evidence: "its transcript".to_owned(),
            };
            self.after(wait, Step::Transcript(process, sighting));
        }
        if self.dice.percent(20) {
            // Its file lags behind, and says that it works.
            self.after(secs(1), Step::Lags(process, Doing::Working));
            let wait = self.dice.time(secs(2), secs(8));
            self.after(wait, Step::Lags(process, Doing::Idle));
        }
        let limit = self.ailments.limit.filter(|_| matches!(failure, Failure::Limited { .. }));
        if let Some(limit) = limit.filter(|limit| limit.resumes) {
            let wait = limit.until.saturating_sub(self.time) + secs(80);
            self.goes_on_after(process, wait, Turn::Resumes);
        }
    }

    /// What a command to the program does.
    pub(super) fn commanded(&mut self, process: Process, command: &str) {
        let Some(client) = self.agents.clients.get(&process) else { return };
        let unit = client.unit.clone();
        if let Some(deaf) = self.ailments.deaf.get_mut(&unit).filter(|deaf| **deaf > 0) {
            *deaf -= 1;
        } else if command == "/clear" {
            self.clears(process);
        } else {
            let full = &mut self.ailments.full;
            if full.get(&client.conversation) == Some(&true) {
                full.remove(&client.conversation);
            }
            let lasts = self.dice.time(secs(5), secs(60));
            self.does_now(process, Doing::Working, false);
            self.goes_on_after(process, lasts, Turn::Compacted);
        }
    }

    /// It was tried to make the conversation shorter. A failure of that is told by no hook.
    pub(super) fn is_compacted(&mut self, process: Process) {
        let failure = self.ailment(process);
        match failure {
            None => self.does_now(process, Doing::Idle, true),
            Some(failure) => self.does_now(process, Doing::Failed(failure), false),
        }
    }

    /// Another conversation is begun in the same process.
    pub(super) fn clears(&mut self, process: Process) {
        let cleared = self.agents.next_cleared();
        let Some(client) = self.agents.clients.get_mut(&process) else { return };
        client.conversation.clone_from(&cleared);
        client.composer = None;
        let unit = client.unit.clone();
        self.begins_conversation(&unit, &cleared);
        self.tells_conversation(process, "clear");
        self.does_now(process, Doing::Idle, true);
    }

    /// A key is pressed at a dialog, if it is still this one.
    pub(in super::super) fn answers(
        &mut self,
        process: Process,
        dialog: Dialog,
        answer: Answer,
    ) -> Result<(), String> {
        let client = self.agents.clients.get(&process);
        if client.and_then(|client| client.doing) != Some(Doing::Dialog(dialog)) {
            return Err("it is at no such dialog".to_owned());
        }
        match answer {
            Answer::Escape => self.does_now(process, Doing::Idle, false),
            Answer::Wait => match self.ailment(process) {
                Some(failure) => self.has_failed(process, failure, false),
                None => self.does_now(process, Doing::Idle, true),
            },
        }
        Ok(())
    }
}
