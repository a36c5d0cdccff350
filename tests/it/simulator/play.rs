//! The loop: what happens next is told to the watchdog, and what it answers is done, one action
//! at a time; between any two the supervisor may be killed.

mod faults;

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::time::Duration;

use agent_supervisor::decide::{Action, Event, PlanSaved, UnitName, Watchdog};

use super::calm;
use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::shown;
use super::story::Story;
use super::talk;
use super::world::{Step, World};

/// What is left of a story that went well.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) told: u64,
    pub(super) acts: u64,
    pub(super) calms: u64,
    /// Messages.
    pub(super) arrived: usize,
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
    /// How many of the calms since the last fault have been judged.
    judged: usize,
    trace: Option<DefaultHasher>,
    tell: bool,
    played: Played,
}

impl<'a> Player<'a> {
    pub(super) fn new(story: &'a Story) -> Self {
        let (mut world, house) = (World::new(story.seed), House::drawn(story.seed));
        world.repos.items = house.items();
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
            judged: 0,
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
        self.played.arrived = self.world.agents.arrived.len();
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
        let calm = next.saturating_sub(self.world.uneasy);
        let over = calm::bounds(&self.house).iter().filter(|bound| calm > **bound).count();
        if over > self.judged {
            calm::judge(over - 1, watchdog, &self.judge, &self.world, &self.house)?;
            self.judged = over;
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
                talk::judge_open(&self.world)?;
                self.wears();
            }
            Step::Dies(process, exit) => self.world.death(process, exit),
            Step::SaysReady(process) => self.world.says_ready(process),
            Step::Says(dependency) => self.world.says(dependency),
            Step::Hook(event) => return self.hears_hook(event),
            Step::Registry(process) => {
                if let Some(event) = self.world.registry(process) {
                    return self.tells(event);
                }
            }
            Step::Transcript(process, sighting) => {
                if let Some(event) = self.world.sighted(process, sighting) {
                    return self.tells(event);
                }
            }
            Step::Lags(process, doing) => {
                if let Some(event) = self.world.lagging(process, doing) {
                    return self.tells(event);
                }
            }
            Step::Moves(process) => {
                if let Some(event) = self.world.moves(process) {
                    return self.tells(event);
                }
            }
            Step::Looks(job) => self.world.looks(job),
            Step::LookEnds(job, seen) => {
                let life = self.world.life;
                for event in self.world.look_ends(job, seen) {
                    if life == self.world.life {
                        self.tells(event)?;
                    }
                }
            }
            Step::Mended => self.world.is_mended(),
            Step::Client(process, turn) => {
                self.world.client_goes_on(process, turn);
                self.judge.post.sees_arrivals(&self.world)?;
            }
            Step::Pen(unit, ticket, stage) => {
                self.world.pen_goes_on(unit, ticket, stage);
                self.judge.post.sees_arrivals(&self.world)?;
                self.wears();
            }
        }
        Ok(())
    }

    /// What a hook says is on disk until it was taken in to the end.
    fn hears_hook(&mut self, event: Event) -> Result<(), Breach> {
        let life = self.world.life;
        if self.watchdog.is_some() {
            self.tells(event.clone())?;
        }
        if self.watchdog.is_none() || life != self.world.life {
            self.world.agents.spool.push_back(event);
        }
        Ok(())
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
                self.judged = 0;
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
        self.judge.begins(self.world.time);
        for name in watchdog.names().filter(|name| !self.names.contains(name)) {
            self.judge.believes_drained(name, &disk.saved);
        }
        if let Err(how) = self.judge.agree(&watchdog.saved(), &watchdog) {
            return Breach::err(Law::WishesLast, format!("after the supervisor is back: {how}"));
        }
        self.judge.course.begins(&watchdog, &self.world, &self.house)?;
        if self.house.has_plan() {
            self.world.plan_is_attended(watchdog.plan_view().phase);
        }
        self.watchdog = Some(watchdog);
        let wait = self.world.dice.time(Duration::ZERO, Duration::from_millis(40));
        for event in std::mem::take(&mut self.world.agents.spool) {
            self.world.after(wait, Step::Hook(event));
        }
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
        let (world, house) = (&self.world, &self.house);
        let at_once = shown::must_restart_at_once(&event, watchdog, &self.judge, world, house);
        let deaths = talk::deaths_shown(&event, watchdog, now);
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
        let (world, house) = (&self.world, &self.house);
        let edges = self.judge.course.edges(&event, &actions, watchdog, world, house)?;
        let saved = watchdog.saved();
        self.judge.stops_for_done(&saved, house);
        self.judge.turns_phase(&saved, house);
        self.judge.course.follows(&event, &actions, &saved.plan, world, house)?;
        if let Some(unit) = at_once.filter(|unit| !self.judge.of(unit).down) {
            let starts = |it: &Action| matches!(it, Action::Start { unit: it, .. } if *it == unit);
            if !actions.iter().any(starts) {
                return Breach::err(Law::FirstRestartAtOnce, format!("{event:?}: {actions:?}"));
            }
        }
        if let Event::Asked(request) = &event {
            self.judge.wishes(request, watchdog, &self.world);
        }
        talk::judge_budget(&event, deaths, talk::deaths_shown(&event, watchdog, now))?;
        self.judge.grants_ends_by_hand(&saved, &self.world, &self.house);
        if let Err(how) = self.judge.agree(&saved, watchdog) {
            return Breach::err(Law::WishesLast, format!("after {event:?}: {how}"));
        }
        self.does(&event, &actions)?;
        if let Some(edges) = edges {
            self.judge.course.saw_edges(edges, &self.world.disk.saved)?;
        }
        self.world.phase_is(self.watchdog.as_ref().and(saved.plan.phase.as_ref()));
        if let Some(watchdog) = &self.watchdog {
            shown::judge(watchdog, &self.judge, &self.world, &self.house)?;
            self.judge.judge_owed(&self.world.disk.saved)?;
            self.judge.took_in(&event, &self.world, &self.house);
            let disk = &self.world.disk.saved;
            let used = saved.remedies.iter().any(|(unit, spent)| {
                let known = disk.remedies.get(unit);
                known != Some(spent)
                    && spent.iter().any(|it| !known.is_some_and(|known| known.contains(it)))
            });
            // What has been told is not to be told again.
            let told = disk.because.keys().any(|unit| !saved.because.contains_key(unit));
            if saved.messages != disk.messages
                || !is_durable(&saved.plan, &disk.plan)
                || saved.conversations != disk.conversations
                || used
                || told
            {
                let how = format!("after {event:?}: {saved:?}, but on disk {disk:?}");
                return Breach::err(Law::SavedFirst, how);
            }
        }
        if let (Event::Asked(request), Some(watchdog)) = (&event, &self.watchdog) {
            if let Err(how) = self.judge.agree(&self.world.disk.saved, watchdog) {
                return Breach::err(Law::WishesLast, format!("not durable: {how}"));
            }
            self.judge.acknowledged(request);
            self.judge.post.acknowledged(request, &actions, watchdog, &self.world)?;
        }
        Ok(())
    }

    fn does(&mut self, event: &Event, actions: &[Action]) -> Result<(), Breach> {
        for (index, action) in actions.iter().enumerate() {
            let Some(watchdog) = &self.watchdog else { return Ok(()) };
            self.played.acts += 1;
            if let Some(hasher) = &mut self.trace {
                hasher.write(format!("{:?} {action:?}", self.world.time).as_bytes());
            }
            if !matches!(action, Action::Save(_) | Action::Journal(_) | Action::Notify(_))
                && let Err(how) = self.judge.agree(&self.world.disk.saved, watchdog)
            {
                return Breach::err(Law::SavedFirst, format!("{action:?}, while {how} on disk"));
            }
            let (world, house) = (&self.world, &self.house);
            shown::judge_record(action, world, house)?;
            self.judge.before(action, watchdog, world, house)?;
            if let Action::Save(saved) = action {
                self.judge.before_save(event, saved, world, house)?;
                let rest = &actions[index..];
                self.judge.post.before_save(saved, rest, watchdog, world, house)?;
                self.judge.course.before_save(saved, &world.disk.saved);
            }
            self.world.act(action.clone());
            if self.wears() {
                self.judge.course.is_interrupted(event);
                // What was not durable was not acknowledged: as it is on disk, so it is wished.
                self.judge.believes(&self.world.disk.saved);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// That the first phase has begun, and which hand-offs the config leaves out, follows from it.
fn is_durable(plan: &PlanSaved, disk: &PlanSaved) -> bool {
    let begun = disk.phase.is_none() || (&disk.phase, disk.since) == (&plan.phase, plan.since);
    begun
        && (&disk.done, &disk.waits, &disk.last) == (&plan.done, &plan.waits, &plan.last)
        && disk.refused == plan.refused
        && (&disk.begun, &disk.stale, &disk.words) == (&plan.begun, &plan.stale, &plan.words)
        && (&disk.blocked, &disk.heads) == (&plan.blocked, &plan.heads)
        && plan.edges.iter().all(|(key, ids)| disk.edges.get(key) == Some(ids))
}
