//! The looks at repositories, each of which answers with what the watchdog is told. They block, and
//! are made on threads for that. Not here: when.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;

use super::source::{Place, Source};
use crate::config::{Consent, Handoff, Heading, Phase, Plan, When};
use crate::daemon::told::chain;
use crate::decide::{DoneSight, Event, Mark, UnitName, Word, Written};
use crate::world::git::{self, CommitAt, GitError, Guarded, Line, Order, Wanted, uncommitted_id};

/// Something that is looked at, again and again.
pub(super) trait Look: Send {
    /// Looks. What is half done (a rebase, a merge) says nothing: it is looked at when it is over.
    fn look(&mut self) -> Vec<Event>;
    /// What is told if the look does not come back.
    fn hangs(&self) -> Vec<Event>;
}

/// The file of a hand-off, in its clone and in the mirror of that.
pub(super) struct HandoffLook {
    key: String,
    working: bool,
    sources: Vec<Source>,
    began: Instant,
}

impl HandoffLook {
    /// None if its pattern is no regular expression, which the check of the config has refused.
    pub(super) fn new(key: String, handoff: &Handoff, places: &[Place]) -> Option<Self> {
        let wanted = match &handoff.when {
            When::Line(pattern) => Wanted::Line(Regex::new(pattern).ok()?),
            When::Change => Wanted::Change,
            When::Heading(heading) => Wanted::Heading(heading.clone()),
        };
        let source =
            |place: &Place| Source::new(place, &handoff.file, wanted.clone(), handoff.working);
        let sources = places.iter().map(source).collect();
        Some(Self { key, working: handoff.working, sources, began: Instant::now() })
    }

    fn marks(&mut self) -> Result<Option<Vec<Mark>>, String> {
        let mut marks: Vec<Mark> = Vec::new();
        for source in &mut self.sources {
            let Some(reading) = source.read()? else {
                // What a remote has at first sight is no news; but a clone does not wait for ever.
                if source.place.is_mirror() && self.began.elapsed() >= FETCH_CEILING {
                    continue;
                }
                return Ok(None);
            };
            let committed = reading.lines.into_iter().map(|line| {
                let was = line.was.clone();
                let was = was.or_else(|| self.working.then(|| uncommitted_id(&line.text)));
                Mark { was, ..mark(line) }
            });
            let working = reading.working.into_iter().map(|it| Mark {
                id: it.id,
                was: None,
                text: it.text,
                commit: String::new(),
                at: std::time::SystemTime::UNIX_EPOCH,
            });
            for mark in committed.chain(working) {
                if !marks.iter().any(|known| known.id == mark.id) {
                    marks.push(mark);
                }
            }
        }
        Ok(Some(marks))
    }
}

impl Look for HandoffLook {
    fn look(&mut self) -> Vec<Event> {
        let handoff = self.key.clone();
        match self.marks() {
            Ok(Some(marks)) => vec![Event::Marked { handoff, outcome: Ok(marks) }],
            Ok(None) => Vec::new(),
            Err(why) => vec![Event::Marked { handoff, outcome: Err(why) }],
        }
    }

    fn hangs(&self) -> Vec<Event> {
        vec![Event::Marked { handoff: self.key.clone(), outcome: Err(HANGS.to_owned()) }]
    }
}

/// Whether the phase is done: the heading, and the adversary's word.
pub(super) struct DoneLook {
    /// The phase that the plan is in.
    phase: Arc<Mutex<Option<String>>>,
    phases: Vec<PhaseReaders>,
}

struct PhaseReaders {
    name: String,
    done: Source,
    consent: Option<(Source, Patterns)>,
}

/// Each line that matches any of these is read; which it matches is seen then.
struct Patterns {
    items: Vec<Regex>,
    veto: Option<Regex>,
}

impl Patterns {
    fn new(consent: &Consent) -> Option<(Self, Regex)> {
        let items = consent.patterns.iter().map(|it| Regex::new(it));
        let items = items.collect::<Result<Vec<_>, _>>().ok()?;
        let veto = consent.veto.as_ref().map(|it| Regex::new(it)).transpose().ok()?;
        let any = Regex::new(&consent.any()).ok()?;
        Some((Self { items, veto }, any))
    }
}

