//! A story: an explicit list of timed faults and commands, drawn from a seed first, so that it
//! can be shortened and played again.

mod failing;
mod planned;

use std::fmt;
use std::time::Duration;

use agent_supervisor::decide::{Dependency, Exit, MessageId, Request, UnitName};

use super::dice::Dice;
use super::house::{AGENTS, Change, SESSIONS, UNITS, name, secs};
use super::repos::PlanDoes;

pub(super) struct Story {
    pub(super) seed: u64,
    pub(super) events: Vec<Event>,
    pub(super) lasts: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// The living process of a unit ends by itself.
    Exit(UnitName, Exit),
    /// Processes of a unit that are born in this time live only so long.
    Sick { unit: UnitName, life: Duration, lasts: Duration },
    /// The next actions of this kind go wrong.
    Hitch { unit: UnitName, kind: Kind, how: Hitch, times: u32 },
    /// The next process says late (none = never) that it is ready.
    Late(UnitName, Option<Duration>),
    /// The next answer of a unit comes a second time.
    Echo(UnitName, Duration),
    /// A dependency outside is away; `mute`: and nobody says so.
    Gone { dependency: Dependency, lasts: Duration, mute: bool },
    /// An operator speaks.
    Ask(Request),
    /// The supervisor is killed so many acts later, and comes back.
    Kill { acts: u32, down: Duration },
    /// The same, and the configuration has changed when it comes back.
    Change { unit: UnitName, change: Change, down: Duration },
    /// The machine is.
    Reboot { down: Duration },
    /// An agent, or a person at its terminal, does something.
    Agent(UnitName, AgentDoes, Duration),
    /// Something happens in the repositories of the plan.
    Plan(PlanDoes, Duration),
    /// Somebody sets the date.
    Wall { hours: i64 },
}

/// What an agent does, or what is done to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum AgentDoes {
    /// A person types a prompt, and it works so long.
    Turn,
    /// It asks for a permission, which is given so much later.
    Asks,
    /// It asks something of its own, which is answered so much later.
    Wonders,
    /// Something goes wrong with it for so long.
    FallsIll(Ill),
    /// A person clears the conversation.
    Clears,
    /// A person leaves half-typed text for so long.
    HalfTyped,
    /// A person holds its conversation in another process for so long, if nobody else does.
    OpensByHand,
    /// Its conversation cannot be opened again.
    Breaks,
    /// The next one stands at a dialog for so long before its first prompt.
    StartDialog,
    /// The next start is refused.
    IsRefused,
    /// For so long its hooks speak late, and some twice.
    HooksLate { by: Duration, twice: bool },
}

/// Why turns fail. The first five are of all agents.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ill {
    /// A usage limit. `asks`: there is a dialog; `resumes`: it goes on by itself after the reset.
    Limited { dated: bool, resumes: bool, asks: bool },
    /// The login is lost until a person logs in. `told`: its files are seen to change then;
    /// `keeps`: the processes that live then keep the old one.
    LoggedOut { told: bool, keeps: bool },
    /// The same for want of money.
    Unpaid { told: bool },
    /// The server fails.
    Outage,
    /// Clients cannot reach the server when they start.
    CutOff,
    /// Its conversation is poisoned, and so many that follow, too; so many commands are not taken.
    Poisoned { again: u32, deaf: u32 },
    /// Its conversation is too long; whether it can be made shorter.
    Full { curable: bool },
    /// Nothing moves in its next turn any more.
    Stalls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Look,
    Start,
    Stop,
    Type,
    Screen,
    Answer,
}

/// How an action goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hitch {
    Fails,
    /// Before its nth step.
    Slow(usize, Duration),
    Hangs(usize),
}

