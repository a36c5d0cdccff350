//! What the agent sessions need besides what every unit needs: a program of a version that we know,
//! a login, a folder for its state, its start dialogs answered, a kickoff prompt that fits. What is
//! asked of the program itself is asked with the unit's environment; what it says of secrets, or on
//! standard error, is shown to nobody.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::Check;
use super::places::writable;
use super::programs::{all_output, is_program, output};
use crate::agents::{Account, Profile, Seed, SeedValue, StartFacts, profile};
use crate::cli::render::count;
use crate::config::{Config, Program, Unit};
use crate::daemon::{Environment, chain, environment_of};
use crate::world::json_keys::{self, Key, Wanted};
use crate::world::procs::{INSTANCE_VARIABLE, UNIT_VARIABLE};

/// The most that the kernel passes on as one argument, in bytes: 32 pages with the end.
const ARGUMENT_MAX: u64 = 131_071;

/// The programs are large: the first look at one may have to read it from a slow disk.
const ANSWER: Duration = Duration::from_secs(20);

/// A login that ends sooner is worth a word.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// For each agent session all that it needs.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let sessions = config.units.values().filter_map(Session::of);
    sessions.flat_map(|session| session.checks()).collect()
}

/// An agent session whose program has a profile.
struct Session<'c> {
    unit: &'c Unit,
    profile: &'static dyn Profile,
    /// The program and its first arguments, if not the usual one.
    command: Option<&'c [String]>,
}

impl<'c> Session<'c> {
    fn of(unit: &'c Unit) -> Option<Self> {
        let Program::Agent { agent, command } = &unit.program else {
            return None;
        };
        Some(Self { unit, profile: profile(*agent), command: command.as_deref() })
    }

    fn name(&self, what: &str) -> String {
        format!("{}: {what}", self.unit.name)
    }

    fn checks(&self) -> Vec<Check> {
        let inherited = std::env::vars_os();
        // The marks would make what we ask for one of the unit's processes.
        let environment = environment_of(self.unit, "", inherited).map(|mut environment| {
            environment.remove(OsStr::new(UNIT_VARIABLE));
            environment.remove(OsStr::new(INSTANCE_VARIABLE));
            for (name, value) in self.profile.environment() {
                environment.entry((*name).into()).or_insert_with(|| (*value).into());
            }
            environment
        });
        let environment = match environment {
            Ok(environment) => environment,
            Err(error) => {
                let name = self.name("environment");
                return vec![Check::fail(&name, chain(&error), "correct its environment_file")];
            }
        };
        let mut checks = self.of_the_program(&environment);
        checks.extend(self.of_the_start(&environment));
        checks.extend(self.prompt_file());
        checks
    }

    /// Its version and its login. One that is not there is told with the units' other needs.
    fn of_the_program(&self, environment: &Environment) -> Vec<Check> {
        let Some(program) = self.program(environment) else {
            return Vec::new();
        };
        let ask = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.args(self.command.into_iter().flatten().skip(1)).args(arguments);
            command.env_clear().envs(environment).current_dir(self.directory());
            command
        };
        let version = output(&mut ask(&["--version"]), ANSWER).and_then(|(status, said)| {
            let said = String::from_utf8_lossy(&said);
            // Some say their name first.
            let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
            let version = said.split_whitespace().find(is_version).map(str::to_owned);
            version
                .filter(|_| status.success())
                .ok_or_else(|| "does not say its version".to_owned())
        });
        let login = self.profile.account_arguments().map(|arguments| {
            let printed = output(&mut ask(arguments), ANSWER)?;
            let account = self.profile.account(&printed.1).or_else(|| {
                // Some say it on standard error, where others complain of this and that.
                let (_, said) = all_output(&mut ask(arguments), ANSWER).ok()?;
                self.profile.account(&said)
            });
            account.ok_or_else(|| "what it says of its login cannot be read".to_owned())
        });
        let known = self.profile.known_versions();
        let version = version_check(&self.name("version"), &program, version, known);
        let login = login.map(|it| login_check(&self.name("login"), it, SystemTime::now()));
        [version].into_iter().chain(login).collect()
    }

    fn program(&self, environment: &Environment) -> Option<PathBuf> {
        let usual = || self.profile.program();
        let program =
            self.command.and_then(|words| words.first()).map_or_else(usual, String::as_str);
        if program.contains('/') {
            return Some(self.directory().join(program)).filter(|program| is_program(program));
        }
        let folders = environment.get(OsStr::new("PATH")).map(OsString::as_os_str);
        let mut programs = std::env::split_paths(folders?).map(|folder| folder.join(program));
        programs.find(|program| is_program(program))
    }

    /// As the kernel names it, where it is there.
    fn directory(&self) -> PathBuf {
        let directory = self.unit.directory.clone();
        let directory = directory.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        directory.canonicalize().unwrap_or(directory)
    }

    /// Whether it would refuse to start, where it keeps its state, and what it would ask at first.
    fn of_the_start(&self, environment: &Environment) -> Vec<Check> {
        let directory = self.directory();
        let variable = |name: &str| environment.get(OsStr::new(name)).cloned();
        let facts = StartFacts {
            root: rustix::process::geteuid().is_root(),
            directory: &directory,
            args: self.unit.session.as_ref().map_or(&[], |session| session.args.as_slice()),
            variable: &variable,
        };
        let mut checks = Vec::new();
        if let Some(refusal) = self.profile.refusal(&facts) {
            let remedy = "until then it is not started";
            checks.push(Check::fail(&self.name("start"), refusal, remedy));
        }
        let name = self.name("state");
        let Some(places) = self.profile.places(&variable) else {
            let remedy = "set HOME in its `environment`";
            checks.push(Check::fail(&name, "its environment names no place for it", remedy));
            return checks;
        };
        let folders = [&places.config_file, &places.settings_file].map(|file| file.parent());
        let folders: BTreeSet<&Path> = folders.into_iter().flatten().collect();
        checks.extend(folders.into_iter().map(|folder| writable(&name, folder)));
        let seeds = self.profile.seeds(&places, &facts);
        let are_added = self.unit.session.as_ref().is_none_or(|session| session.seed);
        checks.push(dialogs_check(&self.name("start dialogs"), &seeds, are_added));
        checks
    }

    fn prompt_file(&self) -> Option<Check> {
        let file = self.unit.session.as_ref()?.prompt_file.as_ref()?;
        let name = self.name("prompt_file");
        let shown = file.display();
        let too_long = |length: u64| {
            let finding = format!("{shown} has {length} bytes, of at most {ARGUMENT_MAX}");
            Check::fail(&name, finding, "make it shorter: let it name a file that the agent reads")
        };
        let length = file.metadata().map(|meta| meta.len());
        if let Some(length) = length.ok().filter(|length| *length > 2 * ARGUMENT_MAX) {
            return Some(too_long(length));
        }
        Some(match std::fs::read_to_string(file) {
            // Blanks at the end are not passed on.
            Ok(prompt) => match prompt.trim_end().len() as u64 {
                0 => Check::warn(
                    &name,
                    format!("{shown} is empty"),
                    "write the first prompt into it",
                ),
                length if length > ARGUMENT_MAX => too_long(length),
                length => Check::ok(&name, format!("{shown}, {length} bytes")),
            },
            Err(error) => unreadable(&name, file, &error),
        })
    }
}

