//! `[notify]`. Not here: whether a secret's file is there, and which groups NanoClaw has.

use std::path::PathBuf;
use std::time::Duration;

use super::Check;
use crate::config::checked::{Heartbeat, Notify, SecretUrl, Target, UrlSource};
use crate::config::key::Key;
use crate::config::raw::{Raw, RawHeartbeat, RawTarget, RawTargetKind};

/// What services that wait for a heartbeat expect by default.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// Documentation stands for a secret with this. A file that was copied from there is a good one.
const TO_BE_FILLED_IN: char = '…';

/// What a template may hold.
const TEMPLATE_WORDS: [&str; 7] =
    ["{title}", "{text}", "{severity}", "{key}", "{count}", "{time}", "{host}"];

impl Check<'_> {
    /// `[notify]`
    pub(super) fn notify(&mut self, raw: &Raw) -> Notify {
        let Some(notify) = &raw.notify else { return Notify::default() };
        let key = Key::top("notify");
        let each = notify.targets.iter().enumerate();
        let targets = each
            .filter_map(|(index, target)| self.target(&key.of("targets").item(index), target, raw))
            .collect();
        let heartbeat = notify.heartbeat.as_ref();
        let heartbeat = heartbeat.and_then(|raw| self.heartbeat(&key.of("heartbeat"), raw));
        Notify { targets, heartbeat }
    }

    fn heartbeat(&mut self, key: &Key, raw: &RawHeartbeat) -> Option<Heartbeat> {
        let every = self.span(&key.of("every"), raw.every, EVERY);
        let url = self.url(key, raw.url.as_ref(), raw.url_file.as_ref())?;
        Some(Heartbeat { url, every })
    }

    fn target(&mut self, key: &Key, target: &RawTarget, raw: &Raw) -> Option<Target> {
        let Some(kind) = target.kind else {
            let what = "has no `kind`; write kind = \"ntfy\" (webhook, command, nanoclaw)";
            self.wrong(key, what);
            return None;
        };
        self.fitting(key, kind, target);
        let token_file = self.maybe_path(&key.of("token_file"), target.token_file.as_ref());
        match kind {
            RawTargetKind::Ntfy => {
                let url = self.url(key, target.url.as_ref(), target.url_file.as_ref())?;
                Some(Target::Ntfy { url, token_file })
            }
            RawTargetKind::Webhook => {
                let template = target.template.clone();
                if let Some(template) = &template {
                    self.template(&key.of("template"), template);
                }
                let url = self.url(key, target.url.as_ref(), target.url_file.as_ref())?;
                Some(Target::Webhook { url, token_file, template })
            }
            RawTargetKind::Command => {
                let Some(command) = &target.command else {
                    self.wrong(key, "has no `command`; write command = [\"program\"]");
                    return None;
                };
                self.command(&key.of("command"), command);
                Some(Target::Command(command.clone()))
            }
            RawTargetKind::Nanoclaw => {
                self.needed(key, "group", target.group.as_ref(), "\"main\"");
                Some(self.group_of_nanoclaw(target.group.clone()?, raw))
            }
        }
    }

    /// A key of another kind is a mistake: it would do nothing.
    fn fitting(&mut self, key: &Key, kind: RawTargetKind, target: &RawTarget) {
        let (name, fits): (_, &[&str]) = match kind {
            RawTargetKind::Ntfy => ("ntfy", &["url", "url_file", "token_file"]),
            RawTargetKind::Webhook => ("webhook", &["url", "url_file", "token_file", "template"]),
            RawTargetKind::Command => ("command", &["command"]),
            RawTargetKind::Nanoclaw => ("nanoclaw", &["group"]),
        };
        for (other, written) in [
            ("url", target.url.is_some()),
            ("url_file", target.url_file.is_some()),
            ("token_file", target.token_file.is_some()),
            ("template", target.template.is_some()),
            ("command", target.command.is_some()),
            ("group", target.group.is_some()),
        ] {
            if written && !fits.contains(&other) {
                let fits = fits.join(", ");
                let what = format!("a target of kind {name:?} has no such key; it has: {fits}");
                self.wrong(&key.of(other), what);
            }
        }
    }

    /// NanoClaw's own groups need no table of ours to be told: its main group is always there.
    fn group_of_nanoclaw(&mut self, group: String, raw: &Raw) -> Target {
        let gateway = raw.gateway.as_ref();
        let ours = gateway.and_then(|gateway| gateway.groups.get(&group));
        let directory = gateway.and_then(|gateway| gateway.nanoclaw.as_ref());
        let directory = directory.and_then(|nanoclaw| nanoclaw.directory.as_ref());
        let directory =
            self.maybe_path(&Key::top("gateway").of("nanoclaw").of("directory"), directory);
        let folder = ours.and_then(|ours| ours.folder.clone()).unwrap_or_else(|| group.clone());
        let jid = ours.and_then(|ours| ours.jid.clone());
        Target::Nanoclaw { group, directory, folder, jid }
    }

    /// The URL of `table`, which stands there or in a file.
    fn url(
        &mut self,
        table: &Key,
        url: Option<&String>,
        file: Option<&PathBuf>,
    ) -> Option<UrlSource> {
        let file = self.maybe_path(&table.of("url_file"), file);
        match (url, file) {
            (Some(_), Some(_)) => {
                self.wrong(table, "has both `url` and `url_file`; take one of them out");
                None
            }
            (None, Some(file)) => Some(UrlSource::File(file)),
            (url, None) => {
                self.needed(table, "url", url, "\"https://…\"");
                let url = url.filter(|url| !url.trim().is_empty())?;
                if url.contains(TO_BE_FILLED_IN) {
                    self.not_acted_on.push(format!("{}.url (its … is to be filled in)", table));
                    return None;
                }
                match SecretUrl::parse(url) {
                    Ok(url) => Some(UrlSource::Written(url)),
                    Err(what) => {
                        self.wrong(&table.of("url"), what);
                        None
                    }
                }
            }
        }
    }

    /// A template is JSON once its words are replaced. It is not shown: it may hold a secret.
    fn template(&mut self, key: &Key, template: &str) {
        let mut tried = template.to_owned();
        for word in TEMPLATE_WORDS {
            tried = tried.replace(word, "1");
        }
        if serde_json::from_str::<serde_json::Value>(&tried).is_err() {
            let what = "is no JSON; write, say, '{\"text\": \"{title}: {text}\"}', with the quotes \
                        around the words";
            self.wrong(key, what);
        }
    }
}
