//! What is done about a session that lives and does not go on: at most one thing at a time, the
//! mildest first, and never more often than its limits allow. Which limits, is in `spent.rs`; what is
//! waited for, in `failing.rs`, dialogs in `asking.rs`, what moves no more in `stall.rs`.

use std::time::Duration;

use super::care::{CLEAR_CEILING, COMPACT_CEILING, Step};
use super::event::Action;
use super::spent::Remedy;
use super::unit::Bounce;
use super::watchdog::Watchdog;
use super::{Channel, Doing, Failure, Mono, Now, Sighting, UnitName, Wedge};

/// What comes again so soon after a remedy was not cured by it: the next one is used.
const SOON: Duration = Duration::from_secs(30 * 60);
/// An agent that is at its prompt for so long after it was to compact a conversation has not done it.
const REFUSED: Duration = Duration::from_secs(5);

impl Watchdog {
    /// Does what is to be done about a session now, or says when.
    pub(super) fn remedy(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        // A message does as well as a line to go on, as long as it is going to be typed.
        self.expire_messages(now, name, actions);
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.next = None;
        unit.care.says.clear();
        if !unit.is_tended() {
            unit.care.step = None;
            return;
        }
        let Some(best) = unit.sightings.best().cloned() else { return };
        let wedged = matches!(best.doing, Doing::Failed(Failure::Wedged(_)));
        if let Some(line) = unit.care.line.filter(|_| !wedged)
            && unit.queue.withdraw_command(line)
        {
            // What it was to cure is over, or was cured by something else.
            unit.care.step = None;
            unit.care.spent.take_back(&[Remedy::Clear, Remedy::Compact]);
            unit.because = None;
            actions.push(Action::Save(self.saved()));
        }
        if !self.is_under_way(now, name, &best, actions) {
            self.begin_remedy(now, name, &best, actions);
        }
        // What was begun just now has its end, too.
        if let Some(unit) = self.units.get_mut(name) {
            unit.care.shows_step();
        }
    }

    fn begin_remedy(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        match best.doing {
            Doing::Failed(Failure::Wedged(wedge)) => self.wedged(now, name, wedge, best, actions),
            Doing::Failed(Failure::Limited { until }) => {
                self.limited(now, name, until, best, actions);
            }
            Doing::Failed(Failure::LoggedOut | Failure::Unpaid) => {
                self.refused(now, name, best, actions);
            }
            Doing::Failed(Failure::Misconfigured) => {
                if let Some(unit) = self.units.get_mut(name) {
                    unit.care.says =
                        format!("{}; change its config, then `restart {name}`", best.evidence);
                }
            }
            Doing::Failed(Failure::Errored) => self.errored(now, name, best, actions),
            Doing::Dialog(dialog) => self.asks(now, name, dialog, best, actions),
            Doing::Idle => self.idles(now, name, best, actions),
            Doing::Working => self.works(now, name, actions),
        }
    }

    /// Whether what was begun goes on.
    fn is_under_way(
        &mut self,
        now: Now,
        name: &UnitName,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(unit) = self.units.get_mut(name) else { return false };
        let Some(step) = unit.care.step else { return false };
        // A file may lag behind, and knows of no failures: a hook says that it is well again.
        let hook = unit.sightings.last(Channel::Hook).filter(|it| it.doing == Doing::Idle);
        let well = |since: Mono| hook.is_some_and(|it| it.at >= since);
        let asks = matches!(best.doing, Doing::Dialog(_));
        let late = now.mono >= step.deadline();
        let mut soon = None;
        match step {
            Step::Clear { since } if well(since) || asks || late => unit.care.step = None,
            Step::Compact { since } => {
                let later = best.at > since;
                let failed = later && matches!(best.doing, Doing::Failed(_));
                // At its prompt, and no word that it was done: there was too little to compact, or
                // the word is late. A turn will tell.
                soon = (later && best.doing == Doing::Idle).then(|| best.at + REFUSED);
                if well(since) || soon.is_some_and(|at| now.mono >= at) {
                    unit.care.step = None;
                    let line = "Your conversation had become too long, and was to be compacted. Go \
                                on with your work.";
                    self.nudge(now, name, line.to_owned(), actions);
                    return true;
                }
                if failed || asks || late {
                    unit.care.step = None;
                }
            }
            Step::Answer { of, .. } if late => {
                unit.care.step = None;
                unit.care.unanswered = Some(of);
            }
            Step::Clear { .. } | Step::Answer { .. } => {}
        }
        let Some(unit) = self.units.get_mut(name).filter(|unit| unit.care.step.is_some()) else {
            return false;
        };
        unit.care.next = soon.map(|at| (at, "tells it to go on"));
        true
    }

