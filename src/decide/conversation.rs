//! Which conversation an agent session goes on with.

use super::budget::Random;
use super::event::Action;
use super::unit::{FlightKind, State, Unit, Wait};
use super::watchdog::{Watchdog, journal};
use super::{Complaint, Dependency, Now, Process, UnitName};

/// A random UUID, version 4 (RFC 9562, section 5.4).
pub(super) fn new_id(random: &mut Random) -> String {
    let high = random.next() & !0xf000 | 0x4000;
    let low = random.next() & !(0b11 << 62) | 0b10 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

impl Unit {
    /// A start was not made, and that is no death. Who asked meanwhile for another process gets
    /// one by the next start.
    pub(super) fn not_born(&mut self) {
        self.born = None;
        if self.is_restart {
            self.budget.uncount_restart();
        }
        self.fresh |= self.bounce.take().is_some_and(|bounce| bounce.fresh);
    }
}

impl Watchdog {
    /// The conversation that a start goes on with, or begins: saved before it is used.
    pub(super) fn conversation_to_open(
        &mut self,
        name: &UnitName,
        actions: &mut Vec<Action>,
    ) -> Option<String> {
        let random = &mut self.random;
        let unit = self.units.get_mut(name)?;
        let agent = unit.policy.agent.as_ref()?;
        let known = unit.conversation.take().filter(|_| !unit.fresh);
        if known.is_some() {
            unit.conversation.clone_from(&known);
            return known;
        }
        let first = agent.first.clone().filter(|_| !unit.fresh);
        unit.renewed = unit.fresh;
        let id = first.unwrap_or_else(|| new_id(random));
        unit.conversation = Some(id.clone());
        // However this start goes: the next one goes on with what it was to begin.
        unit.fresh = false;
        if self.course.employs(name)
            && let Some(phase) = self.course.saved.phase.clone()
        {
            self.course.saved.begun.insert(name.clone(), phase);
        }
        actions.push(Action::Save(self.saved()));
        Some(id)
    }

    /// A process goes on in another conversation, at its own wish or a person's.
    pub(super) fn opened(
        &mut self,
        name: &UnitName,
        process: Process,
        conversation: String,
        how: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.policy.agent.is_none() || unit.process.is_some_and(|known| known != process) {
            return;
        }
        let starts = unit.flight.is_some_and(|flight| flight.kind == FlightKind::Start);
        if starts && unit.former == Some(process) {
            // Too late: the next one is being started in the conversation before.
            return;
        }
        if unit.conversation.as_ref() == Some(&conversation) {
            return;
        }
        unit.conversation = Some(conversation.clone());
        let why = format!("goes on in {conversation} ({how})");
        actions.push(Action::Save(self.saved()));
        actions.push(journal(name, "conversation", why));
        actions.push(Action::Lease { unit: name.clone(), process, conversation });
    }

    /// The program could not open the conversation: another one is begun, so that a start like
    /// this one is not made again and again. Or it could not reach its service, and that is no
    /// crash.
    pub(super) fn complained(
        &mut self,
        name: &UnitName,
        process: Process,
        about: Complaint,
        why: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let knows = unit.process.is_none_or(|known| known == process);
        if unit.policy.agent.is_none() || !knows {
            return;
        }
        if about == Complaint::Network {
            unit.cut_off = true;
            actions.push(journal(name, "cut-off", why));
        } else {
            unit.fresh = true;
            unit.because = Some(why.to_owned());
            let why = format!("{why}: the next start begins another conversation");
            actions.push(journal(name, "conversation-lost", why));
        }
    }

    /// A start was not made because the conversation is open somewhere else.
    pub(super) fn taken(
        &mut self,
        now: Now,
        name: &UnitName,
        why: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.not_born();
        unit.taken = !unit.fresh;
        actions.push(journal(name, "conversation-taken", why));
        let dependency = Dependency::Conversation(name.clone());
        unit.enter(State::Waiting(Wait::Until(now.mono)), why, now);
        let outside = self.outside.entry(dependency).or_default();
        outside.there = None;
        outside.awaited = None;
        why.clone_into(&mut outside.why);
        let record = self.units.get(name).map(Unit::record);
        actions.extend(record.map(|record| Action::Record { unit: name.clone(), record }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_four_and_no_two_are_the_same() {
        let mut random = Random::new(7);
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_id(&mut random)).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert!(id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()));
            assert_eq!(id.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&id.as_bytes()[19]));
        }
    }
}
