//! What the command line and the daemon say to each other over `runtime_dir/control.sock`: one
//! JSON request a line, one JSON answer a line (a `watch` answers again and again). The status
//! types are also what `status --json` prints: a promise, extended but never changed.

pub mod gateway;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version both sides write into every message. A daemon answers a newer one with
/// [`Answer::Failed`] that names both.
pub const VERSION: u32 = 1;

/// One request.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the caller.
    pub v: u32,
    /// What is asked.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What a caller may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// The snapshot as it stands; with `watch` a new one whenever it changes, until the caller
    /// hangs up.
    Status {
        /// Keep sending.
        #[serde(default)]
        watch: bool,
    },
    /// Wish up; answers when it is so, or why not.
    Start(Units),
    /// Wish down; answers when it is so, or why not.
    Stop(Units),
    /// Bounce; answers when it is so, or why not.
    Restart {
        /// Which.
        #[serde(flatten)]
        units: Units,
        /// With a new conversation.
        #[serde(default)]
        fresh: bool,
    },
    /// Stop all gracefully, wishes unchanged, boot marked clean.
    Drain,
    /// Re-exec in place.
    Reload {
        /// The binary to become; none = the one that runs.
        binary: Option<String>,
        /// The configuration to read; none = the same path.
        config: Option<String>,
    },
    /// Where a unit's pane is, for `attach`.
    Pane {
        /// Which session.
        unit: String,
    },
    /// Type one message into a session and confirm it.
    Tell {
        /// Which session.
        unit: String,
        /// What to type.
        text: String,
        /// It is of no use after so many seconds; none = an hour.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_s: Option<u64>,
        /// Its name, so that it can be asked for twice and is typed once; none = a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Begin a phase of the plan.
    Phase {
        /// Which one; none = the one after the one that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The pane as text.
    Screen {
        /// Which session.
        unit: String,
        /// With everything that has scrolled away.
        history: bool,
    },
}

/// Which units a verb is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// By name; ignored with `all`.
    #[serde(default)]
    pub units: Vec<String>,
    /// Every unit.
    #[serde(default)]
    pub all: bool,
}

/// One answer on its way.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`] of the daemon.
    pub v: u32,
    /// What it says.
    #[serde(flatten)]
    pub answer: Answer,
}

/// One answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is so.
    Done {
        /// What became of each unit, in words; empty where there is nothing to say.
        #[serde(default)]
        notes: BTreeMap<String, String>,
    },
    /// The snapshot.
    Status(Box<Status>),
    /// The pane of a session.
    Pane {
        /// The socket of its tmux server.
        socket: String,
        /// The pane's id there.
        pane: String,
    },
    /// A screen.
    Screen {
        /// As lines joined by newlines.
        text: String,
    },
    /// No such unit.
    NoSuchUnit {
        /// The name that was asked for.
        unit: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// It could not be done.
    Failed {
        /// What was tried, on what, and what to do.
        why: String,
    },
}

/// `supervisor status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon itself.
    pub supervisor: DaemonStatus,
    /// The plan.
    pub plan: PlanStatus,
    /// The reboots.
    pub reboots: RebootStatus,
    /// Every unit, by name.
    pub units: Vec<UnitStatus>,
}

impl Status {
    /// Whether nothing needs anybody: the daemon has looked and has no trouble, the plan moves, and
    /// every wished unit is well.
    pub fn is_well(&self) -> bool {
        let daemon = &self.supervisor;
        let units = self.units.iter().all(UnitStatus::is_well);
        daemon.ready && daemon.troubles.is_empty() && !self.plan.stalled && units
    }
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its pid.
    pub pid: i32,
    /// Its version.
    pub version: String,
    /// When it started (RFC 3339).
    pub since: String,
    /// The boot.
    pub boot_id: String,
    /// Another number in each image that the process has been: a reload keeps the pid and changes
    /// this.
    #[serde(default)]
    pub image: u64,
    /// The first look is done.
    pub ready: bool,
    /// When the loop last came round (RFC 3339): what `check --max-age` judges by.
    #[serde(default)]
    pub alive_at: Option<String>,
    /// What is wrong with the daemon's own surroundings (a full disk, say), in words.
    #[serde(default)]
    pub troubles: Vec<String>,
}