impl Story {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut events = Vec::new();
        let mut at = secs(10 + dice.below(600));
        for _ in 0..2 + dice.below(10) {
            let span = dice.pick(&[secs(5), secs(120), secs(1800), secs(20_000)]);
            // Some chapters are about one unit only, so that its troubles meet.
            let only = dice.percent(50).then(|| dice.pick(&UNITS));
            let begin = at;
            for _ in 0..3 + dice.below(40) {
                let event_at = begin + dice.time(Duration::ZERO, span);
                at = at.max(event_at);
                let unit = name(only.unwrap_or(dice.pick(&UNITS)));
                if dice.percent(25) && AGENTS.contains(&unit.as_str()) {
                    events.extend(agent_scene(&unit, event_at, &mut dice));
                }
                if dice.percent(20) && AGENTS.contains(&unit.as_str()) {
                    events.extend(failing::scene(&unit, event_at, &mut dice));
                }
                if dice.percent(12) {
                    events.extend(scene(&unit, event_at, &mut dice));
                }
                events.push(Event { at: event_at, what: what(unit, &mut dice) });
            }
            at += dice.pick(&[secs(600), secs(3 * 3600), secs(12 * 3600), secs(3 * 86_400)]);
        }
        events.extend(planned::events(seed, at));
        events.sort_by_key(|event| event.at);
        let lasts = at + dice.pick(&[secs(3 * 3600), secs(40 * 3600)]);
        Self { seed, events, lasts }
    }

    /// The same story with only some of its events.
    pub(super) fn with(&self, events: Vec<Event>) -> Self {
        Self { seed: self.seed, events, lasts: self.lasts }
    }
}

/// An action that takes its time, what leads to it, and something that comes in between.
fn scene(unit: &UnitName, at: Duration, dice: &mut Dice) -> [Event; 3] {
    let kind = dice.pick(&[Kind::Look, Kind::Start, Kind::Stop]);
    let step = usize::try_from(dice.below(3)).unwrap();
    let by = dice.pick(&[secs(5), secs(29), secs(62)]);
    let how = if dice.percent(70) { Hitch::Slow(step, by) } else { Hitch::Hangs(step) };
    let cause = match kind {
        Kind::Look => What::Kill { acts: 0, down: Duration::ZERO },
        Kind::Start => What::Exit(unit.clone(), Exit::Signal(9)),
        Kind::Stop | Kind::Type | Kind::Screen | Kind::Answer => {
            What::Ask(request(unit.clone(), dice))
        }
    };
    let between = if dice.percent(50) {
        What::Ask(request(unit.clone(), dice))
    } else {
        what(unit.clone(), dice)
    };
    let later = at + Duration::from_millis(1) + dice.time(Duration::ZERO, by);
    [
        Event { at, what: What::Hitch { unit: unit.clone(), kind, how, times: 1 } },
        Event { at, what: cause },
        Event { at: later, what: between },
    ]
}

fn what(unit: UnitName, dice: &mut Dice) -> What {
    if SESSIONS.contains(&unit.as_str()) && dice.percent(50) {
        return session_what(unit, dice);
    }
    let down = dice.pick(&[Duration::ZERO, secs(1), secs(30), secs(1200)]);
    match dice.below(100) {
        0..22 => What::Exit(unit, exit(dice)),
        22..29 => What::Sick {
            unit,
            life: dice.pick(&[Duration::ZERO, Duration::from_millis(3), secs(1), secs(40)]),
            lasts: dice.time(secs(1), secs(2 * 3600)),
        },
        29..50 => {
            let kind = dice.pick(&[Kind::Look, Kind::Start, Kind::Stop, Kind::Stop]);
            let step = usize::try_from(dice.below(3)).unwrap();
            let how = match dice.below(4) {
                0 | 1 => Hitch::Fails,
                2 => Hitch::Slow(step, dice.pick(&[secs(1), secs(9), secs(29), secs(62)])),
                _ => Hitch::Hangs(step),
            };
            What::Hitch { unit, kind, how, times: 1 + u32::try_from(dice.below(4)).unwrap() }
        }
        50..54 => What::Late(unit, dice.pick(&[None, Some(secs(8)), Some(secs(70))])),
        54..57 => What::Echo(unit, dice.time(Duration::ZERO, secs(60))),
        57..61 => What::Gone {
            dependency: dice.pick(&[Dependency::Docker, Dependency::Network]),
            lasts: dice.time(secs(1), secs(7200)),
            mute: dice.percent(30),
        },
        61..80 => What::Ask(request(unit, dice)),
        80..90 => What::Kill { acts: u32::try_from(dice.below(12)).unwrap(), down },
        90..94 => What::Change {
            unit,
            change: dice.pick(&[Change::Membership, Change::Spec, Change::Hold]),
            down,
        },
        94..97 => What::Reboot { down: down + secs(20) },
        _ => What::Wall { hours: dice.pick(&[-10_000, -1, 1, 24]) },
    }
}

