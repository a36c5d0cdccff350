//! The laws about what is done to sessions that live and do not go on.

mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_supervisor::decide::{
    Channel, Doing, Entry, Event, Failure, MessageId, Process, Reading, Remedy, Request, Saved,
    StateView, Ticket, Typed, UnitName, UnitView,
};

use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::talk::fused;
use super::world::World;

/// What is used up is given back after this time. What is typed may have waited for ten minutes, and
/// for a supervisor to come back.
const WITHIN: Duration = secs(6 * 3600 - 1900);
const ALL_WITHIN: Duration = secs(3600 - 1900);
const SOON: Duration = secs(30 * 60);
const STALLED: Duration = secs(75 * 60);

/// What was done about one session, and what is owed to it.
#[derive(Default)]
pub(super) struct Tended {
    /// Its dialog is being answered, by then.
    pub(super) answering: Option<(Ticket, Duration)>,
    uses: Vec<(Remedy, Duration)>,
    counted: BTreeSet<MessageId>,
    kickoffs: BTreeSet<MessageId>,
    /// The process that a remedy ends, its conversation, why, and when that began.
    ends: Option<(Process, String, Why, Duration)>,
    /// The command was typed that begins another conversation, and may have been taken.
    clears: bool,
    /// Its kickoff is owed to it.
    owed: bool,
    /// It is being started with the reason.
    tells: bool,
}

/// Why a living process is ended unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Wedged,
    Stalled,
    OldLogin,
}

/// What is known of the login that all share.
#[derive(Default)]
pub(super) struct Login {
    /// Who was told to work on it; of others nobody knows what they work on.
    of: BTreeSet<UnitName>,
    /// The logins that are said to be lost: that one (none), or a session's own.
    held: BTreeSet<Option<UnitName>>,
    /// When it was last told that its files changed.
    changed: Option<Duration>,
    /// When anything last moved in a process; whether its transcript is followed.
    moved: BTreeMap<Process, (Duration, bool)>,
}

impl Login {
    fn of(&self, unit: &UnitName) -> Option<UnitName> {
        (!self.of.contains(unit)).then(|| unit.clone())
    }

    /// Whether what a unit works on is said to be lost.
    pub(super) fn is_held(&self, unit: &UnitName) -> bool {
        self.held.contains(&self.of(unit))
    }
}

impl Tended {
    pub(super) fn begins(&mut self) {
        (self.answering, self.ends, self.tells, self.clears) = (None, None, false, false);
    }

    /// A person takes over.
    pub(super) fn is_forgiven(&mut self) {
        *self = Self {
            kickoffs: std::mem::take(&mut self.kickoffs),
            counted: std::mem::take(&mut self.counted),
            answering: self.answering,
            ..Self::default()
        };
    }

    /// A remedy has ended its process, and the next start is the rest of that.
    pub(super) fn is_ended(&self) -> bool {
        self.ends.is_some()
    }

    /// Another phase has begun: what follows is no remedy any more.
    pub(super) fn is_overtaken(&mut self) {
        self.ends = None;
    }

    /// A date that was set makes what was used up older, or younger.
    pub(super) fn forgets(&mut self) {
        self.uses.clear();
    }

    fn used(&self, remedies: &[Remedy], within: Duration, now: Duration) -> usize {
        let counts = |(remedy, at): &&(Remedy, Duration)| {
            remedies.contains(remedy) && now.saturating_sub(*at) < within
        };
        self.uses.iter().filter(counts).count()
    }
}

