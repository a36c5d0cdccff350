//! What every story of a demo is made of: the supervisor begins and ends, somebody is told
//! something, something is killed, and who is who is looked up in /proc. Not here: any one story.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::house::House;
use super::teller::{Halt, Teller, length};
use crate::cli::failure::Failure;
use crate::cli::{Context, reload};
use crate::decide::Process;
use crate::protocol::{Status, UnitStatus, Units, Verb};
use crate::world::procs;

/// The first thing in every story; the snapshot when all units are up.
pub(super) fn start_supervisor(house: &mut House, tell: &mut Teller) -> Result<Status, Halt> {
    tell.command("supervisor run")?;
    house.start_daemon()?;
    let status = settled(house, tell)?;
    identities(house, &status)?;
    Ok(status)
}

/// Tells the builder something, and waits until it shows; what shows.
pub(super) fn tell_builder<T>(
    house: &House,
    tell: &mut Teller,
    text: &str,
    what: &str,
    look: impl FnMut() -> Result<Option<T>, Halt>,
) -> Result<T, Halt> {
    tell.command(&format!("supervisor tell builder '{text}'"))?;
    let (unit, text) = ("builder".to_owned(), text.to_owned());
    let verb = Verb::Tell { unit, text, expires_s: None, id: None };
    let client = house.client();
    let telling = std::thread::spawn(move || client.wish(verb, "the builder to take the task"));
    let seen = tell.until(what, look);
    // Why it does not work is known to who told it.
    join(tell, telling, "the builder has taken the task")?;
    seen
}

/// Kills the supervisor, and sees to it that the units live on without one.
pub(super) fn kill_supervisor(
    house: &mut House,
    tell: &mut Teller,
    before: &BTreeMap<&'static str, Process>,
) -> Result<(), Halt> {
    let daemon = house.daemon().ok_or_else(|| Halt::Missed("a supervisor runs".to_owned()))?;
    tell.command(&format!("kill -9 {}", daemon.pid))?;
    house.kill_daemon()?;
    if house.status()?.is_some() {
        return Err(Halt::Missed("no supervisor runs".to_owned()));
    }
    living(before)
}

/// Waits until a new supervisor has found all units again, as they were.
pub(super) fn adopted(
    house: &House,
    tell: &mut Teller,
    status: &Status,
    before: &BTreeMap<&'static str, Process>,
) -> Result<(), Halt> {
    let after = tell.until("all units are found again", || all_up(house))?;
    if house.daemon().map(|daemon| daemon.pid) != Some(after.supervisor.pid) {
        return Err(Halt::Missed("the new supervisor is the one that answers".to_owned()));
    }
    same(before, &identities(house, &after)?)?;
    same_restarts(house, status, &after)
}

/// The last step: everything ends, and nothing is left of it. `parting` is what else there is to
/// see once all units are down.
pub(super) fn stop(
    house: &mut House,
    tell: &mut Teller,
    parting: impl FnOnce(&House, &mut Teller) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let before = identities(house, &settled(house, tell)?)?;
    let daemon = house.daemon().ok_or_else(|| Halt::Missed("a supervisor runs".to_owned()))?;
    tell.step("Stop everything", "Gracefully, and to the last process.")?;
    tell.command("supervisor stop --all")?;
    let client = house.client();
    let verb = Verb::Stop(Units { units: Vec::new(), all: true });
    ask(tell, "all units to be down", move || client.wish(verb, "all units to be down"))?;
    let took = length(tell.since_act());
    let left = house.inhabitants();
    if !left.is_empty() || before.values().any(|process| procs::is_alive(*process)) {
        return Err(Halt::Missed(format!("no process is left: {left:?}")));
    }
    tell.claim(&format!("all down after {took}; no process in /proc carries this house's mark"))?;
    parting(house, tell)?;
    let by_itself = house.dismiss_daemon()?;
    if !by_itself || procs::is_alive(daemon) {
        return Err(Halt::Missed("the supervisor leaves when asked to".to_owned()));
    }
    let who = if house.home().is_some() {
        "the supervisor and the stand-in have"
    } else {
        "the supervisor has"
    };
    house.end_home();
    house.remove()?;
    if house.folder().exists() {
        return Err(Halt::Missed(format!("{} is removed", house.folder().display())));
    }
    tell.claim(&format!("{who} left, and the folder is removed"))
}

/// Kills a unit's process and waits until there is another one; which.
pub(super) fn kill_and_see_back(
    house: &House,
    tell: &mut Teller,
    name: &str,
    old: Process,
) -> Result<Process, Halt> {
    tell.command(&format!("kill -9 {}", old.pid))?;
    kill(Pid::from_raw(old.pid), Signal::SIGKILL)
        .with_context(|| format!("cannot kill {name}, pid {}", old.pid))?;
    let new = tell.until(&format!("{name} is back"), || {
        let unit = house.status()?.and_then(|status| unit(&status, name));
        let pid = unit.filter(|unit| unit.state == "up").and_then(|unit| unit.pid);
        Ok(pid.and_then(procs::identify).filter(|new| *new != old && procs::is_alive(*new)))
    })?;
    let took = length(tell.since_act());
    if procs::is_alive(old) {
        return Err(Halt::Missed(format!("pid {} is gone", old.pid)));
    }
    let (old, pid) = (old.pid, new.pid);
    tell.claim(&format!("pid {old} is gone, pid {pid} is in its place {took} after the kill"))?;
    Ok(new)
}

