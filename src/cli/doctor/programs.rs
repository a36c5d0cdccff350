//! What the units need: programs, folders, files.

use std::ffi::OsString;
use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Access;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Check;
use crate::cli::render::count;
use crate::config::{Agent, Config, Program, Unit};

/// A program that is only asked for its version answers at once, or not at all.
const ANSWER: Duration = Duration::from_secs(5);

/// For each unit what is amiss; one line for all that are well.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks: Vec<Check> = config.units.values().flat_map(unit_checks).collect();
    if checks.is_empty() {
        let units = count(config.units.len(), "unit");
        checks.push(Check::ok("units", format!("{units}: programs, folders and files are there")));
    }
    checks
}

fn unit_checks(unit: &Unit) -> impl Iterator<Item = Check> {
    [program(unit), directory(unit), environment_file(unit)].into_iter().flatten()
}

fn program(unit: &Unit) -> Option<Check> {
    let program = match &unit.program {
        Program::Command(words) | Program::Agent { command: Some(words), .. } => {
            words.first()?.as_str()
        }
        Program::Agent { agent, command: None } => usual(*agent),
        Program::SystemdUnit(_) | Program::Builtin(_) => return None,
    };
    if program.contains('/') {
        let from = unit.directory.clone().unwrap_or_default();
        return (!is_program(&from.join(program))).then(|| {
            let finding = format!("{program} is no program that can be started");
            Check::fail(unit.name.as_str(), finding, "install it, or correct `command`")
        });
    }
    if on_path(program, &search(unit)).is_some() {
        return None;
    }
    Some(Check::fail(
        unit.name.as_str(),
        format!("{program} is not on its PATH"),
        "install it, or add its folder to `path`",
    ))
}

/// The program of an agent, if nothing else is configured.
fn usual(agent: Agent) -> &'static str {
    match agent {
        Agent::Claude => "claude",
        Agent::Codex => "codex",
        Agent::Gemini => "gemini",
        Agent::Opencode => "opencode",
    }
}

/// The folders that are searched first for this unit's program; a `PATH` of its own replaces the
/// inherited one.
fn search(unit: &Unit) -> Vec<PathBuf> {
    let own = unit.environment.get("PATH");
    unit.path.iter().cloned().chain(own.into_iter().flat_map(std::env::split_paths)).collect()
}

/// Where `program` is found: in `first`, else on our own `PATH`.
pub(in crate::cli) fn on_path(program: &str, first: &[PathBuf]) -> Option<PathBuf> {
    let inherited: OsString = std::env::var_os("PATH").unwrap_or_default();
    first
        .iter()
        .cloned()
        .chain(std::env::split_paths(&inherited))
        .map(|dir| dir.join(program))
        .find(|path| is_program(path))
}

pub(in crate::cli) fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

fn directory(unit: &Unit) -> Option<Check> {
    let dir = unit.directory.as_ref().filter(|dir| !dir.is_dir())?;
    Some(Check::fail(
        unit.name.as_str(),
        format!("its directory {} is not there", dir.display()),
        "make it, or correct `directory`",
    ))
}

/// Only whether it can be opened: what is in it is secret.
fn environment_file(unit: &Unit) -> Option<Check> {
    let file = unit.environment_file.as_ref()?;
    let error = std::fs::File::open(file).err()?;
    Some(Check::fail(
        unit.name.as_str(),
        format!("its environment_file {} cannot be read: {error}", file.display()),
        "make it readable for the user that the supervisor runs as",
    ))
}

/// The first line that a program prints, if it does so soon.
pub(super) fn answer(program: &str, args: &[&str]) -> Result<String, String> {
    let (status, said) = output(Command::new(program).args(args), ANSWER)?;
    let said = String::from_utf8_lossy(&said);
    match said.lines().next() {
        Some(line) if status.success() => Ok(line.trim().to_owned()),
        Some(_) | None => Err(format!("does not say its version ({status})")),
    }
}

/// How a program ends, and what it prints until then, if it ends within `limit`; else it is ended,
/// with all that it has started.
pub(in crate::cli) fn output(
    command: &mut Command,
    limit: Duration,
) -> Result<(ExitStatus, Vec<u8>), String> {
    let (pipe, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    printed(command.stdout(writer).stderr(Stdio::null()), pipe, limit)
}

/// The same with what it prints on standard error.
pub(in crate::cli) fn all_output(
    command: &mut Command,
    limit: Duration,
) -> Result<(ExitStatus, Vec<u8>), String> {
    let (pipe, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let twin = writer.try_clone().map_err(|error| format!("no pipe: {error}"))?;
    printed(command.stdout(writer).stderr(twin), pipe, limit)
}

/// What a command prints into `pipe` before it ends.
fn printed(
    command: &mut Command,
    pipe: PipeReader,
    limit: Duration,
) -> Result<(ExitStatus, Vec<u8>), String> {
    let command = command.process_group(0).stdin(Stdio::null());
    let mut child = command.spawn().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        if missing { "not found on PATH".into() } else { format!("cannot be started: {error}") }
    })?;
    let in_time = ends_within(&child, limit);
    if !in_time {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // Gone already is as good.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    }
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    if !in_time {
        return Err(format!("does not answer within {} s", limit.as_secs()));
    }
    let said = said(pipe).map_err(|error| format!("garbled: {error}"))?;
    Ok((status, said))
}

/// What is in the pipe of a program that has ended. A child of it may hold the other end for ever.
fn said(mut pipe: PipeReader) -> std::io::Result<Vec<u8>> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let mut said = Vec::new();
    match pipe.read_to_end(&mut said) {
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(error),
        Ok(_) | Err(_) => Ok(said),
    }
}

fn ends_within(child: &Child, limit: Duration) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(pidfd) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        // Before Linux 5.3. The programs that are asked are known to end.
        return true;
    };
    let limit = Timespec::try_from(limit).ok();
    poll(&mut [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)], limit.as_ref())
        .is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::{answer, on_path};

    #[test]
    fn a_program_is_found_where_it_is_looked_for_first() {
        assert!(on_path("sh", &[]).is_some());
        assert!(on_path("no-such-program-anywhere", &[]).is_none());
        let first = [std::path::PathBuf::from("/nowhere"), "/bin".into()];
        assert_eq!(on_path("sh", &first), Some("/bin/sh".into()));
    }

    #[test]
    fn a_program_is_asked_and_its_silence_reported() {
        assert_eq!(answer("echo", &["one\ntwo"]), Ok("one".to_owned()));
        assert_eq!(answer("no-such-program", &[]), Err("not found on PATH".to_owned()));
        assert!(answer("false", &[]).is_err_and(|why| why.starts_with("does not say")));
    }
}
