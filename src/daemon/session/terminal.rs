//! What is done at the terminal of a session that is up, and what its program is known by.

use std::path::Path;
use std::rc::Rc;

use super::Session;
use crate::daemon::agents::{self, Glance, Hand, Known};
use crate::daemon::told::chain;
use crate::decide::{Answer, Dialog, Doing, Event, Message, Process, Ticket, Typed, UnitName};
use crate::world::leases::Claim;
use crate::world::tmux::Untyped;

impl Session {
    pub(in crate::daemon) fn name(&self) -> &UnitName {
        &self.unit.name
    }

    pub(in crate::daemon) fn directory(&self) -> Option<&Path> {
        self.unit.directory.as_deref()
    }

    pub(in crate::daemon) fn conversation(&self) -> Option<String> {
        self.shared.agents.conversation(&self.unit.name)
    }

    pub(in crate::daemon) fn post(&self, event: Event) {
        self.shared.post(event);
    }

    /// Types a message and answers with what that came to.
    pub(in crate::daemon) fn type_message(
        self: &Rc<Self>,
        ticket: Ticket,
        message: Message,
        suspected: bool,
    ) {
        let this = Rc::clone(self);
        self.pen.run(async move {
            let unit = this.unit.name.clone();
            let outcome = match this.profile {
                Some(_) => this.type_into_agent(&message, suspected).await,
                None => this.type_into_program(&message, suspected).await,
            };
            this.shared.post(Event::Typed { unit, ticket, outcome });
        });
    }

    async fn type_into_agent(&self, message: &Message, suspected: bool) -> Typed {
        let known = self.shared.agents.of(&self.unit.name);
        let record = self.shared.record(&self.unit.name);
        match known.zip(record.and_then(|record| record.process)) {
            Some((known, process)) => {
                agents::type_message(self, &known, process, message, suspected).await
            }
            None => Typed::NotNow("nothing is known of its program yet".to_owned()),
        }
    }

    /// A program without channels: what was typed into it can be seen, but not be told from what
    /// stood there before. So a text that may have arrived is not typed again.
    async fn type_into_program(&self, message: &Message, suspected: bool) -> Typed {
        if suspected {
            let why = "it may have been typed when the supervisor ended: look, and tell it again";
            return Typed::Never(why.to_owned());
        }
        let _typing = self.typing.lock().await;
        let Some(server) = self.server() else {
            return Typed::NotNow("its terminal cannot be reached".to_owned());
        };
        match server.type_and_confirm(&message.text).await {
            Ok(()) => Typed::Arrived,
            Err(error @ Untyped::Dead) => Typed::NotNow(chain(&error)),
            Err(error) => Typed::Never(chain(&error)),
        }
    }

    /// Looks at the screen and answers with what it says.
    pub(in crate::daemon) fn read_screen(self: &Rc<Self>, ticket: Ticket) {
        let this = Rc::clone(self);
        self.pen.run(async move {
            let unit = this.unit.name.clone();
            let glance = match this.shared.agents.of(&unit) {
                Some(known) => agents::glance(&this, &known).await,
                None => None,
            };
            let Glance { sighting, picture } = glance.unwrap_or_default();
            this.shared.post(Event::Screened { unit, ticket, sighting, picture });
        });
    }

    /// Answers the dialog that the program is at, and says what that came to.
    pub(in crate::daemon) fn answer(self: &Rc<Self>, ticket: Ticket, dialog: Dialog, how: Answer) {
        let this = Rc::clone(self);
        self.pen.run(async move {
            let unit = this.unit.name.clone();
            let outcome = this.answer_now(dialog, how).await;
            this.shared.post(Event::Answered { unit, ticket, outcome });
        });
    }

    async fn answer_now(&self, dialog: Dialog, how: Answer) -> Result<(), String> {
        let known = self.shared.agents.of(&self.unit.name);
        let known = known.ok_or("nothing is known of its program yet")?;
        let process = self.shared.record(&self.unit.name).and_then(|record| record.process);
        let process = process.ok_or("it has no process")?;
        let server = self.server().ok_or("its terminal cannot be reached")?;
        let hand = Hand { server, known: &known, process, directory: self.directory() };
        let outcome = hand.answer(dialog, how).await;
        // What stands there instead, others are to know, too.
        if outcome.is_err()
            && let Some(glance) = agents::glance(self, &known).await
            && let Some(sighting) = glance.sighting
            && matches!(sighting.doing, Doing::Dialog(_))
        {
            self.post(Event::Sighted { unit: self.unit.name.clone(), process, sighting });
        }
        outcome
    }

    /// Says what the kickoff prompt is. Nothing is done at the terminal.
    pub(in crate::daemon) fn say_kickoff(&self, because: String) {
        let (shared, unit) = (Rc::clone(&self.shared), self.unit.clone());
        tokio::task::spawn_local(agents::say_kickoff(shared, unit, because));
    }

    /// Finds out where the program of a session that was found alive keeps what.
    pub(super) async fn know(&self) -> Option<Rc<Known>> {
        let profile = self.profile?;
        match self.shared.environment(&self.unit).await {
            Ok(environment) => {
                let known = self.shared.agents.know(&self.unit.name, profile, &environment)?;
                self.shared.know_login(&self.unit, &known, &environment);
                Some(known)
            }
            Err(why) => {
                tracing::warn!(unit = %self.unit.name, why, "its channels cannot be found");
                None
            }
        }
    }

    /// The channels of a living program are heard from here on.
    pub(super) fn listen(&self, process: Process) {
        let Some(known) = self.shared.agents.of(&self.unit.name) else { return };
        self.shared.watch_registry(known.places.registry.as_deref());
        if let Some(conversation) = self.conversation() {
            self.lease(process, &conversation);
        }
        self.shared.follow_transcripts();
    }

    /// The conversation belongs to this process from here on, and the one it has left to nobody.
    pub(in crate::daemon) fn lease(&self, process: Process, conversation: &str) {
        let (Some(known), Some(profile)) = (self.shared.agents.of(self.name()), self.profile)
        else {
            return;
        };
        self.shared.follow_transcripts();
        let leases = self.shared.leases(&known.leases);
        let before = known.leased.replace(Some(conversation.to_owned()));
        if let Some(before) = before.filter(|before| before != conversation)
            && let Err(error) = leases.release(&before, process)
        {
            tracing::warn!(unit = %self.unit.name, why = chain(&error), "a lease is kept");
        }
        let leased = match leases.holder(conversation) {
            Ok(Some(holder)) if holder.process == process => return,
            _ => leases.take(conversation, profile.program()).and_then(|claim| claim.sign(process)),
        };
        if let Err(error) = leased {
            let why = chain(&error);
            tracing::warn!(unit = %self.unit.name, why, "no lease on its conversation");
        }
    }

    /// The process has the conversation that was claimed for it.
    pub(super) fn sign(&self, claim: Claim, process: Process) {
        if let Some(aside) = claim.set_aside() {
            tracing::warn!(unit = %self.unit.name, aside = %aside.display(), "a corrupt lease");
        }
        if let Err(error) = claim.sign(process) {
            let why = format!("its conversation is not marked as ours: {}", chain(&error));
            self.shared.limit(&self.unit.name, why);
        }
    }
}