pub(super) fn reload(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let context = Context { config: Some(house.config().to_owned()), json: false };
    ask(tell, "the supervisor to come back", move || reload::reload(&context))?;
    Ok(())
}

/// Asks the daemon for something that takes a while, showing meanwhile what it writes down.
pub(super) fn ask<T: Send + 'static>(
    tell: &mut Teller,
    what: &str,
    verb: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Halt> {
    join(tell, std::thread::spawn(verb), what)
}

pub(super) fn join<T>(
    tell: &mut Teller,
    asking: JoinHandle<Result<T, Failure>>,
    what: &str,
) -> Result<T, Halt> {
    tell.until(what, || Ok(asking.is_finished().then_some(())))?;
    let answer = asking.join().map_err(|_| Failure::failed("a thread of the demo panicked"))?;
    Ok(answer?)
}

/// The snapshot, once all units of the demo are up in it.
pub(super) fn all_up(house: &House) -> Result<Option<Status>, Halt> {
    let Some(status) = house.status()?.filter(|status| status.supervisor.ready) else {
        return Ok(None);
    };
    let mut up = true;
    for name in house.cast() {
        let Some(unit) = unit(&status, name) else { return Ok(None) };
        if matches!(unit.state.as_str(), "given_up" | "held") {
            return Err(Halt::Missed(format!("{name} comes up: {}", unit.why)));
        }
        up &= unit.state == "up";
    }
    Ok(up.then_some(status))
}

pub(super) fn settled(house: &House, tell: &mut Teller) -> Result<Status, Halt> {
    tell.until("all units are up", || all_up(house))
}

pub(super) fn unit(status: &Status, name: &str) -> Option<UnitStatus> {
    status.units.iter().find(|unit| unit.name == name).cloned()
}

/// Who the units are, as /proc knows the pids that the snapshot names.
pub(super) fn identities(
    house: &House,
    status: &Status,
) -> Result<BTreeMap<&'static str, Process>, Halt> {
    let identity = |name: &'static str| {
        let pid = unit(status, name).and_then(|unit| unit.pid);
        let process = pid.and_then(procs::identify).filter(|process| procs::is_alive(*process));
        let process = process.ok_or_else(|| Halt::Missed(format!("{name} lives in /proc")))?;
        Ok((name, process))
    };
    house.cast().iter().copied().map(identity).collect()
}

pub(super) fn of(processes: &BTreeMap<&str, Process>, name: &str) -> Result<Process, Halt> {
    processes.get(name).copied().ok_or_else(|| Halt::Missed(format!("{name} has a process")))
}

pub(super) fn living(processes: &BTreeMap<&str, Process>) -> Result<(), Halt> {
    match processes.iter().find(|(_, process)| !procs::is_alive(**process)) {
        None => Ok(()),
        Some((name, process)) => {
            Err(Halt::Missed(format!("{name} lives on as pid {}", process.pid)))
        }
    }
}

pub(super) fn same(
    before: &BTreeMap<&str, Process>,
    after: &BTreeMap<&str, Process>,
) -> Result<(), Halt> {
    living(before)?;
    if before == after {
        return Ok(());
    }
    Err(Halt::Missed(format!("the units are the same: {before:?} and then {after:?}")))
}

pub(super) fn same_restarts(house: &House, before: &Status, after: &Status) -> Result<(), Halt> {
    let total = |status, name| unit(status, name).map(|unit| unit.restarts.total);
    match house.cast().iter().find(|name| total(before, name) != total(after, name)) {
        None => Ok(()),
        Some(name) => Err(Halt::Missed(format!("{name} was not restarted"))),
    }
}

/// All others are who they were.
pub(super) fn untouched(
    house: &House,
    tell: &mut Teller,
    before: &BTreeMap<&'static str, Process>,
    but: &str,
) -> Result<(), Halt> {
    let others = |all: &BTreeMap<&'static str, Process>| {
        let mut others = all.clone();
        others.remove(but);
        others
    };
    same(&others(before), &others(&identities(house, &settled(house, tell)?)?))
}

/// The builder's screen, if `text` is on it.
pub(super) fn shows(house: &House, text: &str) -> Result<Option<String>, Halt> {
    shows_of(house, "builder", text)
}

/// An agent's screen, if `text` is on it.
pub(super) fn shows_of(house: &House, name: &str, text: &str) -> Result<Option<String>, Halt> {
    let screen = house.client().screen(name, false)?;
    Ok(Some(screen).filter(|screen| screen.contains(text)))
}

pub(super) fn last_lines(screen: &str, lines: usize) -> Vec<&str> {
    let all: Vec<&str> = screen.trim_end().lines().collect();
    all.iter().skip(all.len().saturating_sub(lines)).copied().collect()
}
