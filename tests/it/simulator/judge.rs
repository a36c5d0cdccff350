//! What may be known of each unit, kept by simpler means than the watchdog's own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_supervisor::decide::{
    Dependency, Event, Exit, Look, NoStart, Process, Request, Saved, Sighting, Ticket, UnitName,
    Watchdog, Wish,
};

use super::course::Course;
use super::house::House;
use super::post::Post;
use super::remedies::{Login, Tended};
use super::story::Kind;
use super::talk::Talk;
use super::world::World;

#[derive(Default)]
pub(super) struct Judge {
    pub(super) units: BTreeMap<UnitName, Known>,
    /// What Found said last in this life.
    pub(super) there: BTreeMap<Dependency, bool>,
    /// When anything was started in this life, and when for a restart.
    pub(super) starts: Vec<Duration>,
    pub(super) restarts: Vec<Duration>,
    /// When the supervisor's lives ended.
    pub(super) kills: Vec<Duration>,
    /// When this one began.
    pub(super) woke: Duration,
    /// When the date was set.
    pub(super) dated: Vec<Duration>,
    /// The exits that were told in this life.
    pub(super) told: BTreeSet<Process>,
    /// What the channels said in this life.
    pub(super) said: BTreeMap<Process, Vec<Sighting>>,
    pub(super) post: Post,
    pub(super) login: Login,
    pub(super) course: Course,
}

/// What an attentive listener knows of one unit.
#[derive(Default)]
pub(super) struct Known {
    pub(super) down: bool,
    pub(super) drained: bool,
    pub(super) flight: Option<Flight>,
    /// The last thing heard leaves no doubt whether it lives.
    pub(super) sure: bool,
    /// When a look last saw it alive and not ready.
    pub(super) unready: Option<Duration>,
    /// When an action last failed or missed its deadline.
    pub(super) failed: Option<Duration>,
    pub(super) process: Option<Process>,
    /// A restart was asked of this process (none = of whatever there was).
    pub(super) bounce: Option<Option<Process>>,
    /// Starts since it was last forgiven.
    pub(super) starts: Vec<Duration>,
    /// The next start is an operator's, or the first of this life.
    pub(super) first: bool,
    /// So was the last one.
    pub(super) was_first: bool,
    /// What may count as a death since it was last forgiven.
    pub(super) mishaps: u32,
    /// It is ended because another phase has begun.
    pub(super) for_phase: bool,
    pub(super) talk: Talk,
    pub(super) tended: Tended,
}

pub(super) struct Flight {
    pub(super) ticket: Ticket,
    pub(super) kind: Kind,
    pub(super) deadline: Duration,
}

impl Judge {
    pub(super) fn of(&mut self, unit: &UnitName) -> &mut Known {
        self.units.entry(unit.clone()).or_default()
    }

    /// A new life of the supervisor: nothing is known but the wishes.
    pub(super) fn begins(&mut self, now: Duration) {
        self.woke = now;
        self.there.clear();
        self.starts.clear();
        self.restarts.clear();
        self.told.clear();
        self.said.clear();
        self.login = Login::default();
        for known in self.units.values_mut() {
            known.flight = None;
            known.sure = false;
            known.failed = None;
            known.process = None;
            known.first = true;
            known.talk.begins();
            known.tended.begins();
        }
    }

    /// Its life ended, by a kill or with the power.
    pub(super) fn ends(&mut self, world: &World, power: bool) {
        self.kills.push(world.time);
        self.course.ends(&world.disk.saved.plan);
        for known in self.units.values_mut() {
            // A restart that was under way is not gone on with.
            (known.bounce, known.for_phase) = (None, false);
            known.mishaps += 1;
            if power {
                known.drained = false;
                known.mishaps = 0;
                known.starts.clear();
            }
        }
    }

