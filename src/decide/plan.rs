//! The plan as data: what the configuration asks of it, what is seen of it in the repositories, and
//! what must be remembered. What follows from that is in `handoffs.rs`, `phases.rs`, `course.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::UnitName;

/// `[plan]`, as the watchdog needs it. Empty = there is no plan.
#[derive(Clone, Debug, Default)]
pub struct PlanPolicy {
    /// The phases, in order.
    pub phases: Vec<PhasePolicy>,
    /// The next phase waits for a person.
    pub ask: bool,
    /// The sessions that work on the plan: DONE stops them, and each phase begins with a fresh
    /// conversation of theirs.
    pub stops: Vec<UnitName>,
    /// After so long without a commit or an edge, while they are up, the plan counts as stalled.
    pub stalled_after: Option<Duration>,
    /// Which session alone writes a file, or a section of one (`FILE#HEADING`).
    pub owners: BTreeMap<String, UnitName>,
    /// That session is told when another one did.
    pub owners_ping: bool,
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhasePolicy {
    /// Its name.
    pub name: String,
    /// DONE counts only with this; none = DONE alone is enough.
    pub consent: Option<ConsentPolicy>,
}

/// The adversary's word, without which nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentPolicy {
    /// One line is needed for each of these; empty = one line is enough.
    pub items: Vec<String>,
    /// How old a line may be, counted from when it was first seen here.
    pub max_age: Option<Duration>,
    /// Where such a line is looked for, in words: `REVIEW.md`.
    pub place: String,
}

/// One `[[handoffs]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffPolicy {
    /// What it is remembered by: the same as long as repository, file and pattern are the same.
    pub key: String,
    /// Which session is woken.
    pub to: UnitName,
    /// With which words; `{commit}`, `{line}`, `{file}` and `{phase}` are filled in.
    pub text: String,
    /// The file, as it is called in the repository.
    pub file: String,
}

/// Something that stands in a file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it is known by: the same after a rebase, in every clone and after a restart, and
    /// another one if the same text is written anew.
    pub id: String,
    /// What it was known by before: its history was written anew, or it was not committed yet.
    pub was: Option<String>,
    /// The line, or the text of a section.
    pub text: String,
    /// The commit that wrote it, shortened; empty if it is not committed yet.
    pub commit: String,
    /// When it was committed.
    pub at: SystemTime,
}

/// A line about consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The line.
    pub mark: Mark,
    /// Of two lines the one with the larger number was written by the later commit.
    pub rank: u32,
    /// Its commit is later than that which wrote DONE.
    pub later: bool,
}

/// What the repositories say of the end of a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoneSight {
    /// The heading, if it stands there.
    pub done: Option<Mark>,
    /// The lines that agree: for each item, or for the one that stands for none.
    pub words: Vec<Vec<Word>>,
    /// The lines that refuse.
    pub vetoes: Vec<Word>,
}

/// A commit that changed a file which has an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file, as [`PlanPolicy::owners`] names it.
    pub file: String,
    /// The commit, shortened.
    pub commit: String,
    /// The session in whose clone it was made; none = not made in any of them.
    pub by: Option<UnitName>,
}

/// What must be remembered of the plan over the power.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanSaved {
    /// The phase now; none = never begun.
    pub phase: Option<String>,
    /// When it began.
    pub since: Option<SystemTime>,
    /// In which phase the conversation of each session began.
    pub begun: BTreeMap<UnitName, String>,
    /// Every DONE that stood when the phase began; none = nobody has looked yet.
    pub stale: Option<BTreeSet<String>>,
    /// The DONE that was the phase's before: whatever its date, it is none of this one.
    pub last: Option<String>,
    /// The DONE by which the last phase ended.
    pub done: Option<String>,
    /// The DONE by which a phase ended whose successor waits for a person.
    pub waits: Option<String>,
    /// The DONE whose consent was said to be missing.
    pub refused: Option<String>,
    /// When each line of consent was first seen.
    pub words: BTreeMap<String, SystemTime>,
    /// The `## Blocked` that was told.
    pub blocked: Option<String>,
    /// Of each hand-off what has been seen, the oldest first; not there = nobody has looked yet.
    pub edges: BTreeMap<String, Vec<String>>,
    /// Up to which commits each clone was looked at for what is another's to write.
    pub heads: BTreeMap<String, Vec<String>>,
}
