//! Phases: which one it is, when it is done, and what follows. DONE counts only if it was written in
//! this phase, and with the adversary's word of a later commit.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::course::{Course, cut, in_words, noted};
use super::event::Action;
use super::plan::{ConsentPolicy, DoneSight, Mark, PhasePolicy, Word};
use super::unit::{Bounce, State};
use super::watchdog::{Watchdog, journal};
use super::{Delivery, Doing, Mono, Now, UnitName, Wish};

/// Whoever is in the middle of a turn when its phase ends may finish it, but not for longer.
const FINISH: Duration = Duration::from_secs(2 * 60);
/// A phase that is no older is seen for the first time as it stood when it began.
const JUST_BEGUN: Duration = Duration::from_secs(60);

/// What a person may ask of the phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseRequest {
    /// Begin this one.
    Set(String),
    /// Begin the one after it.
    Next,
}

impl Course {
    /// The phase that the plan is in, if the config still names it.
    pub(super) fn phase(&self) -> Option<(usize, &PhasePolicy)> {
        let name = self.saved.phase.as_ref()?;
        self.policy.phases.iter().enumerate().find(|(_, phase)| phase.name == *name)
    }

    fn after(&self) -> Option<&PhasePolicy> {
        self.phase().and_then(|(index, _)| self.policy.phases.get(index + 1))
    }
}

impl Watchdog {
    /// What the repositories say of the end of the phase.
    pub(super) fn done_seen(
        &mut self,
        now: Now,
        phase: &str,
        outcome: Result<DoneSight, String>,
        actions: &mut Vec<Action>,
    ) {
        const WHAT: &str = "whether the phase is done";
        if self.course.saved.phase.as_deref() != Some(phase) {
            return;
        }
        let sight = match outcome {
            Err(why) => return self.course.cannot_see(WHAT, why, actions),
            Ok(sight) => sight,
        };
        self.course.sees(WHAT, actions);
        let ended = self.course.saved.done.is_some() || self.course.saved.waits.is_some();
        if ended {
            if sight.done.is_none() {
                (self.course.saved.done, self.course.saved.waits) = (None, None);
                let why = "its heading is gone; `start` brings the sessions back";
                actions.push(noted("done-taken-back", why));
                actions.push(Action::Save(self.saved()));
            }
            return;
        }
        if self.course.saved.stale.is_none() {
            let began = self.course.saved.since.unwrap_or(now.wall);
            // What is of the future is dated by a clock that is ahead. If the phase has only just
            // begun, it stood there before.
            let soon = now.wall.duration_since(began).is_ok_and(|age| age <= JUST_BEGUN);
            let is_old = |at: SystemTime| at <= began || (soon && at > now.wall);
            let old = sight.done.iter().filter(|mark| is_old(mark.at));
            self.course.saved.stale = Some(old.map(|mark| mark.id.clone()).collect());
            actions.push(Action::Save(self.saved()));
        }
        self.date(&sight, now, actions);
        let stale = self.course.saved.stale.clone().unwrap_or_default();
        // A date is its writer's: it may say that DONE is younger than the phase after it.
        let last = self.course.saved.last.clone();
        let is_old = |id: &String| stale.contains(id) || last.as_ref() == Some(id);
        let Some(done) = sight.done.as_ref().filter(|mark| !is_old(&mark.id)) else {
            self.course.accepted = None;
            self.course.missing.clear();
            return;
        };
        let consent = self.course.phase().and_then(|(_, phase)| phase.consent.clone());
        let missing = match &consent {
            Some(consent) => lacks(&sight, consent, &self.course, now.wall),
            None => Vec::new(),
        };
        if missing.is_empty() {
            self.accept(now, done, actions);
        } else {
            self.refuse(done, missing, actions);
        }
    }

    /// Notes when each line of consent was first seen: a commit's own date is its writer's.
    fn date(&mut self, sight: &DoneSight, now: Now, actions: &mut Vec<Action>) {
        let there: BTreeSet<&String> = sight.words.iter().flatten().map(|it| &it.mark.id).collect();
        let seen = &mut self.course.saved.words;
        let before = seen.clone();
        seen.retain(|id, _| there.contains(id));
        for id in there {
            seen.entry(id.clone()).or_insert(now.wall);
        }
        if *seen != before {
            actions.push(Action::Save(self.saved()));
        }
    }