fn unreadable(name: &str, file: &Path, error: &std::io::Error) -> Check {
    let remedy = "make it a text that the user can read whom the supervisor runs as";
    Check::fail(name, format!("{} cannot be read: {error}", file.display()), remedy)
}

fn version_check(
    name: &str,
    program: &Path,
    version: Result<String, String>,
    known: &[&str],
) -> Check {
    let shown = program.display();
    match version {
        Ok(version) if known.contains(&version.as_str()) => {
            Check::ok(name, format!("{version} ({shown})"))
        }
        Ok(version) => Check::warn(
            name,
            format!("{version} ({shown}) has never been tried; {} have", known.join(" and ")),
            "watch its first start, or install one of those",
        ),
        Err(why) => {
            Check::fail(name, format!("{shown} {why}"), "run it by hand to see what it wants")
        }
    }
}

fn login_check(name: &str, account: Result<Account, String>, now: SystemTime) -> Check {
    const LOG_IN: &str = "log in by hand as this user, or put a key or token into its \
                          environment_file";
    let account = match account {
        Ok(account) => account,
        Err(why) => return Check::warn(name, why, "run it by hand to see whether it is logged in"),
    };
    if !account.logged_in {
        return Check::fail(name, "it is not logged in", LOG_IN);
    }
    let by = account.method.map(|method| format!("by {method}"));
    let by = by.unwrap_or_else(|| "by means it does not name".to_owned());
    let Some(expires) = account.expires else {
        return Check::ok(name, by);
    };
    let until = jiff::Timestamp::try_from(expires).map(|at| format!("{at:.0}")).unwrap_or_default();
    if expires <= now {
        return Check::fail(name, format!("{by}, expired at {until}"), LOG_IN);
    }
    if expires.duration_since(now).is_ok_and(|left| left < SOON) {
        return Check::warn(name, format!("{by}, expires at {until}"), LOG_IN);
    }
    Check::ok(name, format!("{by}, until {until}"))
}

/// Which answers stand already. Keys are named, values never: some are parts of secrets.
fn dialogs_check(name: &str, seeds: &[Seed], are_added: bool) -> Check {
    let mut lacking = Vec::new();
    for Seed { file, keys } in seeds {
        match json_keys::missing(file, &wanted(keys)) {
            Ok(paths) => {
                lacking.extend(
                    paths.iter().map(|path| format!("{} in {}", key(path), file.display())),
                );
            }
            Err(error) => {
                let remedy = "repair it, or move it away: nothing is added to it as it is";
                return Check::fail(name, chain(&error), remedy);
            }
        }
    }
    if lacking.is_empty() {
        return Check::ok(name, "all are answered beforehand");
    }
    let keys = count(lacking.len(), "key");
    if !are_added {
        let finding = format!("{keys} lacking, and `seed` is off: {}", lacking.join(", "));
        return Check::warn(name, finding, "add what its first start would ask for by hand");
    }
    Check::ok(name, format!("{keys} will be added at its first start: {}", lacking.join(", ")))
}

fn wanted(keys: &[(Vec<String>, SeedValue)]) -> Vec<Key> {
    let wanted = |value: &SeedValue| match value {
        SeedValue::Is(value) => Wanted::Is(value.clone()),
        SeedValue::Default(value) => Wanted::Default(value.clone()),
        SeedValue::Contains(value) => Wanted::Contains(value.clone()),
    };
    keys.iter().map(|(path, value)| Key { path: path.clone(), wanted: wanted(value) }).collect()
}

/// A path of keys as a person writes it: what is no plain name stands in brackets.
fn key(path: &[String]) -> String {
    let mut shown = String::new();
    for key in path {
        let is_name = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            shown.push_str(&format!("[{key:?}]"));
        } else {
            shown.push_str(if shown.is_empty() { "" } else { "." });
            shown.push_str(key);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
