//! The simulated machine: processes, what is on disk, the actions under way, and the time. It
//! knows nothing of what the supervisor believes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use agent_supervisor::decide::{
    Dependency, Doing, Event, Exit, Mono, Now, Process, Record, Saved, Sighting, Ticket, UnitName,
};

use super::client::{Agents, Ailments, Lateness, Turn};
use super::dice::Dice;
use super::house::{House, secs};
use super::repos::{Job, Repos};
use super::story::{Hitch, Kind};
use super::typing::Pen;

/// So few that they are soon used again.
const PIDS: i32 = 11;

pub(super) struct World {
    /// Since the story began; never set back.
    pub(super) time: Duration,
    booted: Duration,
    pub(super) wall_hours: i64,
    pub(super) disk: Disk,
    pub(super) procs: BTreeMap<Process, Proc>,
    next_pid: i32,
    pub(super) ops: BTreeMap<UnitName, Op>,
    pub(super) pens: BTreeMap<UnitName, Pen>,
    pub(super) agents: Agents,
    pub(super) ailments: Ailments,
    pub(super) repos: Repos,
    /// Whose exits and readiness the living supervisor is told.
    pub(super) watched: BTreeSet<Process>,
    pub(super) awaited: BTreeSet<Dependency>,
    queue: BTreeMap<(Duration, u64), Step>,
    steps: u64,
    /// Which life of the supervisor this is.
    pub(super) life: u64,
    pub(super) dice: Dice,
    pub(super) trouble: Trouble,
    /// Faults work on until then at least.
    pub(super) uneasy: Duration,
}

#[derive(Default)]
pub(super) struct Disk {
    pub(super) saved: Saved,
    pub(super) records: BTreeMap<UnitName, Record>,
}

pub(super) struct Proc {
    pub(super) unit: UnitName,
    pub(super) spec: String,
    pub(super) born: Duration,
    pub(super) ready: Option<Duration>,
    pub(super) ended: Option<Exit>,
    /// Somebody who looks later can learn how it ended.
    pub(super) learnable: bool,
    /// A stop has signalled it.
    pub(super) signalled: bool,
}

pub(super) struct Op {
    pub(super) ticket: Ticket,
    pub(super) kind: Kind,
    pub(super) hitch: Option<Hitch>,
    pub(super) process: Option<Process>,
    pub(super) record: Option<Record>,
    /// The conversation that an agent is started in, and whether it is told why.
    pub(super) conversation: Option<String>,
    pub(super) because: bool,
    pub(super) grace: Duration,
    /// Added to the wait for its next step.
    pub(super) pause: Duration,
}

/// What the story has in store.
#[derive(Default)]
pub(super) struct Trouble {
    pub(super) hitches: BTreeMap<(UnitName, Kind), VecDeque<Hitch>>,
    pub(super) late: BTreeMap<UnitName, Option<Duration>>,
    pub(super) sick: BTreeMap<UnitName, (Duration, Duration)>,
    pub(super) echoes: BTreeMap<UnitName, Duration>,
    pub(super) gone: BTreeMap<Dependency, (Duration, bool)>,
    /// The next client stands at a dialog so long before it is at its prompt.
    pub(super) start_dialogs: BTreeMap<UnitName, Duration>,
    pub(super) late_hooks: BTreeMap<UnitName, Lateness>,
    /// The next start of these is refused.
    pub(super) refused: BTreeSet<UnitName>,
}

