//! The laws about the plan, checked with simpler means than the watchdog's own: every line has a
//! number here, whatever it is called, and the time at which it was written is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_supervisor::decide::{
    Action, ConsentPolicy, DoneSight, Entry, Event, Mark, Message, Notice, PlanPolicy, PlanSaved,
    Request, Saved, UnitName, Watchdog,
};

use super::house::{House, secs};
use super::judge::Judge;
use super::laws::{Breach, Law};
use super::repos::{Line, is_foreign, number};
use super::world::World;

/// What may be known of the plan.
#[derive(Default)]
pub(super) struct Course {
    phase: Option<String>,
    /// When it began.
    since: Duration,
    /// The same of the phase before, as long as it may be that of the disk.
    before: Option<(Option<String>, Duration)>,
    done: bool,
    waits: bool,
    /// The lines of each hand-off that were there at first sight or were told of, durably.
    edges: BTreeMap<String, BTreeSet<u64>>,
    /// The hand-offs that were in no config meanwhile.
    left_out: BTreeSet<String>,
    /// What was last told in this life of the end of a phase.
    sight: Option<(String, DoneSight)>,
    /// In which phase each conversation began.
    talks: BTreeMap<String, String>,
    /// What was told of what blocks.
    blocked: BTreeSet<String>,
    /// How often it was told that the last phase that ended did.
    ended: usize,
    /// A kill came while that was being told.
    interrupted: BTreeSet<String>,
    /// The date was set, and dates cannot be compared any more.
    stepped: bool,
}

/// What a sight of a hand-off is to lead to.
pub(super) struct Edges {
    key: String,
    to: UnitName,
    marks: Vec<Mark>,
    /// The message about it.
    told: Option<String>,
}

impl Course {
    pub(super) fn date_was_set(&mut self) {
        self.stepped = true;
    }

    /// A life of the supervisor ended; what was not durable is not so.
    pub(super) fn ends(&mut self, saved: &PlanSaved) {
        if saved.phase != self.phase
            && let Some((phase, since)) = self.before.take().filter(|it| it.0 == saved.phase)
        {
            (self.phase, self.since) = (phase, since);
        }
        (self.done, self.waits) = (saved.done.is_some(), saved.waits.is_some());
        self.sight = None;
    }

    /// It was killed before all was done that an event led to.
    pub(super) fn is_interrupted(&mut self, event: &Event) {
        if let Event::BlockedSeen(Ok(Some(mark))) = event {
            self.interrupted.insert(mark.text.clone());
        }
    }

    /// A supervisor is back, and nothing was told to it yet.
    pub(super) fn begins(
        &mut self,
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let (saved, disk) = (watchdog.saved().plan, &world.disk.saved.plan);
        let handoffs = house.handoffs();
        let named = |key: &String| handoffs.iter().any(|it| it.key == *key);
        let out = self.edges.keys().filter(|key| !named(key)).cloned();
        self.left_out.extend(out.collect::<Vec<_>>());
        for handoff in &handoffs {
            let was_out = self.left_out.remove(&handoff.key);
            if disk.edges.contains_key(&handoff.key) || !self.edges.contains_key(&handoff.key) {
                continue;
            }
            if !was_out {
                return Breach::err(Law::EdgesAreTold, format!("{} is forgotten", handoff.key));
            }
            self.edges.remove(&handoff.key);
        }
        if self.phase.is_none() || disk.phase.is_none() {
            self.phase = house.plan().phases.first().map(|phase| phase.name.clone());
            self.since = world.time;
        }
        self.agrees(&saved)
    }

    fn agrees(&self, saved: &PlanSaved) -> Result<(), Breach> {
        let known = (&self.phase, self.done, self.waits);
        if known != (&saved.phase, saved.done.is_some(), saved.waits.is_some()) {
            return Breach::err(Law::PhaseLasts, format!("it was {known:?}, and is {saved:?}"));
        }
        Ok(())
    }

    /// What an event led to.
    pub(super) fn follows(
        &mut self,
        event: &Event,
        actions: &[Action],
        saved: &PlanSaved,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        if let Event::DoneSeen { phase, outcome: Ok(sight) } = event
            && self.phase.as_ref() == Some(phase)
        {
            self.sight = Some((phase.clone(), sight.clone()));
        }
        let asked = if let Event::Asked(Request::Phase(name)) = event { Some(name) } else { None };
        let (done, waits) = (saved.done.is_some(), saved.waits.is_some());
        let moved = saved.phase != self.phase || (done && !self.done) || (waits && !self.waits);
        if moved && asked.is_none() {
            self.may_end(saved, &house.plan(), world)?;
        }
        let gone =
            matches!(event, Event::DoneSeen { outcome: Ok(sight), .. } if sight.done.is_none());
        if ((self.done && !done) || (self.waits && !waits)) && asked.is_none() && !gone {
            return Breach::err(Law::PhaseLasts, format!("done: {done}, waits: {waits}"));
        }
        if asked.is_some_and(|name| saved.phase.as_ref() != Some(name)) {
            return Breach::err(Law::PhaseLasts, format!("{event:?}: {:?}", saved.phase));
        }
        if saved.phase != self.phase || asked.is_some() {
            self.before = Some((self.phase.clone(), self.since));
            (self.phase, self.since) = (saved.phase.clone(), world.time);
            self.sight = None;
        }
        if (done && !self.done) || (waits && !self.waits) {
            self.ended = 0;
        }
        (self.done, self.waits) = (done, waits);
        self.says_intrusions(event, actions, world, house)
    }