impl DoneLook {
    pub(super) fn new(
        plan: &Plan,
        phase: Arc<Mutex<Option<String>>>,
        place: impl Fn(&crate::config::Repo) -> Place,
    ) -> Self {
        let readers = |phase: &Phase| {
            let Heading { repo, file, heading } = phase.done.as_ref()?;
            let done = Source::new(&place(repo), file, Wanted::Heading(heading.clone()), false);
            let consent = phase.consent.as_ref().and_then(|consent| {
                let (patterns, any) = Patterns::new(consent)?;
                let place = place(&consent.repo);
                let source = Source::new(&place, &consent.file, Wanted::Line(any), false);
                Some((source, patterns))
            });
            Some(PhaseReaders { name: phase.name.clone(), done, consent })
        };
        Self { phase, phases: plan.phases.iter().filter_map(readers).collect() }
    }

    fn phase(&self) -> Option<String> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl PhaseReaders {
    fn sight(&mut self) -> Result<Option<DoneSight>, String> {
        let Some(reading) = self.done.read()? else { return Ok(None) };
        let newest = reading.lines.into_iter().max_by_key(|line| line.rank);
        let Some(heading) = newest else { return Ok(Some(DoneSight::default())) };
        let (id, commit, at) = match &heading.section {
            Some(it) => (it.heading.clone(), it.heading_commit.clone(), it.heading_committed_at),
            None => (heading.id.clone(), heading.commit.clone(), heading.committed_at),
        };
        let than = CommitAt {
            repo: self.done.place.path.clone(),
            commit: commit.clone(),
            committed_at: at,
        };
        let text = heading.text;
        let short = commit.get(..10).unwrap_or(&commit).to_owned();
        let done = Some(Mark { id, was: None, text, commit: short, at });
        let Some((consent, patterns)) = &mut self.consent else {
            return Ok(Some(DoneSight { done, ..DoneSight::default() }));
        };
        let Some(reading) = consent.read()? else { return Ok(None) };
        let commits: Vec<_> =
            reading.lines.iter().map(|line| (line.commit.clone(), line.committed_at)).collect();
        let orders = git::later(&consent.place.path, &commits, &than);
        let orders = orders.map_err(|error| chain(&error))?;
        let mut sight =
            DoneSight { done, words: vec![Vec::new(); patterns.items.len()], vetoes: Vec::new() };
        for (line, order) in reading.lines.into_iter().zip(orders) {
            let text = line.text.clone();
            let rank = u32::try_from(line.rank).unwrap_or(u32::MAX);
            let word = Word { rank, later: order == Order::Later, mark: mark(line) };
            // A refusal that quotes what it refuses agrees to nothing.
            if patterns.veto.as_ref().is_some_and(|veto| veto.is_match(&text)) {
                sight.vetoes.push(word);
                continue;
            }
            for (words, item) in sight.words.iter_mut().zip(&patterns.items) {
                if item.is_match(&text) {
                    words.push(word.clone());
                }
            }
        }
        Ok(Some(sight))
    }
}

impl Look for DoneLook {
    fn look(&mut self) -> Vec<Event> {
        let Some(phase) = self.phase() else { return Vec::new() };
        let Some(readers) = self.phases.iter_mut().find(|it| it.name == phase) else {
            return Vec::new();
        };
        match readers.sight() {
            Ok(Some(sight)) => vec![Event::DoneSeen { phase, outcome: Ok(sight) }],
            Ok(None) => Vec::new(),
            Err(why) => vec![Event::DoneSeen { phase, outcome: Err(why) }],
        }
    }