    fn accept(&mut self, now: Now, done: &Mark, actions: &mut Vec<Action>) {
        self.course.missing.clear();
        if self.course.accepted.as_ref().is_some_and(|(id, _)| *id == done.id) {
            return;
        }
        self.course.accepted = Some((done.id.clone(), now.mono));
        let phase = self.course.saved.phase.clone().unwrap_or_default();
        actions.push(noted("done-accepted", format!("phase {phase}, at {}", done.commit)));
    }

    fn refuse(&mut self, done: &Mark, missing: Vec<String>, actions: &mut Vec<Action>) {
        self.course.accepted = None;
        if self.course.missing == missing {
            return;
        }
        let phase = self.course.saved.phase.clone().unwrap_or_default();
        let list = missing.join("; ");
        self.course.missing = missing;
        let first = self.course.saved.refused.as_ref() != Some(&done.id);
        let why = format!("DONE of phase {phase} at {} is not accepted: {list}", done.commit);
        if first {
            self.course.saved.refused = Some(done.id.clone());
            actions.push(noted("done-refused", why));
            actions.push(Action::Save(self.saved()));
        } else {
            actions.push(noted("done-still-refused", why));
        }
    }

    /// Ends a phase that is done, once nobody is in the middle of a turn.
    pub(super) fn turn_phase(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some((id, since)) = self.course.accepted.clone() else { return };
        if now.mono < since + FINISH && self.is_anybody_working() {
            return;
        }
        self.course.accepted = None;
        let phase = self.course.saved.phase.clone().unwrap_or_default();
        match self.course.after().map(|next| next.name.clone()) {
            Some(next) if !self.course.policy.ask => {
                self.course.saved.waits = Some(id);
                self.begin_phase(now, next, "the one before is done", actions);
            }
            Some(next) => {
                self.course.saved.waits = Some(id);
                let why = format!("phase {phase}; `supervisor phase next` begins {next}");
                actions.push(noted("phase-done", why));
                actions.push(Action::Save(self.saved()));
            }
            None => {
                self.course.saved.done = Some(id);
                let stops = self.course.policy.stops.clone();
                for name in &stops {
                    if let Some(unit) = self.units.get_mut(name) {
                        unit.wish = Wish::Down;
                        unit.bounce = None;
                    }
                }
                actions.push(noted("plan-done", format!("phase {phase} was the last one")));
                actions.push(Action::Save(self.saved()));
                for name in &stops {
                    let unsaid = self.units.get(name).map(|unit| unit.queue.unsaid());
                    for id in unsaid.unwrap_or_default() {
                        let why = Delivery::Dropped("the plan is done".to_owned());
                        self.end_message(name, id, &why, actions);
                    }
                    actions.push(journal(name, "asked", "stop, because the plan is done"));
                }
            }
        }
    }

    /// When a phase that is done is looked at again.
    pub(super) fn phase_wake(&self) -> Option<(Mono, &'static str)> {
        let (_, since) = self.course.accepted.as_ref()?;
        Some((*since + FINISH, "the phase ends"))
    }

    fn is_anybody_working(&self) -> bool {
        self.course.policy.stops.iter().filter_map(|name| self.units.get(name)).any(|unit| {
            unit.state == State::Up
                && unit.sightings.best().is_some_and(|it| it.doing == Doing::Working)
        })
    }

    fn begin_phase(&mut self, now: Now, name: String, why: &str, actions: &mut Vec<Action>) {
        let course = &mut self.course;
        let accepted = course.accepted.take().map(|(id, _)| id);
        course.missing.clear();
        let saved = &mut course.saved;
        let (done, waits) = (saved.done.take(), saved.waits.take());
        // One that was used up long ago stays so, however often a phase is begun.
        let last = saved.last.take();
        saved.last = done.or(waits).or(accepted).or(saved.refused.take()).or(last);
        saved.stale = None;
        saved.since = Some(now.wall);
        saved.phase = Some(name.clone());
        course.moved = now.mono;
        // Who has never been asked goes on in the phase that it has been in.
        actions.push(noted("phase", format!("{name}: {why}")));
        actions.push(Action::Save(self.saved()));
    }

