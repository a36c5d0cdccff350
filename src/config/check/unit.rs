//! `[services.NAME]` and `[sessions.NAME]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::cycle::cycles;
use super::restart::Restarts;
use super::{Check, one_of};
use crate::config::checked::{Agent, Builtin, OnExit, Program, Ready, Restart, Unit};
use crate::config::key::Key;
use crate::config::raw::{
    Raw, RawAgent, RawBuiltin, RawDuration, RawOnExit, RawReady, RawRemoteControl, RawRole,
    RawService, RawSession, RawSize,
};
use crate::decide::{Dependency, UnitKind, UnitName};

const STOP_GRACE: Duration = Duration::from_secs(10);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// What the gateway says of itself when it answers.
const GATEWAY_READY: &str = "the gateway is ready";

/// What services and sessions write in the same words.
struct Common<'r> {
    directory: Option<&'r PathBuf>,
    environment: &'r BTreeMap<String, String>,
    environment_file: Option<&'r PathBuf>,
    path: &'r [PathBuf],
    after: &'r [String],
    memory_max: Option<RawSize>,
    on_exit: Option<RawOnExit>,
    stop_grace: Option<RawDuration>,
}

impl Check<'_> {
    pub(super) fn units(&mut self, raw: &Raw, restarts: &Restarts) -> BTreeMap<UnitName, Unit> {
        let mut units = BTreeMap::new();
        for (name, service) in &raw.services {
            let key = Key::top("services").of(name);
            if let Some(name) = self.unit_name(&key, name) {
                let restart =
                    self.unit_restart(&key.of("restart"), &service.restart, &restarts.of_a_unit);
                if let Some(unit) = self.service(&key, name.clone(), service, restart) {
                    units.insert(name, unit);
                }
            }
        }
        for (name, session) in &raw.sessions {
            let key = Key::top("sessions").of(name);
            let twin = Key::top("services").of(name);
            if raw.services.contains_key(name) {
                let line = self.document.line(&twin);
                let what = format!("there is a {twin} too (line {line}); rename one of them");
                self.wrong(&key, what);
            } else if let Some(name) = self.unit_name(&key, name) {
                let restart =
                    self.unit_restart(&key.of("restart"), &session.restart, &restarts.of_a_unit);
                if let Some(unit) = self.session(&key, name.clone(), session, restart) {
                    units.insert(name, unit);
                }
            }
        }
        units
    }

    /// That whatever is named in `after` exists, and that nobody waits for himself.
    pub(super) fn dependencies(&mut self, raw: &Raw) {
        let services = raw.services.iter().map(|(name, unit)| ("services", name, &unit.after));
        let sessions = raw.sessions.iter().map(|(name, unit)| ("sessions", name, &unit.after));
        let mut edges = BTreeMap::new();
        let mut keys = BTreeMap::new();
        for (table, name, after) in services.chain(sessions) {
            let key = Key::top(table).of(name).of("after");
            for (index, wanted) in after.iter().enumerate() {
                let known = raw.services.keys().chain(raw.sessions.keys()).map(String::as_str);
                let known = ["docker", "network"].into_iter().chain(known);
                if !known.clone().any(|known| known == wanted) {
                    let others = known.filter(|known| known != name);
                    let right = one_of(wanted, "possible words", others);
                    let what = format!("there is no unit {wanted:?}; {right}");
                    self.wrong(&key.item(index), what);
                }
            }
            edges.insert(name.as_str(), after.iter().map(String::as_str).collect());
            keys.insert(name.as_str(), key);
        }
        for cycle in cycles(edges) {
            let Some(key) = cycle.first().and_then(|name| keys.get(name)) else { continue };
            let what = format!(
                "these wait for each other for ever: {}; take one `after` out",
                cycle.join(" -> ")
            );
            self.wrong(key, what);
        }
    }

    fn unit_name(&mut self, key: &Key, name: &str) -> Option<UnitName> {
        UnitName::new(name).map_err(|bad| self.wrong(key, bad.to_string())).ok()
    }

    fn service(
        &mut self,
        key: &Key,
        name: UnitName,
        raw: &RawService,
        restart: Restart,
    ) -> Option<Unit> {
        let program = self.service_program(key, raw);
        let gateway = raw.builtin == Some(RawBuiltin::Gateway);
        let common = Common {
            directory: raw.directory.as_ref(),
            environment: &raw.environment,
            environment_file: raw.environment_file.as_ref(),
            path: &raw.path,
            after: &raw.after,
            memory_max: raw.memory_max,
            on_exit: raw.on_exit,
            stop_grace: raw.stop_grace,
        };
        let ready = raw.ready.as_ref().map(|ready| self.ready(&key.of("ready"), ready));
        let own = || Ready { log: GATEWAY_READY.to_owned(), within: READY_WITHIN };
        let ready = ready.or_else(|| gateway.then(own));
        let unit = self.unit(key, name, common, restart, program?);
        Some(Unit { ready, restart_on_change: raw.restart_on_change.unwrap_or(gateway), ..unit })
    }

    /// Exactly one of the three ways to say what a service runs.
    fn service_program(&mut self, key: &Key, raw: &RawService) -> Option<Program> {
        let written = [
            ("command", raw.command.is_some()),
            ("systemd_unit", raw.systemd_unit.is_some()),
            ("builtin", raw.builtin.is_some()),
        ];
        let written: Vec<_> = written.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        if written.len() > 1 {
            let what = format!("has {}; keep exactly one of them", written.join(" and "));
            self.wrong(key, what);
            return None;
        }
        if let Some(command) = &raw.command {
            self.command(&key.of("command"), command);
            return Some(Program::Command(command.clone()));
        }
        if let Some(unit) = &raw.systemd_unit {
            self.systemd_unit(key, unit, raw);
            return Some(Program::SystemdUnit(unit.clone()));
        }
        if let Some(RawBuiltin::Gateway) = raw.builtin {
            return Some(Program::Builtin(Builtin::Gateway));
        }
        self.wrong(
            key,
            "does not say what to run; write command = [\"program\", \"argument\"], or \
             systemd_unit = \"NAME.service\"",
        );
        None
    }

    /// A systemd unit's name, and nothing beside it that only systemd could do.
    fn systemd_unit(&mut self, key: &Key, unit: &str, raw: &RawService) {
        let named = unit.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
        if !named || !unit.trim_matches('.').contains('.') {
            let what = format!("{unit:?} is no systemd unit; write NAME.service");
            self.wrong(&key.of("systemd_unit"), what);
        }
        for (name, written, instead) in [
            ("ready", raw.ready.is_some(), "set Type=notify there"),
            ("memory_max", raw.memory_max.is_some(), "set MemoryMax= there"),
            ("directory", raw.directory.is_some(), "set WorkingDirectory= there"),
            ("environment", !raw.environment.is_empty(), "set Environment= there"),
            ("environment_file", raw.environment_file.is_some(), "set EnvironmentFile= there"),
            ("path", !raw.path.is_empty(), "set Environment=PATH=… there"),
        ] {
            if written {
                let what = format!("systemd starts {unit}, not we; take it out and {instead}");
                self.wrong(&key.of(name), what);
            }
        }
    }

    fn session(
        &mut self,
        key: &Key,
        name: UnitName,
        raw: &RawSession,
        restart: Restart,
    ) -> Option<Unit> {
        let program = self.session_program(key, raw);
        let keys = self.session_keys(key, &name, raw);
        let common = Common {
            directory: raw.directory.as_ref(),
            environment: &raw.environment,
            environment_file: raw.environment_file.as_ref(),
            path: &raw.path,
            after: &raw.after,
            memory_max: raw.memory_max,
            on_exit: raw.on_exit,
            stop_grace: raw.stop_grace,
        };
        let unit = self.unit(key, name, common, restart, program?);
        let kind = match raw.role {
            Some(RawRole::Orchestrator) => UnitKind::Orchestrator,
            None => UnitKind::Session,
        };
        Some(Unit { kind, session: Some(keys), ..unit })
    }

    fn session_program(&mut self, key: &Key, raw: &RawSession) -> Option<Program> {
        if let Some(command) = &raw.command {
            self.command(&key.of("command"), command);
        }
        let agent = match raw.agent {
            None => {
                let what = match raw.command {
                    Some(_) => "has no `agent`; write agent = \"command\" to run its command",
                    None => {
                        "does not say what to run; write agent = \"claude\" (codex, gemini, \
                         opencode), or agent = \"command\" with a command"
                    }
                };
                self.wrong(key, what);
                return None;
            }
            Some(RawAgent::Command) => {
                self.only_agents(key, raw);
                if raw.command.is_none() {
                    let what = "\"command\" needs a command; write command = [\"bash\", \"-l\"]";
                    self.wrong(&key.of("agent"), what);
                }
                return raw.command.clone().map(Program::Command);
            }
            Some(RawAgent::Claude) => Agent::Claude,
            Some(RawAgent::Codex) => Agent::Codex,
            Some(RawAgent::Gemini) => Agent::Gemini,
            Some(RawAgent::Opencode) => Agent::Opencode,
        };
        if agent != Agent::Claude {
            self.not_every_agent(key, agent, raw);
        }
        Some(Program::Agent { agent, command: raw.command.clone() })
    }

    /// Keys that a plain command has no use for.
    fn only_agents(&mut self, key: &Key, raw: &RawSession) {
        let seeds = raw.seed == Some(true);
        for (name, written, instead) in [
            ("args", !raw.args.is_empty(), "; write them into `command`"),
            ("prompt_file", raw.prompt_file.is_some(), "; take it out"),
            ("remote_control", is_labelled(raw), "; take it out"),
            ("resume", raw.resume.is_some(), "; take it out"),
            ("budget", raw.budget.is_some(), "; take it out"),
            ("seed", seeds, "; take it out"),
        ] {
            if written {
                let what = format!("only agents have it, and agent is \"command\"{instead}");
                self.wrong(&key.of(name), what);
            }
        }
    }

    /// Keys that not every agent program has a use for.
    fn not_every_agent(&mut self, key: &Key, agent: Agent, raw: &RawSession) {
        let resume = raw.resume.is_some() && agent == Agent::Opencode;
        for (name, written) in [("remote_control", is_labelled(raw)), ("resume", resume)] {
            if written {
                let what = format!("agent {:?} has it not; take it out", agent.as_str());
                self.wrong(&key.of(name), what);
            }
        }
    }

    fn unit(
        &mut self,
        key: &Key,
        name: UnitName,
        raw: Common<'_>,
        restart: Restart,
        program: Program,
    ) -> Unit {
        self.environment(&key.of("environment"), raw.environment);
        if raw.memory_max == Some(RawSize(0)) {
            self.wrong(&key.of("memory_max"), "is 0; write a size such as \"2G\"");
        }
        let stays_up = match &program {
            Program::Agent { .. } => false,
            Program::Command(_) | Program::SystemdUnit(_) | Program::Builtin(_) => true,
        };
        Unit {
            name,
            kind: UnitKind::Service,
            program,
            directory: self.maybe_path(&key.of("directory"), raw.directory),
            environment: raw.environment.clone(),
            environment_file: self.maybe_path(&key.of("environment_file"), raw.environment_file),
            path: self.paths(&key.of("path"), raw.path),
            after: raw.after.iter().filter_map(|word| dependency(word)).collect(),
            ready: None,
            memory_max: raw.memory_max.map(|size| size.0),
            restart,
            restart_on_change: false,
            on_exit: match raw.on_exit {
                Some(RawOnExit::Stop) => OnExit::Stop,
                Some(RawOnExit::Restart) => OnExit::Restart,
                None if stays_up => OnExit::Restart,
                None => OnExit::Stop,
            },
            stop_grace: raw.stop_grace.map_or(STOP_GRACE, |length| length.0),
            session: None,
        }
    }

    /// Names that `execve` could not carry. Values are never repeated: they may be secrets.
    fn environment(&mut self, key: &Key, environment: &BTreeMap<String, String>) {
        for (name, value) in environment {
            let key = key.of(name);
            if name.is_empty() {
                self.wrong(&key, "a variable without a name; write NAME = \"value\"");
            } else if name.contains(['=', '\0']) {
                self.wrong(&key, "a variable's name has no `=` and no NUL; take it out");
            }
            if value.contains('\0') {
                self.wrong(&key, "the value contains a NUL character; take it out");
            }
        }
    }

    fn ready(&mut self, key: &Key, raw: &RawReady) -> Ready {
        self.needed(key, "log", raw.log.as_ref(), "\"a text of the line that says so\"");
        Ready {
            log: raw.log.clone().unwrap_or_default(),
            within: self.span(&key.of("within"), raw.within, READY_WITHIN),
        }
    }
}

/// Whether a label for the remote control is written.
fn is_labelled(raw: &RawSession) -> bool {
    !matches!(raw.remote_control, None | Some(RawRemoteControl::Switch(false)))
}

/// What a word in `after` stands for; none if it can be no unit's name, which is told elsewhere.
fn dependency(word: &str) -> Option<Dependency> {
    match word {
        "docker" => Some(Dependency::Docker),
        "network" => Some(Dependency::Network),
        name => UnitName::new(name).ok().map(Dependency::Unit),
    }
}
