//! `[gateway]` and its tables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::values::{RawDuration, RawSize, Table};

/// `[gateway]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawGateway {
    /// Where its ledger is, if not in the supervisor's `state_dir`.
    pub state_dir: Option<PathBuf>,
    /// Where webhooks arrive: `IP:PORT` or `unix:PATH`.
    pub listen: Vec<String>,
    /// Where agents speak: `IP:PORT` or `unix:PATH`; empty = as `listen`.
    pub relay_listen: Vec<String>,
    /// The largest webhook.
    pub max_body: Option<RawSize>,
    /// `[gateway.nanoclaw]`
    pub nanoclaw: Option<Table<RawNanoclaw>>,
    /// `[gateway.groups.NAME]`
    pub groups: BTreeMap<String, Table<RawGroup>>,
    /// `[gateway.azure_devops]`
    pub azure_devops: Option<Table<RawAzure>>,
    /// `[gateway.github]`
    pub github: Option<Table<RawGithub>>,
    /// `[gateway.relay]`
    pub relay: Option<Table<RawRelay>>,
}

/// `[gateway.nanoclaw]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawNanoclaw {
    /// Where it is installed.
    pub directory: Option<PathBuf>,
}

/// `[gateway.groups.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table, [gateway.groups.NAME]")]
pub struct RawGroup {
    /// Its folder in NanoClaw.
    pub folder: Option<String>,
    /// Its chat; looked up by folder if left out.
    pub jid: Option<String>,
    /// Its own relay secret.
    pub token_file: Option<PathBuf>,
    /// A folder mounted into its container; the socket in it is its identity.
    pub socket_dir: Option<PathBuf>,
}

/// `[gateway.azure_devops]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawAzure {
    /// The webhook's secret; several during a rotation.
    pub secret_files: Vec<PathBuf>,
    /// The group that hears of it.
    pub deliver_to: Option<String>,
    /// With `project` and `token_file`: reconciliation.
    pub organization: Option<String>,
    /// See `organization`.
    pub project: Option<String>,
    /// See `organization`.
    pub token_file: Option<PathBuf>,
    /// How often.
    pub reconcile: Option<RawDuration>,
    /// The service's address, where it is not `https://dev.azure.com`.
    pub service: Option<String>,
}

/// `[gateway.github]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawGithub {
    /// The webhook's secret; several during a rotation.
    pub secret_files: Vec<PathBuf>,
    /// The group that hears of it.
    pub deliver_to: Option<String>,
}

/// `[gateway.relay]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawRelay {
    /// A secret that all agents share.
    pub secret_file: Option<PathBuf>,
    /// The largest message.
    pub max_body: Option<RawSize>,
    /// Who may write to whom: `from->to`.
    pub routes: Vec<String>,
}
