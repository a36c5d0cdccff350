//! The transcripts of all agent sessions, followed by one task: what they say of failures, that
//! something moves, and what is spent. The kernel tells of what is written; nothing is looked at
//! while nothing is. Not here: what a record says.

mod followed;
mod watches;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use self::followed::{Followed, Found, Subject};
use self::watches::Watches;
use super::Agents;
use crate::config::Program;
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::daemon::watched::Slot;
use crate::decide::{Channel, Event, Mono, Now, Sighting, Spent, TokenBudget, UnitName};
use crate::world::clock;
use crate::world::usage::{self, Counted, Kept};

/// What is written within so short a time is read at once.
const SETTLE: Duration = Duration::from_millis(200);

/// That a session moves is told so often at most.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// What is counted is written down so often at most: what a death takes is read again.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// And if that fails, again after this time.
const SAVE_AGAIN: Duration = Duration::from_secs(60);

/// What is known from transcripts.
#[derive(Default)]
pub(super) struct Transcripts {
    task: Slot,
    begun: Cell<bool>,
    /// Somebody has begun, moved or spoken.
    wanted: Notify,
    kept: RefCell<Kept>,
    /// There is something in it that was not written down.
    unsaved: Cell<bool>,
}

impl Shared {
    /// Takes up what was counted before, and says what of it is in the window of a budget.
    pub(in crate::daemon) fn restore_usage(self: &Rc<Self>) {
        match usage::load(&self.config.supervisor.state_dir) {
            Ok((kept, notes)) => {
                notes.iter().for_each(|note| tracing::error!("{note}"));
                self.agents.transcripts.kept.replace(kept);
            }
            Err(error) => tracing::error!("what was spent is not known: {}", chain(&error)),
        }
        let now = clock::now();
        for (used, _) in self.config.units.keys().filter_map(|unit| self.budget(unit, now)) {
            self.post(used);
        }
    }

    /// Has the transcripts of all sessions looked for, and followed from here on.
    pub(in crate::daemon) fn follow_transcripts(self: &Rc<Self>) {
        let transcripts = &self.agents.transcripts;
        if transcripts.begun.replace(true) {
            // Kept for whoever is not waiting at this very moment.
            transcripts.wanted.notify_one();
        } else {
            transcripts.task.run(Desk::new(Rc::clone(self)).keep());
        }
    }

    /// What an agent session has spent today; none for other units.
    pub(in crate::daemon) fn spent_today(&self, unit: &UnitName, now: Now) -> Option<Spent> {
        let program = self.config.units.get(unit).map(|unit| &unit.program);
        program.filter(|program| matches!(program, Program::Agent { .. }))?;
        let kept = self.agents.transcripts.kept.borrow();
        let counted = kept.units.get(unit).map(|it| it.usage.on_day_of(now.wall));
        Some(counted.unwrap_or_default())
    }

    /// Writes down at once what has been counted.
    pub(in crate::daemon) fn save_usage(&self) {
        let transcripts = &self.agents.transcripts;
        if transcripts.unsaved.replace(false) {
            let state_dir = &self.config.supervisor.state_dir;
            if let Err(error) = usage::save(state_dir, &transcripts.kept.borrow()) {
                tracing::warn!("{}; it is counted again later", chain(&error));
            }
        }
    }

    /// What of a budget is spent, if there is one, and whether it is all of it.
    fn budget(&self, unit: &UnitName, now: Now) -> Option<(Event, bool)> {
        let session = self.config.units.get(unit)?.session.as_ref()?;
        let TokenBudget { tokens: most, per, .. } = session.budget?;
        let kept = self.agents.transcripts.kept.borrow();
        let usage = &kept.units.get(unit)?.usage;
        let until = now.mono + usage.room_in(most, per, now.wall);
        let tokens = usage.within(per, now.wall);
        Some((Event::Used { unit: unit.clone(), tokens, until }, tokens >= most))
    }
}

/// Where all of it is read.
struct Desk {
    shared: Rc<Shared>,
    followed: BTreeMap<UnitName, Followed>,
    /// Those that are to be looked at.
    due: BTreeSet<UnitName>,
    watches: Watches,
    /// When it was told last that something moves.
    moved: BTreeMap<UnitName, Mono>,
    /// Those whose budget is spent.
    overspent: BTreeSet<UnitName>,
    save_at: Option<Instant>,
}

impl Desk {
    fn new(shared: Rc<Shared>) -> Self {
        Self {
            shared,
            followed: BTreeMap::new(),
            due: BTreeSet::new(),
            watches: Watches::new(),
            moved: BTreeMap::new(),
            overspent: BTreeSet::new(),
            save_at: None,
        }
    }

    async fn keep(mut self) {
        loop {
            self.meet();
            while !self.due.is_empty() {
                self.look().await;
            }
            self.wait().await;
        }
    }

