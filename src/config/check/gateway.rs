//! `[gateway.*]`: checked for what would be wrong in any version. Not here: whether
//! a secret's file is there, and which groups NanoClaw has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Check, SOCKET_PATH_MAX};
use crate::config::checked::{AzureDevops, Endpoint, Gateway, Github, Group, Reconcile, Relay};
use crate::config::key::Key;
use crate::config::raw::{RawAzure, RawGateway, RawGroup, RawRelay, RawSize};

/// Where webhooks arrive if nothing is written: the port that the installations have, on loopback.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9876);
/// The largest webhook: what Azure DevOps sends at most.
const MAX_BODY: u64 = 2 << 20;
/// The largest message between agents: a whole log.
const RELAY_MAX_BODY: u64 = 32 << 20;
/// How often Azure DevOps is asked for what its webhooks missed.
const RECONCILE: Duration = Duration::from_secs(10 * 60);
/// Where Azure DevOps is.
const AZURE: &str = "https://dev.azure.com";
/// The name of the socket in a `socket_dir`.
const SOCKET: &str = "gateway.sock";

impl Check<'_> {
    /// `[gateway]`; what is wrong with it is noted, and the value is then of no use.
    pub(super) fn gateway(&mut self, raw: &RawGateway, state_dir: &Path) -> Gateway {
        let key = Key::top("gateway");
        let listen = self.endpoints(&key.of("listen"), &raw.listen);
        let own = self.maybe_path(&key.of("state_dir"), raw.state_dir.as_ref());
        let nanoclaw = raw.nanoclaw.as_ref().and_then(|nanoclaw| {
            self.maybe_path(&key.of("nanoclaw").of("directory"), nanoclaw.directory.as_ref())
        });
        let groups = raw.groups.iter().map(|(name, raw)| {
            let key = key.of("groups").of(name);
            (name.clone(), self.group(&key, name, raw))
        });
        let mut gateway = Gateway {
            state_dir: own.unwrap_or_else(|| state_dir.to_path_buf()),
            groups: groups.collect(),
            listen: if listen.is_empty() { vec![Endpoint::Tcp(LISTEN)] } else { listen },
            relay_listen: self.endpoints(&key.of("relay_listen"), &raw.relay_listen),
            max_body: self.body(&key, raw.max_body, MAX_BODY),
            nanoclaw,
            azure_devops: raw.azure_devops.as_ref().map(|azure| self.azure(&key, azure)),
            github: raw.github.as_ref().map(|github| {
                let key = key.of("github");
                let secret_files = self.secrets(&key, &github.secret_files);
                self.optional(&key, "deliver_to", github.deliver_to.as_ref());
                Github { secret_files, deliver_to: github.deliver_to.clone() }
            }),
            relay: self
                .relay(&key.of("relay"), raw.relay.as_deref().unwrap_or(&RawRelay::default())),
        };
        gateway.name_all_groups();
        gateway
    }

    fn group(&mut self, key: &Key, name: &str, raw: &RawGroup) -> Group {
        self.optional(key, "folder", raw.folder.as_ref());
        self.optional(key, "jid", raw.jid.as_ref());
        let socket_dir = self.maybe_path(&key.of("socket_dir"), raw.socket_dir.as_ref());
        if let Some(socket) = socket_dir.as_ref().map(|folder| folder.join(SOCKET)) {
            self.socket(&key.of("socket_dir"), &socket);
        }
        Group {
            folder: raw.folder.clone().unwrap_or_else(|| name.to_owned()),
            jid: raw.jid.clone(),
            token_file: self.maybe_path(&key.of("token_file"), raw.token_file.as_ref()),
            socket_dir,
        }
    }

    fn azure(&mut self, gateway: &Key, raw: &RawAzure) -> AzureDevops {
        let key = gateway.of("azure_devops");
        let secret_files = self.secrets(&key, &raw.secret_files);
        self.optional(&key, "deliver_to", raw.deliver_to.as_ref());
        self.optional(&key, "organization", raw.organization.as_ref());
        self.optional(&key, "project", raw.project.as_ref());
        let token_file = self.maybe_path(&key.of("token_file"), raw.token_file.as_ref());
        let every = self.span(&key.of("reconcile"), raw.reconcile, RECONCILE);
        let service = raw.service.clone().unwrap_or_else(|| AZURE.to_owned());
        if !service.starts_with("https://") && !service.starts_with("http://") {
            self.wrong(&key.of("service"), "is no address; write \"https://dev.azure.com\"");
        }
        let whole = (&raw.organization, &raw.project, token_file);
        let reconcile = match whole {
            (Some(organization), Some(project), Some(token_file)) => Some(Reconcile {
                organization: organization.clone(),
                project: project.clone(),
                token_file,
                every,
                service: service.trim_end_matches('/').to_owned(),
            }),
            (organization, project, token_file) => {
                if raw.reconcile.is_some() || token_file.is_some() {
                    let missing = [
                        ("organization", organization.is_none()),
                        ("project", project.is_none()),
                        ("token_file", token_file.is_none()),
                    ];
                    let missing = missing.iter().filter(|(_, missing)| *missing);
                    let missing: Vec<_> = missing.map(|(name, _)| *name).collect();
                    let what = format!("cannot ask for builds without {}", missing.join(", "));
                    self.wrong(&key, format!("{what}; write that too"));
                }
                None
            }
        };
        AzureDevops {
            secret_files,
            deliver_to: raw.deliver_to.clone(),
            organization: raw.organization.clone(),
            project: raw.project.clone(),
            reconcile,
        }
    }

    fn relay(&mut self, key: &Key, raw: &RawRelay) -> Relay {
        let routes = raw.routes.iter().enumerate();
        Relay {
            secret_file: self.maybe_path(&key.of("secret_file"), raw.secret_file.as_ref()),
            max_body: self.body(key, raw.max_body, RELAY_MAX_BODY),
            routes: routes
                .filter_map(|(index, route)| self.route(&key.of("routes").item(index), route))
                .collect(),
        }
    }

    /// Without a secret everybody could wake an agent.
    fn secrets(&mut self, key: &Key, written: &[PathBuf]) -> Vec<PathBuf> {
        if written.is_empty() {
            self.wrong(key, "has no `secret_files`; write secret_files = [\"/path/of/a/secret\"]");
        }
        self.paths(&key.of("secret_files"), written)
    }

    fn endpoints(&mut self, key: &Key, written: &[String]) -> Vec<Endpoint> {
        let written = written.iter().enumerate();
        written.filter_map(|(index, text)| self.endpoint(&key.item(index), text)).collect()
    }

    fn endpoint(&mut self, key: &Key, text: &str) -> Option<Endpoint> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                self.wrong(key, "names no path; write \"unix:/run/relay.sock\"");
                return None;
            }
            let path = self.path(key, Path::new(path));
            self.socket(key, &path);
            return Some(Endpoint::Unix(path));
        }
        let Ok(address) = text.parse() else {
            self.wrong(key, format!("{text:?} is no IP:PORT; write \"127.0.0.1:9876\""));
            return None;
        };
        Some(Endpoint::Tcp(address))
    }

    /// A socket whose path is too long cannot be bound.
    fn socket(&mut self, key: &Key, path: &Path) {
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_MAX {
            let what = format!("gives a socket with a path of {length} bytes");
            self.wrong(key, format!("{what}, and {SOCKET_PATH_MAX} are possible; shorten it"));
        }
    }

    fn body(&mut self, key: &Key, max_body: Option<RawSize>, default: u64) -> u64 {
        if max_body == Some(RawSize(0)) {
            self.wrong(&key.of("max_body"), "is 0; write a size such as \"2MiB\"");
        }
        max_body.map_or(default, |size| size.0)
    }

    fn route(&mut self, key: &Key, route: &str) -> Option<(String, String)> {
        let ends = route.split_once("->").map(|(from, to)| (from.trim(), to.trim()));
        let good =
            |(from, to): &(&str, &str)| !from.is_empty() && !to.is_empty() && !to.contains("->");
        match ends.filter(good) {
            Some((from, to)) => Some((from.to_owned(), to.to_owned())),
            None => {
                self.wrong(key, format!("{route:?} is no route; write \"ryan->cody\""));
                None
            }
        }
    }
}
