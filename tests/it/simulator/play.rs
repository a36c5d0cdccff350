//! The loop: what happens next is told to the watchdog, and what it answers is done, one action
//! at a time; between any two the supervisor may be killed.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::time::Duration;

use agent_supervisor::decide::{Action, Event, Request, UnitName, Watchdog};

use super::calm;
use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::shown;
use super::story::{Story, What};
use super::world::{Step, World};

/// What is left of a story that went well.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) told: u64,
    pub(super) acts: u64,
    pub(super) calms: u64,
    /// A digest of every action with its time.
    pub(super) trace: u64,
    pub(super) lasted: Duration,
}

pub(super) struct Player<'a> {
    story: &'a Story,
    world: World,
    house: House,
    judge: Judge,
    watchdog: Option<Watchdog>,
    /// The units that its last life knew in the end.
    names: Vec<UnitName>,
    /// After so many acts the supervisor is killed, and is back so much later.
    doomed: Option<(u32, Duration)>,
    /// Whether a calm since the last fault has been judged: the short one, the long one.
    judged: (bool, bool),
    trace: Option<DefaultHasher>,
    tell: bool,
    played: Played,
}

impl<'a> Player<'a> {
    pub(super) fn new(story: &'a Story) -> Self {
        let (world, house) = (World::new(story.seed), House::drawn(story.seed));
        let mut judge = Judge::default();
        for name in house.cast.keys() {
            judge.of(name);
        }
        Self {
            story,
            world,
            house,
            judge,
            watchdog: None,
            names: Vec::new(),
            doomed: None,
            judged: (false, false),
            trace: None,
            tell: false,
            played: Played::default(),
        }
    }

    /// Keeps a digest of all actions.
    pub(super) fn traced(mut self) -> Self {
        self.trace = Some(DefaultHasher::new());
        self
    }

    /// Prints all that is told and done.
    pub(super) fn told(mut self, tell: bool) -> Self {
        self.tell = tell;
        self
    }

    pub(super) fn play(mut self) -> Result<Played, Breach> {
        for (index, event) in self.story.events.iter().enumerate() {
            self.world.after(event.at, Step::Story(index));
        }
        self.world.after(Duration::ZERO, Step::Wake);
        while let Some(at) = self.next_at() {
            self.judges_calm(at)?;
            if at > self.story.lasts {
                break;
            }
            if self.world.next_at() == Some(at) {
                if let Some(step) = self.world.take_step() {
                    self.steps(step)?;
                }
            } else {
                self.world.time = at;
                self.tells(Event::Tick)?;
            }
        }
        self.played.lasted = self.world.time;
        self.played.trace = self.trace.map_or(0, |hasher| hasher.finish());
        Ok(self.played)
    }

    fn next_at(&self) -> Option<Duration> {
        let wake = self.watchdog.as_ref().and_then(Watchdog::next_wake);
        let wake = wake.map(|(at, _)| self.world.moment(at));
        let end = Some(self.story.lasts + secs(1));
        [self.world.next_at(), wake, end].into_iter().flatten().min()
    }

    /// The state just before `next` is judged, once for every calm.
    fn judges_calm(&mut self, next: Duration) -> Result<(), Breach> {
        let Some(watchdog) = self.watchdog.as_ref().filter(|_| self.doomed.is_none()) else {
            return Ok(());
        };
        let (short, long) = calm::bounds(&self.house);
        let calm = next.saturating_sub(self.world.uneasy);
        let (was_short, was_long) = self.judged;
        if (calm > short && !was_short) || (calm > long && !was_long) {
            let patient = calm > long;
            calm::judge(patient, watchdog, &self.judge, &self.world, &self.house)?;
            self.judged = (true, patient);
            self.played.calms += 1;
        }
        Ok(())
    }