    /// Whether an event is an answer that nobody waits for any more.
    pub(super) fn is_stale(&self, event: &Event) -> bool {
        match event {
            Event::Looked { unit, ticket, .. }
            | Event::Started { unit, ticket, .. }
            | Event::Stopped { unit, ticket, .. } => {
                let flight = self.units.get(unit).and_then(|known| known.flight.as_ref());
                flight.is_none_or(|flight| flight.ticket != *ticket)
            }
            Event::Typed { unit, ticket, .. } | Event::Screened { unit, ticket, .. } => {
                let pen = self.units.get(unit).and_then(|known| known.talk.pen);
                pen.is_none_or(|(known, _)| known != *ticket)
            }
            Event::Answered { unit, ticket, .. } => {
                let answering = self.units.get(unit).and_then(|known| known.tended.answering);
                answering.is_none_or(|(known, _)| known != *ticket)
            }
            Event::Tick
            | Event::Ready { .. }
            | Event::Exited { .. }
            | Event::Found { .. }
            | Event::Sighted { .. }
            | Event::Opened { .. }
            | Event::Complained { .. }
            | Event::Kickoff { .. }
            | Event::Progress { .. }
            | Event::Used { .. }
            | Event::Account { .. }
            | Event::LoginChanged { .. }
            | Event::Prompted { .. }
            | Event::Marked { .. }
            | Event::DoneSeen { .. }
            | Event::BlockedSeen(_)
            | Event::Committed { .. }
            | Event::Reached { .. }
            | Event::Stranger { .. }
            | Event::Asked(_) => false,
        }
    }

    /// Takes in what the watchdog has just been told.
    pub(super) fn hears(&mut self, event: &Event, world: &World, house: &House) {
        let stale = self.is_stale(event);
        if !stale {
            self.hears_talk(event);
            self.hears_of_remedies(event, world);
        }
        self.post.hears(event, world);
        match event {
            Event::Looked { unit, look, .. } if !stale => {
                let told = match look {
                    Look::Alive { process, .. } => self.told.contains(process),
                    Look::Absent { .. } | Look::Failed(_) => false,
                };
                let known = self.of(unit);
                known.flight = None;
                if matches!(look, Look::Alive { ready: false, .. }) {
                    known.unready = Some(world.time);
                }
                match look {
                    Look::Alive { process, .. } if !told => {
                        // What is adopted is started anew for a death or for a request only.
                        known.first &= known.process.is_some() || known.bounce.is_some();
                        (known.sure, known.process) = (true, Some(*process));
                    }
                    Look::Alive { .. } | Look::Absent { .. } => {
                        (known.sure, known.process) = (true, None);
                        known.mishaps += 1;
                        self.forgives_a_stable_life(unit, world, house);
                    }
                    Look::Failed(_) => {
                        (known.sure, known.failed) = (false, Some(world.time));
                    }
                }
            }
            Event::Started { unit, outcome, .. } if !stale => {
                let told = outcome.as_ref().is_ok_and(|process| self.told.contains(process));
                let known = self.of(unit);
                known.flight = None;
                known.sure = true;
                known.process = outcome.as_ref().ok().copied().filter(|_| !told);
                match outcome {
                    Err(NoStart::Taken(_) | NoStart::Refused(_)) => {
                        known.starts.pop();
                        known.first |= known.was_first;
                    }
                    Ok(_) | Err(NoStart::Failed(_)) => {
                        known.mishaps += u32::from(known.process.is_none());
                    }
                }
                // Asked while it was being started: it is to be another one than this.
                known.bounce = known.bounce.map(|asked| asked.or(known.process));
            }
            Event::Stopped { unit, outcome, .. } if !stale => {
                let known = self.of(unit);
                known.flight = None;
                known.sure = outcome.is_ok();
                known.mishaps += 1;
                if outcome.is_ok() {
                    known.process = None;
                }
            }
            Event::Exited { unit, process, .. } => {
                self.told.insert(*process);
                self.forgives_a_stable_life(unit, world, house);
                let known = self.of(unit);
                known.mishaps += 1;
                if known.process == Some(*process) {
                    known.talk.pen = None;
                    known.tended.answering = None;
                    known.process = None;
                    known.sure = true;
                    known.flight.take_if(|flight| flight.kind == Kind::Look);
                }
            }
            Event::Found { dependency, outcome } => {
                self.there.insert(dependency.clone(), outcome.is_ok());
            }
            Event::Looked { .. }
            | Event::Started { .. }
            | Event::Stopped { .. }
            | Event::Tick
            | Event::Sighted { .. }
            | Event::Screened { .. }
            | Event::Opened { .. }
            | Event::Complained { .. }
            | Event::Answered { .. }
            | Event::Kickoff { .. }
            | Event::Progress { .. }
            | Event::Used { .. }
            | Event::Account { .. }
            | Event::LoginChanged { .. }
            | Event::Prompted { .. }
            | Event::Typed { .. }
            | Event::Marked { .. }
            | Event::DoneSeen { .. }
            | Event::BlockedSeen(_)
            | Event::Committed { .. }
            | Event::Reached { .. }
            | Event::Stranger { .. }
            | Event::Asked(_) => {}
            Event::Ready { unit, process } => {
                let known = self.of(unit);
                known.sure |= known.process == Some(*process);
            }
        }
        for known in self.units.values_mut() {
            known.talk.pen.take_if(|(_, deadline)| *deadline <= world.time);
            known.tended.answering.take_if(|(_, deadline)| *deadline <= world.time);
            if known.flight.take_if(|flight| flight.deadline <= world.time).is_some() {
                (known.sure, known.failed) = (false, Some(world.time));
                known.mishaps += 1;
            }
        }
    }

