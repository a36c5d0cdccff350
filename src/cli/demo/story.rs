//! What happens in a demo, step by step. Whatever is claimed was looked for in /proc, in the log or
//! on the screen: the daemon is not taken at its word.

use std::path::Path;

use anyhow::Context as _;

use super::agent::{DONE, PROMPT, WORKING};
use super::house::House;
use super::letters;
use super::lines::{Life, lives};
use super::loops;
use super::scenes::{
    adopted, all_up, identities, kill_and_see_back, kill_supervisor, last_lines, living, of,
    reload, same, same_restarts, settled, shows, start_supervisor, tell_builder, unit, untouched,
};
use super::teller::{Halt, Teller, length};
use crate::cli::status;
use crate::decide::Process;
use crate::world::logs;
use crate::world::procs;

const TASK: &str = "build a bridge";

/// So many lines are proof enough that the service writes on.
const MEANWHILE: u64 = 10;

/// How much of a screen is quoted.
const QUOTED: usize = 4;

/// All steps but the last: they leave the house running.
pub(super) fn live(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    start(house, tell)?;
    task(house, tell)?;
    kill_agent(house, tell)?;
    kill_service(house, tell)?;
    lose_supervisor(house, tell)?;
    replace_supervisor(house, tell)?;
    loops::claim(house, tell)?;
    loops::done(house, tell)?;
    letters::read(house, tell)?;
    letters::kept(house, tell)?;
    crash_loop(house, tell)
}

fn start(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Start the supervisor",
        "Its configuration names a service that writes numbered lines, and two agents, which are \
         sessions in tmux.",
    )?;
    let status = start_supervisor(house, tell)?;
    let took = length(tell.since_act());
    tell.claim(&format!("the service and both agents are up after {took}"))?;
    tell.command("supervisor status")?;
    tell.output(|view| status::text(&status, None, view))
}

fn task(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Give the builder something to do",
        "The text is typed into its terminal, and Enter pressed once the text is seen there.",
    )?;
    let works = || shows(house, WORKING);
    let working = tell_builder(house, tell, TASK, "the builder works", works)?;
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
    let before = identities(house, &settled(house, tell)?)?;
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
    let before = identities(house, &settled(house, tell)?)?;
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

fn lose_supervisor(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(house, &status)?;
    tell.step(
        "Kill the supervisor itself",
        "What it keeps must not die with it, and must be known again when it comes back.",
    )?;
    kill_supervisor(house, tell, &before)?;
    let at_kill = written(house)?;
    let meanwhile = tell.until("the service writes on", || {
        let more = written(house)? - at_kill;
        Ok((more >= MEANWHILE).then_some(more))
    })?;
    living(&before)?;
    tell.claim("no supervisor runs; the service and both agents live on under their pids")?;
    tell.claim(&format!("the service wrote {meanwhile} more lines meanwhile"))?;

    tell.command("supervisor run")?;
    house.start_daemon()?;
    adopted(house, tell, &status, &before)?;
    let took = length(tell.since_act());
    counted(house)?;
    tell.claim(&format!(
        "back after {took}; it adopted all three: same pids, nothing restarted, no line lost"
    ))
}

fn replace_supervisor(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(house, &status)?;
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
    same(&before, &identities(house, &after)?)?;
    same_restarts(house, &status, &after)?;
    counted(house)?;
    tell.claim(&format!("pid {} runs the program anew, {took} after the call", daemon.pid))?;
    tell.claim("same units under the same pids, no line lost")
}

fn crash_loop(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(house, &status)?;
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
    same(&before, &identities(house, &after)?)?;
    same_restarts(house, &status, &after)?;
    tell.claim("the others did not notice: same pids")?;
    tell.command("supervisor status")?;
    tell.output(|view| status::text(&after, None, view))
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
