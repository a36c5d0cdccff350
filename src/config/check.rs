//! From what is written to what holds: defaults filled in, names resolved, paths made absolute, and
//! whatever does not make sense told, all of it at once. Not here: reading the text.

mod budget;
mod cycle;
mod gateway;
mod notify;
mod plan;
mod require;
mod restart;
mod session;
mod unit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checked::{Config, Supervisor, Unit};
use super::document::Document;
use super::key::Key;
use super::nearest::nearest;
use super::problem::{Origin, Problem};
use super::raw::{Raw, RawDuration, RawSupervisor};
use crate::decide::UnitName;

const STATE_DIR: &str = "/var/lib/agent-supervisor";
const RUNTIME_DIR: &str = "/run/agent-supervisor";
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Under `state_dir`, so that a second instance with a `state_dir` of its own has its own log.
const REBOOT_LOG: &str = "REBOOTS.md";

const LOG_MAX: u64 = 64 << 20;
const LOG_KEEP: u32 = 3;

/// The longest path of a unix socket, without the NUL that ends it.
const SOCKET_PATH_MAX: usize = 107;

/// The checked configuration.
pub(super) fn config(
    raw: &Raw,
    document: &Document<'_>,
    origin: &Origin,
    base: &Path,
) -> Result<Config, Vec<Problem>> {
    let mut check = Check { document, base, problems: Vec::new(), not_acted_on: Vec::new() };
    let supervisor = check.supervisor(&raw.supervisor);
    let restart = check.restart(&raw.restart);
    let units = check.units(raw, &restart);
    check.dependencies(raw);
    check.sockets(&supervisor.runtime_dir, &units);
    let plan = raw.plan.as_ref().map(|plan| check.plan(plan, raw)).unwrap_or_default();
    let handoffs = check.handoffs(&raw.handoffs, raw);
    let gateway = raw.gateway.as_ref().map(|raw| check.gateway(raw, &supervisor.state_dir));
    let notify = check.notify(raw);
    let requirements = check.requirements(&raw.require);
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    Ok(Config {
        file: match origin {
            Origin::File(path) => Some(path.clone()),
            Origin::BuiltIn => None,
        },
        supervisor,
        units,
        cap: restart.cap,
        stagger: restart.stagger,
        plan,
        handoffs,
        notify,
        requirements,
        gateway,
        not_acted_on: check.not_acted_on,
    })
}

/// A check under way.
struct Check<'d> {
    document: &'d Document<'d>,
    base: &'d Path,
    problems: Vec<Problem>,
    not_acted_on: Vec<String>,
}

