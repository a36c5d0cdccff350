//! The simulated repositories of the plan: what its agents write there, and the looks at them, as
//! the daemon makes them: one of a kind at a time, late, in vain, or not to the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use agent_supervisor::decide::{DoneSight, Event, Mark, UnitName, Word, Written};

use super::house::{AGENTS, name, secs};
use super::world::{Step, World};

/// The hand-offs, by what they are remembered by. The last one counts what is not committed, too.
pub(super) const HANDOFFS: [&str; 3] = ["claims", "verdicts", "inbox"];
/// Which one that is.
const WORKING: usize = 2;
/// A look that takes longer is said to hang.
const CEILING: Duration = secs(60);
/// What was not announced is found after so long at the latest.
pub(super) const NET: Duration = secs(300);

#[derive(Default)]
pub(super) struct Repos {
    /// A supervisor lives that looks.
    attended: bool,
    /// The phase that it believes in.
    phase: Option<String>,
    /// What a word of consent is needed for; empty = one is enough.
    pub(super) items: Vec<String>,
    pub(super) files: [Vec<Line>; HANDOFFS.len()],
    pub(super) done: Option<Line>,
    pub(super) words: Vec<Line>,
    pub(super) vetoes: Vec<Line>,
    pub(super) blocked: Option<Line>,
    /// When each line was written.
    pub(super) written: BTreeMap<u64, Duration>,
    /// Lines whose history was written anew while nobody saw it: they look like new ones.
    pub(super) dark: BTreeSet<u64>,
    /// Lines of a text that was last seen in the working file, too: nobody can know that they are
    /// others.
    pub(super) alike: BTreeSet<u64>,
    lines: u64,
    commits: u32,
    /// The commits that changed what has an owner, by their clones.
    owned: BTreeMap<String, Vec<(u32, Written)>>,
    /// What the looks of this life saw last.
    readers: BTreeMap<usize, Reader>,
    /// Up to which commit each clone was looked at in this life.
    heads: BTreeMap<String, Vec<String>>,
    /// How often anything was changed in a file.
    versions: [u64; HANDOFFS.len()],
    /// The looks under way, and whether they are to be made again.
    busy: BTreeMap<Job, bool>,
    trouble: Option<(Duration, Trouble)>,
}

/// Something that stands in a file, or once did.
#[derive(Clone)]
pub(super) struct Line {
    /// Which one it is, whatever it is called.
    pub(super) number: u64,
    id: String,
    renamed: bool,
    pub(super) text: String,
    /// None = not committed yet.
    pub(super) commit: Option<u32>,
    date: SystemTime,
}

#[derive(Default)]
struct Reader {
    version: u64,
    ids: BTreeMap<u64, (String, Option<String>)>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Handoff(usize),
    Done,
    Blocked,
    /// The clone of an agent.
    Clone(usize),
}

/// How looks go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk, or the repository, is not well.
    Fails,
    /// A rebase is half done.
    HalfDone,
    /// The disk is slow; it may be said that it hangs.
    Slow,
}

/// What is done in the repositories.
#[derive(Clone, Copy, Debug)]
pub(super) enum PlanDoes {
    /// So many lines are committed to the file of a hand-off, one after another.
    Writes {
        handoff: usize,
        lines: u64,
    },
    /// A line is written, and not committed; `again`: the text is one that was committed before.
    Scribbles {
        again: bool,
    },
    /// What was scribbled is committed.
    Commits,
    /// The oldest line of a hand-off is taken out.
    Removes(usize),
    /// The history of a file is written anew: by a squash its lines get other names.
    Rewrites {
        handoff: usize,
        squash: bool,
    },
    /// The heading is written, in the place of one that stands there; where the clock is ahead.
    Done {
        ahead: bool,
    },
    TakesDoneBack,
    /// The word of consent; for this item, if there are any.
    Consents(usize),
    /// A refusal: of all, or of this item.
    Refuses(Option<usize>),
    Blocks,
    Unblocks,
    /// An agent, or nobody of the plan, commits to the file of another one in a clone.
    Intrudes {
        clone: usize,
        by: Option<usize>,
    },
    /// For a time, looks go wrong.
    CannotLook(Trouble),
}

impl Line {
    fn mark(&self, was: Option<String>) -> Mark {
        let commit = self.commit.map(|commit| format!("c{commit}")).unwrap_or_default();
        // The date says which one it is, for the judge.
        let at = self.date + Duration::from_nanos(self.number);
        Mark { id: self.id.clone(), was, text: self.text.clone(), commit, at }
    }
}

