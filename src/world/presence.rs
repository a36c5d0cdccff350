//! Which agent sessions there are on this machine that nobody of ours started: looked for in
//! `/proc` and in the agents' own registries, for an orchestrator that must be the only one, and for
//! sessions that take over from something older.
//!
//! [`Survey::take`] reads; what it means is said by plain functions of what was read ([`presence`],
//! [`takeover::strangers`]). Not here: what an agent program looks like (handed in as [`Program`]),
//! and who has which conversation by a lease ([`super::leases`]).

mod survey;
mod table;
pub mod takeover;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::decide::{Process, UnitName};

pub use survey::{Listing, Program, ReadCall, ReadListed, Scope, Survey};
pub use table::Caller;

/// Whether the one that is wanted runs already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Everything could be read, and there is none.
    Absent,
    /// There is one.
    Present {
        /// Its pid.
        pid: i32,
        /// When it started, in clock ticks since boot.
        start: u64,
        /// Who it is and how that is known, in words.
        why: String,
    },
    /// None was found, and not everything could be read: what could not, in words.
    Unknown(String),
}

/// How a process was called, as the profile of an agent program reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// It was not told to do one thing and end.
    pub interactive: bool,
    /// What it calls its conversation, by id or by name.
    pub names: Vec<String>,
}

/// A living session, as a registry of its program says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its process.
    pub process: Process,
    /// Its conversation, by id and, if it has one, by name.
    pub names: Vec<String>,
    /// Where it works.
    pub directory: PathBuf,
}

/// Whose process it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It belongs to this unit of ours.
    Ours(UnitName),
    /// It belongs to another supervisor.
    Another,
    /// Somebody started it by hand.
    Hand,
}

/// A process that is an agent program, and no helper of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Which process.
    pub process: Process,
    /// Which program, as the config names it.
    pub program: &'static str,
    /// Whose it is.
    pub whose: Whose,
    /// The name of its user if that is not ours.
    pub user: Option<String>,
    /// Where it works; none if that may not be read.
    pub directory: Option<PathBuf>,
    /// What it calls its conversation, by its registry or, without one, by its arguments.
    pub names: BTreeSet<String>,
    /// A person could be speaking with it: it was not told to do one thing and end.
    pub interactive: bool,
    /// It has a terminal, or its registry lists it.
    pub terminal: bool,
    /// It is in a container, which has its own conversations.
    pub contained: bool,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which program, as the config names it.
    pub program: &'static str,
    /// Its conversation: id and name, as far as there are any.
    pub names: BTreeSet<String>,
    /// Where it works, absolute, as the kernel names it.
    pub directory: PathBuf,
    /// Where the other sessions work: an agent below one of these is that session's business.
    pub elsewhere: Vec<PathBuf>,
    /// The unit whose own processes count too. What else is ours never counts.
    pub unit: Option<UnitName>,
}

/// Whether the wanted session runs.
pub fn presence(survey: &Survey, wanted: &Wanted) -> Presence {
    let counts = |agent: &&Agent| {
        let ours = match &agent.whose {
            Whose::Ours(unit) => wanted.unit.as_ref() == Some(unit),
            Whose::Another | Whose::Hand => true,
        };
        ours && agent.program == wanted.program && agent.interactive && !agent.contained
    };
    let found = survey.agents.iter().filter(counts);
    let found = found.filter_map(|agent| Some((evidence(agent, wanted)?, agent)));
    if let Some((evidence, agent)) = found.min_by_key(|(evidence, _)| evidence.rank()) {
        let Process { pid, start } = agent.process;
        return Presence::Present { pid, start, why: format!("{agent} {evidence}") };
    }
    if survey.gaps.is_empty() {
        Presence::Absent
    } else {
        Presence::Unknown(survey.gaps.join("; "))
    }
}

/// By what it is known that an agent is the wanted one.
enum Evidence<'a> {
    Conversation(&'a str),
    Unit,
    Directory(&'a Path),
    Unreadable,
}

impl Evidence<'_> {
    /// The surest has the least.
    fn rank(&self) -> u8 {
        match self {
            Self::Conversation(_) => 0,
            Self::Unit => 1,
            Self::Directory(_) => 2,
            Self::Unreadable => 3,
        }
    }
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(name) => write!(f, "has the conversation {name} open"),
            Self::Unit => f.write_str("runs already"),
            Self::Directory(directory) => write!(f, "works in {}", directory.display()),
            Self::Unreadable => {
                f.write_str("has a terminal, and may not be asked in which folder it works")
            }
        }
    }
}

fn evidence<'a>(agent: &'a Agent, wanted: &Wanted) -> Option<Evidence<'a>> {
    if let Some(name) = agent.names.iter().find(|name| wanted.names.contains(*name)) {
        return Some(Evidence::Conversation(name));
    }
    if matches!(agent.whose, Whose::Ours(_)) {
        return Some(Evidence::Unit);
    }
    // What has neither is a call of some program's, not of a person.
    if !agent.terminal {
        return None;
    }
    let Some(directory) = &agent.directory else { return Some(Evidence::Unreadable) };
    let below = directory.strip_prefix(&wanted.directory).ok()?;
    if below.as_os_str().is_empty() {
        return Some(Evidence::Directory(directory));
    }
    // Further down it is the wanted one only if nothing says that it is another.
    let theirs = |it: &&PathBuf| it.starts_with(&wanted.directory) && directory.starts_with(it);
    let is_theirs = wanted.elsewhere.iter().any(|it| theirs(&it));
    (agent.names.is_empty() && !is_theirs).then_some(Evidence::Directory(directory))
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, ", self.program, self.process.pid)?;
        match &self.whose {
            Whose::Ours(unit) => write!(f, "of our {unit}")?,
            Whose::Another => f.write_str("of another supervisor")?,
            Whose::Hand => f.write_str("started by hand")?,
        }
        match &self.user {
            Some(user) => write!(f, " by {user})"),
            None => f.write_str(")"),
        }
    }
}

#[cfg(test)]
mod tests;