    fn steps(&mut self, step: Step) -> Result<(), Breach> {
        match step {
            Step::Story(index) => return self.befalls(&self.story.events[index].what.clone()),
            Step::Wake => return self.wakes(),
            Step::Deliver(event) => return self.tells(event),
            Step::Op(unit, ticket, stage) => {
                self.world.go_on(unit, ticket, stage, &self.house);
                self.wears();
            }
            Step::Dies(process, exit) => self.world.death(process, exit),
            Step::SaysReady(process) => self.world.says_ready(process),
            Step::Says(dependency) => self.world.says(dependency),
        }
        Ok(())
    }

    fn befalls(&mut self, what: &What) -> Result<(), Breach> {
        if self.tell {
            println!("{:?} *** {what}", self.world.time);
        }
        self.judged = (false, false);
        self.world.worry(Duration::ZERO);
        let World { trouble, time, .. } = &mut self.world;
        match what {
            What::Exit(unit, exit) => {
                if let Some(process) = self.world.living(unit) {
                    self.world.death(process, *exit);
                }
            }
            What::Sick { unit, life, lasts } => {
                trouble.sick.insert(unit.clone(), (*time + *lasts, *life));
                self.world.worry(*lasts + *life);
            }
            What::Hitch { unit, kind, how, times } => {
                let hitches = trouble.hitches.entry((unit.clone(), *kind)).or_default();
                hitches.extend((0..*times).map(|_| *how));
            }
            What::Late(unit, by) => {
                trouble.late.insert(unit.clone(), *by);
            }
            What::Echo(unit, by) => {
                trouble.echoes.insert(unit.clone(), *by);
            }
            What::Gone { dependency, lasts, mute } => {
                trouble.gone.insert(dependency.clone(), (*time + *lasts, *mute));
                self.world.worry(*lasts);
            }
            What::Ask(request) => return self.asks(request),
            What::Kill { acts: 0, down } => self.kills(*down, None),
            What::Kill { acts, down } => self.doomed = Some((*acts, *down)),
            What::Change { unit, change, down } => {
                self.kills(*down, None);
                self.house.apply(unit, change);
            }
            What::Reboot { down } => self.kills(Duration::ZERO, Some(*down)),
            What::Wall { hours } => self.world.wall_hours += hours,
        }
        Ok(())
    }

    /// The names are checked before the watchdog hears of a request.
    fn asks(&mut self, request: &Request) -> Result<(), Breach> {
        let Some(watchdog) = &self.watchdog else { return Ok(()) };
        let mut request = request.clone();
        match &mut request {
            Request::Start(units) | Request::Stop(units) | Request::Restart { units, .. } => {
                units.retain(|name| watchdog.names().any(|it| it == name));
            }
            Request::Drain => {}
        }
        self.tells(Event::Asked(request))
    }

    fn kills(&mut self, down: Duration, power: Option<Duration>) {
        self.doomed = None;
        if power.is_none() && !self.world.is_on() {
            return;
        }
        if let Some(watchdog) = self.watchdog.take() {
            self.names = watchdog.names().cloned().collect();
        }
        self.judge.ends(&self.world, power.is_some());
        match power {
            Some(off) => {
                self.world.power_ends(off);
                self.world.disk.saved.drained.clear();
                self.world.after(off, Step::Wake);
            }
            None => {
                self.world.supervisor_ends();
                self.world.after(down, Step::Wake);
            }
        }
        let wait = down + power.unwrap_or_default();
        self.world.worry(wait);
    }

    /// One act nearer to a kill that the story holds.
    fn wears(&mut self) -> bool {
        match &mut self.doomed {
            Some((0 | 1, down)) => {
                let down = *down;
                self.judged = (false, false);
                self.kills(down, None);
                true
            }
            Some((acts, _)) => {
                *acts -= 1;
                false
            }
            None => false,
        }
    }

    fn wakes(&mut self) -> Result<(), Breach> {
        let world = &self.world;
        let disk = &world.disk;
        let seed = self.story.seed ^ world.life;
        let policy = self.house.policy();
        let watchdog = Watchdog::new(policy, &disk.saved, &disk.records, world.now(), seed);
        self.judge.begins();
        for name in watchdog.names().filter(|name| !self.names.contains(name)) {
            self.judge.believes_drained(name, &disk.saved);
        }
        if let Err(how) = self.judge.agree(&watchdog.saved(), &watchdog) {
            return Breach::err(Law::WishesLast, format!("after the supervisor is back: {how}"));
        }
        self.watchdog = Some(watchdog);
        self.tells(Event::Tick)
    }

