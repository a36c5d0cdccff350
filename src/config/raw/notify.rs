//! `[notify]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::values::{RawDuration, Table, word};

/// `[notify]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawNotify {
    /// Who is told.
    pub targets: Vec<Table<RawTarget>>,
    /// The dead-man's switch.
    pub heartbeat: Option<Table<RawHeartbeat>>,
}

/// One target; which keys it needs depends on its kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { kind = \"ntfy\", url = \"https://…\" }"
)]
pub struct RawTarget {
    /// Which kind.
    #[serde(deserialize_with = "word")]
    pub kind: Option<RawTargetKind>,
    /// Of `ntfy` and `webhook`.
    pub url: Option<String>,
    /// Of `ntfy` and `webhook`: a file with the URL, where that is a secret.
    pub url_file: Option<PathBuf>,
    /// Of `ntfy` and `webhook`.
    pub token_file: Option<PathBuf>,
    /// Of `webhook`: the JSON that is sent.
    pub template: Option<String>,
    /// Of `command`.
    pub command: Option<Vec<String>>,
    /// Of `nanoclaw`.
    pub group: Option<String>,
}

/// `kind = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawTargetKind {
    /// A topic of an ntfy server.
    Ntfy,
    /// Any URL.
    Webhook,
    /// A command of the operator's.
    Command,
    /// A group of NanoClaw.
    Nanoclaw,
}

/// `heartbeat = { url = "…", every = "5m" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { url = \"https://…\", every = \"5m\" }"
)]
pub struct RawHeartbeat {
    /// What is called.
    pub url: Option<String>,
    /// A file with that URL, where it is a secret.
    pub url_file: Option<PathBuf>,
    /// How often.
    pub every: Option<RawDuration>,
}
