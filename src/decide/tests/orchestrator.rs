//! Sessions that must be the only ones in their place.

use super::stage::*;
use crate::decide::*;

fn orchestrator(change: impl Fn(&mut AgentPolicy)) -> UnitPolicy {
    let mut agent = AgentPolicy { alone: Alone::Always, ..AgentPolicy::default() };
    change(&mut agent);
    UnitPolicy { kind: UnitKind::Orchestrator, agent: Some(agent), ..session() }
}

impl Stage {
    fn alone(&mut self, outcome: Result<(), &str>) -> String {
        let dependency = Dependency::Alone(name("chief"));
        self.tell(Event::Found { dependency, outcome: outcome.map_err(str::to_owned) })
    }

    fn stranger(&mut self, who: &str) -> String {
        self.tell(Event::Stranger { unit: name("chief"), who: who.to_owned() })
    }

    fn seen(policy: UnitPolicy) -> Self {
        let mut stage = Stage::with(&[("chief", policy)]);
        stage.tick();
        stage
    }
}

#[test]
fn an_orchestrator_starts_only_when_it_is_known_that_there_is_no_other() {
    let mut stage = Stage::seen(orchestrator(|_| {}));
    assert_eq!(stage.absent("chief"), "await its place");
    assert_eq!(stage.alone(Err("pid 7 runs")), "");
    assert_eq!(stage.view("chief").why, "waits for its place: pid 7 runs");
    assert_eq!(stage.wait(SECOND * 3600), "await its place");
    assert!(stage.alone(Ok(())).contains("start chief"));
}

#[test]
fn after_each_death_it_is_looked_for_others_anew() {
    let mut stage = Stage::seen(orchestrator(|_| {}));
    stage.absent("chief");
    stage.alone(Ok(()));
    stage.started("chief");
    stage.wait(SECOND * 60);
    assert_eq!(stage.exits("chief", Exit::Signal(9)), "await its place");
}

#[test]
fn ours_yields_to_one_that_a_person_starts_and_comes_back_after_it() {
    let mut stage = Stage::seen(orchestrator(|_| {}));
    stage.absent("chief");
    stage.alone(Ok(()));
    stage.started("chief");
    assert_eq!(stage.stranger("claude (pid 7)"), "stop chief");
    assert_eq!(stage.stopped("chief"), "await its place");
    assert_eq!(stage.alone(Err("claude (pid 7) runs")), "");
    assert!(stage.told.iter().any(|it| it.title.contains("yields")), "{:?}", stage.told);
    assert_eq!(stage.view("chief").restarts, 0, "it is no crash");
    stage.wait(SECOND * 3);
    assert!(stage.alone(Ok(())).contains("start chief"));
}

#[test]
fn one_that_a_person_reconnects_is_kept_alive_only_once_it_was_seen() {
    let mut stage = Stage::seen(orchestrator(|agent| agent.by_hand = true));
    assert_eq!(stage.absent("chief"), "await its place");
    assert_eq!(stage.alone(Ok(())), "");
    assert_eq!(stage.view("chief").why, "waits for a person to start it");
    stage.stranger("claude (pid 7)");
    stage.wait(SECOND * 60);
    assert_eq!(stage.alone(Err("claude (pid 7) runs")), "");
    assert!(stage.alone(Ok(())).contains("start chief"));
}

#[test]
fn an_operator_who_starts_it_is_a_person_too() {
    let mut stage = Stage::seen(orchestrator(|agent| agent.by_hand = true));
    stage.absent("chief");
    stage.alone(Ok(()));
    assert!(stage.start("chief").contains("start chief"));
}

#[test]
fn one_that_is_not_watched_is_left_alone() {
    let mut stage = Stage::seen(orchestrator(|agent| agent.unwatched = true));
    assert_eq!(stage.absent("chief"), "");
    assert_eq!(stage.view("chief").why, "watch = false: it is left alone");
    assert_eq!(stage.view("chief").wish, Wish::Down);
}

#[test]
fn it_is_told_how_things_stand_after_each_start_and_not_after_an_adoption() {
    let mut stage = Stage::seen(orchestrator(|_| {}));
    stage.policy.boots = "4, the last at 2026-01-01T00:00:00Z".to_owned();
    stage.killed();
    stage.absent("chief");
    stage.alone(Ok(()));
    stage.started("chief");
    let typed = stage.says("chief", Channel::Hook, Doing::Idle);
    assert!(typed.contains("You were started by the supervisor."), "{typed}");
    assert!(typed.contains("Reboots of this machine: 4"), "{typed}");
    stage.typed("chief", Typed::Arrived);
    stage.killed();
    stage.alive("chief", true);
    assert_eq!(stage.says("chief", Channel::Hook, Doing::Idle), "");
}

