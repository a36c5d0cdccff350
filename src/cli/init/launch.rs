//! The launch environment of an older script: a file of `NAME=value` lines or the script itself, of
//! which the assignments are read. What is understood is told by the ends of the names; nothing is
//! run, and no value is shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::failure::Failure;

/// A larger file is no launch environment, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// So many names that mean nothing here are told, and how many there are more.
const NAMES_MAX: usize = 12;

/// A longer value is none, in bytes: each may be made of two of the one before it.
const VALUE_MAX: usize = 16 * 1024;

/// How deep one value may be made of others.
const DEPTH_MAX: usize = 8;

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Launch {
    file: PathBuf,
    pub(crate) url: Option<String>,
    pub(super) builder: Option<PathBuf>,
    pub(super) adversary: Option<PathBuf>,
    pub(super) orchestrator: Option<PathBuf>,
    pub(super) plan_dir: Option<PathBuf>,
    pub(super) builder_prompt: Option<PathBuf>,
    pub(super) adversary_prompt: Option<PathBuf>,
    pub(super) builder_label: Option<String>,
    pub(super) adversary_label: Option<String>,
    pub(super) orchestrator_label: Option<String>,
    /// The orchestrator's conversation.
    pub(super) resume: Option<String>,
    /// Names, and plan files where they are given.
    pub(super) phases: Vec<(String, Option<PathBuf>)>,
    /// How often remotes are asked, in seconds.
    pub(super) fetch: Option<u64>,
    pub(super) remote_control: Option<bool>,
    pub(super) watch_orchestrator: Option<bool>,
    taken: Vec<String>,
    needless: Vec<String>,
    left: Vec<String>,
}

impl Launch {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let say = || format!("cannot read the launch environment {}", file.display());
        let metadata = std::fs::metadata(file).with_context(say)?;
        if !metadata.is_file() || metadata.len() > FILE_MAX {
            let what = "is no file of NAME=value lines, and no script";
            return Err(Failure::failed(format!("{} {what}", file.display())));
        }
        let text = std::fs::read(file).with_context(say)?;
        let file = std::fs::canonicalize(file).with_context(say)?;
        Ok(Self::parse(&file, &String::from_utf8_lossy(&text), std::env::var("HOME").ok()))
    }

    pub(crate) fn parse(file: &Path, text: &str, home: Option<String>) -> Self {
        let folder = file.parent().unwrap_or_else(|| Path::new("/"));
        let values = assignments(text, folder, home);
        let mut launch = Self { file: file.into(), ..Self::default() };
        for (name, value) in &values {
            let known = value.as_deref().filter(|it| !it.is_empty());
            match known.map(|value| launch.take(name, value, folder)) {
                Some(Some(Taken::Yes)) => launch.taken.push(name.clone()),
                Some(Some(Taken::Needless)) => launch.needless.push(name.clone()),
                Some(None) | None => launch.left.push(name.clone()),
            }
        }
        launch
    }

    /// What was taken, and what was not, by name, for the person.
    pub(crate) fn report(&self) -> Vec<String> {
        let file = self.file.display();
        let mut lines = Vec::new();
        if self.taken.is_empty() {
            lines.push(format!("took nothing from {file}: no name in it is known"));
        } else {
            lines.push(format!("took from {file}: {}", self.taken.join(", ")));
        }
        if !self.needless.is_empty() {
            let names = self.needless.join(", ");
            lines.push(format!(
                "needs no value: {names} (deaths are told by the kernel, and a reboot resumes the \
                 saved phase)"
            ));
        }
        if !self.left.is_empty() {
            let shown = self.left.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
            let more = self.left.len().saturating_sub(NAMES_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("left out: {shown}{more}"));
        }
        lines
    }

    /// Takes one value; none if the name means nothing here.
    fn take(&mut self, name: &str, value: &str, folder: &Path) -> Option<Taken> {
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let role = role(name);
        let is_place = ends(&["_DIR", "_CLONE", "_CHECKOUT"]);
        let is_prompt = ends(&["_PROMPT", "_PROMPT_FILE"]);
        let is_label = ends(&["_SESSION", "_LABEL", "_NAME"]);
        let path = || Some(folder.join(value));
        if ends(&["REPO", "REPO_URL"]) {
            // A password has no place in a configuration.
            self.url = Some(value.to_owned()).filter(|url| !has_password(url));
            self.url.as_ref()?;
        } else if ends(&["REMOTE_CONTROL"]) {
            self.remote_control = Some(is_on(value));
        } else if name.contains("WATCH") && role == Some(Role::Orchestrator) {
            self.watch_orchestrator = Some(is_on(value));
        } else if ends(&["PHASES"]) {
            self.phases = value.split_whitespace().map(phase).collect();
        } else if name.contains("INTERVAL") || ends(&["_EVERY", "_SECS", "_SECONDS"]) {
            let seconds = value.trim_end_matches('s').parse().ok().filter(|it| *it > 0);
            if !name.contains("HANDOFF") && !name.contains("FETCH") {
                return Some(Taken::Needless);
            }
            self.fetch = Some(seconds?);
        } else if ends(&["RESUME_PHASE"]) {
            return Some(Taken::Needless);
        } else if role == Some(Role::Orchestrator) && ends(&["_ID", "_RESUME", "_CONVERSATION"]) {
            self.resume = Some(value.to_owned());
        } else if is_place && name.contains("PLAN") {
            self.plan_dir = path();
        } else if is_place {
            *self.place(role?) = path();
        } else if is_prompt {
            match role? {
                Role::Builder => self.builder_prompt = path(),
                Role::Adversary => self.adversary_prompt = path(),
                Role::Orchestrator => return None,
            }
        } else if is_label {
            let label = Some(value.to_owned());
            match role? {
                Role::Builder => self.builder_label = label,
                Role::Adversary => self.adversary_label = label,
                Role::Orchestrator => self.orchestrator_label = label,
            }
        } else {
            return None;
        }
        Some(Taken::Yes)
    }

    fn place(&mut self, role: Role) -> &mut Option<PathBuf> {
        match role {
            Role::Builder => &mut self.builder,
            Role::Adversary => &mut self.adversary,
            Role::Orchestrator => &mut self.orchestrator,
        }
    }
}

