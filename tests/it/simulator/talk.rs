//! The laws about agents: which conversation they go on with, what their channels have said, and
//! what is done at their terminals.

use std::time::Duration;

use agent_supervisor::decide::{
    Channel, Complaint, Dependency, Dialog, Doing, Event, Message, NoStart, Now, Process, Request,
    Saved, Sighting, Ticket, UnitName, Watchdog,
};

use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::story::Kind;
use super::world::World;

/// What an attentive listener knows of one agent.
#[derive(Default)]
pub(super) struct Talk {
    /// What is being done at its terminal, and by when that is to answer.
    pub(super) pen: Option<(Ticket, Duration)>,
    /// A start was refused, and nobody has asked since.
    pub(super) refused: bool,
    /// Its conversation is open elsewhere, as far as anybody said.
    taken: bool,
    fresh: Fresh,
    /// What was last told of the conversation of a process.
    opened: Option<(Process, String)>,
    /// All that was told in this life.
    heard: Vec<String>,
}

/// Whether another conversation is to be begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fresh {
    #[default]
    No,
    /// It was asked, and something came in between.
    May,
    Must,
}

impl Talk {
    pub(super) fn begins(&mut self) {
        self.pen = None;
        (self.refused, self.taken) = (false, false);
        self.heard.clear();
        self.relents();
    }

    /// A remedy ends its process.
    pub(super) fn may_be_fresh(&mut self) {
        if self.fresh == Fresh::No {
            self.fresh = Fresh::May;
        }
    }

    /// Another phase has begun, and it is ended for that.
    pub(super) fn must_be_fresh(&mut self) {
        self.fresh = Fresh::Must;
    }

    /// A start may begin another conversation, or must.
    pub(super) fn may_begin_another(&self) -> bool {
        self.fresh != Fresh::No
    }

    fn relents(&mut self) {
        if self.fresh == Fresh::Must {
            self.fresh = Fresh::May;
        }
    }

    pub(super) fn is_asked(&mut self, request: &Request) {
        match request {
            Request::Start(_) => (self.refused, self.taken) = (false, false),
            Request::Restart { fresh, .. } => {
                (self.refused, self.taken) = (false, false);
                if *fresh {
                    self.fresh = Fresh::Must;
                }
            }
            Request::Stop(_) | Request::Drain => self.relents(),
            Request::Tell { .. } | Request::Phase(_) => {}
        }
    }
}

impl Judge {
    /// Takes in what was told of an agent; the answer is not stale.
    pub(super) fn hears_talk(&mut self, event: &Event) {
        match event {
            Event::Sighted { process, sighting, .. } => {
                self.said.entry(*process).or_default().push(sighting.clone());
            }
            Event::Screened { unit, sighting, .. } => {
                let known = self.of(unit);
                known.talk.pen = None;
                if let (Some(process), Some(sighting)) = (known.process, sighting) {
                    self.said.entry(process).or_default().push(sighting.clone());
                }
            }
            Event::Typed { unit, .. } => self.of(unit).talk.pen = None,
            Event::Complained { unit, about: Complaint::Network, .. } => {
                // That is no crash, and the next start is the answer to none.
                let known = self.of(unit);
                known.starts.pop();
                known.first = true;
            }
            Event::Complained { unit, process, .. } => {
                let known = self.of(unit);
                if known.process == Some(*process) {
                    known.talk.fresh = Fresh::Must;
                } else if known.process.is_none() && known.talk.fresh == Fresh::No {
                    known.talk.fresh = Fresh::May;
                }
            }
            Event::Opened { unit, conversation, .. } => {
                self.of(unit).talk.heard.push(conversation.clone());
            }
            Event::Started { unit, outcome: Err(NoStart::Taken(_)), .. } => {
                let talk = &mut self.of(unit).talk;
                talk.taken = talk.fresh != Fresh::Must;
            }
            Event::Started { unit, outcome: Err(NoStart::Refused(_)), .. } => {
                self.of(unit).talk.refused = true;
            }
            Event::Found { dependency: Dependency::Conversation(unit), outcome: Ok(()) } => {
                self.of(unit).talk.taken = false;
            }
            Event::Started { .. }
            | Event::Found { .. }
            | Event::Tick
            | Event::Looked { .. }
            | Event::Stopped { .. }
            | Event::Ready { .. }
            | Event::Exited { .. }
            | Event::Prompted { .. }
            | Event::Answered { .. }
            | Event::Kickoff { .. }
            | Event::Progress { .. }
            | Event::Used { .. }
            | Event::Account { .. }
            | Event::LoginChanged { .. }
            | Event::Marked { .. }
            | Event::DoneSeen { .. }
            | Event::BlockedSeen(_)
            | Event::Committed { .. }
            | Event::Reached { .. }
            | Event::Stranger { .. }
            | Event::Asked(_) => {}
        }
    }