/// A message under way, or a conversation under change, and something that comes in between.
fn agent_scene(unit: &UnitName, at: Duration, dice: &mut Dice) -> [Event; 4] {
    let step = usize::try_from(dice.below(4)).unwrap();
    let by = dice.pick(&[Duration::from_millis(200), secs(5), secs(38), secs(62)]);
    let how = if dice.percent(80) { Hitch::Slow(step, by) } else { Hitch::Hangs(step) };
    let kind = dice.pick(&[Kind::Type, Kind::Type, Kind::Start]);
    let hitch = What::Hitch { unit: unit.clone(), kind, how, times: 1 };
    let down = dice.pick(&[Duration::ZERO, secs(3)]);
    let kill = What::Kill { acts: u32::try_from(dice.below(8)).unwrap(), down };
    let (first, second) = match dice.below(5) {
        0 | 1 => (tell(unit.clone(), dice), kill),
        2 => {
            let held = AgentDoes::OpensByHand;
            let lasts = dice.time(secs(1), secs(1200));
            (What::Exit(unit.clone(), Exit::Signal(9)), What::Agent(unit.clone(), held, lasts))
        }
        3 => {
            let breaks = What::Agent(unit.clone(), AgentDoes::Breaks, Duration::ZERO);
            (breaks, What::Exit(unit.clone(), Exit::Signal(9)))
        }
        _ => {
            let clears = What::Agent(unit.clone(), AgentDoes::Clears, Duration::ZERO);
            (clears, if dice.percent(50) { kill } else { What::Exit(unit.clone(), exit(dice)) })
        }
    };
    let later = at + Duration::from_millis(1) + dice.time(Duration::ZERO, by);
    [
        Event { at, what: hitch },
        Event { at, what: first },
        Event { at: if kind == Kind::Type { later } else { at }, what: second },
        Event { at: later, what: session_what(unit.clone(), dice) },
    ]
}

/// What happens to sessions only.
fn session_what(unit: UnitName, dice: &mut Dice) -> What {
    if !AGENTS.contains(&unit.as_str()) || dice.percent(40) {
        return tell(unit, dice);
    }
    let lasts = dice.time(secs(1), secs(1200));
    let doing = match dice.below(100) {
        0..22 => AgentDoes::Turn,
        22..30 => AgentDoes::Asks,
        30..36 => AgentDoes::Wonders,
        36..42 => AgentDoes::Clears,
        42..48 => AgentDoes::HalfTyped,
        48..56 => return What::Agent(unit, AgentDoes::FallsIll(failing::ill(dice)), lasts),
        56..64 => AgentDoes::OpensByHand,
        64..70 => AgentDoes::Breaks,
        70..78 => AgentDoes::StartDialog,
        78..82 => AgentDoes::IsRefused,
        82..90 => {
            AgentDoes::HooksLate { by: dice.pick(&[secs(1), secs(30)]), twice: dice.percent(50) }
        }
        _ => {
            let kind = dice.pick(&[Kind::Type, Kind::Type, Kind::Screen, Kind::Answer]);
            let step = usize::try_from(dice.below(4)).unwrap();
            let how = match dice.below(4) {
                0 | 1 => Hitch::Fails,
                2 => Hitch::Slow(step, dice.pick(&[secs(1), secs(9), secs(38), secs(62)])),
                _ => Hitch::Hangs(step),
            };
            let times = 1 + u32::try_from(dice.below(4)).unwrap();
            return What::Hitch { unit, kind, how, times };
        }
    };
    What::Agent(unit, doing, lasts)
}