    /// A phase ends by itself.
    fn may_end(&self, saved: &PlanSaved, policy: &PlanPolicy, world: &World) -> Result<(), Breach> {
        let index = policy.phases.iter().position(|it| Some(&it.name) == self.phase.as_ref());
        let Some(index) = index else { return Ok(()) };
        let next = policy.phases.get(index + 1).map(|phase| &phase.name);
        let well = match (next, policy.ask) {
            (None, _) => saved.done.is_some(),
            (Some(_), true) => saved.waits.is_some() && saved.phase == self.phase,
            (Some(next), false) => saved.phase.as_ref() == Some(next),
        };
        if !well || self.done || self.waits {
            return Breach::err(Law::PhaseLasts, format!("after {:?} it is {saved:?}", self.phase));
        }
        let sight = self.sight.as_ref().filter(|(phase, _)| Some(phase) == self.phase.as_ref());
        let Some((done, sight)) = sight.and_then(|(_, it)| Some((it.done.as_ref()?, it))) else {
            return Breach::err(Law::PhaseIsConsented, "there is no DONE");
        };
        let written = world.repos.written.get(&number(done)).copied().unwrap_or_default();
        if written < self.since {
            let how = format!("DONE of {written:?}, the phase began at {:?}", self.since);
            return Breach::err(Law::PhaseIsConsented, how);
        }
        match &policy.phases[index].consent {
            Some(consent) if !is_consented(sight, consent) => {
                Breach::err(Law::PhaseIsConsented, format!("{sight:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Each commit to the file of another is said when it is seen, and what was there before is not.
    fn says_intrusions(
        &self,
        event: &Event,
        actions: &[Action],
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let Event::Committed { place, heads, commits } = event else { return Ok(()) };
        let policy = house.plan();
        let known = world.disk.saved.plan.heads.get(place);
        let new = known.is_some_and(|known| known != heads);
        let foreign = commits.iter().filter(|it| is_foreign(it, policy.owners.get(&it.file)));
        let foreign = foreign.filter(|_| new).count();
        let said = actions.iter().filter(
            |action| matches!(action, Action::Journal(entry) if entry.event == "foreign-commit"),
        );
        let said = said.count();
        if said != foreign {
            return Breach::err(Law::EdgesAreTold, format!("{event:?}: {said} are said"));
        }
        Ok(())
    }

    /// What a sight of a hand-off leads to, before that is done.
    pub(super) fn edges(
        &self,
        event: &Event,
        actions: &[Action],
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<Option<Edges>, Breach> {
        let Event::Marked { handoff: key, outcome } = event else { return Ok(None) };
        let Some(handoff) = house.handoffs().into_iter().find(|it| it.key == *key) else {
            return Ok(None);
        };
        let said = actions.iter().find_map(|action| {
            let Action::Journal(entry) = action else { return None };
            (entry.event == "handoff").then_some(&entry.why)
        });
        let Ok(marks) = outcome else {
            return match said {
                Some(why) => Breach::err(Law::EdgesAreToldOnce, format!("{event:?}: {why}")),
                None => Ok(None),
            };
        };
        let Some(known) = self.edges.get(key) else {
            if let Some(why) = said {
                return Breach::err(Law::FirstSightIsSilent, format!("{event:?}: {why}"));
            }
            let edges =
                Edges { key: key.clone(), to: handoff.to, marks: marks.clone(), told: None };
            return Ok(Some(edges));
        };
        let new: Vec<&Mark> = marks.iter().filter(|it| !known.contains(&number(it))).collect();
        let any = |of: &BTreeSet<u64>| marks.iter().any(|mark| of.contains(&number(mark)));
        let alike = any(&world.repos.alike);
        let dark = any(&world.repos.dark) || alike;
        match (new.last(), said) {
            (None, Some(why)) if !dark => {
                return Breach::err(Law::EdgesAreToldOnce, format!("{event:?}: {why}"));
            }
            (Some(last), None) if !alike && watchdog.saved().plan.done.is_none() => {
                return Breach::err(Law::EdgesAreTold, format!("{last:?} is not"));
            }
            (Some(last), Some(why)) if !why.contains(&last.text) && !dark => {
                return Breach::err(Law::EdgesAreTold, format!("{last:?} is not the last: {why}"));
            }
            _ => {}
        }
        let more = format!("({} more", new.len().saturating_sub(1));
        if let Some(why) = said.filter(|why| new.len() > 1 && !dark && !why.contains(&more)) {
            return Breach::err(Law::EdgesAreTold, format!("{} are new: {why}", new.len()));
        }
        let told = said.and_then(|why| why.split(':').next()).map(str::to_owned);
        Ok(Some(Edges { key: key.clone(), to: handoff.to, marks: marks.clone(), told }))
    }

    /// What of it is durable now.
    pub(super) fn saw_edges(&mut self, edges: Edges, disk: &Saved) -> Result<(), Breach> {
        let Edges { key, to, marks, told } = edges;
        let durable = disk.plan.edges.get(&key);
        if !durable.is_some_and(|ids| marks.iter().all(|mark| ids.contains(&mark.id))) {
            return Ok(());
        }
        self.edges.entry(key).or_default().extend(marks.iter().map(number));
        let Some(id) = told else { return Ok(()) };
        let messages = disk.messages.get(&to).into_iter().flatten();
        let mut ids = messages.flat_map(|message| &message.ids);
        if !ids.any(|it| it.to_string() == id) {
            let how = format!("{id} for {to} is not on disk, but its line is known there");
            return Breach::err(Law::EdgesAreTold, how);
        }
        Ok(())
    }

    /// What is written durably of the conversations.
    pub(super) fn before_save(&mut self, new: &Saved, old: &Saved) {
        for (unit, talk) in &new.conversations {
            if self.talks.contains_key(talk) {
                continue;
            }
            let before = old.conversations.get(unit).and_then(|talk| self.talks.get(talk));
            // What a process goes on in by itself began when that was started.
            let cleared = talk.starts_with("cleared").then_some(before).flatten();
            if let Some(phase) = cleared.or(new.plan.phase.as_ref()).cloned() {
                self.talks.insert(talk.clone(), phase);
            }
        }
    }

    /// An operator is told of the plan.
    pub(super) fn hears_notice(&mut self, notice: &Notice) -> Result<(), Breach> {
        let news = match notice.key.as_str() {
            "blocked" => {
                self.blocked.insert(notice.text.clone()) || self.interrupted.contains(&notice.text)
            }
            "plan-done" | "phase-done" => {
                self.ended += 1;
                self.ended == 1
            }
            _ => true,
        };
        if news {
            return Ok(());
        }
        Breach::err(Law::PlanIsToldOnce, format!("{notice:?}"))
    }

    /// Some time after the last fault.
    fn judge_calm(&self, watchdog: &Watchdog, world: &World, house: &House) -> Result<(), Breach> {
        for handoff in house.handoffs() {
            let at = super::repos::HANDOFFS.iter().position(|key| **key == handoff.key);
            let Some((known, at)) = self.edges.get(&handoff.key).zip(at) else {
                return Breach::err(Law::EdgesAreTold, format!("{handoff:?} was never seen"));
            };
            let mut lines = world.repos.files[at].iter();
            if let Some(line) = lines.find(|line| !known.contains(&line.number)) {
                let how = format!("{} ({}) is not", line.text, handoff.key);
                return Breach::err(Law::EdgesAreTold, how);
            }
        }
        let blocked = world.repos.blocked.as_ref();
        if let Some(line) = blocked.filter(|line| !self.blocked.contains(&line.text)) {
            return Breach::err(Law::PlanIsToldOnce, format!("{} is not told", line.text));
        }
        if (self.done || self.waits) && self.ended == 0 {
            return Breach::err(Law::PlanIsToldOnce, "that a phase is done is not told");
        }
        let view = watchdog.plan_view();
        if view.blocked.as_deref() != blocked.map(|line| line.text.as_str()) {
            return Breach::err(
                Law::PlanIsToldOnce,
                format!("it is not blocked by {:?}", view.blocked),
            );
        }
        self.judge_end(world, house)
    }

    fn judge_end(&self, world: &World, house: &House) -> Result<(), Breach> {
        let policy = house.plan();
        let phase = policy.phases.iter().find(|it| Some(&it.name) == self.phase.as_ref());
        let Some((phase, done)) = phase.zip(world.repos.done.as_ref()) else {
            if self.done || self.waits {
                return Breach::err(Law::PhaseEnds, "DONE is taken back, and it counts");
            }
            return Ok(());
        };
        let written = world.repos.written[&done.number];
        let old = phase.consent.as_ref().is_some_and(|consent| consent.max_age.is_some());
        if self.done || self.waits || self.stepped || old || written < self.since + secs(2) {
            return Ok(());
        }
        let consented = phase.consent.as_ref().is_none_or(|consent| stands(consent, done, world));
        if consented {
            let how = format!("{} stands with its consent in phase {}", done.text, phase.name);
            return Breach::err(Law::PhaseEnds, how);
        }
        Ok(())
    }
}

impl Judge {
    /// The plan is done: what it stops is wished down.
    pub(super) fn stops_for_done(&mut self, saved: &Saved, house: &House) {
        if saved.plan.done.is_none() || self.course.done {
            return;
        }
        for name in house.plan().stops {
            let known = self.of(&name);
            (known.down, known.bounce) = (true, None);
            known.talk.is_asked(&Request::Stop(Vec::new()));
        }
    }

    /// Another phase: a session of the plan begins another conversation.
    pub(super) fn turns_phase(&mut self, saved: &Saved, house: &House) {
        if saved.plan.phase == self.course.phase {
            return;
        }
        let names: Vec<UnitName> = self.units.keys().cloned().collect();
        for name in names.into_iter().filter(|name| house.employs(name)) {
            let known = self.of(&name);
            known.talk.may_be_fresh();
            known.tended.is_overtaken();
        }
    }

    /// A line of the journal about the plan.
    pub(super) fn reads_of_plan(
        &mut self,
        entry: &Entry,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        let Some(unit) = entry.unit.as_ref().filter(|_| entry.event == "asked") else {
            return Ok(());
        };
        if !entry.why.contains("for phase") {
            return Ok(());
        }
        let talk = world.disk.saved.conversations.get(unit);
        let began = talk.and_then(|talk| self.course.talks.get(talk));
        if !house.employs(unit) || began == self.course.phase.as_ref() {
            return Breach::err(Law::LeavesTheGoodAlone, format!("{entry:?}: {talk:?}"));
        }
        let known = self.of(unit);
        known.bounce = Some(known.process);
        (known.first, known.for_phase) = (true, true);
        known.talk.must_be_fresh();
        Ok(())
    }

    pub(super) fn judge_plan_calm(
        &self,
        watchdog: &Watchdog,
        world: &World,
        house: &House,
    ) -> Result<(), Breach> {
        if !house.has_plan() {
            return Ok(());
        }
        self.course.judge_calm(watchdog, world, house)?;
        for view in watchdog.view(world.now()) {
            let known = &self.units[&view.name];
            let talk = view.conversation.as_ref().filter(|_| world.living(&view.name).is_some());
            if known.down || known.drained || !house.employs(&view.name) {
                continue;
            }
            let began = talk.and_then(|talk| self.course.talks.get(talk));
            if began.is_some_and(|began| Some(began) != self.course.phase.as_ref()) {
                let how = format!("{} is in {talk:?} of {began:?}", view.name);
                return Breach::err(Law::IsOfThePhase, how);
            }
        }
        Ok(())
    }
}

/// A message tells of the plan, and is no remedy.
pub(super) fn is_of_plan(message: &Message) -> bool {
    message.about.is_some() || message.text.contains("yours alone to write")
}

/// Whether a sight agrees, and nothing in it refuses.
fn is_consented(sight: &DoneSight, consent: &ConsentPolicy) -> bool {
    let items = consent.items.len().max(1);
    (0..items).all(|index| {
        let words = sight.words.get(index).into_iter().flatten();
        let last = words.filter(|word| word.later).map(|word| word.rank).max();
        let item = consent.items.get(index);
        let mut vetoes =
            sight.vetoes.iter().filter(|veto| is_about(&veto.mark.text, item, consent));
        last.is_some_and(|last| vetoes.all(|veto| veto.rank < last))
    })
}

/// The same of what stands in the repositories.
fn stands(consent: &ConsentPolicy, done: &Line, world: &World) -> bool {
    (0..consent.items.len().max(1)).all(|index| {
        let item = consent.items.get(index);
        let says = |line: &&Line| item.is_none_or(|item| line.text.contains(item.as_str()));
        let words = world.repos.words.iter().filter(says);
        let last = words.filter_map(|line| line.commit).filter(|it| Some(*it) > done.commit).max();
        let mut vetoes =
            world.repos.vetoes.iter().filter(|veto| is_about(&veto.text, item, consent));
        last.is_some() && vetoes.all(|veto| veto.commit < last)
    })
}

fn is_about(veto: &str, item: Option<&String>, consent: &ConsentPolicy) -> bool {
    let names = |item: &String| veto.contains(item.as_str());
    item.is_none_or(|item| names(item) || !consent.items.iter().any(names))
}
