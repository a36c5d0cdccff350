//! `[gateway]` after every check. Not here: what is in a secret's file, which groups NanoClaw has.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[gateway]`, checked. Every path is absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Where its ledger is: the file `gateway.db` in it, and what belongs to that.
    pub state_dir: PathBuf,
    /// Where webhooks arrive.
    pub listen: Vec<Endpoint>,
    /// Where agents speak; empty = where webhooks arrive.
    pub relay_listen: Vec<Endpoint>,
    /// The largest webhook, in bytes.
    pub max_body: u64,
    /// Where NanoClaw is installed; `None` = letters wait in the ledger.
    pub nanoclaw: Option<PathBuf>,
    /// Every group that is named anywhere, by its name.
    pub groups: BTreeMap<String, Group>,
    /// `[gateway.azure_devops]`
    pub azure_devops: Option<AzureDevops>,
    /// `[gateway.github]`
    pub github: Option<Github>,
    /// `[gateway.relay]`
    pub relay: Relay,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `IP:PORT`
    Tcp(SocketAddr),
    /// `unix:PATH`
    Unix(PathBuf),
}

impl Endpoint {
    /// Whether the kernel chooses the port: nobody knows it beforehand.
    pub fn is_any_port(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One agent's group in NanoClaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its folder in NanoClaw; its name if nothing else is written.
    pub folder: String,
    /// Its chat; `None` = looked up by folder.
    pub jid: Option<String>,
    /// Its own relay secret.
    pub token_file: Option<PathBuf>,
    /// The folder of the socket that is its identity.
    pub socket_dir: Option<PathBuf>,
}

/// `[gateway.azure_devops]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureDevops {
    /// The webhook's secret; several during a rotation.
    pub secret_files: Vec<PathBuf>,
    /// The group that hears of it; `None` = events are kept and wake nobody.
    pub deliver_to: Option<String>,
    /// Whose builds these are, for links and reconciliation.
    pub organization: Option<String>,
    /// See `organization`.
    pub project: Option<String>,
    /// Asking Azure DevOps itself for what its webhooks missed; `None` = never.
    pub reconcile: Option<Reconcile>,
}

/// What is needed to ask Azure DevOps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// The organization.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The file with a personal access token.
    pub token_file: PathBuf,
    /// How often.
    pub every: Duration,
    /// The address of the service, without a slash at its end.
    pub service: String,
}

/// `[gateway.github]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Github {
    /// The webhook's secret; several during a rotation.
    pub secret_files: Vec<PathBuf>,
    /// The group that hears of it; `None` = events are kept and wake nobody.
    pub deliver_to: Option<String>,
}

/// `[gateway.relay]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// A secret that all agents share, as old installations have it.
    pub secret_file: Option<PathBuf>,
    /// The largest message, in bytes.
    pub max_body: u64,
    /// Who may write to whom: from, to.
    pub routes: Vec<(String, String)>,
}

impl Gateway {
    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.state_dir.join("gateway.db")
    }

    /// The listeners where agents speak, and where it is told how the gateway is.
    pub fn relay_endpoints(&self) -> &[Endpoint] {
        if self.relay_listen.is_empty() { &self.listen } else { &self.relay_listen }
    }

    /// A group that only a route or `deliver_to` names is one whose folder has its name.
    pub(in crate::config) fn name_all_groups(&mut self) {
        let ends = self.relay.routes.iter().flat_map(|(from, to)| [from, to]);
        let azure = self.azure_devops.iter().flat_map(|azure| &azure.deliver_to);
        let github = self.github.iter().flat_map(|github| &github.deliver_to);
        let named: Vec<String> = ends.chain(azure).chain(github).cloned().collect();
        for name in named {
            let folder = name.clone();
            let group = Group { folder, jid: None, token_file: None, socket_dir: None };
            self.groups.entry(name).or_insert(group);
        }
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }
}

impl Relay {
    /// Whether `from` may write to `to`.
    pub fn allows(&self, from: &str, to: &str) -> bool {
        self.routes.iter().any(|(sender, addressee)| sender == from && addressee == to)
    }
}
