//! `logs`: what a unit has put out. Read from the files, so that it works with the daemon dead; only
//! the pane of a living session, and which conversation is its own, is asked of the daemon. The log of a systemd unit is its journal,
//! which `journalctl` shows in our place.

mod transcript;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use self::transcript::Transcript;
use super::args::{self, Lines};
use super::client::Client;
use super::failure::Failure;
use super::render::put_raw;
use super::{Context, client};
use crate::config::{Config, Program};
use crate::decide::{UnitKind, UnitName};
use crate::world::logs::{Follower, Whole, read};
use crate::world::systemd::{Bus, Systemd};

/// The daemon's own log goes by a name that no unit can have.
const SUPERVISOR: &str = "supervisor";

/// Prints them, and what is added if asked to.
pub(super) fn run(context: &Context, args: &args::Logs) -> Result<(), Failure> {
    let (file, config) = context.config()?;
    let client = client(file, &config);
    let log = find(&config, &args.unit)?;
    match (log, args.screen) {
        (Log::Of(UnitKind::Session | UnitKind::Orchestrator, _), true) => {
            put_raw(screen(&client, &args.unit, false)?.as_bytes())
        }
        (Log::Of(UnitKind::Service, _) | Log::Left(_) | Log::Own(_) | Log::Journal(_), true) => {
            Err(Failure::Usage(format!(
                "{:?} is no session and has no screen: leave out --screen",
                args.unit
            )))
        }
        (Log::Of(UnitKind::Session | UnitKind::Orchestrator, path), false) => {
            match Transcript::of(&config, &client, &args.unit) {
                Some(transcript) => transcript.show(args.tail.lines, args.tail.follow),
                None => session(&client, &args.unit, &path, args.tail.lines, args.tail.follow),
            }
        }
        (Log::Of(UnitKind::Service, path) | Log::Left(path) | Log::Own(path), false) => {
            file_of(&path, args.tail.lines, args.tail.follow)
        }
        (Log::Journal(unit), false) => Err(journal(&unit, &args.tail)),
    }
}

/// Whose log, and where.
enum Log {
    /// A unit of the configuration.
    Of(UnitKind, PathBuf),
    /// A unit that the configuration no longer names.
    Left(PathBuf),
    /// The supervisor's own.
    Own(PathBuf),
    /// That of a systemd unit, by its name there.
    Journal(String),
}

fn find(config: &Config, name: &str) -> Result<Log, Failure> {
    let unknown = || Failure::NoSuchUnit {
        unit: name.to_owned(),
        known: config
            .units
            .keys()
            .map(|known| known.as_str().to_owned())
            .chain([SUPERVISOR.to_owned()])
            .collect(),
    };
    let path = config.supervisor.state_dir.join("logs").join(format!("{name}.log"));
    if name == SUPERVISOR {
        return Ok(Log::Own(path));
    }
    // What is no name must not become part of a path.
    let unit = UnitName::new(name).map_err(|_| unknown())?;
    match config.units.get(&unit) {
        Some(unit) => Ok(match &unit.program {
            Program::SystemdUnit(name) => Log::Journal(name.clone()),
            Program::Command(_) | Program::Builtin(_) | Program::Agent { .. } => {
                Log::Of(unit.kind, path)
            }
        }),
        None if path.exists() => Ok(Log::Left(path)),
        None => Err(unknown()),
    }
}

/// Becomes `journalctl`. Only a failure returns.
fn journal(unit: &str, tail: &args::Tail) -> Failure {
    let mut command = Command::new("journalctl");
    if manager_of(unit) != Bus::System {
        command.arg("--user");
    }
    command.arg(format!("--unit={unit}"));
    command.arg(match tail.lines {
        Lines(usize::MAX) => "--lines=all".to_owned(),
        Lines(lines) => format!("--lines={lines}"),
    });
    command.args(tail.follow.then_some("--follow"));
    let error = anyhow::Error::new(command.exec());
    let words = format!("cannot run journalctl, which has the log of {unit}: install systemd's");
    Failure::Failed(error.context(words))
}