/// Which line a mark is.
pub(super) fn number(mark: &Mark) -> u64 {
    let since = mark.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos() % 100_000)
}

fn scribbled(text: &str) -> String {
    format!("w:{text}")
}

fn clone(number: usize) -> String {
    format!("/srv/{}", AGENTS[number])
}

impl World {
    pub(super) fn plan_does(&mut self, does: PlanDoes, lasts: Duration) {
        if !self.is_on() {
            return;
        }
        match does {
            PlanDoes::Writes { handoff, lines } => {
                for _ in 0..lines {
                    let line = self.line("CLAIMED", true);
                    self.repos.files[handoff].push(line);
                    self.changes(Job::Handoff(handoff));
                }
                self.changes(Job::Clone(handoff % AGENTS.len()));
            }
            PlanDoes::Scribbles { again } => {
                let mut line = self.line("TO", false);
                let file = &self.repos.files[WORKING];
                let known = file.iter().find(|it| it.commit.is_some()).filter(|_| again);
                if let Some(known) = known
                    && !file.iter().any(|it| it.commit.is_none() && it.text == known.text)
                {
                    line.text.clone_from(&known.text);
                    line.id = scribbled(&line.text);
                }
                let reader = self.repos.readers.get(&WORKING);
                if reader.is_none_or(|it| it.ids.values().any(|(id, _)| *id == line.id)) {
                    self.repos.alike.insert(line.number);
                }
                self.repos.files[WORKING].push(line);
                self.changes(Job::Handoff(WORKING));
            }
            PlanDoes::Commits => {
                let commit = self.commit();
                let date = self.date();
                let lines = self.repos.files[WORKING].iter_mut();
                for line in lines.filter(|it| it.commit.is_none()) {
                    (line.commit, line.date) = (Some(commit), date);
                    line.id = format!("i{}", line.number);
                }
                self.changes(Job::Handoff(WORKING));
            }
            PlanDoes::Removes(handoff) => {
                let file = &mut self.repos.files[handoff];
                if file.first().is_some_and(|line| line.commit.is_some()) {
                    file.remove(0);
                    self.changes(Job::Handoff(handoff));
                }
            }
            PlanDoes::Rewrites { handoff, squash } => {
                let commit = self.commit();
                for line in &mut self.repos.files[handoff] {
                    if line.commit.is_none() {
                        continue;
                    }
                    line.commit = Some(commit);
                    if squash {
                        line.renamed = true;
                        line.id = format!("i{}-{commit}", line.number);
                    }
                }
                self.changes(Job::Handoff(handoff));
            }
            PlanDoes::Done { ahead } => {
                let mut line = self.line("## DONE", true);
                line.date += if ahead { secs(3600) } else { Duration::ZERO };
                self.repos.done = Some(line);
                self.changes(Job::Done);
            }
            PlanDoes::TakesDoneBack => {
                self.repos.done = None;
                self.changes(Job::Done);
            }
            PlanDoes::Consents(item) => {
                let text = self.about("PASS", Some(item));
                let line = self.line(&text, true);
                self.repos.words.push(line);
                self.changes(Job::Done);
            }
            PlanDoes::Refuses(item) => {
                let text = self.about("FAIL", item);
                let line = self.line(&text, true);
                self.repos.vetoes.push(line);
                self.changes(Job::Done);
            }
            PlanDoes::Blocks => {
                self.repos.blocked = Some(self.line("no key", true));
                self.changes(Job::Blocked);
            }
            PlanDoes::Unblocks => {
                self.repos.blocked = None;
                self.changes(Job::Blocked);
            }
            PlanDoes::Intrudes { clone: at, by } => {
                let commit = self.commit();
                let by = by.map(|by| name(AGENTS[by]));
                let written =
                    Written { file: "STATUS.md".into(), commit: format!("c{commit}"), by };
                self.repos.owned.entry(clone(at)).or_default().push((commit, written));
                self.changes(Job::Clone(at));
            }
            PlanDoes::CannotLook(trouble) => {
                self.repos.trouble = Some((self.time + lasts, trouble));
                self.worry(lasts + NET * 5);
                for job in self.jobs() {
                    self.changes(job);
                }
            }
        }
        self.worry(NET);
    }

    fn commit(&mut self) -> u32 {
        self.repos.commits += 1;
        self.repos.commits
    }

