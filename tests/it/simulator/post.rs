//! The laws about messages: none is lost, none arrives twice, and they arrive in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_supervisor::decide::{
    Action, Delivery, Event, Message, MessageId, Request, Saved, UnitName, Watchdog,
};

use super::house::House;
use super::laws::{Breach, Law};
use super::world::World;

/// What was asked to be typed, and what has arrived.
#[derive(Default)]
pub(super) struct Post {
    told: BTreeMap<MessageId, Told>,
    /// How many arrivals have been judged.
    seen: usize,
    arrived: BTreeSet<MessageId>,
    last: BTreeMap<UnitName, u64>,
    /// How many messages had been told when the date was last set.
    stepped: u64,
}

struct Told {
    number: u64,
    until: Option<Duration>,
}

impl Post {
    pub(super) fn date_was_set(&mut self) {
        self.stepped = self.told.len() as u64;
    }

    /// Whether somebody has told this message, and not the supervisor itself.
    pub(super) fn knows(&self, id: MessageId) -> bool {
        self.told.contains_key(&id)
    }

    pub(super) fn hears(&mut self, event: &Event, world: &World) {
        if let Event::Asked(Request::Tell { id, expires_in, .. }) = event {
            let number = self.told.len() as u64;
            let until = expires_in.map(|wait| world.time + wait);
            self.told.insert(*id, Told { number, until });
        }
    }

    pub(super) fn sees_arrivals(&mut self, world: &World) -> Result<(), Breach> {
        for (unit, id) in &world.agents.arrived[self.seen..] {
            self.seen += 1;
            if !self.arrived.insert(*id) {
                return Breach::err(Law::ArrivesOnce, format!("{unit} has {id} again"));
            }
            let Some(number) = self.told.get(id).map(|told| told.number) else { continue };
            let last = self.last.insert(unit.clone(), number);
            if last.is_some_and(|last| last > number) {
                return Breach::err(Law::ArrivesInOrder, format!("{id} comes late to {unit}"));
            }
        }
        Ok(())
    }

    /// What is no longer in the queue on disk must have arrived, or be dropped for a reason.
    pub(super) fn before_save(
        &self,
        new: &Saved,
        actions: &[Action],
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        for (unit, messages) in &world.disk.saved.messages {
            let kept = new.messages.get(unit);
            for message in messages {
                for id in &message.ids {
                    if !kept.is_some_and(|kept| holds(kept, *id)) {
                        self.may_go(unit, message, *id, actions, watchdog, world, house)?;
                    }
                }
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a law sees everything")]
    fn may_go(
        &self,
        unit: &UnitName,
        message: &Message,
        id: MessageId,
        actions: &[Action],
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        if !self.knows(id) && message.expires.is_some() {
            // A line of our own may be of no use any more.
            return Ok(());
        }
        let delivery = watchdog.delivery(unit, id);
        let good = match &delivery {
            Some(Delivery::Arrived) => self.arrived.contains(&message.id()),
            Some(Delivery::Dropped(_)) => {
                // Whom a hand-off was to wake has ended with its plan.
                let over = message.about.is_some() && watchdog.plan_view().done;
                (over || self.may_drop(unit, message, world, house))
                    && is_said(unit, message.id(), actions)
            }
            Some(Delivery::Waiting(_)) | None => false,
        };
        if good {
            return Ok(());
        }
        Breach::err(Law::NoneIsLost, format!("{id} for {unit} is given up: {delivery:?}"))
    }

    fn may_drop(&self, unit: &UnitName, message: &Message, world: &World, house: &House) -> bool {
        let mut ends = message.ids.iter().map(|id| {
            let told = self.told.get(id)?;
            // A date that was set may have shortened its time.
            if told.number < self.stepped { told.until.map(|_| world.time) } else { told.until }
        });
        world.agents.never.contains(&message.id())
            || house.named(unit).is_none()
            || ends.all(|end| end.is_some_and(|end| world.time >= end))
    }

    /// A request was handled to its end: its message is in the queue on disk, or over.
    pub(super) fn acknowledged(
        &self,
        request: &Request,
        said: &[Action],
        watchdog: &Watchdog,
        world: &World,
    ) -> Result<(), Breach> {
        let Request::Tell { unit, id, .. } = request else { return Ok(()) };
        let kept = world.disk.saved.messages.get(unit);
        if kept.is_some_and(|kept| holds(kept, *id)) || is_said(unit, *id, said) {
            return Ok(());
        }
        let delivery = watchdog.delivery(unit, *id);
        Breach::err(Law::NoneIsLost, format!("{id} for {unit} is not on disk: {delivery:?}"))
    }
}

fn holds(messages: &[Message], id: MessageId) -> bool {
    messages.iter().any(|message| message.ids.contains(&id))
}

/// Whether the journal says that a message is dropped.
fn is_said(unit: &UnitName, id: MessageId, actions: &[Action]) -> bool {
    let name = id.to_string();
    actions.iter().any(|action| {
        matches!(action, Action::Journal(entry) if entry.event == "message-dropped"
            && entry.unit.as_ref() == Some(unit)
            && entry.why.contains(&name))
    })
}
