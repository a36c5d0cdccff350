//! The configuration after every check: what the rest of the house may rely on.

mod gateway;
mod notify;
mod require;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use gateway::{AzureDevops, Endpoint, Gateway, Github, Group, Reconcile, Relay};

use super::plan::{Handoff, Plan};
use crate::decide::{Dependency, IdleNudge, TokenBudget, UnitKind, UnitName};

pub use notify::{Heartbeat, Notify, SecretUrl, Target, UrlSource};
pub use require::{Required, Requirement};

/// The whole configuration, checked. Every path is absolute.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; `None` for the one that `demo` carries.
    pub file: Option<PathBuf>,
    /// Where the daemon keeps its things.
    pub supervisor: Supervisor,
    /// Every service and session, by name.
    pub units: BTreeMap<UnitName, Unit>,
    /// The cap over all units together.
    pub cap: Cap,
    /// The least time between two starts of agent sessions after a boot or an outage.
    pub stagger: Duration,
    /// The plan; without phases if there is none.
    pub plan: Plan,
    /// Who wakes whom.
    pub handoffs: Vec<Handoff>,
    /// Who is told of what matters.
    pub notify: Notify,
    /// What must be there before the first start.
    pub requirements: Vec<Requirement>,
    /// The gateway; `None` = the file has no `[gateway]`.
    pub gateway: Option<Gateway>,
    /// What the file asks for and this version does not act on, one phrase each, for `run` to say.
    pub not_acted_on: Vec<String>,
}

/// `[supervisor]`
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// What must survive the power: state.json, events.jsonl, logs/.
    pub state_dir: PathBuf,
    /// What must survive us but not the power: control.sock, tmux sockets, launch files, records.
    pub runtime_dir: PathBuf,
    /// Where each boot leaves its one line.
    pub reboot_log: PathBuf,
    /// Whether that line is committed in the repository that the file lies in.
    pub commit_reboots: bool,
    /// Where the kernel says which boot this is.
    pub boot_id_file: PathBuf,
    /// A log file larger than this is rotated, in bytes.
    pub log_max: u64,
    /// How many rotated parts of a log are kept.
    pub log_keep: u32,
}

/// One unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its name.
    pub name: UnitName,
    /// Its kind.
    pub kind: UnitKind,
    /// What is run.
    pub program: Program,
    /// The working directory; `None` = the daemon's own.
    pub directory: Option<PathBuf>,
    /// Set over the inherited environment and `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines, read at each start. Never echoed.
    pub environment_file: Option<PathBuf>,
    /// Put before the inherited `PATH`.
    pub path: Vec<PathBuf>,
    /// What must be there first.
    pub after: Vec<Dependency>,
    /// How a service says that it is ready; `None` = ready as soon as it runs.
    pub ready: Option<Ready>,
    /// The memory limit, in bytes.
    pub memory_max: Option<u64>,
    /// How its deaths are answered.
    pub restart: Restart,
    /// Whether a changed start spec restarts it at once (services only).
    pub restart_on_change: bool,
    /// What a clean end by a person's hand means.
    pub on_exit: OnExit,
    /// How long after the polite signal the rest is killed.
    pub stop_grace: Duration,
    /// The keys that only sessions have.
    pub session: Option<SessionKeys>,
}

impl Unit {
    /// A unit that no config names any more: enough to look at it and to end it.
    pub fn retired(name: UnitName, kind: UnitKind) -> Self {
        Self {
            name,
            kind,
            program: Program::Command(Vec::new()),
            directory: None,
            environment: BTreeMap::new(),
            environment_file: None,
            path: Vec::new(),
            after: Vec::new(),
            ready: None,
            memory_max: None,
            restart: Restart {
                first_delay: Duration::ZERO,
                backoff: Backoff { from: Duration::ZERO, to: Duration::ZERO },
                stable_after: Duration::MAX,
                crash_loop: CrashLoop { starts: 0, within: Duration::MAX, retry: None },
            },
            restart_on_change: false,
            on_exit: OnExit::Restart,
            stop_grace: Duration::from_secs(10),
            session: None,
        }
    }
}

/// What a unit runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A command line: program and arguments. For a session (`agent = "command"`) it runs in tmux.
    Command(Vec<String>),
    /// A systemd unit that we command instead of forking.
    SystemdUnit(String),
    /// A part of this very binary.
    Builtin(Builtin),
    /// An agent program we know; `command` replaces the program only.
    Agent {
        /// Which one.
        agent: Agent,
        /// The program and its first arguments, if not the usual one.
        command: Option<Vec<String>>,
    },
}

/// What `builtin = …` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The HTTP gateway.
    Gateway,
}

/// The agent programs that have (or will have) a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// OpenAI's codex.
    Codex,
    /// gemini-cli.
    Gemini,
    /// opencode.
    Opencode,
}

impl Agent {
    /// Its name in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }
}

/// `ready = { log = "…", within = "…" }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// A text that a line of the log must contain.
    pub log: String,
    /// How long that may take; after it the unit is restarted.
    pub within: Duration,
}

/// `[restart]` as it holds for one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Before the first restart.
    pub first_delay: Duration,
    /// Before the further ones.
    pub backoff: Backoff,
    /// A unit that was up for so long starts with a fresh budget.
    pub stable_after: Duration,
    /// When to give up.
    pub crash_loop: CrashLoop,
}

/// Exponential: doubles from `from` to at most `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub from: Duration,
    /// The longest wait.
    pub to: Duration,
}

/// So many deaths within such a time, and the unit is given up; tried again slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashLoop {
    /// How many.
    pub starts: u32,
    /// Within which time.
    pub within: Duration,
    /// How long until the next single try; `None` = a person must.
    pub retry: Option<Duration>,
}

/// All units together: so many restarts within such a time, then they queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub restarts: u32,
    /// Within which time.
    pub within: Duration,
}

/// What it means that a unit ended cleanly and nobody had asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// A person ended it by hand: its wish becomes down.
    Stop,
    /// It is started again.
    Restart,
}

/// Keys of `[sessions.NAME]` that services do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionKeys {
    /// The file with the kickoff prompt.
    pub prompt_file: Option<PathBuf>,
    /// The label shown by the agent's remote control; `None` = off.
    pub remote_control: Option<String>,
    /// Further arguments for the agent.
    pub args: Vec<String>,
    /// The conversation to resume, by id or name.
    pub resume: Option<String>,
    /// Whether it is started at boot.
    pub at_boot: bool,
    /// Whether it is watched at all.
    pub watch: bool,
    /// Whether the keys that spare its start dialogs are put into the user's files.
    pub seed: bool,
    /// Whether its permission prompts and questions are dismissed.
    pub escape: bool,
    /// What it is told when it has been idle for long.
    pub idle_nudge: Option<IdleNudge>,
    /// What it may spend; `None` = as much as it likes.
    pub budget: Option<TokenBudget>,
}