    /// Takes note of sessions that are new, or have moved.
    fn meet(&mut self) {
        let shared = Rc::clone(&self.shared);
        for (unit, profile, subject) in shared.agents.subjects(&shared) {
            let Some(followed) = self.followed.get_mut(&unit) else {
                let kept = shared.agents.transcripts.kept.borrow();
                let files = kept.units.get(&unit).map(|it| it.files.clone()).unwrap_or_default();
                self.followed.insert(unit.clone(), Followed::new(profile, subject, files));
                self.due.insert(unit);
                continue;
            };
            if followed.meet(subject) || !followed.is_found() {
                self.due.insert(unit);
            }
        }
    }

    /// Looks at those that are due. A mount that hangs holds the thread, and all transcripts.
    async fn look(&mut self) {
        let now = clock::now();
        let due = std::mem::take(&mut self.due);
        let due = due.into_iter().filter_map(|unit| self.followed.remove_entry(&unit));
        let mut due: Vec<(UnitName, Followed)> = due.collect();
        let looked = tokio::task::spawn_blocking(move || {
            let found: Vec<_> = due.iter_mut().map(|(_, it)| it.look(now)).collect();
            due.into_iter().zip(found).collect::<Vec<_>>()
        });
        let looked = match looked.await {
            Ok(looked) => looked,
            Err(error) => return tracing::error!(%error, "transcripts could not be read"),
        };
        for ((unit, followed), (found, wanted)) in looked {
            if found.more | self.watches.set(&unit, wanted) {
                self.due.insert(unit.clone());
            }
            self.tell(&unit, &followed, found, now).await;
            self.followed.insert(unit, followed);
        }
    }

    async fn tell(&mut self, unit: &UnitName, followed: &Followed, found: Found, now: Now) {
        let process = followed.subject.process;
        if let Some((path, error)) = found.trouble {
            tracing::warn!(%unit, path = %path.display(), %error, "cannot read a transcript");
        }
        if found.counted {
            let transcripts = &self.shared.agents.transcripts;
            let mut kept = transcripts.kept.borrow_mut();
            let counted: &mut Counted = kept.units.entry(unit.clone()).or_default();
            for (at, spent) in &found.spent {
                counted.usage.add(*at, *spent, now.wall);
            }
            counted.files.clone_from(&followed.files);
            transcripts.unsaved.set(true);
            self.save_at.get_or_insert_with(|| Instant::now() + SAVE_EVERY);
        }
        let shared = &self.shared;
        if let Some((at, doing, evidence)) = found.says {
            let sighting = Sighting { channel: Channel::Transcript, at, doing, evidence };
            shared.post(Event::Sighted { unit: unit.clone(), process, sighting });
        }
        let told = self.moved.get(unit);
        if found.progress && told.is_none_or(|at| now.mono.since(*at) >= PROGRESS_EVERY) {
            self.moved.insert(unit.clone(), now.mono);
            shared.post(Event::Progress { unit: unit.clone(), process, at: now.mono });
        }
        let used = self.shared.budget(unit, now).filter(|_| !found.spent.is_empty());
        if let Some((used, all)) = used {
            if !all {
                self.overspent.remove(unit);
            } else if self.overspent.insert(unit.clone()) {
                // Who takes over from us must not start what is held for that.
                self.save().await;
            }
            self.shared.post(used);
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        let save_at = self.save_at;
        let save = async {
            match save_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let transcripts = &self.shared.agents.transcripts;
        tokio::select! {
            changed = self.watches.changed() => {
                match changed {
                    Some(units) => self.due.extend(units),
                    None => self.due.extend(self.followed.keys().cloned()),
                }
                sleep(SETTLE).await;
            }
            () = transcripts.wanted.notified() => {}
            () = save => self.save().await,
        }
    }

    async fn save(&mut self) {
        self.save_at = None;
        let transcripts = &self.shared.agents.transcripts;
        if !transcripts.unsaved.replace(false) {
            return;
        }
        let kept = transcripts.kept.borrow().clone();
        let state_dir = self.shared.config.supervisor.state_dir.clone();
        let saved = tokio::task::spawn_blocking(move || usage::save(&state_dir, &kept)).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!("what is spent is kept in memory: {}", chain(&error));
            transcripts.unsaved.set(true);
            self.save_at = Some(Instant::now() + SAVE_AGAIN);
        }
    }
}

impl Agents {
    /// Every session of which process, conversation and folders are known.
    fn subjects(
        &self,
        shared: &Shared,
    ) -> Vec<(UnitName, &'static dyn crate::agents::Profile, Subject)> {
        let known = self.known.borrow();
        let subjects = known.iter().filter_map(|(unit, known)| {
            let record = shared.record(unit)?;
            let directory = shared.config.units.get(unit).and_then(|it| it.directory.clone());
            let subject = Subject {
                process: record.process?,
                since: record.since?,
                conversation: self.conversation(unit)?,
                places: known.places.clone(),
                directory: directory.unwrap_or_else(|| ".".into()),
            };
            Some((unit.clone(), known.profile, subject))
        });
        subjects.collect()
    }
}
