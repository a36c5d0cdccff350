//! From the checked config to what the watchdog obeys, and the digest of a start spec.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::config::{Builtin, Config, OnExit, Program, Unit};
use crate::decide::{Cap, Policy, RestartPolicy, UnitKind, UnitName, UnitPolicy};

/// What the watchdog obeys. `holds` names units that are not to be started and why, beyond those
/// that this version cannot run at all.
pub(super) fn policy(config: &Config, holds: &BTreeMap<UnitName, String>) -> Policy {
    let units = config.units.iter().map(|(name, unit)| {
        let hold = not_acted_on(unit).or_else(|| holds.get(name).cloned());
        (name.clone(), unit_policy(unit, hold))
    });
    Policy {
        units: units.collect(),
        cap: Cap { restarts: config.cap.restarts, within: config.cap.within },
        stagger: config.stagger,
    }
}

/// The digest of everything that makes a unit's next process another one than its last. It is
/// kept in records, so its input only ever grows at the end.
pub(super) fn spec_digest(unit: &Unit) -> String {
    let mut hasher = Sha256::new();
    let mut field = |name: &str, value: &str| {
        // The length keeps two fields apart, whatever is in them.
        hasher.update(format!("{name}={}:{value}\n", value.len()));
    };
    match &unit.program {
        Program::Command(words) => words.iter().for_each(|word| field("word", word)),
        Program::SystemdUnit(name) => field("systemd_unit", name),
        Program::Builtin(Builtin::Gateway) => field("builtin", "gateway"),
        Program::Agent { agent, command } => {
            field("agent", &format!("{agent:?}"));
            command.iter().flatten().for_each(|word| field("word", word));
        }
    }
    if let Some(directory) = &unit.directory {
        field("directory", &directory.to_string_lossy());
    }
    for (name, value) in &unit.environment {
        field("environment", &format!("{name}={value}"));
    }
    if let Some(file) = &unit.environment_file {
        field("environment_file", &file.to_string_lossy());
    }
    for folder in &unit.path {
        field("path", &folder.to_string_lossy());
    }
    if let Some(bytes) = unit.memory_max {
        field("memory_max", &bytes.to_string());
    }
    if let Some(session) = &unit.session {
        session.args.iter().for_each(|word| field("arg", word));
    }
    hasher.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unit_policy(unit: &Unit, hold: Option<String>) -> UnitPolicy {
    UnitPolicy {
        kind: unit.kind,
        spec: spec_digest(unit),
        after: unit.after.clone(),
        ready_within: unit.ready.as_ref().map(|ready| ready.within),
        restart: RestartPolicy {
            first_delay: unit.restart.first_delay,
            backoff_from: unit.restart.backoff.from,
            backoff_to: unit.restart.backoff.to,
            stable_after: unit.restart.stable_after,
            loop_starts: unit.restart.crash_loop.starts,
            loop_within: unit.restart.crash_loop.within,
            loop_retry: unit.restart.crash_loop.retry,
        },
        restart_on_change: unit.restart_on_change && unit.kind == UnitKind::Service,
        ends_by_hand: unit.on_exit == OnExit::Stop,
        grace: unit.stop_grace,
        paced: matches!(unit.program, Program::Agent { .. }),
        hold,
    }
}

fn not_acted_on(unit: &Unit) -> Option<String> {
    match &unit.program {
        Program::Builtin(Builtin::Gateway) => {
            Some("builtin = \"gateway\" comes with a later version".to_owned())
        }
        Program::Agent { agent, .. } => {
            Some(format!("agent = {:?} comes with a later version", agent.as_str()))
        }
        Program::Command(_) if unit.kind == UnitKind::Orchestrator => {
            Some("role = \"orchestrator\" comes with a later version".to_owned())
        }
        Program::Command(_) | Program::SystemdUnit(_) => None,
    }
}
