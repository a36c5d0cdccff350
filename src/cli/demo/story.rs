//! What happens in a demo, step by step. Whatever is claimed was looked for in /proc, in the log or
//! on the screen: the daemon is not taken at its word.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::agent::{DONE, PROMPT, WORKING};
use super::house::House;
use super::lines::{Life, lives};
use super::teller::{Halt, Teller, length};
use crate::cli::failure::Failure;
use crate::cli::{Context, reload, status};
use crate::decide::Process;
use crate::protocol::{Status, UnitStatus, Units, Verb};
use crate::world::logs;
use crate::world::procs;

/// The units that live from the first step to the last.
const UNITS: [&str; 3] = ["adversary", "builder", "counter"];

const TASK: &str = "build a bridge";

/// So many lines are proof enough that the service writes on.
const MEANWHILE: u64 = 10;

/// How much of a screen is quoted.
const QUOTED: usize = 4;

/// The first seven steps: they leave the house running.
pub(super) fn live(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    start(house, tell)?;
    task(house, tell)?;
    kill_agent(house, tell)?;
    kill_service(house, tell)?;
    kill_supervisor(house, tell)?;
    replace_supervisor(house, tell)?;
    crash_loop(house, tell)
}

fn start(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Start the supervisor",
        "Its configuration names a service that writes numbered lines, and two agents, which are \
         sessions in tmux.",
    )?;
    tell.command("supervisor run")?;
    house.start_daemon()?;
    let status = tell.until("all three units are up", || all_up(house))?;
    let took = length(tell.since_act());
    identities(&status)?;
    tell.claim(&format!("the service and both agents are up after {took}"))?;
    tell.command("supervisor status")?;
    tell.output(|view| status::text(&status, None, view))
}

fn task(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Give the builder something to do",
        "The text is typed into its terminal, and Enter pressed once the text is seen there.",
    )?;
    tell.command(&format!("supervisor tell builder '{TASK}'"))?;
    let verb = Verb::Tell { unit: "builder".to_owned(), text: TASK.to_owned() };
    let client = house.client();
    let telling = std::thread::spawn(move || client.wish(verb, "the builder to take the task"));
    let seen = tell.until("the builder works", || shows(house, WORKING));
    // Why it does not work is known to who told it.
    join(tell, telling, "the builder has taken the task")?;
    let working = seen?;
    tell.claim("it arrived, and the builder works:")?;
    tell.quote(last_lines(&working, 1))?;
    let idle = tell.until("the builder is done", || {
        Ok(shows(house, DONE)?.filter(|screen| screen.trim_end().ends_with(PROMPT)))
    })?;
    let took = length(tell.since_act());
    tell.claim(&format!("done, and idle again after {took}:"))?;
    tell.quote(last_lines(&idle, 2))
}

fn kill_agent(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let before = identities(&settled(house, tell)?)?;
    let old = of(&before, "builder")?;
    tell.step("Kill the builder", "As a crash would, with no warning.")?;
    kill_and_see_back(house, tell, "builder", old)?;
    let log = house.log("builder");
    let head = format!("pid {} killed by SIGKILL", old.pid);
    let kept = tell.until("its last screen is kept", || {
        let text = read(&log)?;
        Ok(text.find(&head).and_then(|at| text.get(at..)).map(str::to_owned))
    })?;
    if !kept.contains(TASK) {
        return Err(Halt::Missed(format!("{} holds its last screen", log.display())));
    }
    tell.command("supervisor logs builder")?;
    tell.claim("its last screen was kept:")?;
    tell.quote(kept.lines().skip(1).take(QUOTED))?;
    untouched(house, tell, &before, "builder")
}

fn kill_service(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let before = identities(&settled(house, tell)?)?;
    let old = of(&before, "counter")?;
    tell.step("Kill the service", "In the middle of its lines.")?;
    let new = kill_and_see_back(house, tell, "counter", old)?;
    let both = tell.until("the log tells of both lives", || {
        Ok(Some(counted(house)?).filter(|lives| {
            lives.last().is_some_and(|life| life.pid == new.pid && life.lines >= 2)
        }))
    })?;
    let [first, second] = both.as_slice() else {
        return Err(Halt::Missed(format!("the log tells of two lives: {both:?}")));
    };
    if first.pid != old.pid {
        return Err(Halt::Missed(format!("the first life was that of {}: {both:?}", old.pid)));
    }
    let (of_old, of_new) = (first.lines, second.lines);
    tell.claim(&format!(
        "its log has lines 1 to {of_old} of the old life and 1 to {of_new} of the new: none lost, \
         none doubled"
    ))?;
    untouched(house, tell, &before, "counter")
}