/// What happens at a moment.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Story(usize),
    /// The next step of an action, unless it was abandoned.
    Op(UnitName, Ticket, usize),
    Dies(Process, Exit),
    SaysReady(Process),
    Says(Dependency),
    Deliver(Event),
    /// A hook speaks, whether a supervisor lives or not.
    Hook(Event),
    /// The file of a living session is read.
    Registry(Process),
    Client(Process, Turn),
    /// The transcript is read.
    Transcript(Process, Sighting),
    /// The file of a session that failed says something else.
    Lags(Process, Doing),
    /// The transcript of a session has grown.
    Moves(Process),
    /// A look at the repositories of the plan is due.
    Looks(Job),
    /// It ends, and saw this, if it saw it when it began.
    LookEnds(Job, Option<Vec<Event>>),
    /// A person has mended what is wrong with the login.
    Mended,
    /// The next step at a terminal.
    Pen(UnitName, Ticket, usize),
    Wake,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            time: Duration::ZERO,
            booted: Duration::ZERO,
            wall_hours: 0,
            disk: Disk::default(),
            procs: BTreeMap::new(),
            next_pid: 0,
            ops: BTreeMap::new(),
            pens: BTreeMap::new(),
            agents: Agents::default(),
            ailments: Ailments::default(),
            repos: Repos::default(),
            watched: BTreeSet::new(),
            awaited: BTreeSet::new(),
            queue: BTreeMap::new(),
            steps: 0,
            life: 0,
            dice: Dice::new(seed ^ 0xd1ce),
            trouble: Trouble::default(),
            uneasy: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::UNIX_EPOCH + secs(2_000_000_000) + self.time;
        let hours = secs(self.wall_hours.unsigned_abs() * 3600);
        let wall = if self.wall_hours < 0 { wall - hours } else { wall + hours };
        Now { mono: Mono::from_boot(self.time - self.booted), wall }
    }

    /// The moment at which the clock that counts from the boot shows `mono`.
    pub(super) fn moment(&self, mono: Mono) -> Duration {
        self.booted + mono.since_boot()
    }

    /// What that clock showed at a moment of this boot.
    pub(super) fn mono_of(&self, time: Duration) -> Mono {
        Mono::from_boot(time - self.booted)
    }

    pub(super) fn after(&mut self, wait: Duration, step: Step) {
        self.steps += 1;
        self.queue.insert((self.time + wait, self.steps), step);
    }

    pub(super) fn next_at(&self) -> Option<Duration> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn take_step(&mut self) -> Option<Step> {
        let ((at, _), step) = self.queue.pop_first()?;
        self.time = self.time.max(at);
        Some(step)
    }

    pub(super) fn living(&self, unit: &UnitName) -> Option<Process> {
        let mut living = self.procs.iter().filter(|(_, it)| it.unit == *unit && it.ended.is_none());
        living.next().map(|(process, _)| *process)
    }

    /// A pid and a start time that no other process of this boot has together.
    pub(super) fn fork(&mut self) -> Process {
        let ticks = (self.time - self.booted).as_millis() / 10;
        let start = u64::try_from(ticks).unwrap();
        loop {
            self.next_pid = self.next_pid % PIDS + 1;
            let process = Process { pid: 100 + self.next_pid, start };
            let in_use = |(other, it): (&Process, &Proc)| {
                *other == process || (other.pid == process.pid && it.ended.is_none())
            };
            let held = self.ops.values().any(|op| op.process.is_some_and(|p| p.pid == process.pid));
            if !self.procs.iter().any(in_use) && !held {
                return process;
            }
        }
    }

    pub(super) fn birth(&mut self, unit: &UnitName, process: Process, house: &House) {
        let policy = house.of(unit);
        let talk = self.ops.get(unit).and_then(|op| Some((op.conversation.clone()?, op.because)));
        let late = self.trouble.late.remove(unit);
        let quick = self.dice.time(Duration::from_millis(1), secs(3));
        let ready_in = match (policy.ready_within, late) {
            (None, _) => Some(Duration::ZERO),
            (Some(_), Some(late)) => late,
            (Some(_), None) => Some(quick),
        };
        let needs = policy.ready_within.is_some();
        let born = Proc {
            unit: unit.clone(),
            spec: policy.spec.clone(),
            born: self.time,
            ready: (!needs).then_some(self.time),
            ended: None,
            learnable: self.dice.percent(60),
            signalled: false,
        };
        self.procs.insert(process, born);
        if let Some((talk, because)) = talk {
            self.client_begins(unit, process, talk, because);
        }
        if let Some(wait) = ready_in.filter(|_| needs) {
            self.after(wait, Step::SaysReady(process));
        }
        if late.is_some() {
            // The confirming look, the stop and the next start come after that.
            self.worry(policy.ready_within.unwrap_or_default() + secs(90));
        }
        if let Some((until, life)) = self.trouble.sick.get(unit)
            && self.time < *until
        {
            let exit = self.dice.pick(&[Exit::Code(1), Exit::Signal(11)]);
            self.after(*life, Step::Dies(process, exit));
        }
    }

    pub(super) fn death(&mut self, process: Process, exit: Exit) {
        let Some(it) = self.procs.get_mut(&process).filter(|it| it.ended.is_none()) else { return };
        it.ended = Some(exit);
        let unit = it.unit.clone();
        self.agents.clients.remove(&process);
        if self.watched.remove(&process) {
            let wait = self.dice.time(Duration::from_micros(50), Duration::from_millis(5));
            self.after(wait, Step::Deliver(Event::Exited { unit, process, exit }));
        }
    }

    pub(super) fn says_ready(&mut self, process: Process) {
        let Some(it) = self.procs.get_mut(&process).filter(|it| it.ended.is_none()) else { return };
        it.ready = Some(self.time);
        let unit = it.unit.clone();
        if self.watched.contains(&process) {
            let wait = Duration::from_millis(1);
            self.after(wait, Step::Deliver(Event::Ready { unit, process }));
        }
    }

    /// A watch for a dependency speaks, if it is awaited and nobody silences it.
    pub(super) fn says(&mut self, dependency: Dependency) {
        if let Dependency::Conversation(unit) = &dependency {
            let talk = self.disk.saved.conversations.get(unit);
            if let Some(until) = talk.and_then(|talk| self.held_until(talk)) {
                let wait = until - self.time;
                return self.after(wait, Step::Says(dependency));
            }
        }
        let outcome = match self.trouble.gone.get(&dependency) {
            Some((until, true)) if self.time < *until => return,
            Some((until, false)) if self.time < *until => {
                let wait = *until - self.time;
                self.after(wait, Step::Says(dependency.clone()));
                Err("no answer on its socket".to_owned())
            }
            _ => Ok(()),
        };
        if self.awaited.contains(&dependency) {
            if outcome.is_ok() {
                self.awaited.remove(&dependency);
            }
            self.after(Duration::ZERO, Step::Deliver(Event::Found { dependency, outcome }));
        }
    }

    /// The supervisor is gone, and with it all that it had under way.
    pub(super) fn supervisor_ends(&mut self) {
        self.life += 1;
        self.ops.clear();
        self.pens.clear();
        self.plan_is_left();
        self.watched.clear();
        self.awaited.clear();
        self.agents.clients.values_mut().for_each(|client| client.forgotten = true);
        self.queue.retain(|_, step| match step {
            Step::Deliver(_)
            | Step::Wake
            | Step::Op(..)
            | Step::Pen(..)
            | Step::Registry(_)
            | Step::Transcript(..)
            | Step::Lags(..)
            | Step::Moves(_)
            | Step::Looks(_)
            | Step::LookEnds(..)
            | Step::Says(_) => false,
            Step::Story(_)
            | Step::Dies(..)
            | Step::SaysReady(_)
            | Step::Hook(_)
            | Step::Mended
            | Step::Client(..) => true,
        });
    }

    pub(super) fn power_ends(&mut self, down: Duration) {
        self.supervisor_ends();
        self.procs.clear();
        self.agents.clients.clear();
        self.agents.spool.clear();
        self.agents.held.clear();
        self.disk.records.clear();
        self.queue.retain(|_, step| matches!(step, Step::Story(_)));
        self.booted = self.time + down;
    }

    /// Whether the power is on.
    pub(super) fn is_on(&self) -> bool {
        self.booted <= self.time
    }

    /// Calm is no sooner than `wait` from now.
    pub(super) fn worry(&mut self, wait: Duration) {
        self.uneasy = self.uneasy.max(self.time + wait);
    }
}
