//! Sessions at their prompt: what they are still to be told of a conversation that was begun for them,
//! and that they are to go on.

use std::time::Duration;

use super::care::plain;
use super::event::Action;
use super::message::MessageId;
use super::spent::Remedy;
use super::watchdog::{Watchdog, journal};
use super::{Now, Sighting, UnitName};

/// A kickoff prompt is read from a file; what was not answered by then is asked for again.
const KICKOFF_DEADLINE: Duration = Duration::from_secs(60);

impl Watchdog {
    /// It is at its prompt, and its last turn went well.
    pub(super) fn idles(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        (unit.care.tries, unit.care.told) = (0, false);
        let owed = unit.because.clone().filter(|_| !unit.fresh);
        if let Some(because) = owed {
            let asked = unit.care.kickoff.filter(|at| now.mono.since(*at) < KICKOFF_DEADLINE);
            if asked.is_none() {
                actions.push(Action::Kickoff { unit: name.clone(), because });
            }
            let by = asked.unwrap_or(now.mono) + KICKOFF_DEADLINE;
            unit.care.kickoff = Some(asked.unwrap_or(now.mono));
            unit.care.next = Some((by, "asks for its kickoff prompt again"));
            return;
        }
        let Some(nudge) = unit.policy.agent.as_ref().and_then(|agent| agent.idle_nudge.clone())
        else {
            return;
        };
        if unit.queue.front().is_some() || !self.course.has_work() {
            return;
        }
        let planned = unit.care.planned.filter(|(of, _)| *of == best.at).map(|(_, due)| due);
        let due = planned.unwrap_or(best.at + nudge.after);
        let what = "tells an idle session to go on";
        if now.mono < due {
            unit.care.next = Some((due, what));
            return;
        }
        if let Err(at) = self.may_use(now, name, Remedy::Nudge) {
            if let Some(unit) = self.units.get_mut(name) {
                unit.care.next = Some((at, what));
            }
            return;
        }
        if self.nudge(now, name, nudge.text, actions)
            && let Some(unit) = self.units.get_mut(name)
        {
            unit.care.planned = Some((best.at, now.mono + nudge.after));
        }
    }

    /// The kickoff prompt of a conversation that was begun in a living process.
    pub(super) fn kicks_off(
        &mut self,
        now: Now,
        name: &UnitName,
        text: Option<String>,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(because) = unit
            .because
            .clone()
            .filter(|_| unit.care.kickoff.is_some() && !unit.fresh && unit.bounce.is_none())
        else {
            return;
        };
        unit.because = None;
        let why = plain(&because);
        let text = text.unwrap_or_else(|| {
            format!("This is a fresh conversation: the last one could not go on ({why}). See first how far your work had come, then go on.")
        });
        let id = MessageId::new(self.random.short());
        if let Some(unit) = self.units.get_mut(name) {
            unit.push_first(id, text, None, now);
        }
        actions.push(Action::Save(self.saved()));
        actions.push(journal(name, "kickoff", id.to_string()));
    }
}
