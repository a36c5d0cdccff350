//! `[plan]` and `[[handoffs]]`: checked for what would be wrong in any version.
//! Not here: whether a repository is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::Regex;

use super::Check;
use crate::config::key::Key;
use crate::config::plan::{Consent, Handoff, Heading, Phase, Plan, Repo, When};
use crate::config::raw::{
    Raw, RawAdvance, RawConsent, RawHandoff, RawHeading, RawPlan, RawRole, RawWhen, Table,
};
use crate::decide::UnitName;

/// Agents that work commit every few minutes.
const STALLED_AFTER: Duration = Duration::from_secs(2 * 60 * 60);
/// A remote is fetched so often, unless the config says otherwise.
const FETCH: Duration = Duration::from_secs(60);

impl Check<'_> {
    pub(super) fn plan(&mut self, plan: &RawPlan, raw: &Raw) -> Plan {
        let key = Key::top("plan");
        let mut phases = Vec::new();
        for (index, phase) in plan.phases.iter().enumerate() {
            let key = key.of("phases").item(index);
            self.needed(&key, "name", phase.name.as_ref(), "\"1\"");
            self.needed(&key, "plan", phase.plan.as_ref(), "\"plan-phase1.md\"");
            let earlier = plan.phases.iter().take(index);
            if phase.name.is_some() && earlier.into_iter().any(|other| other.name == phase.name) {
                let what = "another phase before it has this name; rename one of them";
                self.wrong(&key.of("name"), what);
            }
            let name = phase.name.clone().unwrap_or_default();
            let own = (key.of("done"), phase.done.as_ref());
            let of_all = (Key::top("plan").of("done"), plan.done.as_ref());
            let (place, done) = if own.1.is_some() { own } else { of_all };
            let done = self.place(&place, done, &name, "\"## DONE\"");
            let own = (key.of("consent"), phase.consent.as_ref());
            let of_all = (Key::top("plan").of("consent"), plan.consent.as_ref());
            let (place, consent) = if own.1.is_some() { own } else { of_all };
            let consent = self.consent(&place, consent, &name);
            phases.push(Phase {
                name,
                plan: phase.plan.clone().unwrap_or_default(),
                done,
                consent,
            });
        }
        if phases.is_empty() {
            self.place(&key.of("done"), plan.done.as_ref(), "", "\"## DONE\"");
            self.consent(&key.of("consent"), plan.consent.as_ref(), "");
        }
        let blocked = self.place(&key.of("blocked"), plan.blocked.as_ref(), "", "\"## Blocked\"");
        let owners = self.owners(&key.of("owners"), &plan.owners, raw);
        for (index, name) in plan.stops.iter().flatten().enumerate() {
            self.session_name(&key.of("stops").item(index), name, raw);
        }
        let works = |(name, session): (&String, &Table<_>)| {
            let session: &crate::config::raw::RawSession = session;
            (session.role != Some(RawRole::Orchestrator)).then(|| name.clone())
        };
        let stops = plan.stops.clone();
        let stops = stops.unwrap_or_else(|| raw.sessions.iter().filter_map(works).collect());
        Plan {
            phases,
            ask: plan.advance == Some(RawAdvance::Ask),
            blocked,
            owners,
            owners_ping: plan.owners_ping.unwrap_or(false),
            stops: stops.iter().filter_map(|name| UnitName::new(name).ok()).collect(),
            stalled_after: Some(self.span(
                &key.of("stalled_after"),
                plan.stalled_after,
                STALLED_AFTER,
            )),
            fetch: self.span(&key.of("fetch"), plan.fetch, FETCH),
        }
    }

    fn owners(
        &mut self,
        key: &Key,
        owners: &BTreeMap<String, String>,
        raw: &Raw,
    ) -> BTreeMap<String, UnitName> {
        let mut checked = BTreeMap::new();
        for (file, owner) in owners {
            let key = key.of(file);
            let (name, heading) = file.split_once('#').unwrap_or((file, "all"));
            if name.is_empty() || heading.trim().is_empty() {
                let what = "names no file; write \"STATUS.md\" = \"builder\", or \
                            \"BACKLOG.md#Build backlog\" = \"builder\" for a section";
                self.wrong(&key, what);
            }
            self.session_name(&key, owner, raw);
            if let Ok(owner) = UnitName::new(owner) {
                checked.insert(file.clone(), owner);
            }
        }
        checked
    }

    pub(super) fn handoffs(&mut self, handoffs: &[Table<RawHandoff>], raw: &Raw) -> Vec<Handoff> {
        let mut checked = Vec::new();
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
            let pattern = handoff.pattern.clone().unwrap_or_default();
            let when = match handoff.when {
                Some(RawWhen::Change) => When::Change,
                Some(RawWhen::Heading) => When::Heading(pattern),
                None | Some(RawWhen::Line) => {
                    self.regex(&key.of("pattern"), &pattern);
                    When::Line(pattern)
                }
            };
            let to = handoff.to.as_ref().and_then(|to| UnitName::new(to).ok());
            let repo = handoff.repo.as_ref().map(|repo| self.repo(&key.of("repo"), repo));
            if let (Some(to), Some(repo)) = (to, repo) {
                checked.push(Handoff {
                    repo,
                    file: handoff.file.clone().unwrap_or_default(),
                    when,
                    to,
                    text: handoff.text.clone().unwrap_or_default(),
                    fetch: handoff.fetch.map(|every| every.0),
                    working: handoff.working.unwrap_or(false),
                });
            }
        }
        checked
    }

    /// A heading, with the phase filled in; none if there is none, or if it is told to be wrong.
    fn place(
        &mut self,
        key: &Key,
        place: Option<&Table<RawHeading>>,
        phase: &str,
        example: &str,
    ) -> Option<Heading> {
        let place = place?;
        self.needed(key, "repo", place.repo.as_ref(), "\"a clone or a URL\"");
        self.needed(key, "file", place.file.as_ref(), "\"STATUS.md\"");
        self.needed(key, "heading", place.heading.as_ref(), example);
        Some(Heading {
            repo: self.repo(&key.of("repo"), place.repo.as_ref()?),
            file: place.file.clone()?,
            heading: place.heading.as_ref()?.replace("{phase}", phase),
        })
    }

    fn consent(
        &mut self,
        key: &Key,
        consent: Option<&Table<RawConsent>>,
        phase: &str,
    ) -> Option<Consent> {
        let consent = consent?;
        self.needed(key, "repo", consent.repo.as_ref(), "\"a clone or a URL\"");
        self.needed(key, "file", consent.file.as_ref(), "\"REVIEW.md\"");
        self.needed(key, "pattern", consent.pattern.as_ref(), "\"PASS {phase}\"");
        self.optional(key, "veto", consent.veto.as_ref());
        for (index, _) in consent.items.iter().enumerate().filter(|(_, item)| item.is_empty()) {
            self.wrong(&key.of("items").item(index), "is empty; write an item's name");
        }
        self.not_zero(&key.of("max_age"), consent.max_age);
        let pattern = consent.pattern.as_ref()?.replace("{phase}", &as_word(phase));
        if pattern.contains("{item}") == consent.items.is_empty() {
            let what = match consent.items.is_empty() {
                true => {
                    "asks for an {item} and there are none; write items = [\"D1\"], or take it out"
                }
                false => {
                    "does not say {item} although there are items; write \"PASS {phase} {item}\""
                }
            };
            self.wrong(&key.of("pattern"), what);
        }
        let each = consent.items.iter().map(|item| pattern.replace("{item}", &as_word(item)));
        let patterns: Vec<String> =
            if consent.items.is_empty() { vec![pattern] } else { each.collect() };
        for pattern in &patterns {
            self.regex(&key.of("pattern"), pattern);
        }
        let veto = consent.veto.as_ref().map(|veto| veto.replace("{phase}", &as_word(phase)));
        if let Some(veto) = &veto {
            self.regex(&key.of("veto"), veto);
        }
        let checked = Consent {
            repo: self.repo(&key.of("repo"), consent.repo.as_ref()?),
            file: consent.file.clone()?,
            patterns,
            items: consent.items.clone(),
            veto,
            max_age: consent.max_age.map(|age| age.0),
        };
        let of_all = checked.any();
        let each = || checked.patterns.iter().chain(&checked.veto);
        if each().all(|pattern| Regex::new(pattern).is_ok()) && Regex::new(&of_all).is_err() {
            let what = "is a regular expression that cannot be put together with the others: it is \
                        too large with them, or its end is a comment of (?x); write it shorter or \
                        without that";
            self.wrong(&key.of("pattern"), what);
        }
        Some(checked)
    }

    fn regex(&mut self, key: &Key, pattern: &str) {
        if let Err(error) = Regex::new(pattern) {
            // The last line says what is wrong; those above it draw where.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let what = format!(
                "{pattern:?} is no regular expression: {why}; write \\ before what is meant as it \
                 stands"
            );
            self.wrong(key, what);
        }
    }

    /// A URL, an address as ssh takes it, or else a path.
    fn repo(&mut self, key: &Key, written: &str) -> Repo {
        let is_url = written.contains("://")
            || written.split_once(':').is_some_and(|(host, _)| {
                !host.is_empty() && !host.contains('/') && !written.starts_with('.')
            });
        if written.trim().is_empty() {
            // That is told already.
            return Repo::Url(String::new());
        }
        match is_url {
            true => Repo::Url(written.to_owned()),
            false => Repo::Clone(self.path(key, Path::new(written))),
        }
    }
}

/// A text as part of a regular expression that matches it as a word: `D1` is not in `D12`.
fn as_word(text: &str) -> String {
    let edge = |c: Option<char>| if c.is_some_and(char::is_alphanumeric) { "\\b" } else { "" };
    let (first, last) = (edge(text.chars().next()), edge(text.chars().next_back()));
    format!("{first}{}{last}", regex::escape(text))
}
