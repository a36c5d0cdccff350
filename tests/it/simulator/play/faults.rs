//! What a story says that happens: the faults of the house, and what its operator asks for.

use std::time::Duration;

use agent_supervisor::decide::{Event, PhaseRequest, Request};

use super::super::laws::Breach;
use super::super::story::What;
use super::super::world::World;
use super::Player;

impl Player<'_> {
    pub(super) fn befalls(&mut self, what: &What) -> Result<(), Breach> {
        if self.tell {
            println!("{:?} *** {what}", self.world.time);
        }
        self.judged = 0;
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
            What::Plan(does, lasts) => self.world.plan_does(*does, *lasts),
            What::Wall { hours } => {
                self.judge.course.date_was_set();
                self.judge.dated.push(self.world.time);
                self.world.wall_hours += hours;
                self.judge.post.date_was_set();
                self.judge.units.values_mut().for_each(|known| known.tended.forgets());
            }
            What::Agent(unit, doing, lasts) => {
                self.world.worry(*lasts);
                self.world.agent_does(unit, *doing, *lasts);
            }
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
            Request::Tell { unit, .. } if !watchdog.names().any(|it| it == unit) => return Ok(()),
            Request::Phase(name) => {
                let next = PhaseRequest::Next;
                let meant = match name.as_str() {
                    "next" => watchdog.phase_meant(&next),
                    _ => watchdog.phase_meant(&PhaseRequest::Set(name.clone())),
                };
                let Ok(meant) = meant else { return Ok(()) };
                *name = meant;
            }
            Request::Drain | Request::Tell { .. } => {}
        }
        self.tells(Event::Asked(request))
    }
}