    /// Every further turn would fail: the conversation is made shorter or left, in this process if
    /// that goes, else in another. It is never resumed.
    fn wedged(
        &mut self,
        now: Now,
        name: &UnitName,
        wedge: Wedge,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if best.channel == Channel::Screen {
            // On a screen may stand what anybody has printed; nothing is ended for that alone.
            unit.care.says = format!("{}: only its screen says so; look at it", best.evidence);
            return;
        }
        let Some(agent) = &unit.policy.agent else { return };
        let milder = [
            (Remedy::Compact, agent.compact.clone().filter(|_| wedge == Wedge::Full)),
            (Remedy::Clear, agent.clear.clone()),
        ];
        let spent = &unit.care.spent;
        let fits = |remedy: Remedy| {
            spent.within(&[remedy], SOON, now.mono) == 0
                && spent.free_at(remedy, now.mono) <= now.mono
        };
        let milder = milder.into_iter().find_map(|(remedy, command)| {
            let command = command.filter(|_| fits(remedy))?;
            // What came after a fresh conversation is not cured by a cleared one.
            let stronger = [Remedy::Clear, Remedy::Fresh];
            (spent.within(&stronger, SOON, now.mono) == 0).then_some((remedy, command))
        });
        let remedy = milder.as_ref().map_or(Remedy::Fresh, |(remedy, _)| *remedy);
        if let Err(at) = self.may_use(now, name, remedy) {
            let why = "fresh conversations did not help";
            return self.exhausted(name, at, why, best, actions);
        }
        let what = format!("{}: {}", remedy.as_str(), best.evidence);
        let Some(unit) = self.units.get_mut(name) else { return };
        match milder {
            Some((Remedy::Compact, command)) => {
                unit.care.step = Some(Step::Compact { since: now.mono });
                self.type_first(now, name, command, COMPACT_CEILING);
            }
            Some((_, command)) => {
                unit.care.step = Some(Step::Clear { since: now.mono });
                unit.care.kickoff = None;
                unit.because = Some(best.evidence.clone());
                self.type_first(now, name, command, CLEAR_CEILING);
            }
            None => {
                unit.because = Some(best.evidence.clone());
                unit.bounce = Some(Bounce { fresh: true });
            }
        }
        self.uses(now, name, remedy, what, actions);
    }

    /// Another process: with the same conversation, or with another one that is told why.
    pub(super) fn replace(
        &mut self,
        now: Now,
        name: &UnitName,
        remedy: Remedy,
        why: &str,
        best: &Sighting,
        actions: &mut Vec<Action>,
    ) {
        if let Err(at) = self.may_use(now, name, remedy) {
            return self.exhausted(name, at, "other processes did not help", best, actions);
        }
        let Some(unit) = self.units.get_mut(name) else { return };
        let fresh = remedy == Remedy::Fresh;
        unit.bounce = Some(Bounce { fresh });
        if fresh {
            unit.because = Some(why.to_owned());
        }
        self.uses(now, name, remedy, format!("{}: {why}", remedy.as_str()), actions);
    }
}
