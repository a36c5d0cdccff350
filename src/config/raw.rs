//! The file as a person wrote it: one struct a table, one field a key, nothing filled in. A key
//! that is absent stays `None` or empty; defaults and rules are the business of the check. Not
//! here: whether what is written makes sense.

mod gateway;
mod notify;
mod plan;
mod restart;
mod units;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use gateway::{RawAzure, RawGateway, RawGithub, RawGroup, RawNanoclaw, RawRelay};
pub use notify::{RawHeartbeat, RawNotify, RawTarget, RawTargetKind};
pub use plan::{
    RawAdvance, RawConsent, RawHandoff, RawHeading, RawPhase, RawPlan, RawRequire, RawWhen,
};
pub use restart::{RawBackoff, RawCap, RawCrashLoop, RawRestart, RawRetry, RawUnitRestart};
pub use units::{
    RawAgent, RawBudget, RawBudgetAct, RawBuiltin, RawDialog, RawIdleNudge, RawNudge, RawOnExit,
    RawReady, RawRemoteControl, RawRole, RawService, RawSession,
};
pub use values::{RawDuration, RawSize, Table};

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Raw {
    /// `[supervisor]`
    pub supervisor: Table<RawSupervisor>,
    /// `[services.NAME]`
    pub services: BTreeMap<String, Table<RawService>>,
    /// `[sessions.NAME]`
    pub sessions: BTreeMap<String, Table<RawSession>>,
    /// `[[require]]`
    pub require: Vec<Table<RawRequire>>,
    /// `[plan]`
    pub plan: Option<Table<RawPlan>>,
    /// `[[handoffs]]`
    pub handoffs: Vec<Table<RawHandoff>>,
    /// `[restart]`
    pub restart: Table<RawRestart>,
    /// `[gateway]`
    pub gateway: Option<Table<RawGateway>>,
    /// `[notify]`
    pub notify: Option<Table<RawNotify>>,
}

/// `[supervisor]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawSupervisor {
    /// What must survive the power.
    pub state_dir: Option<PathBuf>,
    /// What must survive us but not the power.
    pub runtime_dir: Option<PathBuf>,
    /// Where each boot leaves its one line.
    pub reboot_log: Option<PathBuf>,
    /// Where the kernel says which boot this is.
    pub boot_id_file: Option<PathBuf>,
    /// Whether the reboot log's line is committed to its repository.
    pub commit_reboots: Option<bool>,
    /// A log larger than this is rotated.
    pub log_max: Option<RawSize>,
    /// How many rotated parts are kept.
    pub log_keep: Option<u32>,
}