fn kill_supervisor(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(&status)?;
    let daemon = status.supervisor.pid;
    tell.step(
        "Kill the supervisor itself",
        "What it keeps must not die with it, and must be known again when it comes back.",
    )?;
    tell.command(&format!("kill -9 {daemon}"))?;
    house.kill_daemon()?;
    let at_kill = written(house)?;
    let meanwhile = tell.until("the service writes on", || {
        let more = written(house)? - at_kill;
        Ok((more >= MEANWHILE).then_some(more))
    })?;
    if house.status()?.is_some() {
        return Err(Halt::Missed("no supervisor runs".to_owned()));
    }
    living(&before)?;
    tell.claim("no supervisor runs; the service and both agents live on under their pids")?;
    tell.claim(&format!("the service wrote {meanwhile} more lines meanwhile"))?;

    tell.command("supervisor run")?;
    house.start_daemon()?;
    let after = tell.until("all three units are found again", || all_up(house))?;
    let took = length(tell.since_act());
    if house.daemon().map(|daemon| daemon.pid) != Some(after.supervisor.pid) {
        return Err(Halt::Missed("the new supervisor is the one that answers".to_owned()));
    }
    same(&before, &identities(&after)?)?;
    same_restarts(&status, &after)?;
    counted(house)?;
    tell.claim(&format!(
        "back after {took}; it adopted all three: same pids, nothing restarted, no line lost"
    ))
}

fn replace_supervisor(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(&status)?;
    let daemon = house.daemon().ok_or_else(|| Halt::Missed("a supervisor runs".to_owned()))?;
    let image = image(daemon)?;
    tell.step(
        "Replace the supervisor in place",
        "As an upgrade does: the running process becomes the new program.",
    )?;
    tell.command("supervisor reload")?;
    reload(house, tell)?;
    let after = tell.until("the new program has taken over", || {
        if self::image(daemon)? == image { Ok(None) } else { all_up(house) }
    })?;
    let took = length(tell.since_act());
    if after.supervisor.pid != daemon.pid || !procs::is_alive(daemon) {
        return Err(Halt::Missed(format!("pid {} is still the supervisor", daemon.pid)));
    }
    same(&before, &identities(&after)?)?;
    same_restarts(&status, &after)?;
    counted(house)?;
    tell.claim(&format!("pid {} runs the program anew, {took} after the call", daemon.pid))?;
    tell.claim("same units under the same pids, no line lost")
}

fn crash_loop(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(&status)?;
    tell.step(
        "Add a service that cannot live",
        "It ends as soon as it has begun. The first restart comes at once, the next ones ever \
         later, and after the fifth death in a minute it is given up.",
    )?;
    house.add_broken()?;
    tell.command("supervisor reload")?;
    reload(house, tell)?;
    let given_up = tell.until("the service is given up", || {
        let unit = house.status()?.and_then(|status| unit(&status, "broken"));
        Ok(unit.filter(|unit| unit.state == "given_up"))
    })?;
    let took = length(tell.since_act());
    let starts = read(&house.log("broken"))?.lines().count();
    if starts != 5 {
        return Err(Halt::Missed(format!("it was started 5 times, not {starts}")));
    }
    if given_up.next_wake.is_none() {
        return Err(Halt::Missed("it will be tried once more".to_owned()));
    }
    tell.claim(&format!(
        "given up after {starts} starts and {took}; in half a minute it gets one more chance"
    ))?;
    let after = tell.until("the others are up", || all_up(house))?;
    same(&before, &identities(&after)?)?;
    same_restarts(&status, &after)?;
    tell.claim("the others did not notice: same pids")?;
    tell.command("supervisor status")?;
    tell.output(|view| status::text(&after, None, view))
}

/// The last step: everything ends, and nothing is left of it.
pub(super) fn stop(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let before = identities(&settled(house, tell)?)?;
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
    let by_itself = house.dismiss_daemon()?;
    if !by_itself || procs::is_alive(daemon) {
        return Err(Halt::Missed("the supervisor leaves when asked to".to_owned()));
    }
    house.remove()?;
    if house.folder().exists() {
        return Err(Halt::Missed(format!("{} is removed", house.folder().display())));
    }
    tell.claim("the supervisor has left, and the folder is removed")
}