    /// An event was taken in to its end: what it says of a conversation holds from here on.
    pub(super) fn took_in(&mut self, event: &Event, world: &World, house: &House) {
        let Event::Opened { unit, process, conversation, .. } = event else { return };
        let starts = self.of(unit).flight.as_ref().is_some_and(|it| it.kind == Kind::Start);
        let is_born = world.ops.get(unit).is_some_and(|op| op.process == Some(*process));
        let is_of_agent = house.named(unit).is_some_and(|policy| policy.agent.is_some());
        if is_of_agent && newest(unit, world) == Some(*process) {
            // While another start is under way, it may come too late.
            let holds = !starts || is_born;
            let opened = holds.then(|| (*process, conversation.clone()));
            self.of(unit).talk.opened = opened;
        }
    }

    /// A conversation changes for a reason only.
    pub(super) fn before_save(
        &mut self,
        event: &Event,
        new: &Saved,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let old = &world.disk.saved.conversations;
        if let Some(unit) = old.keys().find(|unit| !new.conversations.contains_key(unit)) {
            return Breach::err(Law::ConversationsLast, format!("that of {unit} is forgotten"));
        }
        for (unit, conversation) in &new.conversations {
            if old.get(unit) == Some(conversation) {
                continue;
            }
            let is_new = !world.agents.used.contains(conversation)
                && !old.values().any(|it| it == conversation);
            let talk = &mut self.of(unit).talk;
            if talk.heard.contains(conversation) {
                talk.opened.take_if(|(_, told)| told != conversation);
                continue;
            }
            let is_first = !old.contains_key(unit);
            if !is_new || (!is_first && talk.fresh == Fresh::No) {
                let how = format!("{unit} goes on in {conversation} after {event:?}");
                return Breach::err(Law::ConversationsLast, how);
            }
            let agent = house.named(unit).and_then(|policy| policy.agent.as_ref());
            let named = agent.and_then(|agent| agent.first.as_ref());
            if is_first && talk.fresh == Fresh::No && named.is_some_and(|it| it != conversation) {
                let how = format!("{unit} does not begin with {named:?}");
                return Breach::err(Law::ConversationsLast, how);
            }
            talk.fresh = Fresh::No;
            talk.opened = None;
        }
        Ok(())
    }

    /// The conversation of a start.
    pub(super) fn before_talk(
        &mut self,
        unit: &UnitName,
        conversation: Option<&String>,
        because: Option<&String>,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let is_agent = house.of(unit).agent.is_some();
        if is_agent != conversation.is_some() {
            return Breach::err(Law::ConversationsLast, format!("{unit}: {conversation:?}"));
        }
        let Some(conversation) = conversation else { return Ok(()) };
        if world.disk.saved.conversations.get(unit) != Some(conversation) {
            let how = format!("{unit} is started in {conversation}, which is not durable");
            return Breach::err(Law::SavedFirst, how);
        }
        if world.agents.clients.values().any(|client| client.conversation == *conversation) {
            let how = format!("{unit} is started in {conversation}, which is open");
            return Breach::err(Law::OneConversation, how);
        }
        self.starts_for_a_remedy(unit, conversation, because)?;
        let talk = &self.of(unit).talk;
        if talk.fresh == Fresh::Must {
            let how = format!("{unit} is to begin another conversation than {conversation}");
            return Breach::err(Law::ConversationsLast, how);
        }
        let told =
            talk.opened.as_ref().filter(|(process, _)| newest(unit, world) == Some(*process));
        if let Some((process, told)) = told.filter(|(_, told)| told != conversation) {
            let how = format!("{unit}: {process:?} was in {told}, not in {conversation}");
            return Breach::err(Law::ConversationsLast, how);
        }
        if talk.refused {
            return Breach::err(Law::RefusedOnce, format!("{unit} is started again"));
        }
        if talk.taken {
            let how = format!("{unit} is started while {conversation} is open elsewhere");
            return Breach::err(Law::OneConversation, how);
        }
        Ok(())
    }

    pub(super) fn before_type(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        (message, suspected): (&Message, bool),
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let process = self.before_pen(unit, ticket, secs(40), world, house)?;
        let first = world.disk.saved.messages.get(unit).and_then(|messages| messages.first());
        // A command of our own is for what is known now.
        let fleeting = message.is_command() && !self.post.knows(message.id());
        let saved = first.is_some_and(|first| first.id() == message.id() && first.begun);
        if !saved && !fleeting {
            let how = format!("{message:?} is typed; first on disk: {first:?}");
            return Breach::err(Law::SavedFirst, how);
        }
        // A command that may have been entered is not entered again.
        let void = message.is_command() && suspected;
        if house.of(unit).agent.is_none() || void {
            return Ok(());
        }
        self.types_for_a_remedy(unit, process, message, world)
    }

