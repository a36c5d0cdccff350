//! Dialogs: which are answered, how, and what the session is told then.

use std::time::Duration;

use super::care::{Step, plain};
use super::event::{Action, Answer, Ticket};
use super::spent::Remedy;
use super::watchdog::{Watchdog, journal};
use super::{Channel, Dialog, Now, Sighting, UnitName};

/// A person who looks at a dialog has so long to answer it.
const DIALOG_PATIENCE: Duration = Duration::from_secs(30);

impl Watchdog {
    /// It asks something.
    pub(super) fn asks(
        &mut self,
        now: Now,
        name: &UnitName,
        dialog: Dialog,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let escapes = unit.policy.agent.as_ref().is_some_and(|agent| agent.escape);
        unit.care.says = format!("{}: answer it", best.evidence);
        let answer = match dialog {
            Dialog::Limit => Answer::Wait,
            Dialog::Permission | Dialog::Question if escapes => Answer::Escape,
            Dialog::Permission | Dialog::Question | Dialog::Start => return,
            // Which one it is, only the screen shows.
            Dialog::Other => {
                let new = unit.care.looked.replace(best.at) != Some(best.at);
                if new && best.channel != Channel::Screen {
                    unit.glance_at(now.mono);
                }
                return;
            }
        };
        if unit.care.unanswered == Some(best.at) {
            return;
        }
        let due = match answer {
            Answer::Wait => now.mono,
            Answer::Escape => best.at + DIALOG_PATIENCE,
        };
        if now.mono < due || unit.pen.is_some() {
            unit.care.next = Some((due, "answers the dialog")).filter(|_| now.mono < due);
            return;
        }
        if let Err(at) = self.may_use(now, name, Remedy::Answer) {
            return self.exhausted(name, at, "dialogs come again and again", best, actions);
        }
        let ticket = self.ticket();
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.step = Some(Step::Answer { ticket, since: now.mono, of: best.at, answer });
        unit.care.asked.clone_from(&best.evidence);
        let what = match answer {
            Answer::Wait => format!("answer (wait for the reset): {}", best.evidence),
            Answer::Escape => format!("answer (Escape): {}", best.evidence),
        };
        self.uses(now, name, Remedy::Answer, what, actions);
        actions.push(Action::Answer { unit: name.clone(), ticket, dialog, answer });
    }

    /// The answer to [`Action::Answer`].
    pub(super) fn answered(
        &mut self,
        now: Now,
        name: &UnitName,
        ticket: Ticket,
        outcome: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(Step::Answer { ticket: known, of, answer, .. }) = unit.care.step else { return };
        if known != ticket {
            return;
        }
        unit.care.step = None;
        // Whatever came of it: this dialog is not answered twice.
        unit.care.unanswered = Some(of);
        match outcome {
            Err(why) => actions.push(journal(name, "not-answered", why)),
            Ok(()) => {
                // What it says by now is said of what came after the dialog.
                let asked = plain(&unit.care.asked);
                actions.push(journal(name, "answered", asked.clone()));
                if answer == Answer::Escape {
                    let line = format!(
                        "Nobody is here to answer ({asked}): it was dismissed. Decide for yourself, \
                         note what you assumed, and go on."
                    );
                    self.nudge(now, name, line, actions);
                }
            }
        }
    }
}
