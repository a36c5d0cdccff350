//! The laws about what is typed into a session that does not go on, and which keys are pressed.

use std::collections::BTreeMap;

use agent_supervisor::decide::{
    Answer, Channel, Dialog, Doing, Failure, Message, Process, Remedy, Ticket, UnitName, Wedge,
};

use super::super::course::is_of_plan;
use super::super::house::{House, secs};
use super::super::judge::Judge;
use super::super::laws::{Breach, Law};
use super::super::talk::fused;
use super::super::world::World;

impl Judge {
    /// What is typed into a session, by what it is doing.
    pub(in super::super) fn types_for_a_remedy(
        &mut self,
        unit: &UnitName,
        process: Process,
        message: &Message,
        world: &World,
    ) -> Result<(), Breach> {
        let said = fused(self.said.get(&process)).map(|(doing, _)| doing);
        let (id, command) = (message.id(), message.is_command());
        let ours = !self.post.knows(id);
        let held = self.login.is_held(unit);
        let breach = |law| Breach::err(law, format!("{unit}, {said:?}: {:?}", message.text));
        let remedy = match (ours, message.text.as_str()) {
            (true, "/clear") => Some(Remedy::Clear),
            (true, "/compact") => Some(Remedy::Compact),
            (true, _) if self.of(unit).tended.kickoffs.contains(&id) || is_of_plan(message) => None,
            (true, _) => Some(Remedy::Nudge),
            (false, _) => None,
        };
        match said {
            Some(Doing::Dialog(_)) | None => return breach(Law::NoTextIntoDialogs),
            Some(Doing::Working) if command => return breach(Law::NoTextIntoDialogs),
            Some(Doing::Failed(Failure::Wedged(wedge))) => match remedy {
                Some(Remedy::Clear) => {}
                Some(Remedy::Compact) if wedge == Wedge::Full => {}
                _ => return breach(Law::NoTextInVain),
            },
            _ if matches!(remedy, Some(Remedy::Clear | Remedy::Compact)) => {
                return breach(Law::ConversationsLast);
            }
            _ if held && remedy != Some(Remedy::Nudge) => return breach(Law::NoTextInVain),
            Some(Doing::Idle | Doing::Working | Doing::Failed(Failure::Errored)) => {}
            Some(Doing::Failed(Failure::Limited { until })) => {
                let early = until.is_some_and(|until| world.now().wall < until);
                let known = until.is_none_or(|_| world.wall_hours == 0);
                if remedy != Some(Remedy::Nudge) || (early && known) {
                    return breach(Law::NoTextInVain);
                }
            }
            Some(Doing::Failed(_)) if remedy == Some(Remedy::Nudge) => {}
            Some(Doing::Failed(_)) => return breach(Law::NoTextInVain),
        }
        let Some(remedy) = remedy else { return Ok(()) };
        if remedy == Remedy::Clear {
            self.of(unit).tended.clears = true;
        }
        if self.of(unit).tended.counted.insert(id) {
            self.counts(unit, remedy, world.time)?;
        }
        Ok(())
    }

    pub(in super::super) fn before_answer(
        &mut self,
        unit: &UnitName,
        ticket: Ticket,
        (dialog, answer): (Dialog, Answer),
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let process = self.before_pen(unit, ticket, secs(30), world, house)?;
        let known = self.of(unit);
        known.talk.pen = None;
        known.tended.answering = Some((ticket, world.time + secs(30)));
        let said = self.said.get(&process).into_iter().flatten();
        let mut last: BTreeMap<Channel, (_, Doing)> = BTreeMap::new();
        for it in said {
            let known = last.entry(it.channel).or_insert((it.at, it.doing));
            if known.0 <= it.at {
                *known = (it.at, it.doing);
            }
        }
        let shown = last.values().any(|(_, doing)| *doing == Doing::Dialog(dialog));
        let escapes = house.of(unit).agent.as_ref().is_some_and(|agent| agent.escape);
        let fits = match answer {
            Answer::Wait => dialog == Dialog::Limit,
            Answer::Escape => escapes && matches!(dialog, Dialog::Permission | Dialog::Question),
        };
        if !shown || !fits {
            let how = format!("{unit}: {answer:?} to {dialog:?}, shown: {shown}");
            return Breach::err(Law::AnswersWhatIsAsked, how);
        }
        self.counts(unit, Remedy::Answer, world.time)
    }
}
