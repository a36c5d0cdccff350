//! `[plan]` and `[[handoffs]]` after every check. Not here: what is done about them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::decide::UnitName;

/// `[plan]`
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The named steps, in order.
    pub phases: Vec<Phase>,
    /// The next phase waits for a person.
    pub ask: bool,
    /// Where the builder says that it is blocked.
    pub blocked: Option<Heading>,
    /// Which session alone writes a file, or a section of one (`FILE#HEADING`).
    pub owners: BTreeMap<String, UnitName>,
    /// Whether the owner is told when another wrote it.
    pub owners_ping: bool,
    /// The sessions that work on the plan: DONE stops them.
    pub stops: Vec<UnitName>,
    /// After how long without progress the plan counts as stalled.
    pub stalled_after: Option<Duration>,
    /// How often repositories that are given by URL are fetched.
    pub fetch: Duration,
}

/// One phase of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// Its name: `{phase}`.
    pub name: String,
    /// The file that says what is to be done: `{plan}`.
    pub plan: String,
    /// Where the builder says that it is done; its own or the plan's.
    pub done: Option<Heading>,
    /// Where the adversary agrees; its own or the plan's.
    pub consent: Option<Consent>,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repo {
    /// A clone on this machine.
    Clone(PathBuf),
    /// A URL, fetched into a mirror of our own.
    Url(String),
}

/// A heading of a file in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The repository.
    pub repo: Repo,
    /// The file in it.
    pub file: String,
    /// The heading line, with `{phase}` filled in.
    pub heading: String,
}

/// The adversary's word on a phase. The patterns are regular expressions over lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The repository.
    pub repo: Repo,
    /// The file in it.
    pub file: String,
    /// What a line must match, for each item; for the one that is none, if there are no items.
    pub patterns: Vec<String>,
    /// The items.
    pub items: Vec<String>,
    /// A later line that matches this refuses.
    pub veto: Option<String>,
    /// How old the word may be.
    pub max_age: Option<Duration>,
}

impl Consent {
    /// One regular expression for every line that is of interest: what agrees and what refuses.
    pub fn any(&self) -> String {
        let all = self.patterns.iter().chain(&self.veto).map(|it| format!("(?:{it})"));
        all.collect::<Vec<_>>().join("|")
    }
}

/// One `[[handoffs]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// The clone, or the URL.
    pub repo: Repo,
    /// The file in it.
    pub file: String,
    /// What about the file counts.
    pub when: When,
    /// Which session is woken.
    pub to: UnitName,
    /// With which words.
    pub text: String,
    /// How often the clone's remote is fetched into a mirror and looked at too.
    pub fetch: Option<Duration>,
    /// What is in the working file and not committed yet counts too.
    pub working: bool,
}

/// What about a file counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A line that matches this regular expression is new.
    Line(String),
    /// The file changed.
    Change,
    /// This heading appears, or its section changes.
    Heading(String),
}