impl Judge {
    /// Takes in what was told.
    pub(super) fn hears_of_remedies(&mut self, event: &Event, world: &World) {
        match event {
            Event::Sighted { process, sighting, .. } if sighting.channel != Channel::Screen => {
                let at = world.moment(sighting.at);
                let moved = self.login.moved.entry(*process).or_default();
                moved.0 = moved.0.max(at);
            }
            Event::Progress { process, at, .. } => {
                let moved = self.login.moved.entry(*process).or_default();
                *moved = (moved.0.max(world.moment(*at)), true);
            }
            Event::Account { unit, .. } => {
                self.login.of.insert(unit.clone());
                if self.login.held.remove(&Some(unit.clone())) {
                    self.login.held.insert(None);
                }
            }
            Event::LoginChanged { .. } => self.login.changed = Some(world.time),
            Event::Answered { unit, .. } => self.of(unit).tended.answering = None,
            Event::Opened { unit, how, .. } if how == "clear" => {
                let tended = &mut self.of(unit).tended;
                tended.owed |= std::mem::take(&mut tended.clears);
            }
            Event::Typed { unit, outcome, .. } => {
                let tended = &mut self.of(unit).tended;
                let clears = std::mem::take(&mut tended.clears);
                tended.owed |= clears && *outcome == Typed::Arrived;
                tended.clears = clears && matches!(outcome, Typed::Unsure(_));
            }
            Event::Started { unit, outcome: Ok(_), .. } => {
                let tended = &mut self.of(unit).tended;
                if std::mem::take(&mut tended.tells) {
                    tended.owed = false;
                }
            }
            Event::Asked(Request::Start(units) | Request::Restart { units, .. }) => {
                for unit in units {
                    self.of(unit).tended.is_forgiven();
                }
            }
            Event::Started { .. }
            | Event::Sighted { .. }
            | Event::Opened { .. }
            | Event::Tick
            | Event::Looked { .. }
            | Event::Stopped { .. }
            | Event::Ready { .. }
            | Event::Exited { .. }
            | Event::Screened { .. }
            | Event::Complained { .. }
            | Event::Prompted { .. }
            | Event::Kickoff { .. }
            | Event::Used { .. }
            | Event::Found { .. }
            | Event::Marked { .. }
            | Event::DoneSeen { .. }
            | Event::BlockedSeen(_)
            | Event::Committed { .. }
            | Event::Reached { .. }
            | Event::Stranger { .. }
            | Event::Asked(_) => {}
        }
    }

