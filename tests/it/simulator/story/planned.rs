//! What happens to the plan of a house: its agents claim, verify, agree and refuse, and something
//! comes in between.

use std::time::Duration;

use agent_supervisor::decide::{Exit, Request};

use super::super::dice::Dice;
use super::super::house::{AGENTS, House, SESSIONS, name, secs};
use super::super::repos::{HANDOFFS, PlanDoes, Trouble};
use super::failing;
use super::{AgentDoes, Event, Hitch, Kind, What};

/// Drawn by other dice than the rest of the story, so that this is the same with and without.
pub(super) fn events(seed: u64, lasts: Duration) -> Vec<Event> {
    let mut dice = Dice::new(seed ^ 0x9e05);
    let mut events = Vec::new();
    if !House::drawn(seed).has_plan() {
        return events;
    }
    for _ in 0..2 + dice.below(7) {
        let at = dice.time(secs(1), lasts);
        let span = dice.pick(&[secs(5), secs(60), secs(600), secs(7200)]);
        for _ in 0..1 + dice.below(8) {
            let at = at + dice.time(Duration::ZERO, span);
            events.push(Event { at, what: what(&mut dice) });
            if dice.percent(30) {
                let later = at + dice.time(Duration::ZERO, dice.clone().pick(&[secs(1), secs(60)]));
                events.push(Event { at: later, what: between(&mut dice) });
            }
        }
    }
    for _ in 0..dice.below(4) {
        let at = secs(1) + dice.time(Duration::ZERO, lasts);
        phase_ends(at, &mut dice, &mut events);
    }
    events
}

/// DONE and the words about it, in an order that is mostly the right one.
fn phase_ends(at: Duration, dice: &mut Dice, events: &mut Vec<Event>) {
    let span = dice.pick(&[Duration::from_millis(300), secs(20), secs(200), secs(3 * 3600)]);
    let done = PlanDoes::Done { ahead: dice.percent(20) };
    let mut steps = vec![done, PlanDoes::Consents(0), PlanDoes::Consents(1)];
    if dice.percent(30) {
        let refuses = PlanDoes::Refuses(dice.pick(&[None, Some(0), Some(1)]));
        steps.insert(usize::try_from(dice.below(4)).unwrap(), refuses);
        steps.extend([PlanDoes::Consents(0), PlanDoes::Consents(1)]);
    }
    if dice.percent(15) {
        steps.insert(usize::try_from(dice.below(4)).unwrap(), PlanDoes::TakesDoneBack);
    }
    if dice.percent(15) {
        steps.swap(0, 1);
    }
    let mut at = at;
    for does in steps {
        events.push(Event { at, what: What::Plan(does, Duration::ZERO) });
        at += Duration::from_millis(1) + dice.time(Duration::ZERO, span);
        if dice.percent(25) {
            events.push(Event { at, what: between(dice) });
        }
    }
}

fn what(dice: &mut Dice) -> What {
    let handoff = usize::try_from(dice.below(HANDOFFS.len() as u64)).unwrap();
    let agent = |dice: &mut Dice| usize::try_from(dice.below(AGENTS.len() as u64)).unwrap();
    let does = match dice.below(100) {
        0..30 => PlanDoes::Writes { handoff, lines: dice.pick(&[1, 1, 1, 2, 6]) },
        30..42 => PlanDoes::Scribbles { again: dice.percent(40) },
        42..52 => PlanDoes::Commits,
        52..57 => PlanDoes::Removes(handoff),
        57..67 => PlanDoes::Rewrites { handoff, squash: dice.percent(70) },
        67..70 => PlanDoes::Consents(agent(dice)),
        70..72 => PlanDoes::Refuses(None),
        72..74 => PlanDoes::TakesDoneBack,
        74..79 => PlanDoes::Blocks,
        79..83 => PlanDoes::Unblocks,
        83..90 => {
            let by = if dice.percent(70) { Some(agent(dice)) } else { None };
            PlanDoes::Intrudes { clone: agent(dice), by }
        }
        _ => {
            let trouble = dice.pick(&[Trouble::Fails, Trouble::HalfDone, Trouble::Slow]);
            let lasts = dice.pick(&[secs(2), secs(90), secs(1800), secs(6 * 3600)]);
            return What::Plan(PlanDoes::CannotLook(trouble), lasts);
        }
    };
    What::Plan(does, Duration::ZERO)
}

/// What comes between what is seen of the plan and what is done about it.
fn between(dice: &mut Dice) -> What {
    let agent = name(dice.pick(&AGENTS));
    let session = name(dice.pick(&SESSIONS));
    let down = dice.pick(&[Duration::ZERO, secs(1), secs(60), secs(1200)]);
    let lasts = dice.pick(&[secs(5), secs(400), secs(4 * 3600)]);
    match dice.below(100) {
        0..40 => What::Kill { acts: u32::try_from(dice.below(8)).unwrap(), down },
        40..46 => What::Reboot { down: down + secs(20) },
        46..54 => What::Agent(agent, AgentDoes::FallsIll(failing::ill(dice)), lasts),
        54..60 => What::Agent(agent, AgentDoes::Asks, lasts),
        60..68 => What::Agent(agent, AgentDoes::Turn, lasts.min(secs(400))),
        68..74 => What::Exit(agent, Exit::Signal(9)),
        74..80 => What::Ask(Request::Stop(vec![session])),
        80..86 => What::Ask(Request::Start(vec![session])),
        86..90 => What::Ask(Request::Phase(dice.pick(&["next", "next", "1", "2"]).to_owned())),
        _ => {
            let step = usize::try_from(dice.below(4)).unwrap();
            let how = dice.pick(&[Hitch::Slow(step, secs(38)), Hitch::Hangs(step), Hitch::Fails]);
            let kind = dice.pick(&[Kind::Type, Kind::Stop, Kind::Start]);
            What::Hitch { unit: agent, kind, how, times: 1 }
        }
    }
}