    fn tells(&mut self, event: Event) -> Result<(), Breach> {
        if self.judge.is_stale(&event) {
            self.handles(Event::Tick)?;
            let Some(watchdog) = &self.watchdog else { return Ok(()) };
            let before = (watchdog.view(self.world.now()), watchdog.next_wake());
            self.handles(event.clone())?;
            let Some(watchdog) = &self.watchdog else { return Ok(()) };
            let after = (watchdog.view(self.world.now()), watchdog.next_wake());
            if before != after {
                return Breach::err(Law::OldAnswersAreNothing, format!("{event:?}"));
            }
            return Ok(());
        }
        self.handles(event)
    }

    fn handles(&mut self, event: Event) -> Result<(), Breach> {
        let Some(watchdog) = &mut self.watchdog else { return Ok(()) };
        let now = self.world.now();
        self.played.told += 1;
        let stale = self.judge.is_stale(&event);
        let at_once = shown::must_restart_at_once(
            &event,
            &watchdog.view(now),
            &self.judge,
            &self.world,
            &self.house,
        );
        self.judge.hears(&event, &self.world, &self.house);
        let actions = watchdog.handle(now, event.clone());
        if self.tell {
            println!("{:?} {event:?}", self.world.time);
            for action in &actions {
                println!("    {action:?}");
            }
        }
        if stale && !actions.is_empty() {
            return Breach::err(Law::OldAnswersAreNothing, format!("{event:?}: {actions:?}"));
        }
        if let Some(unit) = at_once {
            let starts = |it: &Action| matches!(it, Action::Start { unit: it, .. } if *it == unit);
            if !actions.iter().any(starts) {
                return Breach::err(Law::FirstRestartAtOnce, format!("{event:?}: {actions:?}"));
            }
        }
        if let Event::Asked(request) = &event {
            self.judge.wishes(request, watchdog, &self.world);
        }
        let saved = watchdog.saved();
        self.judge.grants_ends_by_hand(&saved, &self.world, &self.house);
        if let Err(how) = self.judge.agree(&saved, watchdog) {
            return Breach::err(Law::WishesLast, format!("after {event:?}: {how}"));
        }
        self.does(actions)?;
        if let Some(watchdog) = &self.watchdog {
            shown::judge(watchdog, &self.judge, &self.world, &self.house)?;
        }
        if let (Event::Asked(request), Some(watchdog)) = (&event, &self.watchdog) {
            if let Err(how) = self.judge.agree(&self.world.disk.saved, watchdog) {
                return Breach::err(Law::WishesLast, format!("not durable: {how}"));
            }
            self.judge.acknowledged(request);
        }
        Ok(())
    }

    fn does(&mut self, actions: Vec<Action>) -> Result<(), Breach> {
        for action in actions {
            let Some(watchdog) = &self.watchdog else { return Ok(()) };
            self.played.acts += 1;
            if let Some(hasher) = &mut self.trace {
                hasher.write(format!("{:?} {action:?}", self.world.time).as_bytes());
            }
            if !matches!(action, Action::Save(_) | Action::Journal(_))
                && let Err(how) = self.judge.agree(&self.world.disk.saved, watchdog)
            {
                return Breach::err(Law::SavedFirst, format!("{action:?}, while {how} on disk"));
            }
            shown::judge_record(&action, &self.world, &self.house)?;
            self.judge.before(&action, watchdog, &self.world, &self.house)?;
            self.world.act(action);
            if self.wears() {
                // What was not durable was not acknowledged: as it is on disk, so it is wished.
                self.judge.believes(&self.world.disk.saved);
                return Ok(());
            }
        }
        Ok(())
    }
}