    fn hangs(&self) -> Vec<Event> {
        let Some(phase) = self.phase() else { return Vec::new() };
        vec![Event::DoneSeen { phase, outcome: Err(HANGS.to_owned()) }]
    }
}

/// What the builder is blocked by.
pub(super) struct BlockedLook(Source);

impl BlockedLook {
    pub(super) fn new(heading: &Heading, place: &Place) -> Self {
        let wanted = Wanted::Heading(heading.heading.clone());
        Self(Source::new(place, &heading.file, wanted, false))
    }
}

impl Look for BlockedLook {
    fn look(&mut self) -> Vec<Event> {
        let reading = match self.0.read() {
            Ok(Some(reading)) => reading,
            Ok(None) => return Vec::new(),
            Err(why) => return vec![Event::BlockedSeen(Err(why))],
        };
        let newest = reading.lines.into_iter().max_by_key(|line| line.rank);
        let told = newest.map(|line| {
            let body = line.section.as_ref().map(|it| it.text.trim().to_owned());
            let text = body.filter(|body| !body.is_empty()).unwrap_or_else(|| line.text.clone());
            Mark { text, ..mark(line) }
        });
        vec![Event::BlockedSeen(Ok(told))]
    }

    fn hangs(&self) -> Vec<Event> {
        vec![Event::BlockedSeen(Err(HANGS.to_owned()))]
    }
}

/// The clone of a session: that something moves, and who writes what is another's.
pub(super) struct CloneLook {
    pub(super) clone: PathBuf,
    /// What has an owner, as the config names it.
    pub(super) owned: Vec<String>,
    /// The clones of all sessions.
    pub(super) clones: Vec<(UnitName, PathBuf)>,
    /// The session of this clone; commits that nobody made are told by the first one.
    pub(super) session: UnitName,
    pub(super) is_first: bool,
    /// Up to where it was looked at.
    pub(super) heads: Vec<String>,
    /// A clone that is none, or not there, is told of where something is read from it.
    pub(super) told: bool,
}

impl CloneLook {
    fn place(&self) -> String {
        self.clone.display().to_string()
    }
}

impl Look for CloneLook {
    fn look(&mut self) -> Vec<Event> {
        let guarded: Vec<Guarded> = self.owned.iter().map(|owned| guarded(owned)).collect();
        let paths: Vec<PathBuf> = self.clones.iter().map(|(_, path)| path.clone()).collect();
        let found = match git::writers(&self.clone, &guarded, &self.heads, &paths) {
            Ok(found) => found,
            // A session need not work in a clone.
            Err(GitError::NotARepository { .. } | GitError::NotThere { .. }) => return Vec::new(),
            Err(error) => {
                let outcome = Err(chain(&error));
                return vec![Event::Reached { what: self.place(), outcome }];
            }
        };
        if self.told && found.heads == self.heads {
            return Vec::new();
        }
        self.told = true;
        self.heads.clone_from(&found.heads);
        let mut commits = Vec::new();
        for written in found.written {
            let makers: Vec<&UnitName> = written
                .made_in
                .iter()
                .filter_map(|at| self.clones.get(*at))
                .map(|it| &it.0)
                .collect();
            let ours = makers.contains(&&self.session) || (makers.is_empty() && self.is_first);
            if !ours {
                continue;
            }
            let by = (!makers.is_empty()).then(|| self.session.clone());
            for file in written.wrote.iter().filter_map(|at| self.owned.get(*at)) {
                let (file, commit) = (file.clone(), written.short.clone());
                commits.push(Written { file, commit, by: by.clone() });
            }
        }
        vec![Event::Committed { place: self.place(), heads: found.heads, commits }]
    }

    fn hangs(&self) -> Vec<Event> {
        vec![Event::Reached { what: self.place(), outcome: Err(HANGS.to_owned()) }]
    }
}

/// A remote that was not fetched by then is not waited for.
const FETCH_CEILING: Duration = Duration::from_secs(5 * 60);

const HANGS: &str = "looking at it hangs: is its disk or its mount well?";

fn guarded(owned: &str) -> Guarded {
    match owned.split_once('#') {
        Some((file, heading)) => {
            Guarded { file: file.to_owned(), heading: Some(heading.trim().to_owned()) }
        }
        None => Guarded { file: owned.to_owned(), heading: None },
    }
}

fn mark(line: Line) -> Mark {
    Mark { id: line.id, was: line.was, text: line.text, commit: line.short, at: line.committed_at }
}
