//! `[plan]`, `[[handoffs]]` and `[[require]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::values::{RawDuration, Table, word};

/// `[plan]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawPlan {
    /// The named steps, in order.
    pub phases: Vec<Table<RawPhase>>,
    /// Whether the next phase begins by itself.
    #[serde(deserialize_with = "word")]
    pub advance: Option<RawAdvance>,
    /// Where the builder says that a phase is done.
    pub done: Option<Table<RawHeading>>,
    /// Where the adversary agrees.
    pub consent: Option<Table<RawConsent>>,
    /// Where the builder says that it is blocked.
    pub blocked: Option<Table<RawHeading>>,
    /// Which session alone writes which file, or section of a file.
    pub owners: BTreeMap<String, String>,
    /// What DONE stops.
    pub stops: Option<Vec<String>>,
    /// After how long without progress a session counts as stalled.
    pub stalled_after: Option<RawDuration>,
    /// Whether the owner of a file is told when another wrote it.
    pub owners_ping: Option<bool>,
    /// How often repositories that are given by URL are fetched.
    pub fetch: Option<RawDuration>,
}

/// `{ name = "2", plan = "plan-phase2.md" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { name = \"1\", plan = \"plan.md\" }"
)]
pub struct RawPhase {
    /// Its name.
    pub name: Option<String>,
    /// Its plan file.
    pub plan: Option<String>,
    /// Instead of the plan's own `done`.
    pub done: Option<Table<RawHeading>>,
    /// Instead of the plan's own `consent`.
    pub consent: Option<Table<RawConsent>>,
}

/// `advance = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawAdvance {
    /// By itself.
    Auto,
    /// A person says so.
    Ask,
}

/// A heading of a file in a repository.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { repo = \"…\", file = \"STATUS.md\", heading = \"## DONE\" }"
)]
pub struct RawHeading {
    /// A clone or a URL.
    pub repo: Option<String>,
    /// The file in it.
    pub file: Option<String>,
    /// The heading line.
    pub heading: Option<String>,
}

/// The adversary's word on a phase.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { repo = \"…\", file = \"REVIEW.md\", pattern = \"PASS\" }"
)]
pub struct RawConsent {
    /// A clone or a URL.
    pub repo: Option<String>,
    /// The file in it.
    pub file: Option<String>,
    /// What a line must match.
    pub pattern: Option<String>,
    /// One matching line for each of these.
    pub items: Vec<String>,
    /// A later line that matches this refuses.
    pub veto: Option<String>,
    /// How old the word may be.
    pub max_age: Option<RawDuration>,
}

/// `[[handoffs]]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table, [[handoffs]]")]
pub struct RawHandoff {
    /// A local clone.
    pub repo: Option<String>,
    /// The file in it.
    pub file: Option<String>,
    /// What about the file counts.
    #[serde(deserialize_with = "word")]
    pub when: Option<RawWhen>,
    /// What the line or heading must match.
    pub pattern: Option<String>,
    /// Which session is woken.
    pub to: Option<String>,
    /// With which words.
    pub text: Option<String>,
    /// How often the clone's remote is polled too.
    pub fetch: Option<RawDuration>,
    /// Whether what is not committed yet counts too.
    pub working: Option<bool>,
}

/// `when = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawWhen {
    /// A matching line is new.
    Line,
    /// The file changed.
    Change,
    /// The heading appears or its section changes.
    Heading,
}

/// `[[require]]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table, [[require]]")]
pub struct RawRequire {
    /// `HOST:PORT` that must answer.
    pub tcp: Option<String>,
    /// A file that must be there.
    pub file: Option<PathBuf>,
    /// A command that must succeed.
    pub command: Option<Vec<String>>,
    /// What is thereby true, in words.
    pub text: Option<String>,
}