    /// To the second, as a commit has it.
    fn date(&self) -> SystemTime {
        let now = self.now().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + secs(now.as_secs())
    }

    fn line(&mut self, text: &str, committed: bool) -> Line {
        self.repos.lines += 1;
        let number = self.repos.lines;
        self.repos.written.insert(number, self.time);
        let commit = committed.then(|| self.commit());
        let text = format!("{text} #{number}.");
        let id = if committed { format!("i{number}") } else { scribbled(&text) };
        Line { number, id, renamed: false, text, commit, date: self.date() }
    }

    /// A line about one item, or about the whole.
    fn about(&self, word: &str, item: Option<usize>) -> String {
        let items = &self.repos.items;
        match item.filter(|_| !items.is_empty()) {
            Some(item) => format!("{word} {}", items[item % items.len()]),
            None => word.to_owned(),
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let handoffs = (0..HANDOFFS.len()).map(Job::Handoff);
        let clones = (0..AGENTS.len()).map(Job::Clone);
        handoffs.chain([Job::Done, Job::Blocked]).chain(clones).collect()
    }

    /// Something was changed: the kernel tells of it, or the net finds it.
    fn changes(&mut self, job: Job) {
        if let Job::Handoff(handoff) = job {
            self.repos.versions[handoff] += 1;
        }
        if !self.repos.attended {
            return;
        }
        let told = self.dice.percent(85);
        let most = if told { Duration::from_millis(200) } else { NET };
        let wait = self.dice.time(Duration::from_millis(1), most);
        self.after(wait, Step::Looks(job));
    }

    /// A supervisor begins to look, knowing what is on disk.
    pub(super) fn plan_is_attended(&mut self, phase: Option<String>) {
        self.repos.attended = true;
        self.repos.phase = phase;
        self.repos.heads = self.disk.saved.plan.heads.clone();
        for job in self.jobs() {
            let wait = self.dice.time(Duration::from_millis(1), secs(3));
            self.after(wait, Step::Looks(job));
        }
    }

    /// It is gone, and all that it remembered of its looks.
    pub(super) fn plan_is_left(&mut self) {
        self.repos.attended = false;
        self.repos.readers.clear();
        self.repos.busy.clear();
    }

    /// It believes in another phase.
    pub(super) fn phase_is(&mut self, phase: Option<&String>) {
        if self.repos.phase.as_ref() != phase {
            self.repos.phase = phase.cloned();
            self.after(Duration::from_millis(1), Step::Looks(Job::Done));
        }
    }

    /// A look is begun, or is to be made again after the one that is under way.
    pub(super) fn looks(&mut self, job: Job) {
        if let Some(again) = self.repos.busy.get_mut(&job) {
            *again = true;
            return;
        }
        self.repos.busy.insert(job, false);
        let trouble = self.looks_go_wrong();
        let most = if trouble == Some(Trouble::Slow) { secs(150) } else { secs(0) };
        let wait = self.dice.time(Duration::from_millis(1), most.max(Duration::from_millis(60)));
        // What it sees is as it was when it began, or when it ended.
        let early = self.dice.percent(50);
        let seen = if early { Some(self.sees(job, trouble)) } else { None };
        if wait > CEILING {
            let hangs = self.could_not_look(job, "it hangs");
            for event in hangs {
                self.after(CEILING, Step::Deliver(event));
            }
        }
        self.after(wait, Step::LookEnds(job, seen));
    }

    pub(super) fn look_ends(&mut self, job: Job, seen: Option<Vec<Event>>) -> Vec<Event> {
        let trouble = self.looks_go_wrong();
        let events = seen.unwrap_or_else(|| self.sees(job, trouble));
        let again = self.repos.busy.remove(&job).unwrap_or_default();
        let wait = match trouble {
            _ if again => Some(Duration::ZERO),
            // Not as often as it is, to be quick.
            Some(_) => Some(self.dice.time(secs(10), NET * 4)),
            None => self.dice.percent(10).then(|| self.dice.time(secs(1), NET)),
        };
        if let Some(wait) = wait {
            self.after(wait, Step::Looks(job));
        }
        events
    }

    fn looks_go_wrong(&self) -> Option<Trouble> {
        self.repos.trouble.filter(|(until, _)| self.time < *until).map(|(_, trouble)| trouble)
    }

    fn sees(&mut self, job: Job, trouble: Option<Trouble>) -> Vec<Event> {
        match trouble {
            Some(Trouble::Fails) if self.dice.percent(80) => {
                return self.could_not_look(job, "no such folder");
            }
            Some(Trouble::HalfDone) => return Vec::new(),
            Some(Trouble::Fails | Trouble::Slow) | None => {}
        }
        match job {
            Job::Handoff(handoff) => vec![self.sees_marks(handoff)],
            Job::Done => self.sees_done().into_iter().collect(),
            Job::Blocked => {
                let mark = self.repos.blocked.as_ref().map(|line| line.mark(None));
                vec![Event::BlockedSeen(Ok(mark))]
            }
            Job::Clone(at) => self.sees_clone(clone(at)).into_iter().collect(),
        }
    }

    fn could_not_look(&self, job: Job, why: &str) -> Vec<Event> {
        let why = why.to_owned();
        vec![match job {
            Job::Handoff(at) => {
                Event::Marked { handoff: HANDOFFS[at].to_owned(), outcome: Err(why) }
            }
            Job::Done => match self.repos.phase.clone() {
                Some(phase) => Event::DoneSeen { phase, outcome: Err(why) },
                None => return Vec::new(),
            },
            Job::Blocked => Event::BlockedSeen(Err(why)),
            Job::Clone(at) => Event::Reached { what: clone(at), outcome: Err(why) },
        }]
    }

    fn sees_marks(&mut self, handoff: usize) -> Event {
        let repos = &mut self.repos;
        let reader = repos.readers.entry(handoff).or_default();
        let version = repos.versions[handoff];
        let mut ids = BTreeMap::new();
        let mut marks = Vec::new();
        for line in &repos.files[handoff] {
            let was = match reader.ids.get(&line.number) {
                _ if line.commit.is_none() => None,
                Some((id, was)) if *id == line.id && reader.version == version => was.clone(),
                Some((id, _)) if *id != line.id && !id.starts_with("w:") => Some(id.clone()),
                Some(_) => None,
                None => {
                    if line.renamed {
                        repos.dark.insert(line.number);
                    }
                    None
                }
            };
            ids.insert(line.number, (line.id.clone(), was.clone()));
            let text = &line.text;
            let scribbled =
                || (handoff == WORKING && line.commit.is_some()).then(|| scribbled(text));
            marks.push(line.mark(was.or_else(scribbled)));
        }
        *reader = Reader { version, ids };
        Event::Marked { handoff: HANDOFFS[handoff].to_owned(), outcome: Ok(marks) }
    }

    fn sees_done(&self) -> Option<Event> {
        let repos = &self.repos;
        let phase = repos.phase.clone()?;
        let outcome = Ok(match &repos.done {
            None => DoneSight::default(),
            Some(done) => {
                let word = |line: &Line| Word {
                    mark: line.mark(None),
                    rank: line.commit.unwrap_or_default(),
                    later: line.commit > done.commit,
                };
                let nobody = [String::new()];
                let items = if repos.items.is_empty() { &nobody } else { &repos.items[..] };
                let of = |item: &String| {
                    let words = repos.words.iter();
                    words.filter(|it| it.text.contains(item.as_str())).map(word).collect()
                };
                DoneSight {
                    done: Some(done.mark(None)),
                    words: items.iter().map(of).collect(),
                    vetoes: repos.vetoes.iter().map(word).collect(),
                }
            }
        });
        Some(Event::DoneSeen { phase, outcome })
    }

    /// A clone says what is new in it, and nothing if nothing is.
    fn sees_clone(&mut self, place: String) -> Option<Event> {
        let repos = &mut self.repos;
        let heads = vec![format!("c{}", repos.commits)];
        let before = repos.heads.insert(place.clone(), heads.clone());
        if before.as_ref() == Some(&heads) {
            return None;
        }
        let upto = before.as_ref().and_then(|heads| heads.first()?.get(1..)?.parse().ok());
        let new = |(commit, _): &&(u32, Written)| upto.is_none_or(|upto| *commit > upto);
        let owned = repos.owned.get(&place).into_iter().flatten();
        let commits = owned.filter(new).map(|(_, written)| written.clone()).collect();
        Some(Event::Committed { place, heads, commits })
    }
}

/// A commit was not made by whoever owns the file.
pub(super) fn is_foreign(written: &Written, owner: Option<&UnitName>) -> bool {
    owner.is_some() && written.by.as_ref() != owner
}
