//! Which agents run on this machine besides ours, by what the profiles know of their programs and
//! the configuration of their sessions. Not here: how that is looked for
//! ([`crate::world::presence`]), and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::environment::of_unit;
use super::told::chain;
use crate::agents::{self, Invocation, Seen, profile};
use crate::config::{Agent, Config, Program, Unit};
use crate::decide::UnitName;
use crate::world::presence::{self, Call, Caller, Listed, Scope, Wanted};

/// Every agent program, so that a stranger in a session's directory is found whichever it is.
const AGENTS: [Agent; 4] = [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Opencode];

/// What a look is for, on behalf of the sessions of `config`. Reads their environment files: not for
/// the loop's thread.
pub fn scope(config: &Config, instance: &str) -> Scope {
    let mut gaps = Vec::new();
    let programs = AGENTS.map(|agent| {
        let sessions = config.units.values().filter_map(|unit| match &unit.program {
            Program::Agent { agent: of, command } if *of == agent => Some((unit, command)),
            Program::Agent { .. }
            | Program::Command(_)
            | Program::SystemdUnit(_)
            | Program::Builtin(_) => None,
        });
        let mut also = BTreeSet::new();
        let mut registries = BTreeSet::new();
        for (unit, command) in sessions {
            also.extend(command.iter().flat_map(|words| agents::names(words)));
            match registry(agent, unit) {
                Ok(folder) => registries.extend(folder),
                Err(why) => gaps.push(why),
            }
        }
        program(agent, also.into_iter().collect(), registries.into_iter().collect())
    });
    Scope { instance: instance.to_owned(), programs: programs.into(), gaps }
}

/// One program, with what its profile knows. `also` are other names of it here.
fn program(agent: Agent, also: Vec<String>, registries: Vec<PathBuf>) -> presence::Program {
    let called = move |caller: &Caller<'_>| {
        let Caller { name, program, arguments } = *caller;
        let seen = Seen { name, program, arguments };
        let Invocation { interactive, names } = agents::invocation(profile(agent), &also, &seen)?;
        Some(Call { interactive, names })
    };
    let listed = move |file: &[u8]| {
        let live = profile(agent).live(file)?;
        let names = [live.conversation].into_iter().chain(live.name).collect();
        Some(Listed { process: live.process, names, directory: live.directory })
    };
    presence::Program {
        name: agent.as_str(),
        called: Box::new(called),
        registries,
        listed: Box::new(listed),
    }
}

/// The one of the session's own user; none if its program has none, or its environment no home.
fn registry(agent: Agent, unit: &Unit) -> Result<Option<PathBuf>, String> {
    let environment = of_unit(unit, "", std::env::vars_os()).map_err(|error| {
        let (name, agent, why) = (&unit.name, agent.as_str(), chain(&error));
        format!("where {agent} lists the sessions of {name}'s user is not known: {why}")
    })?;
    let variable =
        |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned();
    Ok(profile(agent).places(&variable).and_then(|places| places.registry))
}

/// What is looked for on behalf of one session: its program in its directory, or any process that has
/// one of `names` (ids or names of conversations) open. None if it is no agent session, or its
/// directory is not there.
pub fn wanted(config: &Config, unit: &UnitName, names: BTreeSet<String>) -> Option<Wanted> {
    let Program::Agent { agent, .. } = &config.units.get(unit)?.program else { return None };
    let mut directories = directories(config);
    let directory = directories.remove(unit)?;
    let elsewhere = directories.into_values().filter(|it| *it != directory).collect();
    let unit = Some(unit.clone());
    Some(Wanted { program: agent.as_str(), names, directory, elsewhere, unit })
}

/// Where the agent sessions work, as the kernel names it. What is not there is left out.
pub fn directories(config: &Config) -> BTreeMap<UnitName, PathBuf> {
    let of = |unit: &Unit| {
        let directory = unit.directory.as_deref().unwrap_or_else(|| Path::new("."));
        directory.canonicalize().ok()
    };
    let agents = config.units.values().filter(|it| matches!(it.program, Program::Agent { .. }));
    agents.filter_map(|unit| Some((unit.name.clone(), of(unit)?))).collect()
}

/// The tmux sessions that a person would start under the names of ours.
pub fn labels(config: &Config) -> BTreeSet<String> {
    let sessions = config.units.values().filter_map(|unit| unit.session.as_ref());
    sessions.filter_map(|session| session.remote_control.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(program: &presence::Program, words: &[&str]) -> Option<Call> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        (program.called)(&Caller { name: b"x", program: None, arguments: &words })
    }

    #[test]
    fn a_program_is_told_by_its_profile_and_by_the_names_that_the_config_gives_it() {
        let claude = program(Agent::Claude, vec!["mine".into()], Vec::new());
        let call = called(&claude, &["/opt/mine", "--resume", "the-one"]).unwrap();
        assert_eq!(call, Call { interactive: true, names: vec!["the-one".into()] });
        assert!(!called(&claude, &["claude", "-p", "x"]).unwrap().interactive);
        assert_eq!(called(&claude, &["codex"]), None);
        let file = br#"{"pid":7,"sessionId":"a","cwd":"/w","procStart":"9","name":"the-one"}"#;
        let listed = (claude.listed)(file).unwrap();
        assert_eq!(listed.names, ["a", "the-one"]);
        assert_eq!(listed.directory, PathBuf::from("/w"));
    }
}