    fn forgives_a_stable_life(&mut self, unit: &UnitName, world: &World, house: &House) {
        let births = world.procs.values().filter(|it| it.unit == *unit).map(|it| it.born);
        let stable = house.of(unit).restart.stable_after;
        if births.max().is_some_and(|born| world.time - born >= stable) {
            self.of(unit).starts.clear();
        }
    }

    /// The wishes that a request leads to.
    pub(super) fn wishes(&mut self, request: &Request, watchdog: &Watchdog, world: &World) {
        let (names, up) = match request {
            Request::Start(units) | Request::Restart { units, .. } => (units, true),
            Request::Stop(units) => (units, false),
            Request::Drain => {
                for name in watchdog.names() {
                    let known = self.of(name);
                    (known.drained, known.bounce) = (true, None);
                    known.talk.is_asked(request);
                }
                return;
            }
            Request::Tell { .. } | Request::Phase(_) => return,
        };
        for name in names {
            let restart = matches!(request, Request::Restart { .. });
            let living = world.living(name);
            let known = self.of(name);
            known.down = !up;
            known.talk.is_asked(request);
            known.bounce = known.bounce.filter(|_| up);
            if up {
                known.drained = false;
                known.first = true;
                known.starts.clear();
            }
            if restart {
                known.bounce = Some(living);
            }
        }
    }

    /// What a drain left of a unit that was in no config meanwhile is not pursued.
    pub(super) fn believes_drained(&mut self, name: &UnitName, saved: &Saved) {
        self.of(name).drained = saved.drained.contains(name);
    }

    /// The wishes on disk are the ones that hold.
    pub(super) fn believes(&mut self, saved: &Saved) {
        for (name, known) in &mut self.units {
            known.down = saved.wishes.get(name) == Some(&Wish::Down);
            known.drained = saved.drained.contains(name);
        }
    }

    /// A request was handled to its end.
    pub(super) fn acknowledged(&mut self, request: &Request) {
        if let Request::Start(units) | Request::Restart { units, .. } = request {
            for name in units {
                // A start under way has taken its record along: that is written anew once it is
                // up. So has a stop whose process has ended, for what is left of that.
                let known = self.of(name);
                let named = |flight: &Flight| flight.kind != Kind::Start && known.process.is_some();
                if known.sure && known.flight.as_ref().is_none_or(named) {
                    known.mishaps = 0;
                }
            }
        }
    }

    /// Whether `saved` says the wishes that are known.
    pub(super) fn agree(&self, saved: &Saved, watchdog: &Watchdog) -> Result<(), String> {
        for (name, known) in &self.units {
            let wish = saved.wishes.get(name).copied().unwrap_or(Wish::Up);
            if (wish == Wish::Down) != known.down {
                return Err(format!("{name} is wished {wish:?}"));
            }
            let drained = saved.drained.contains(name);
            if drained != known.drained && watchdog.names().any(|it| it == name) {
                return Err(format!("{name} is drained: {drained}"));
            }
        }
        Ok(())
    }

    /// An end by hand turns the wish down: accepted when a process that no stop had signalled
    /// ended well.
    pub(super) fn grants_ends_by_hand(&mut self, saved: &Saved, world: &World, house: &House) {
        for (name, known) in &mut self.units {
            let ended_well = || {
                world
                    .procs
                    .values()
                    .any(|it| it.unit == *name && it.ended == Some(Exit::Code(0)) && !it.signalled)
            };
            let by_hand = saved.wishes.get(name) == Some(&Wish::Down)
                && house.named(name).is_some_and(|policy| policy.ends_by_hand);
            if by_hand && ended_well() {
                known.down = true;
            }
        }
    }
}
