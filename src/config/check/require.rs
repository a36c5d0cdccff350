//! `[[require]]`. Not here: whether it is so.

use super::Check;
use crate::config::checked::{Required, Requirement};
use crate::config::key::Key;
use crate::config::raw::{RawRequire, Table};

impl Check<'_> {
    pub(super) fn requirements(&mut self, raw: &[Table<RawRequire>]) -> Vec<Requirement> {
        let each = raw.iter().enumerate();
        each.filter_map(|(index, require)| {
            self.requirement(&Key::top("require").item(index), require)
        })
        .collect()
    }

    fn requirement(&mut self, key: &Key, raw: &RawRequire) -> Option<Requirement> {
        let mut ways = Vec::new();
        if let Some(tcp) = &raw.tcp {
            self.host_and_port(&key.of("tcp"), tcp);
            ways.push(Required::Tcp(tcp.clone()));
        }
        if let Some(file) = self.maybe_path(&key.of("file"), raw.file.as_ref()) {
            ways.push(Required::File(file));
        }
        if let Some(command) = &raw.command {
            self.command(&key.of("command"), command);
            ways.push(Required::Command(command.clone()));
        }
        if ways.len() != 1 {
            let what = "says not exactly one thing to look at; write tcp = \"HOST:PORT\", or \
                        file = \"…\", or command = [\"…\"]";
            self.wrong(key, what);
        }
        self.optional(key, "text", raw.text.as_ref());
        Some(Requirement { what: ways.pop()?, text: raw.text.clone() })
    }

    fn host_and_port(&mut self, key: &Key, text: &str) {
        let good = text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if !good {
            let what = format!("{text:?} is no HOST:PORT; write \"git.example.org:22\"");
            self.wrong(key, what);
        }
    }
}