/// The bus of the manager that has the unit, as the daemon finds it. Where nobody can be asked,
/// that of our own.
fn manager_of(unit: &str) -> Bus {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // The system's manager is root's only one.
    let asked = runtime.ok().filter(|_| Bus::ours() != Bus::System).and_then(|runtime| {
        runtime.block_on(Systemd::connect_for(unit)).ok().map(|systemd| systemd.bus().clone())
    });
    asked.unwrap_or_else(Bus::ours)
}

/// A log file, and what is added to it.
fn file_of(path: &Path, lines: Lines, follow: bool) -> Result<(), Failure> {
    let end = match lines {
        Lines(usize::MAX) => put_whole(path)?,
        Lines(_) => {
            let (past, end) = past(path, lines)?;
            put_raw(&past)?;
            end
        }
    };
    if !follow {
        return Ok(());
    }
    let cannot = || format!("cannot follow {}", path.display());
    for piece in Follower::new(path, end).with_context(cannot)? {
        put_raw(&piece.with_context(cannot)?)?;
    }
    Ok(())
}

/// All there is, which may be more than fits into memory; where it ends in the log.
fn put_whole(path: &Path) -> Result<u64, Failure> {
    let cannot = || format!("cannot read {}", path.display());
    let mut whole = Whole::open(path).with_context(cannot)?;
    while let Some(block) = whole.next_block().with_context(cannot)? {
        put_raw(&block)?;
    }
    Ok(whole.offset())
}

fn past(path: &Path, lines: Lines) -> Result<(Vec<u8>, u64), Failure> {
    Ok(read(path, lines.0).with_context(|| format!("cannot read {}", path.display()))?)
}

/// The last screens of the dead, then the pane of the living with all that has scrolled away.
fn session(
    client: &Client,
    unit: &str,
    path: &Path,
    lines: Lines,
    follow: bool,
) -> Result<(), Failure> {
    if follow {
        return Err(Failure::Usage(format!(
            "{unit:?} is a session, which redraws its screen: `supervisor attach {unit}` follows it"
        )));
    }
    let (mut text, _) = past(path, lines)?;
    match screen(client, unit, true) {
        Ok(screen) => text.extend(screen.bytes()),
        // The dead can be read without the daemon, and of a session that is down there is no pane.
        Err(Failure::NoDaemon { .. }) => {}
        Err(failure @ Failure::Failed(_)) if !text.is_empty() => {
            super::note(&format!("only the dead are shown: {failure}"));
        }
        Err(failure) => return Err(failure),
    }
    let from = start_of_last(&text, lines.0);
    put_raw(text.get(from..).unwrap_or_default())
}

/// Where the last `lines` lines begin.
fn start_of_last(text: &[u8], lines: usize) -> usize {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if lines == 0 {
        return text.len();
    }
    let mut breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    breaks.nth(lines - 1).map_or(0, |(at, _)| at + 1)
}

/// A pane as text, without the empty lines below what was written.
fn screen(client: &Client, unit: &str, history: bool) -> Result<String, Failure> {
    Ok(match client.screen(unit, history)?.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::start_of_last;

    #[test]
    fn the_last_lines_are_counted_with_and_without_an_end() {
        for (text, lines, last) in [
            ("", 3, ""),
            ("a\nb\nc\n", 0, ""),
            ("a\nb\nc\n", 1, "c\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\nc\n", 3, "a\nb\nc\n"),
            ("a\nb\nc\n", 9, "a\nb\nc\n"),
            ("a\n\n\n", 2, "\n\n"),
        ] {
            let from = start_of_last(text.as_bytes(), lines);
            assert_eq!(text.get(from..), Some(last), "{text:?} {lines}");
        }
    }
}