#[test]
fn a_session_looks_around_before_its_first_start_alone() {
    let policy = UnitPolicy {
        agent: Some(AgentPolicy { alone: Alone::First, ..AgentPolicy::default() }),
        ..session()
    };
    let mut stage = Stage::seen(policy);
    assert_eq!(stage.absent("chief"), "await its place");
    assert_eq!(stage.stranger("claude (pid 7)"), "");
    assert_eq!(stage.alone(Err("claude (pid 7)")), "");
    assert!(stage.alone(Ok(())).contains("start chief"));
    stage.started("chief");
    stage.wait(SECOND * 60);
    assert_eq!(stage.exits("chief", Exit::Signal(9)), "start chief");
}

#[test]
fn what_is_required_is_waited_for_before_the_first_start_and_not_again() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.policy.requires = true;
    stage.killed();
    assert_eq!(stage.absent("builder"), "await what is required");
    let found = |outcome| Event::Found { dependency: Dependency::Requirements, outcome };
    stage.tell(found(Err("the forge is reachable: not so".to_owned())));
    assert!(stage.view("builder").why.contains("the forge is reachable"));
    assert!(stage.tell(found(Ok(()))).contains("start builder"));
    stage.started("builder");
    stage.wait(SECOND * 3600);
    assert_eq!(stage.exits("builder", Exit::Signal(9)), "start builder");
}

/// A person who starts one by hand and ends it again, with looks and answers that are slow: what the
/// watchdog has asked for, and has no answer to yet.
struct Hall {
    stage: Stage,
    dice: u64,
    person: bool,
    ours: bool,
    /// Somebody has told us of the person since it came.
    noticed: bool,
    asked: Vec<&'static str>,
}

impl Hall {
    fn new(seed: u64) -> Self {
        let stage = Stage::with(&[("chief", orchestrator(|_| {}))]);
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut hall =
            Self { stage, dice, person: false, ours: false, noticed: false, asked: Vec::new() };
        let did = hall.stage.tick();
        hall.takes(&did);
        hall
    }

    fn throws(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }

    /// Takes note of what is to be done.
    fn takes(&mut self, did: &str) {
        for what in
            ["look chief", "start chief", "stop chief", "await its place", "await its conversation"]
        {
            if did.split(", ").any(|it| it == what) {
                self.asked.push(what);
            }
        }
        let starts = did.split(", ").any(|it| it == "start chief");
        assert!(!(starts && self.person && self.noticed), "it starts beside one that was seen");
    }

    /// One thing that was asked for is answered, by how things are at this moment.
    fn answers(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.throws(self.asked.len() as u64);
        let what = self.asked.remove(usize::try_from(at).unwrap());
        let did = match what {
            "look chief" if self.ours => self.stage.alive("chief", true),
            "look chief" => self.stage.absent("chief"),
            // Looked for again under the lease.
            "start chief" if self.person => {
                let (unit, outcome) = (name("chief"), Err(NoStart::Taken("pid 7".to_owned())));
                let ticket = self.stage.tickets[&unit];
                self.stage.tell(Event::Started { unit, ticket, outcome })
            }
            "start chief" => {
                self.ours = true;
                self.stage.started("chief")
            }
            "stop chief" => {
                self.ours = false;
                self.stage.stopped("chief")
            }
            "await its place" => {
                self.noticed = self.person;
                let seen = if self.person { Err("pid 7") } else { Ok(()) };
                self.stage.alone(seen)
            }
            _ => {
                let dependency = Dependency::Conversation(name("chief"));
                self.stage.tell(Event::Found { dependency, outcome: Ok(()) })
            }
        };
        self.takes(&did);
    }

    fn happens(&mut self) {
        let did = match self.throws(12) {
            0 => {
                (self.person, self.noticed) = (!self.person, false);
                String::new()
            }
            1 | 2 if self.person && self.ours => {
                self.noticed = true;
                self.stage.stranger("pid 7")
            }
            3 if self.ours
                && self.stage.view("chief").process.is_some()
                && !self.asked.contains(&"stop chief") =>
            {
                self.ours = false;
                self.stage.exits("chief", Exit::Signal(9))
            }
            // What was begun by one that is killed has an end, too.
            4 if !self.asked.iter().any(|it| ["start chief", "stop chief"].contains(it)) => {
                self.asked.clear();
                // Who comes after it has to see for itself.
                self.noticed = false;
                self.stage.killed()
            }
            5 => {
                let seconds = self.throws(9);
                self.stage.wait(SECOND * u32::try_from(seconds).unwrap())
            }
            _ => return self.answers(),
        };
        self.takes(&did);
        let ends = self.stage.state("chief") == StateView::Stopping;
        assert!(
            !(self.ours && self.person && self.noticed)
                || ends
                || self.asked.contains(&"look chief"),
            "ours stays beside one that was seen"
        );
    }
}

#[test]
fn whoever_comes_and_goes_ours_never_stays_beside_one_that_was_seen_and_always_comes_back() {
    for seed in 1..300 {
        let mut hall = Hall::new(seed);
        (0..400).for_each(|_| hall.happens());
        (hall.person, hall.noticed) = (false, false);
        for _ in 0..200 {
            let did = hall.stage.wait(SECOND * 61);
            hall.takes(&did);
            hall.answers();
        }
        assert!(hall.ours, "seed {seed}: ours is not back: {:?}", hall.stage.view("chief"));
    }
}
