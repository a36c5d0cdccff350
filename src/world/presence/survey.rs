//! One look at all agents of this machine: the processes, what they were called with, whose they
//! are, and what the registries say of them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::table::{self, Caller, Detail, Here, Row, Table};
use super::{Agent, Call, Listed, Whose};
use crate::decide::{Process, UnitName};
use crate::world::holders;

/// How long one look may take. It takes milliseconds, but a process stuck in a page fault holds up
/// for ever whoever reads its arguments.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// So many looks may hang before no other one is begun: each of them keeps a thread.
const HANGING_MAX: usize = 3;

/// The looks that have not come to an end.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// Says what kind of call of a program a process is; none if it is another program.
pub type ReadCall = dyn Fn(&Caller<'_>) -> Option<Call> + Send;

/// Says what a file of a registry tells.
pub type ReadListed = dyn Fn(&[u8]) -> Option<Listed> + Send;

/// What is known of one agent program; what is particular to it comes from its profile.
pub struct Program {
    /// As the config names it.
    pub name: &'static str,
    /// How it is told from others.
    pub called: Box<ReadCall>,
    /// Where it lists its living sessions.
    pub registries: Vec<PathBuf>,
    /// How a file there is read.
    pub listed: Box<ReadListed>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, registries, .. } = self;
        f.debug_struct("Program").field("name", name).field("registries", registries).finish()
    }
}

/// What a look is for.
#[derive(Debug)]
pub struct Scope {
    /// Our instance, as in the marks.
    pub instance: String,
    /// The programs to look for.
    pub programs: Vec<Program>,
    /// What is not known from the start, in words: where a program lists its sessions, say.
    pub gaps: Vec<String>,
}

/// Something that runs and is no agent, by its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which process.
    pub process: Process,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The agents, ours included.
    pub agents: Vec<Agent>,
    /// Shells with a script, for whoever looks for an old one.
    pub scripts: Vec<Listing>,
    /// What could not be read, in words.
    pub gaps: Vec<String>,
}

impl Survey {
    /// Looks for what `scope` says, on a thread of its own and not for longer than a few seconds.
    /// Beyond that everything is unknown, and the thread is left to itself.
    pub async fn take(scope: impl FnOnce() -> Scope + Send + 'static) -> Self {
        if LOOKS.load(Ordering::Relaxed) >= HANGING_MAX {
            let gap = "/proc gives no answer: earlier looks at it hang still";
            return Self { gaps: vec![gap.to_owned()], ..Self::default() };
        }
        let look = tokio::task::spawn_blocking(move || {
            let _counted = Counted::new();
            Self::now(&scope())
        });
        let gap = match tokio::time::timeout(LOOK_MAX, look).await {
            Ok(Ok(survey)) => return survey,
            Ok(Err(error)) => format!("the look at /proc failed: {error}"),
            Err(_) => format!("/proc gave no answer within {} s", LOOK_MAX.as_secs()),
        };
        Self { gaps: vec![gap], ..Self::default() }
    }

    /// Looks at once. The kernel can make this wait for ever.
    pub fn now(scope: &Scope) -> Self {
        Self::of(Path::new("/proc"), scope)
    }

