//! `[gateway.*]` and `[notify]`: checked for what would be wrong in any version. Not here: whether
//! a secret's file is there, and which groups NanoClaw has.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Check;
use crate::config::key::Key;
use crate::config::raw::{RawGateway, RawNotify, RawSize, RawTarget, RawTargetKind};

impl Check<'_> {
    pub(super) fn gateway(&mut self, raw: &RawGateway) {
        let key = Key::top("gateway");
        for (index, address) in raw.listen.iter().enumerate() {
            self.address(&key.of("listen").item(index), address);
        }
        for (index, address) in raw.relay_listen.iter().enumerate() {
            let key = key.of("relay_listen").item(index);
            match address.strip_prefix("unix:") {
                Some("") => self.wrong(&key, "names no path; write \"unix:/run/relay.sock\""),
                Some(_) => {}
                None => self.address(&key, address),
            }
        }
        self.body(&key, raw.max_body);
        if let Some(nanoclaw) = &raw.nanoclaw {
            self.maybe_path(&key.of("nanoclaw").of("directory"), nanoclaw.directory.as_ref());
        }
        for (name, group) in &raw.groups {
            let key = key.of("groups").of(name);
            self.optional(&key, "folder", group.folder.as_ref());
            self.optional(&key, "jid", group.jid.as_ref());
            self.maybe_path(&key.of("token_file"), group.token_file.as_ref());
            self.maybe_path(&key.of("socket_dir"), group.socket_dir.as_ref());
        }
        if let Some(azure) = &raw.azure_devops {
            let key = key.of("azure_devops");
            self.source(&key, &azure.secret_files, azure.deliver_to.as_ref());
            self.optional(&key, "organization", azure.organization.as_ref());
            self.optional(&key, "project", azure.project.as_ref());
            self.maybe_path(&key.of("token_file"), azure.token_file.as_ref());
            self.not_zero(&key.of("reconcile"), azure.reconcile);
        }
        if let Some(github) = &raw.github {
            self.source(&key.of("github"), &github.secret_files, github.deliver_to.as_ref());
        }
        if let Some(relay) = &raw.relay {
            let key = key.of("relay");
            self.maybe_path(&key.of("secret_file"), relay.secret_file.as_ref());
            self.body(&key, relay.max_body);
            for (index, route) in relay.routes.iter().enumerate() {
                self.route(&key.of("routes").item(index), route);
            }
        }
    }

    pub(super) fn notify(&mut self, raw: &RawNotify) {
        let key = Key::top("notify");
        for (index, target) in raw.targets.iter().enumerate() {
            self.target(&key.of("targets").item(index), target);
        }
        if let Some(heartbeat) = &raw.heartbeat {
            let key = key.of("heartbeat");
            self.needed(&key, "url", heartbeat.url.as_ref(), "\"https://…\"");
            self.not_zero(&key.of("every"), heartbeat.every);
        }
    }

    fn source(&mut self, key: &Key, secret_files: &[PathBuf], deliver_to: Option<&String>) {
        self.paths(&key.of("secret_files"), secret_files);
        self.optional(key, "deliver_to", deliver_to);
    }

    fn address(&mut self, key: &Key, address: &str) {
        if address.parse::<SocketAddr>().is_err() {
            let what = format!("{address:?} is no IP:PORT; write \"127.0.0.1:9876\"");
            self.wrong(key, what);
        }
    }

    fn body(&mut self, key: &Key, max_body: Option<RawSize>) {
        if max_body == Some(RawSize(0)) {
            self.wrong(&key.of("max_body"), "is 0; write a size such as \"2MiB\"");
        }
    }

    fn route(&mut self, key: &Key, route: &str) {
        let ends = route.split_once("->").map(|(from, to)| (from.trim(), to.trim()));
        if !ends.is_some_and(|(from, to)| !from.is_empty() && !to.is_empty() && !to.contains("->"))
        {
            self.wrong(key, format!("{route:?} is no route; write \"ryan->cody\""));
        }
    }

    fn target(&mut self, key: &Key, target: &RawTarget) {
        let Some(kind) = target.kind else {
            let what = "has no `kind`; write kind = \"ntfy\" (webhook, command, nanoclaw)";
            return self.wrong(key, what);
        };
        let (name, fits) = match kind {
            RawTargetKind::Ntfy => ("ntfy", ["url", "token_file"].as_slice()),
            RawTargetKind::Webhook => ("webhook", ["url", "token_file"].as_slice()),
            RawTargetKind::Command => ("command", ["command"].as_slice()),
            RawTargetKind::Nanoclaw => ("nanoclaw", ["group"].as_slice()),
        };
        for (other, written) in [
            ("url", target.url.is_some()),
            ("token_file", target.token_file.is_some()),
            ("command", target.command.is_some()),
            ("group", target.group.is_some()),
        ] {
            if written && !fits.contains(&other) {
                let fits = fits.join(", ");
                let what = format!("a target of kind {name:?} has no such key; it has: {fits}");
                self.wrong(&key.of(other), what);
            }
        }
        match kind {
            RawTargetKind::Ntfy | RawTargetKind::Webhook => {
                self.needed(key, "url", target.url.as_ref(), "\"https://…\"");
            }
            RawTargetKind::Nanoclaw => {
                self.needed(key, "group", target.group.as_ref(), "\"main\"");
            }
            RawTargetKind::Command => match &target.command {
                Some(command) => self.command(&key.of("command"), command),
                None => self.wrong(key, "has no `command`; write command = [\"program\"]"),
            },
        }
        self.maybe_path(&key.of("token_file"), target.token_file.as_ref());
    }
}