fn tell(unit: UnitName, dice: &mut Dice) -> What {
    let id = MessageId::new(u32::try_from(dice.roll() & 0x3fff_ffff).unwrap());
    let text = dice.pick(&["go on", "look at the build", "the plan has changed"]).to_owned();
    let within = dice.pick(&[Duration::ZERO, secs(5), secs(60), secs(1800)]);
    let expires_in = dice.percent(40).then_some(within);
    What::Ask(Request::Tell { unit, id, text, expires_in })
}

fn exit(dice: &mut Dice) -> Exit {
    dice.pick(&[Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Unknown])
}

fn request(unit: UnitName, dice: &mut Dice) -> Request {
    let units = match dice.below(5) {
        0 => UNITS.iter().map(|text| name(text)).collect(),
        1 => vec![unit, name(dice.pick(&UNITS))],
        _ => vec![unit],
    };
    match dice.below(10) {
        0..4 => Request::Start(units),
        4..6 => Request::Stop(units),
        6..9 => Request::Restart { units, fresh: dice.percent(30) },
        _ => Request::Drain,
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.at.as_secs(), self.at.subsec_micros());
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
        write!(f, "day {days} {hours:02}:{minutes:02}:{seconds:02}.{rest:06}  {}", self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(unit, exit) => write!(f, "{unit}: its process ends: {exit}"),
            Self::Sick { unit, life, lasts } => {
                write!(f, "{unit}: for {lasts:?}, what is born lives {life:?}")
            }
            Self::Hitch { unit, kind, how, times } => {
                let kind = match kind {
                    Kind::Look => "look",
                    Kind::Start => "start",
                    Kind::Stop => "stop",
                    Kind::Type => "typing",
                    Kind::Screen => "look at its screen",
                    Kind::Answer => "answer to a dialog",
                };
                match how {
                    Hitch::Fails => write!(f, "{unit}: {times} × {kind} will fail"),
                    Hitch::Slow(step, by) => {
                        write!(f, "{unit}: {times} × {kind} will take {by:?} before step {step}")
                    }
                    Hitch::Hangs(step) => {
                        write!(f, "{unit}: {times} × {kind} will hang before step {step}")
                    }
                }
            }
            Self::Late(unit, Some(by)) => write!(f, "{unit}: the next one is ready after {by:?}"),
            Self::Late(unit, None) => write!(f, "{unit}: the next one is never ready"),
            Self::Echo(unit, by) => write!(f, "{unit}: its next answer comes again {by:?} later"),
            Self::Gone { dependency, lasts, mute: false } => {
                write!(f, "{dependency} is away for {lasts:?}")
            }
            Self::Gone { dependency, lasts, mute: true } => {
                write!(f, "nobody hears of {dependency} for {lasts:?}")
            }
            Self::Ask(request) => write!(f, "the operator asks: {request:?}"),
            Self::Kill { acts, down } => {
                write!(f, "the supervisor is killed {acts} acts later, and is back after {down:?}")
            }
            Self::Change { unit, change, down } => {
                write!(f, "the supervisor ends, is back after {down:?}, and {unit} {change}")
            }
            Self::Reboot { down } => write!(f, "the machine is off for {down:?}"),
            Self::Agent(unit, doing, lasts) => write!(f, "{unit}: {doing:?} for {lasts:?}"),
            Self::Plan(does, lasts) if lasts.is_zero() => write!(f, "the plan: {does:?}"),
            Self::Plan(does, lasts) => write!(f, "the plan: {does:?} for {lasts:?}"),
            Self::Wall { hours } => write!(f, "the date is set by {hours} hours"),
        }
    }
}