    pub(super) fn of(proc: &Path, scope: &Scope) -> Self {
        // The registries first: who is in one and not in the table has ended meanwhile.
        let mut gaps = scope.gaps.clone();
        let mut listed: Vec<(&'static str, Listed)> = Vec::new();
        for program in &scope.programs {
            for folder in &program.registries {
                match holders::registry(folder) {
                    Ok(files) => {
                        let entries = files.iter().filter_map(|it| (program.listed)(&it.bytes));
                        listed.extend(entries.map(|it| (program.name, it)));
                    }
                    Err(error) => {
                        let source = std::error::Error::source(&error);
                        let source = source.map_or_else(String::new, |it| format!(": {it}"));
                        gaps.push(format!("{error}{source}"));
                    }
                }
            }
        }
        let table = Table::read(proc);
        gaps.extend(table.gaps.iter().cloned());
        let here = Here::read(proc);
        let found: Vec<Candidate> = table
            .rows
            .values()
            .filter_map(|row| Candidate::of(row, scope, &listed))
            .filter_map(|it| it.with_details(proc, here, &table))
            .collect();
        let agents = agents(&scope.instance, found, &listed);
        Self { agents, scripts: scripts(&table), gaps }
    }
}

/// Counts a look as long as it lasts, however it ends.
struct Counted;

impl Counted {
    fn new() -> Self {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LOOKS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A process that may be an agent, and all that was read of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) process: Process,
    pub(super) program: &'static str,
    pub(super) call: Call,
    pub(super) terminal: bool,
    pub(super) ancestors: Vec<i32>,
    /// Its own marks, then those of its ancestors.
    pub(super) marks: Vec<(String, Option<UnitName>)>,
    pub(super) user: Option<String>,
    pub(super) detail: Detail,
}

impl Candidate {
    fn of(row: &Row, scope: &Scope, listed: &[(&'static str, Listed)]) -> Option<Self> {
        let called = |program: &Program| Some((program.name, row.seen(&program.called)?));
        let by_name = scope.programs.iter().find_map(called);
        // One under a name that nobody knows may be listed all the same.
        let by_list = || {
            let (program, _) = listed.iter().find(|(_, it)| it.process == row.process)?;
            Some((*program, Call { interactive: true, names: Vec::new() }))
        };
        let (program, call) = by_name.or_else(by_list)?;
        Some(Self {
            process: row.process,
            program,
            call,
            terminal: row.terminal,
            ancestors: Vec::new(),
            marks: Vec::new(),
            user: None,
            detail: Detail::default(),
        })
    }

    /// None if it is gone.
    fn with_details(mut self, proc: &Path, here: Here, table: &Table) -> Option<Self> {
        let pid = self.process.pid;
        self.detail = table::detail(proc, here, pid)?;
        self.user = self.detail.user.map(table::user_name);
        self.ancestors = table.ancestors(pid);
        let line = [pid].into_iter().chain(self.ancestors.iter().copied());
        self.marks = line.filter_map(|pid| table::marks(proc, pid)).collect();
        Some(self)
    }

    fn whose(&self, instance: &str) -> Whose {
        let ours = self.marks.iter().filter(|(of, _)| of == instance);
        match ours.filter_map(|(_, unit)| unit.clone()).next() {
            Some(unit) => Whose::Ours(unit),
            None if self.marks.is_empty() => Whose::Hand,
            None => Whose::Another,
        }
    }
}

/// What the candidates are. A helper of an agent, below it, is a part of it, unless it has another
/// conversation open; what a call that does one thing has started ends with it.
pub(super) fn agents(
    instance: &str,
    candidates: Vec<Candidate>,
    listed: &[(&'static str, Listed)],
) -> Vec<Agent> {
    let all: BTreeSet<i32> = candidates.iter().map(|it| it.process.pid).collect();
    let mut agents = Vec::new();
    for candidate in candidates {
        let entry = listed.iter().find(|(_, it)| it.process == candidate.process);
        let entry = entry.map(|(_, it)| it);
        let is_helper = candidate.ancestors.iter().any(|pid| all.contains(pid));
        if is_helper && entry.is_none() && candidate.call.names.is_empty() {
            continue;
        }
        let whose = candidate.whose(instance);
        let Candidate { process, program, call, terminal, user, detail, .. } = candidate;
        let names = entry.map_or(call.names, |it| it.names.clone());
        let directory = detail.directory.or_else(|| entry.map(|it| it.directory.clone()));
        agents.push(Agent {
            process,
            program,
            whose,
            user,
            directory,
            names: names.into_iter().collect(),
            interactive: call.interactive,
            terminal: terminal || detail.stdin_terminal || entry.is_some(),
            contained: detail.contained,
        });
    }
    agents
}

fn scripts(table: &Table) -> Vec<Listing> {
    let script = |row: &Row| {
        row.seen(|caller| {
            let name = caller.arguments.first()?.rsplit(|byte| *byte == b'/').next()?;
            let shells: [&[u8]; 5] = [b"bash", b"sh", b"dash", b"zsh", b"env"];
            let words = caller.arguments.iter().take(8);
            let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            shells.contains(&name).then_some(Listing { process: row.process, arguments: words })
        })
    };
    table.rows.values().filter_map(script).collect()
}