/// The plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStatus {
    /// The phase now.
    pub phase: Option<String>,
    /// All phases.
    pub phases: Vec<String>,
    /// Done, with consent.
    pub done: bool,
    /// A builder says it is blocked.
    pub blocked: bool,
    /// By what, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
    /// The phase is done, and `phase next` begins the one after it.
    #[serde(default)]
    pub waits: bool,
    /// What the DONE that stands there lacks, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// No commit and no hand-off for long, although somebody is there who could.
    #[serde(default)]
    pub stalled: bool,
    /// What cannot be looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// The hand-offs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handoffs: Vec<HandoffStatus>,
}

/// One hand-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffStatus {
    /// The file.
    pub file: String,
    /// The session that is woken.
    pub to: String,
    /// How often, since the daemon began.
    pub pings: u64,
    /// The commit of the last time; empty if there was none.
    pub commit: String,
}

/// What the reboot log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebootStatus {
    /// How many entries.
    pub count: usize,
    /// The last one.
    pub last: Option<Reboot>,
}

/// One entry of the reboot log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// When (as written there).
    pub at: Option<String>,
    /// Which boot, where the entry says so.
    pub boot_id: Option<String>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Its name.
    pub name: String,
    /// service | session | orchestrator
    pub kind: String,
    /// up | down
    pub wish: String,
    /// stopped | starting | up | stopping | waiting | held | given_up
    pub state: String,
    /// See the contract.
    pub reading: String,
    /// The supervised program's own pid.
    pub pid: Option<i32>,
    /// Since when it is in this state (RFC 3339).
    pub since: String,
    /// Why, in words; empty where nothing needs saying.
    pub why: String,
    /// When something happens by itself next, and what.
    pub next_wake: Option<NextWake>,
    /// The start spec changed under it: used at the next start.
    pub changed: bool,
    /// Restarts.
    pub restarts: RestartCount,
    /// The conversation of an agent session.
    pub conversation: Option<String>,
    /// Which channel its reading comes from, of an agent session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Messages that are still to be typed into it.
    #[serde(default)]
    pub messages: usize,
    /// How often each remedy was used on an agent session within the last 24 hours: `compact`,
    /// `clear`, `fresh`, `resume`, `nudge`, `answer`; those that were not are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remedies: BTreeMap<String, u64>,
    /// How its last process ended.
    pub last_exit: Option<LastExit>,
    /// What this unit was promised and does not get (a memory limit, say), in words.
    #[serde(default)]
    pub limits: Vec<String>,
    /// What an agent session has spent today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Readings of a session that is up and gets nowhere by itself.
const NEEDS_A_PERSON: [&str; 3] = ["dialog", "logged_out", "wedged"];

impl UnitStatus {
    /// Whether it is as wished: not wished up, or up (or about to be) and not in need of a person.
    pub fn is_well(&self) -> bool {
        let up = matches!(self.state.as_str(), "up" | "starting");
        self.wish != "up" || (up && !NEEDS_A_PERSON.contains(&self.reading.as_str()))
    }
}

/// What an agent session has spent in one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Which day (UTC): `2026-11-21`.
    pub day: String,
    /// Turns that ended well.
    pub turns: u64,
    /// Tokens, those of its sub-agents included.
    pub tokens: TokenCount,
    /// All of them together.
    pub total: u64,
}

/// Tokens, by what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCount {
    /// Read by the model, for the first time.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Put into the cache.
    pub cache_write: u64,
}

/// Where a reading comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// hook | registry | transcript | screen
    pub channel: String,
    /// Since when it holds, as that channel says (RFC 3339).
    pub at: String,
    /// What was seen, in a few words.
    pub evidence: String,
}

/// When something happens by itself next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextWake {
    /// When (RFC 3339).
    pub at: String,
    /// What.
    pub why: String,
}

/// Restarts of a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartCount {
    /// In this boot.
    pub total: u64,
    /// Of those, how many count towards a crash loop now.
    pub window: u32,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// Whether anybody could say.
    pub known: bool,
    /// The exit code.
    pub code: Option<i32>,
    /// The signal's name without `SIG`.
    pub signal: Option<String>,
    /// The kernel sent that signal because memory ran out.
    #[serde(default)]
    pub oom: bool,
    /// When (RFC 3339).
    pub at: String,
}