    /// The phase that an operator means.
    ///
    /// # Errors
    /// There is no such phase, and which there are.
    pub fn phase_meant(&self, request: &PhaseRequest) -> Result<String, String> {
        let phases = &self.course.policy.phases;
        if phases.is_empty() {
            return Err("there are no phases: name them in [plan] of the config".to_owned());
        }
        match request {
            PhaseRequest::Set(name) if phases.iter().any(|phase| phase.name == *name) => {
                Ok(name.clone())
            }
            PhaseRequest::Set(name) => {
                let known: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
                Err(format!("there is no phase {name:?}; they are: {}", known.join(", ")))
            }
            PhaseRequest::Next => match self.course.after() {
                Some(next) => Ok(next.name.clone()),
                None => Err("there is no phase after this one".to_owned()),
            },
        }
    }

    /// An operator has asked for a phase that there is.
    pub(super) fn phase_asked(&mut self, now: Now, name: String, actions: &mut Vec<Action>) {
        self.begin_phase(now, name, "as asked", actions);
    }

    /// A session of the plan goes on in the phase that it is, in a conversation of its own.
    pub(super) fn follow_phase(&mut self, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(phase) = self.course.saved.phase.clone() else { return };
        let Some(unit) = self.units.get_mut(name) else { return };
        if !self.course.employs(name) || unit.policy.agent.is_none() {
            return;
        }
        match self.course.saved.begun.get(name) {
            Some(begun) if *begun == phase => {}
            // Before there were phases, or before its first start.
            None => {
                self.course.saved.begun.insert(name.clone(), phase);
                actions.push(Action::Save(self.saved()));
            }
            Some(_) if unit.flight.is_some() || unit.bounce.is_some_and(|it| it.fresh) => {}
            Some(_) if unit.state == State::Up && unit.wanted() => {
                unit.bounce = Some(Bounce { fresh: true });
                actions.push(journal(name, "asked", format!("restart --fresh, for phase {phase}")));
            }
            Some(_) => unit.fresh = true,
        }
    }
}

/// What is missing before DONE counts; nothing if it does.
fn lacks(
    sight: &DoneSight,
    policy: &ConsentPolicy,
    course: &Course,
    now: SystemTime,
) -> Vec<String> {
    let nobody = [String::new()];
    let items = if policy.items.is_empty() { &nobody[..] } else { &policy.items[..] };
    let none = Vec::new();
    let each = items.iter().enumerate().filter_map(|(index, item)| {
        let words = sight.words.get(index).unwrap_or(&none);
        let of = if item.is_empty() { String::new() } else { format!("{item}: ") };
        lack(words, &sight.vetoes, (item, &policy.items), policy, course, now)
            .map(|why| format!("{of}{why}"))
    });
    each.collect()
}

fn lack(
    words: &[Word],
    vetoes: &[Word],
    (item, items): (&str, &[String]),
    policy: &ConsentPolicy,
    course: &Course,
    now: SystemTime,
) -> Option<String> {
    let place = &policy.place;
    let last = words.iter().filter(|word| word.later).max_by_key(|word| word.rank);
    let Some(last) = last else {
        return Some(match words.is_empty() {
            true => format!("no word of consent in {place}"),
            false => format!("the word of consent in {place} is older than DONE"),
        });
    };
    // One that names another item is about that.
    let names = |word: &&Word, item: &str| has_word(&word.mark.text, item);
    let about = |word: &&Word| {
        item.is_empty() || names(word, item) || !items.iter().any(|other| names(word, other))
    };
    // Of two lines of one commit nobody knows which was meant last.
    let veto = vetoes.iter().filter(about).filter(|veto| veto.rank >= last.rank);
    if let Some(veto) = veto.max_by_key(|veto| veto.rank) {
        return Some(format!("refused in {place}: {}", cut(&veto.mark.text)));
    }
    let seen = course.saved.words.get(&last.mark.id).copied().unwrap_or(now);
    let age = now.duration_since(seen).unwrap_or_default();
    let most = policy.max_age.filter(|most| age > *most)?;
    Some(format!("the word of consent in {place} is older than {}", in_words(most)))
}

/// Whether a text has this as a word of its own: `D1` is not in `D12`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_part);
        let after = text[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}
