//! Scenes in which turns fail, and something comes in between.

use std::time::Duration;

use agent_supervisor::decide::UnitName;

use super::super::dice::Dice;
use super::super::house::secs;
use super::{AgentDoes, Event, Hitch, Ill, Kind, What, exit, request, tell, what};

/// Something fails; a turn that finds it out; and what meets it while it is being mended.
pub(super) fn scene(unit: &UnitName, at: Duration, dice: &mut Dice) -> Vec<Event> {
    let ill = ill(dice);
    let lasts = dice.pick(&[secs(60), secs(1800), secs(4 * 3600), secs(30 * 3600)]);
    let lasts = dice.time(secs(1), lasts);
    let agent = |at, doing, lasts| Event { at, what: What::Agent(unit.clone(), doing, lasts) };
    let mut events = vec![agent(at, AgentDoes::FallsIll(ill), lasts)];
    let within = dice.pick(&[secs(5), secs(120), lasts]);
    for _ in 0..1 + dice.below(3) {
        let later = at + Duration::from_millis(1) + dice.time(Duration::ZERO, within);
        let soon = dice.time(secs(1), secs(30));
        events.push(agent(later, AgentDoes::Turn, soon));
    }
    for _ in 0..dice.below(4) {
        let later = at + Duration::from_millis(1) + dice.time(Duration::ZERO, within);
        let what = match dice.below(10) {
            0 | 1 => tell(unit.clone(), dice),
            2 | 3 => {
                let down = dice.pick(&[Duration::ZERO, secs(3), secs(600)]);
                What::Kill { acts: u32::try_from(dice.below(8)).unwrap(), down }
            }
            4 => What::Exit(unit.clone(), exit(dice)),
            5 => What::Ask(request(unit.clone(), dice)),
            6 => What::Reboot { down: secs(20) },
            7 => hitch(unit.clone(), dice),
            8 => What::Agent(unit.clone(), AgentDoes::FallsIll(self::ill(dice)), lasts),
            _ => what(unit.clone(), dice),
        };
        events.push(Event { at: later, what });
    }
    events
}

fn hitch(unit: UnitName, dice: &mut Dice) -> What {
    let kind = dice.pick(&[Kind::Type, Kind::Answer, Kind::Screen, Kind::Stop]);
    let step = usize::try_from(dice.below(4)).unwrap();
    let how = match dice.below(3) {
        0 => Hitch::Fails,
        1 => Hitch::Slow(step, dice.pick(&[secs(5), secs(29), secs(62)])),
        _ => Hitch::Hangs(step),
    };
    What::Hitch { unit, kind, how, times: 1 + u32::try_from(dice.below(3)).unwrap() }
}

pub(super) fn ill(dice: &mut Dice) -> Ill {
    match dice.below(20) {
        0..4 => Ill::Limited {
            dated: dice.percent(60),
            resumes: dice.percent(60),
            asks: dice.percent(40),
        },
        4..7 => {
            let told = dice.percent(60);
            Ill::LoggedOut { told, keeps: told && dice.percent(40) }
        }
        7 => Ill::Unpaid { told: dice.percent(50) },
        8..11 => Ill::Outage,
        11 => Ill::CutOff,
        12..16 => {
            Ill::Poisoned { again: dice.pick(&[0, 0, 1, 2, 4]), deaf: dice.pick(&[0, 0, 0, 1, 3]) }
        }
        16..18 => Ill::Full { curable: dice.percent(50) },
        _ => Ill::Stalls,
    }
}