impl Check<'_> {
    fn supervisor(&mut self, raw: &RawSupervisor) -> Supervisor {
        let key = Key::top("supervisor");
        let mut path = |name: &str, written: &Option<PathBuf>, default: &Path| match written {
            Some(written) => self.path(&key.of(name), written),
            None => default.into(),
        };
        let state_dir = path("state_dir", &raw.state_dir, Path::new(STATE_DIR));
        let runtime_dir = path("runtime_dir", &raw.runtime_dir, Path::new(RUNTIME_DIR));
        let reboot_log = path("reboot_log", &raw.reboot_log, &state_dir.join(REBOOT_LOG));
        let boot_id_file = path("boot_id_file", &raw.boot_id_file, Path::new(BOOT_ID_FILE));
        let log_max = raw.log_max.map_or(LOG_MAX, |size| size.0);
        if log_max == 0 {
            self.wrong(&key.of("log_max"), "is 0; write a size such as \"64MiB\"");
        }
        if state_dir == runtime_dir {
            self.wrong(
                &key.of("runtime_dir"),
                "is the same folder as state_dir; write another, best one that a reboot empties",
            );
        }
        Supervisor {
            state_dir,
            runtime_dir,
            reboot_log,
            commit_reboots: raw.commit_reboots.unwrap_or(false),
            boot_id_file,
            log_max,
            log_keep: raw.log_keep.unwrap_or(LOG_KEEP),
        }
    }

    /// A socket whose path is too long cannot be bound, and the kernel says only `EINVAL`.
    fn sockets(&mut self, runtime_dir: &Path, units: &BTreeMap<UnitName, Unit>) {
        let sessions = units.values().filter(|unit| unit.session.is_some());
        let sockets = sessions.map(|unit| runtime_dir.join(format!("tmux/{}.sock", unit.name)));
        let longest = sockets
            .chain([runtime_dir.join("control.sock")])
            .map(|path| path.as_os_str().len())
            .max()
            .unwrap_or_default();
        if longest > SOCKET_PATH_MAX {
            let what = format!(
                "is too long: a socket in it would have a path of {longest} bytes, and \
                 {SOCKET_PATH_MAX} are possible; choose a shorter path"
            );
            self.wrong(&Key::top("supervisor").of("runtime_dir"), what);
        }
    }

    /// Notes that `key` is wrong: what is wrong; what would be right.
    fn wrong(&mut self, key: &Key, what: impl Into<String>) {
        let problem = Problem::new(self.document.line(key), key, what);
        // What holds for all phases is looked at for each.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// `written`, from the file's folder.
    fn path(&mut self, key: &Key, written: &Path) -> PathBuf {
        let bytes = written.as_os_str().as_encoded_bytes();
        if bytes.is_empty() {
            self.wrong(key, "is empty; write a path, or leave the key out");
        } else if bytes.contains(&0) {
            self.wrong(key, "contains a NUL character; take it out");
        } else if bytes[0] == b'~' {
            self.wrong(key, "`~` means nothing here; write the whole path of the home folder");
        }
        let joined = self.base.join(written);
        std::path::absolute(&joined).unwrap_or(joined)
    }

    fn paths(&mut self, key: &Key, written: &[PathBuf]) -> Vec<PathBuf> {
        let paths = written.iter().enumerate();
        paths.map(|(index, path)| self.path(&key.item(index), path)).collect()
    }

    fn maybe_path(&mut self, key: &Key, written: Option<&PathBuf>) -> Option<PathBuf> {
        written.map(|path| self.path(key, path))
    }

    /// A command line that can be run as it is.
    fn command(&mut self, key: &Key, command: &[String]) {
        if command.first().is_none_or(String::is_empty) {
            self.wrong(key, "names no program; write [\"program\", \"argument\"]");
        }
        self.no_nul(key, command);
    }

    fn no_nul(&mut self, key: &Key, words: &[String]) {
        for (index, _) in words.iter().enumerate().filter(|(_, word)| word.contains('\0')) {
            self.wrong(&key.item(index), "contains a NUL character; take it out");
        }
    }

    /// A text that must be written, and not be empty.
    fn needed(&mut self, table: &Key, name: &str, text: Option<&String>, example: &str) {
        match text {
            Some(text) if !text.trim().is_empty() => {}
            Some(_) => self.wrong(&table.of(name), format!("is empty; write {example}")),
            None => self.wrong(table, format!("has no `{name}`; write {name} = {example}")),
        }
    }

    /// A text that need not be written, but not be empty either.
    fn optional(&mut self, table: &Key, name: &str, text: Option<&String>) {
        if text.is_some_and(|text| text.trim().is_empty()) {
            self.wrong(&table.of(name), "is empty; write something, or leave the key out");
        }
    }

    /// A duration in which something must be possible.
    fn not_zero(&mut self, key: &Key, written: Option<RawDuration>) {
        if written.is_some_and(|length| length.0.is_zero()) {
            self.wrong(key, "is no time at all; write a longer one, such as \"1m\"");
        }
    }

    /// `written` or the default, and never zero.
    fn span(&mut self, key: &Key, written: Option<RawDuration>, default: Duration) -> Duration {
        self.not_zero(key, written);
        written.map_or(default, |length| length.0)
    }

    /// A session's name that must be one.
    fn session_name(&mut self, key: &Key, name: &str, raw: &Raw) {
        if raw.sessions.contains_key(name) {
            return;
        }
        if raw.services.contains_key(name) {
            self.wrong(key, format!("{name:?} is a service; name a session"));
            return;
        }
        let right = one_of(name, "sessions", raw.sessions.keys().map(String::as_str));
        self.wrong(key, format!("there is no session {name:?}; {right}"));
    }
}

/// A question that names the likely word, or the list of those there are.
fn one_of<'k>(word: &str, kind: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => match known.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => format!("there are no {kind} at all"),
            known => format!("the {kind} are: {known}"),
        },
    }
}
