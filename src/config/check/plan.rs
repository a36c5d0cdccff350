//! `[plan]`, `[[handoffs]]` and `[[require]]`: checked for what would be wrong in any version.
//! Not here: whether a pattern is a good one, and whether a repository is there.

use super::Check;
use crate::config::key::Key;
use crate::config::raw::{
    Raw, RawConsent, RawHandoff, RawHeading, RawPlan, RawRequire, RawWhen, Table,
};

impl Check<'_> {
    pub(super) fn plan(&mut self, plan: &RawPlan, raw: &Raw) {
        let key = Key::top("plan");
        for (index, phase) in plan.phases.iter().enumerate() {
            let key = key.of("phases").item(index);
            self.needed(&key, "name", phase.name.as_ref(), "\"1\"");
            self.needed(&key, "plan", phase.plan.as_ref(), "\"plan-phase1.md\"");
            let earlier = plan.phases.iter().take(index);
            if phase.name.is_some() && earlier.into_iter().any(|other| other.name == phase.name) {
                let what = "another phase before it has this name; rename one of them";
                self.wrong(&key.of("name"), what);
            }
            self.place(&key.of("done"), phase.done.as_ref(), "\"## DONE\"");
            self.consent(&key.of("consent"), phase.consent.as_ref());
        }
        self.place(&key.of("done"), plan.done.as_ref(), "\"## DONE\"");
        self.place(&key.of("blocked"), plan.blocked.as_ref(), "\"## Blocked\"");
        self.consent(&key.of("consent"), plan.consent.as_ref());
        for (file, owner) in &plan.owners {
            let key = key.of("owners").of(file);
            if file.is_empty() {
                self.wrong(&key, "a file without a name; write \"STATUS.md\" = \"builder\"");
            }
            self.session_name(&key, owner, raw);
        }
        for (index, name) in plan.stops.iter().flatten().enumerate() {
            self.session_name(&key.of("stops").item(index), name, raw);
        }
        self.not_zero(&key.of("stalled_after"), plan.stalled_after);
    }

    pub(super) fn handoffs(&mut self, handoffs: &[Table<RawHandoff>], raw: &Raw) {
        if !handoffs.is_empty() {
            self.not_acted_on.push("[[handoffs]]".into());
        }
        for (index, handoff) in handoffs.iter().enumerate() {
            let key = Key::top("handoffs").item(index);
            self.needed(&key, "repo", handoff.repo.as_ref(), "\"/path/of/a/clone\"");
            self.needed(&key, "file", handoff.file.as_ref(), "\"STATUS.md\"");
            self.needed(&key, "text", handoff.text.as_ref(), "\"what the session is told\"");
            self.needed(&key, "to", handoff.to.as_ref(), "\"a session\"");
            if let Some(to) = &handoff.to {
                self.session_name(&key.of("to"), to, raw);
            }
            match handoff.when {
                Some(RawWhen::Change) => {
                    self.optional(&key, "pattern", handoff.pattern.as_ref());
                }
                None | Some(RawWhen::Line | RawWhen::Heading) => {
                    self.needed(&key, "pattern", handoff.pattern.as_ref(), "\"CLAIMED\"");
                }
            }
            self.not_zero(&key.of("fetch"), handoff.fetch);
        }
    }

    pub(super) fn requirements(&mut self, requirements: &[Table<RawRequire>]) {
        if !requirements.is_empty() {
            self.not_acted_on.push("[[require]]".into());
        }
        for (index, require) in requirements.iter().enumerate() {
            let key = Key::top("require").item(index);
            let ways = [require.tcp.is_some(), require.file.is_some(), require.command.is_some()];
            if ways.iter().filter(|way| **way).count() != 1 {
                let what = "says not exactly one thing to look at; write tcp = \"HOST:PORT\", or \
                            file = \"…\", or command = [\"…\"]";
                self.wrong(&key, what);
            }
            if let Some(tcp) = &require.tcp {
                self.host_and_port(&key.of("tcp"), tcp);
            }
            self.maybe_path(&key.of("file"), require.file.as_ref());
            if let Some(command) = &require.command {
                self.command(&key.of("command"), command);
            }
            self.optional(&key, "text", require.text.as_ref());
        }
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

    fn place(&mut self, key: &Key, place: Option<&Table<RawHeading>>, heading: &str) {
        if let Some(place) = place {
            self.needed(key, "repo", place.repo.as_ref(), "\"a clone or a URL\"");
            self.needed(key, "file", place.file.as_ref(), "\"STATUS.md\"");
            self.needed(key, "heading", place.heading.as_ref(), heading);
        }
    }

    fn consent(&mut self, key: &Key, consent: Option<&Table<RawConsent>>) {
        if let Some(consent) = consent {
            self.needed(key, "repo", consent.repo.as_ref(), "\"a clone or a URL\"");
            self.needed(key, "file", consent.file.as_ref(), "\"REVIEW.md\"");
            self.needed(key, "pattern", consent.pattern.as_ref(), "\"PASS {phase}\"");
            self.optional(key, "veto", consent.veto.as_ref());
            for (index, _) in consent.items.iter().enumerate().filter(|(_, item)| item.is_empty()) {
                self.wrong(&key.of("items").item(index), "is empty; write an item's name");
            }
            self.not_zero(&key.of("max_age"), consent.max_age);
        }
    }
}
