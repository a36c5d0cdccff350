//! `[services.NAME]` and `[sessions.NAME]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::restart::RawUnitRestart;
use super::values::{RawDuration, RawSize, Table, word};

/// `[services.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table, [services.NAME]")]
pub struct RawService {
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    /// A systemd unit that we command, instead of `command`.
    pub systemd_unit: Option<String>,
    /// A part of this binary, instead of `command`.
    #[serde(deserialize_with = "word")]
    pub builtin: Option<RawBuiltin>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// Set over the inherited environment and `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines.
    pub environment_file: Option<PathBuf>,
    /// Put before the inherited `PATH`.
    pub path: Vec<PathBuf>,
    /// What must be there first.
    pub after: Vec<String>,
    /// How it says that it is ready.
    pub ready: Option<Table<RawReady>>,
    /// The memory limit.
    pub memory_max: Option<RawSize>,
    /// Whether a changed start spec restarts it at once.
    pub restart_on_change: Option<bool>,
    /// What a clean end that nobody asked for means.
    #[serde(deserialize_with = "word")]
    pub on_exit: Option<RawOnExit>,
    /// How long after the polite signal the rest is killed.
    pub stop_grace: Option<RawDuration>,
    /// What differs from `[restart]`.
    pub restart: Table<RawUnitRestart>,
}

/// `[sessions.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table, [sessions.NAME]")]
pub struct RawSession {
    /// The orchestrator, or nothing special.
    #[serde(deserialize_with = "word")]
    pub role: Option<RawRole>,
    /// Which program.
    #[serde(deserialize_with = "word")]
    pub agent: Option<RawAgent>,
    /// The program of `agent = "command"`; for the others it replaces the program only.
    pub command: Option<Vec<String>>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// Set over the inherited environment and `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines.
    pub environment_file: Option<PathBuf>,
    /// Put before the inherited `PATH`.
    pub path: Vec<PathBuf>,
    /// What must be there first.
    pub after: Vec<String>,
    /// The memory limit.
    pub memory_max: Option<RawSize>,
    /// What a clean end that nobody asked for means.
    #[serde(deserialize_with = "word")]
    pub on_exit: Option<RawOnExit>,
    /// How long after the polite signal the rest is killed.
    pub stop_grace: Option<RawDuration>,
    /// What differs from `[restart]`.
    pub restart: Table<RawUnitRestart>,
    /// The kickoff prompt.
    pub prompt_file: Option<PathBuf>,
    /// The label of the agent's remote control, or off.
    pub remote_control: Option<RawRemoteControl>,
    /// Further arguments of the agent.
    pub args: Vec<String>,
    /// What happens when it idles.
    pub idle_nudge: Option<RawIdleNudge>,
    /// What happens at a dialog.
    #[serde(deserialize_with = "word")]
    pub dialog: Option<RawDialog>,
    /// The conversation to resume.
    pub resume: Option<String>,
    /// Whether it is started at boot.
    pub at_boot: Option<bool>,
    /// Whether it is watched at all.
    pub watch: Option<bool>,
    /// Whether its start dialogs are answered beforehand, in the user's own files.
    pub seed: Option<bool>,
    /// What it may spend.
    pub budget: Option<Table<RawBudget>>,
}

/// `ready = { log = "…", within = "60s" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { log = \"listening\", within = \"60s\" }"
)]
pub struct RawReady {
    /// A text that a line of its log must contain.
    pub log: Option<String>,
    /// How long that may take.
    pub within: Option<RawDuration>,
}

/// `budget = { tokens = 5_000_000, per = "24h", act = "tell" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { tokens = 5_000_000, per = \"24h\" }"
)]
pub struct RawBudget {
    /// How many tokens.
    pub tokens: Option<u64>,
    /// In which time.
    pub per: Option<RawDuration>,
    /// What happens when they are spent.
    #[serde(deserialize_with = "word")]
    pub act: Option<RawBudgetAct>,
}

/// `act = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawBudgetAct {
    /// The operator is told.
    Tell,
    /// The session is held until there is room again.
    Hold,
}

/// `builtin = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawBuiltin {
    /// The HTTP gateway.
    Gateway,
}

/// `agent = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawAgent {
    /// Claude Code.
    Claude,
    /// OpenAI's codex.
    Codex,
    /// gemini-cli.
    Gemini,
    /// opencode.
    Opencode,
    /// Any interactive program.
    Command,
}

/// `role = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawRole {
    /// At most one conversation, hand-launched ones count.
    Orchestrator,
}

/// `on_exit = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawOnExit {
    /// Its wish becomes down.
    Stop,
    /// It is started again.
    Restart,
}

/// `dialog = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawDialog {
    /// The operator is told.
    Tell,
    /// Esc is pressed.
    Escape,
}

/// `remote_control = "label"` or `false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawRemoteControl {
    /// Under this label.
    Named(String),
    /// `true`: under the session's name; `false`: off.
    Switch(bool),
}

impl<'de> Deserialize<'de> for RawRemoteControl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelOrSwitch;
        impl Visitor<'_> for LabelOrSwitch {
            type Value = RawRemoteControl;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a label in quotes, or false")
            }

            fn visit_str<E: Error>(self, label: &str) -> Result<RawRemoteControl, E> {
                Ok(RawRemoteControl::Named(label.into()))
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<RawRemoteControl, E> {
                Ok(RawRemoteControl::Switch(on))
            }
        }
        deserializer.deserialize_any(LabelOrSwitch)
    }
}

/// `idle_nudge = "off"` or `{ after = "30m", text = "…" }`.
#[derive(Clone, Debug)]
pub enum RawIdleNudge {
    /// Never.
    Off,
    /// So.
    On(RawNudge),
}

/// `{ after = "30m", text = "…" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawNudge {
    /// After so long.
    pub after: Option<RawDuration>,
    /// This is typed.
    pub text: Option<String>,
}

impl<'de> Deserialize<'de> for RawIdleNudge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffOrTable;
        impl<'de> Visitor<'de> for OffOrTable {
            type Value = RawIdleNudge;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"off\" or { after = \"30m\", text = \"…\" }")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<RawIdleNudge, E> {
                if word == "off" {
                    return Ok(RawIdleNudge::Off);
                }
                Err(E::custom(format!(
                    "{word:?} is not known; write \"off\" or {{ after = \"30m\", text = \"…\" }}"
                )))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawIdleNudge, A::Error> {
                RawNudge::deserialize(MapAccessDeserializer::new(map)).map(RawIdleNudge::On)
            }
        }
        deserializer.deserialize_any(OffOrTable)
    }
}
