//! From the checked config to what the watchdog obeys, and the digest of a start spec.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::plan;
use crate::agents::profile;
use crate::config::{Builtin, Config, OnExit, Program, Unit};
use crate::decide::{
    AgentPolicy, Alone, Cap, Policy, RestartPolicy, UnitKind, UnitName, UnitPolicy,
};

/// What the watchdog obeys. `holds` names units that are not to be started and why, beyond those
/// that this version cannot run at all.
pub(super) fn policy(config: &Config, holds: &BTreeMap<UnitName, String>) -> Policy {
    let units = config.units.iter().map(|(name, unit)| {
        let hold = not_acted_on(unit, config).or_else(|| holds.get(name).cloned());
        (name.clone(), unit_policy(unit, config, hold))
    });
    Policy {
        units: units.collect(),
        cap: Cap { restarts: config.cap.restarts, within: config.cap.within },
        stagger: config.stagger,
        plan: plan::plan_policy(config),
        handoffs: plan::handoff_policies(config),
        requires: !config.requirements.is_empty(),
        boots: String::new(),
    }
}

/// The digest of everything that makes a unit's next process another one than its last. It is
/// kept in records, so its input only ever grows at the end.
pub(super) fn spec_digest(unit: &Unit, config: &Config) -> String {
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
        if let Some(label) = &session.remote_control {
            field("remote_control", label);
        }
    }
    if let Program::Builtin(Builtin::Gateway) = unit.program {
        // It is a part of us: another binary, or another word under [gateway], is another gateway.
        field("gateway", &format!("{:?}", config.gateway));
        field("binary", &own_binary());
    }
    hasher.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// By which this very binary is told from an earlier or later one; empty if the kernel does not say.
fn own_binary() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata("/proc/self/exe");
    about.map_or_else(
        |_| String::new(),
        |about| format!("{} {}.{}", about.size(), about.mtime(), about.mtime_nsec()),
    )
}

fn unit_policy(unit: &Unit, config: &Config, hold: Option<String>) -> UnitPolicy {
    UnitPolicy {
        kind: unit.kind,
        spec: spec_digest(unit, config),
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
        agent: match &unit.program {
            Program::Agent { agent, .. } => {
                let keys = unit.session.as_ref();
                let commands = profile(*agent).commands();
                let only = unit.kind == UnitKind::Orchestrator;
                let named = keys.and_then(|keys| keys.resume.clone());
                Some(AgentPolicy {
                    // A name is looked up among the transcripts.
                    first: named.filter(|named| is_uuid(named)),
                    alone: if only { Alone::Always } else { Alone::First },
                    by_hand: only && keys.is_some_and(|keys| !keys.at_boot),
                    unwatched: only && keys.is_some_and(|keys| !keys.watch),
                    clear: commands.clear.map(str::to_owned),
                    compact: commands.compact.map(str::to_owned),
                    escape: keys.is_some_and(|keys| keys.escape),
                    idle_nudge: keys.and_then(|keys| keys.idle_nudge.clone()),
                    budget: keys.and_then(|keys| keys.budget),
                })
            }
            Program::Command(_) | Program::SystemdUnit(_) | Program::Builtin(_) => None,
        },
    }
}

fn not_acted_on(unit: &Unit, config: &Config) -> Option<String> {
    match &unit.program {
        Program::Builtin(Builtin::Gateway) if config.gateway.is_none() => {
            Some("the configuration has no [gateway]: write one".to_owned())
        }
        Program::Agent { agent, .. } => {
            let resume = unit.session.as_ref().and_then(|keys| keys.resume.as_ref());
            let named = resume.is_some_and(|resume| !is_uuid(resume));
            (named && !profile(*agent).names_conversations()).then(|| {
                format!("{} has no names for conversations: give `resume` an id", agent.as_str())
            })
        }
        Program::Command(_) | Program::SystemdUnit(_) | Program::Builtin(_) => None,
    }
}

/// Whether a text is the id of a conversation, and no name of one.
pub(super) fn is_uuid(text: &str) -> bool {
    let digits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(digits)
}