enum Taken {
    Yes,
    /// It is understood, and nothing is needed for it.
    Needless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Builder,
    Adversary,
    Orchestrator,
}

fn role(name: &str) -> Option<Role> {
    let words: Vec<&str> = name.split('_').collect();
    let has = |of: &[&str]| words.iter().any(|word| of.contains(word));
    if has(&["BUILDER", "BUILD"]) {
        Some(Role::Builder)
    } else if has(&["ADVERSARY", "ADV"]) {
        Some(Role::Adversary)
    } else if has(&["ORCHESTRATOR", "ORCH"]) {
        Some(Role::Orchestrator)
    } else {
        None
    }
}

fn is_on(value: &str) -> bool {
    !["0", "false", "no", "off"].contains(&value)
}

/// `NAME` or `NAME:FILE`.
fn phase(word: &str) -> (String, Option<PathBuf>) {
    match word.split_once([':', '=']) {
        Some((name, file)) => (name.to_owned(), Some(file.into())),
        None => (word.to_owned(), None),
    }
}

fn has_password(url: &str) -> bool {
    let after = url.split_once("://").map_or("", |(_, after)| after);
    let host = after.split('/').next().unwrap_or_default();
    host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// The names that the lines set, in the order of their names; without a value where it would have
/// to be computed. The last one counts.
fn assignments(
    text: &str,
    folder: &Path,
    home: Option<String>,
) -> BTreeMap<String, Option<String>> {
    let mut values: BTreeMap<String, Option<String>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let line = line.strip_prefix("readonly ").unwrap_or(line).trim_start();
        // `: "${NAME:=value}"`
        let preset = line.strip_prefix(": ").map(|it| it.trim_matches('"'));
        let preset = preset.and_then(|it| it.strip_prefix("${")?.strip_suffix('}'));
        let (name, written) = match preset {
            Some(preset) => match preset.split_once(":=").or_else(|| preset.split_once('=')) {
                Some(pair) => pair,
                None => continue,
            },
            None => match line.split_once('=') {
                Some(pair) => pair,
                None => continue,
            },
        };
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        let known = |wanted: &str| match values.get(wanted) {
            Some(value) => value.clone(),
            None if wanted == "HOME" => home.clone(),
            None => None,
        };
        let value = value(written, name, folder, &known, 0);
        values.insert(name.to_owned(), value);
    }
    values
}

/// What is written after `=`; none if a shell would have to compute it.
fn value(
    written: &str,
    name: &str,
    folder: &Path,
    known: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Option<String> {
    if depth > DEPTH_MAX {
        return None;
    }
    let written = written.trim();
    if let Some(list) = written.strip_prefix('(') {
        let words = list.split_once(')').map_or(list, |(words, _)| words);
        let words = words.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
        return Some(words.collect::<Vec<_>>().join(" "));
    }
    // The folder of the script itself is the one thing that is always computed.
    let is_own_folder = written.contains("dirname") && written.contains("$(");
    if is_own_folder && (written.contains("$0") || written.contains("BASH_SOURCE")) {
        let up = written.contains("/..");
        let place = if up { folder.parent().unwrap_or(folder) } else { folder };
        return Some(place.display().to_string());
    }
    let written = match written.chars().next() {
        Some('\'') => return written.get(1..)?.split('\'').next().map(str::to_owned),
        Some('"') => written.get(1..)?.split('"').next()?,
        _ if written.starts_with("${") => written,
        _ => written.split_whitespace().next().unwrap_or_default(),
    };
    if written.contains('`') || written.contains("$(") {
        return None;
    }
    // `${NAME:-value}` of the very name, with what is behind it.
    if let Some(rest) = written.strip_prefix("${")
        && let Some((of, rest)) = rest.split_once(":-")
        && let Some((default, tail)) = rest.rsplit_once('}')
    {
        let own = if of == name { None } else { known(of) };
        let head = own.or_else(|| value(default, name, folder, known, depth + 1))?;
        return Some(format!("{head}{}", expand(tail, known)?));
    }
    expand(written, known)
}

/// With `$NAME` and `${NAME}` replaced; none if one is not known.
fn expand(text: &str, known: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = match after.strip_prefix('{') {
            Some(after) => after.split_once('}')?,
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()))
            }
        };
        expanded.push_str(&known(name)?);
        if expanded.len() > VALUE_MAX {
            return None;
        }
        rest = after;
    }
    expanded.push_str(rest);
    Some(expanded)
}

#[cfg(test)]
mod tests;