    /// A line of the journal that others than people rely on.
    pub(super) fn reads(&mut self, entry: &Entry) -> Result<(), Breach> {
        match (entry.event, &entry.unit) {
            ("account-held", Some(unit)) => {
                let process = self.units.get(unit).and_then(|known| known.process);
                let said = process.and_then(|process| fused(self.said.get(&process)));
                let news = self.login.held.insert(self.login.of(unit));
                if news && is_refused(said.map(|(doing, _)| doing)) {
                    return Ok(());
                }
                Breach::err(Law::ToldOnce, format!("{unit}: {said:?}, news: {news}"))
            }
            ("account-released", Some(unit)) => {
                if self.login.held.remove(&self.login.of(unit)) {
                    return Ok(());
                }
                Breach::err(Law::ToldOnce, format!("the login of {unit} is not held"))
            }
            ("kickoff", Some(unit)) => {
                let tended = &mut self.of(unit).tended;
                (tended.owed, tended.clears) = (false, false);
                tended.kickoffs.extend(MessageId::parse(&entry.why));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A living, wished, unchanged session is stopped unasked.
    pub(super) fn stops_for_a_remedy(
        &mut self,
        unit: &UnitName,
        process: Process,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let said = fused(self.said.get(&process));
        let (moved, followed) = self.login.moved.get(&process).copied().unwrap_or_default();
        let (now, renewed) = (world.time, self.login.changed);
        let Some(agent) = &house.of(unit).agent else {
            return Breach::err(Law::LeavesTheGoodAlone, format!("{unit} is stopped"));
        };
        self.of(unit);
        let tended = &self.units[unit].tended;
        if tended.ends.as_ref().is_some_and(|(of, ..)| *of == process) {
            return Ok(());
        }
        let why = match said {
            Some((Doing::Failed(Failure::Wedged(wedge)), channel))
                if channel != Channel::Screen =>
            {
                let milder = [Remedy::Clear, Remedy::Fresh];
                // A kill may have come between the command and its typing; and what was used before
                // a boot counts as if it had been at its beginning. When the date is set, what was
                // used before is forgotten here, and not there.
                let mut ends = self.kills.iter().chain([&self.woke]).chain(&self.dated);
                let killed = ends.any(|at| now - *at < SOON + secs(1300));
                let first = tended.used(&milder, SOON, now) == 0 && !killed;
                if first && agent.clear.is_some() && tended.used(&[Remedy::Clear], WITHIN, now) < 4
                {
                    let how = format!("{unit} ({wedge:?}) is stopped, and was not cleared first");
                    return Breach::err(Law::ClearsFirst, how);
                }
                Why::Wedged
            }
            Some((Doing::Working, _)) if followed && now - moved >= STALLED => Why::Stalled,
            Some((doing, _)) if is_refused(Some(doing)) && renewed.is_some() => Why::OldLogin,
            Some((Doing::Failed(Failure::Limited { .. }), _)) => {
                return Breach::err(Law::LeavesTheWaiting, format!("{unit} is stopped: {said:?}"));
            }
            _ => return Breach::err(Law::LeavesTheGoodAlone, format!("{unit}: {said:?}")),
        };
        let conversation = world.disk.saved.conversations.get(unit).cloned().unwrap_or_default();
        let known = self.of(unit);
        known.first = true;
        known.talk.may_be_fresh();
        known.tended.ends = Some((process, conversation, why, now));
        Ok(())
    }

    /// A start after that: with the same conversation, or with another one.
    pub(super) fn starts_for_a_remedy(
        &mut self,
        unit: &UnitName,
        conversation: &str,
        because: Option<&String>,
    ) -> Result<(), Breach> {
        let held = self.login.is_held(unit);
        let tended = &mut self.of(unit).tended;
        tended.tells = because.is_some();
        if held {
            return Breach::err(Law::LeavesTheWaiting, format!("{unit} is started in vain"));
        }
        let Some((_, before, why, ended)) = tended.ends.take() else { return Ok(()) };
        let fresh = before != conversation;
        let again = tended.used(&[Remedy::Resume], secs(3 * 3600), ended) > 0;
        let good = match (why, fresh) {
            (Why::Wedged, fresh) => fresh,
            (Why::Stalled, fresh) => !fresh || again,
            (Why::OldLogin, fresh) => !fresh,
        };
        if !good {
            let how = format!("{unit} was {why:?}, and goes on with a fresh one: {fresh}");
            return Breach::err(Law::ConversationsLast, how);
        }
        if fresh && because.is_none() {
            let how = format!("{unit} begins {conversation} and is not told why");
            return Breach::err(Law::KickoffIsOwed, how);
        }
        self.counts(unit, if fresh { Remedy::Fresh } else { Remedy::Resume }, ended)
    }

    fn counts(&mut self, unit: &UnitName, remedy: Remedy, now: Duration) -> Result<(), Breach> {
        let tended = &mut self.of(unit).tended;
        tended.uses.push((remedy, now));
        let used = tended.used(&[remedy], WITHIN, now);
        let (most, kinds, most_of_all) = match remedy {
            Remedy::Compact | Remedy::Clear => (4, 0..4, 10),
            Remedy::Fresh | Remedy::Resume => (3, 0..4, 10),
            Remedy::Nudge => (16, 4..6, 60),
            Remedy::Answer => (12, 4..6, 60),
        };
        let kinds = &Remedy::ALL[kinds];
        let of_all: usize =
            self.units.values().map(|it| it.tended.used(kinds, ALL_WITHIN, now)).sum();
        if used > most || of_all > most_of_all {
            let how = format!("{unit}: {remedy:?} for the {used}th time; {of_all} over all");
            return Breach::err(Law::RemediesAreBounded, how);
        }
        Ok(())
    }

    /// After what was told has been done.
    pub(super) fn judge_owed(&self, saved: &Saved) -> Result<(), Breach> {
        for (unit, known) in &self.units {
            if known.tended.owed && !saved.because.contains_key(unit) {
                let how = format!("{unit} is in another conversation, and is not told why");
                return Breach::err(Law::KickoffIsOwed, how);
            }
        }
        Ok(())
    }
}

/// A session that is up and does not go on says why, and when it is seen to next, or that a person
/// is to see to it.
pub(super) fn judge_up(view: &UnitView, known_down: bool) -> Result<(), Breach> {
    let for_a_person = match view.reading {
        Reading::LoggedOut => true,
        // Nothing is left to pay with; or a config is to be changed.
        Reading::Errored => !view.why.contains("Errored"),
        Reading::Dialog => true,
        Reading::Wedged => view.why.contains("only its screen says so"),
        Reading::Limited => view.why.contains("tries again by itself"),
        Reading::Stalled => false,
        Reading::Ready
        | Reading::Unready
        | Reading::Starting
        | Reading::Working
        | Reading::Idle
        | Reading::Dead
        | Reading::Unknown => return Ok(()),
    };
    if known_down || view.state != StateView::Up {
        return Ok(());
    }
    if view.why.is_empty() || !(for_a_person || view.next_wake.is_some() || view.messages > 0) {
        return Breach::err(Law::SaysWhy, format!("{view:?}"));
    }
    Ok(())
}

fn is_refused(doing: Option<Doing>) -> bool {
    matches!(doing, Some(Doing::Failed(Failure::LoggedOut | Failure::Unpaid)))
}