    pub(super) fn before_glance(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let process = self.before_pen(unit, ticket, secs(10), world, house)?;
        let said = self.said.get(&process).into_iter().flatten();
        let told = said
            .filter(|it| it.channel != Channel::Screen)
            .max_by_key(|it| (it.at, std::cmp::Reverse(it.channel)));
        // A turn that goes on for long may wait for something; which dialog it is, only it shows.
        let long = |it: &Sighting| {
            let worked = it.doing == Doing::Working && world.time >= world.moment(it.at) + secs(90);
            worked || it.doing == Doing::Dialog(Dialog::Other)
        };
        if house.of(unit).agent.is_none() || told.is_some_and(|it| !long(it)) {
            return Breach::err(Law::NoLookWhereSpoken, format!("the screen of {unit} is read"));
        }
        Ok(())
    }

    pub(super) fn before_pen(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        limit: Duration,
        world: &World,
        house: &House,
    ) -> Result<Process, Breach> {
        let known = self.of(unit);
        let busy = known.talk.pen.is_some() || known.tended.answering.is_some();
        if known.flight.is_some() || busy {
            return Breach::err(Law::OneAction, format!("at the terminal of {unit}"));
        }
        let leaves = known.down || known.drained || known.bounce.is_some();
        let Some(process) = known.process.filter(|_| known.sure) else {
            let how = format!("{unit} is not known to live, and its terminal is used");
            return Breach::err(Law::KnowsBeforeActing, how);
        };
        if leaves || house.named(unit).is_none() {
            let how = format!("the terminal of {unit} is used, which is to be stopped");
            return Breach::err(Law::NoTextIntoDialogs, how);
        }
        known.talk.pen = Some((ticket, world.time + limit));
        Ok(process)
    }
}

/// What of these is to be believed, and who says it: the newest; of two of one moment the hook; the
/// screen only where nobody else has spoken, but for a dialog. A registry knows of no failures.
pub(super) fn fused(said: Option<&Vec<Sighting>>) -> Option<(Doing, Channel)> {
    let said = said?;
    let last = |of: &dyn Fn(Channel) -> bool| {
        let of = said.iter().filter(|it| of(it.channel));
        of.max_by_key(|it| (it.at, std::cmp::Reverse(it.channel)))
    };
    let told = last(&|it| it != Channel::Screen);
    let screen = last(&|it| it == Channel::Screen);
    let best = match (told, screen) {
        (Some(told), Some(screen)) if screen.stands_in_the_way() && screen.at > told.at => screen,
        (told, screen) => told.or(screen)?,
    };
    let others = last(&|it| !matches!(it, Channel::Screen | Channel::Registry));
    let failed = others.filter(|it| matches!(it.doing, Doing::Failed(_)));
    let listed = best.channel == Channel::Registry && best.doing == Doing::Idle;
    let best = failed.filter(|_| listed).unwrap_or(best);
    Some((best.doing, best.channel))
}

/// The process of a unit that was born last.
fn newest(unit: &UnitName, world: &World) -> Option<Process> {
    let of_unit = world.procs.iter().filter(|(_, it)| it.unit == *unit);
    of_unit.max_by_key(|(_, it)| it.born).map(|(process, _)| *process)
}

/// Two clients on one conversation.
pub(super) fn judge_open(world: &World) -> Result<(), Breach> {
    let clients = &world.agents.clients;
    for (process, client) in clients {
        let mut others = clients.iter().filter(|(other, _)| *other != process);
        let twice = others.any(|(_, other)| other.conversation == client.conversation);
        if twice || world.held_until(&client.conversation).is_some() {
            let how = format!("{} is open twice", client.conversation);
            return Breach::err(Law::OneConversation, how);
        }
    }
    Ok(())
}

/// The deaths that are shown of a unit whose start was not made; none for all other events.
pub(super) fn deaths_shown(event: &Event, watchdog: &Watchdog, now: Now) -> Option<u32> {
    let Event::Started { unit, outcome: Err(NoStart::Taken(_) | NoStart::Refused(_)), .. } = event
    else {
        return None;
    };
    watchdog.view(now).iter().find(|view| view.name == *unit).map(|view| view.in_window)
}

/// A start that was not made is no death.
pub(super) fn judge_budget(
    event: &Event,
    before: Option<u32>,
    after: Option<u32>,
) -> Result<(), Breach> {
    if after > before {
        return Breach::err(Law::GivesUpForDeaths, format!("{event:?} counts as a death"));
    }
    Ok(())
}