/// Kills a unit's process and waits until there is another one; which.
fn kill_and_see_back(
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

fn reload(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let context = Context { config: Some(house.config().to_owned()), json: false };
    ask(tell, "the supervisor to come back", move || reload::reload(&context))?;
    Ok(())
}

/// Asks the daemon for something that takes a while, showing meanwhile what it writes down.
fn ask<T: Send + 'static>(
    tell: &mut Teller,
    what: &str,
    verb: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Halt> {
    join(tell, std::thread::spawn(verb), what)
}

fn join<T>(
    tell: &mut Teller,
    asking: JoinHandle<Result<T, Failure>>,
    what: &str,
) -> Result<T, Halt> {
    tell.until(what, || Ok(asking.is_finished().then_some(())))?;
    let answer = asking.join().map_err(|_| Failure::failed("a thread of the demo panicked"))?;
    Ok(answer?)
}

/// The snapshot, once all units of the demo are up in it.
fn all_up(house: &House) -> Result<Option<Status>, Halt> {
    let Some(status) = house.status()?.filter(|status| status.supervisor.ready) else {
        return Ok(None);
    };
    let mut up = true;
    for name in UNITS {
        let Some(unit) = unit(&status, name) else { return Ok(None) };
        if matches!(unit.state.as_str(), "given_up" | "held") {
            return Err(Halt::Missed(format!("{name} comes up: {}", unit.why)));
        }
        up &= unit.state == "up";
    }
    Ok(up.then_some(status))
}

fn settled(house: &House, tell: &mut Teller) -> Result<Status, Halt> {
    tell.until("all three units are up", || all_up(house))
}

fn unit(status: &Status, name: &str) -> Option<UnitStatus> {
    status.units.iter().find(|unit| unit.name == name).cloned()
}

/// Who the units are, as /proc knows the pids that the snapshot names.
fn identities(status: &Status) -> Result<BTreeMap<&'static str, Process>, Halt> {
    let identity = |name: &'static str| {
        let pid = unit(status, name).and_then(|unit| unit.pid);
        let process = pid.and_then(procs::identify).filter(|process| procs::is_alive(*process));
        let process = process.ok_or_else(|| Halt::Missed(format!("{name} lives in /proc")))?;
        Ok((name, process))
    };
    UNITS.into_iter().map(identity).collect()
}

fn of(processes: &BTreeMap<&str, Process>, name: &str) -> Result<Process, Halt> {
    processes.get(name).copied().ok_or_else(|| Halt::Missed(format!("{name} has a process")))
}

fn living(processes: &BTreeMap<&str, Process>) -> Result<(), Halt> {
    match processes.iter().find(|(_, process)| !procs::is_alive(**process)) {
        None => Ok(()),
        Some((name, process)) => {
            Err(Halt::Missed(format!("{name} lives on as pid {}", process.pid)))
        }
    }
}

fn same(before: &BTreeMap<&str, Process>, after: &BTreeMap<&str, Process>) -> Result<(), Halt> {
    living(before)?;
    if before == after {
        return Ok(());
    }
    Err(Halt::Missed(format!("the units are the same: {before:?} and then {after:?}")))
}

fn same_restarts(before: &Status, after: &Status) -> Result<(), Halt> {
    let total = |status, name| unit(status, name).map(|unit| unit.restarts.total);
    match UNITS.iter().find(|name| total(before, name) != total(after, name)) {
        None => Ok(()),
        Some(name) => Err(Halt::Missed(format!("{name} was not restarted"))),
    }
}

/// All others are who they were.
fn untouched(
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
    same(&others(before), &others(&identities(&settled(house, tell)?)?))
}

/// What tells one program in a process from the next: an exec gives it another environment, and
/// places it anew in memory.
fn image(process: Process) -> Result<(Vec<u8>, Vec<u8>), Halt> {
    let read = |name: &str| {
        let path = format!("/proc/{}/{name}", process.pid);
        std::fs::read(&path).with_context(|| format!("cannot read {path}"))
    };
    Ok((read("environ")?, read("auxv")?))
}

/// The builder's screen, if `text` is on it.
fn shows(house: &House, text: &str) -> Result<Option<String>, Halt> {
    let screen = house.client().screen("builder", false)?;
    Ok(Some(screen).filter(|screen| screen.contains(text)))
}

fn last_lines(screen: &str, lines: usize) -> Vec<&str> {
    let all: Vec<&str> = screen.trim_end().lines().collect();
    all.iter().skip(all.len().saturating_sub(lines)).copied().collect()
}

fn read(log: &Path) -> Result<String, Halt> {
    let read = logs::read(log, usize::MAX);
    let (text, _) = read.with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The lives of the service, no line of which is missing or there twice.
fn counted(house: &House) -> Result<Vec<Life>, Halt> {
    let told = lives(&read(&house.log("counter"))?);
    told.map_err(|why| Halt::Missed(format!("no line of the service is lost or doubled: {why}")))
}

fn written(house: &House) -> Result<u64, Halt> {
    Ok(counted(house)?.iter().map(|life| life.lines).sum())
}
