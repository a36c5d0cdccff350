//! `demo`: the whole thing on this machine, with scripted agents or real ones: a scratch house, a
//! real daemon, real tmux, and a story that is told only as far as it really happens.

mod agent;
mod claude;
mod double;
mod home;
mod house;
mod letters;
mod lines;
mod loops;
mod nanoclaw;
mod scenes;
mod story;
mod teller;

pub(super) use self::agent::run as agent;
pub(super) use self::nanoclaw::run as nanoclaw;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::house::{House, Play};
use self::teller::{Halt, Teller, length};
use super::args;
use super::failure::Failure;
use super::render::{BOLD, Cell, FAINT, Table, clean, paint, put};
use super::{doctor, reload};
use crate::world::journal::{self, Follower};

/// How much of the daemon's log is shown when something did not happen.
const LAST_WORDS: usize = 20;

/// Everything that is waited for takes milliseconds, or a second where that is its nature; a busy
/// machine may need longer.
const CEILING: Duration = Duration::from_secs(15);
/// A real agent takes seconds to start.
const CEILING_REAL: Duration = Duration::from_secs(60);

/// Runs the verb: succeeds only if everything happened.
pub(super) fn run(args: &args::Demo) -> Result<(), Failure> {
    doctor::sessions_can_be_had()?;
    let play = play(args)?;
    let ceiling = match play {
        Play::Scripted => CEILING,
        Play::Claude { .. } => CEILING_REAL,
    };
    let enough = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&enough)).context("cannot catch Ctrl-C")?;
    }
    let mut house = House::new(reload::binary()?, play)?;
    let folder = house.folder().to_owned();
    let told = std::panic::take_hook();
    // The process aborts right after: no value of it is dropped.
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        house::abandon(&folder);
    }));
    let journal = Follower::new(&journal::path(house.state_dir()));
    let mut teller = match journal.context("cannot follow the journal") {
        Ok(journal) => Teller::new(journal, enough, ceiling),
        Err(error) => {
            house.end_home();
            house.remove()?;
            return Err(error.into());
        }
    };
    match tell(&mut house, &mut teller, args.keep) {
        Ok(()) if args.keep => keep(house, &teller),
        Ok(()) => end(&teller, args.agent.is_some()),
        Err(Halt::Interrupted) => {
            clear(&mut house)?;
            Err(Failure::failed("interrupted: everything is ended and removed"))
        }
        // Nobody reads any more.
        Err(Halt::Failed(failure @ Failure::Output(_))) => clear(&mut house).and(Err(failure)),
        Err(Halt::Missed(what)) => Err(fail(house, &teller, &what)),
        Err(Halt::Failed(failure)) => Err(fail(house, &teller, &failure.to_string())),
    }
}

/// Who plays, if they can.
fn play(args: &args::Demo) -> Result<Play, Failure> {
    let Some(args::DemoAgents::Claude) = args.agent else { return Ok(Play::Scripted) };
    let found = match &args.claude {
        Some(path) => std::path::absolute(path).ok().filter(|path| doctor::is_program(path)),
        None => doctor::on_path("claude", &[]).and_then(|path| std::path::absolute(path).ok()),
    };
    let client = found.ok_or_else(|| {
        let place = args.claude.as_ref().map_or_else(
            || "claude is not on PATH".to_owned(),
            |path| format!("{} is no program that can be started", path.display()),
        );
        Failure::failed(format!(
            "{place}: get Claude Code by `npm install -g @anthropic-ai/claude-code`, or say where \
             it is by --claude PATH"
        ))
    })?;
    Ok(Play::Claude { client, keep: args.keep })
}

fn tell(house: &mut House, teller: &mut Teller, keep: bool) -> Result<(), Halt> {
    let title = paint(BOLD, "A supervisor at work");
    let folder = paint(FAINT, &format!("in {}", house.folder().display()));
    put(&format!("{title} {folder}\n"))?;
    teller.preface(
        "All of it really happens. Lines with +ms are what the supervisor wrote down, as they came \
         in. What has a ✓ was then looked for in /proc, in a log or on a screen, and found so.",
    )?;
    if let Some(home) = house.home() {
        teller.preface(&format!(
            "The agents are real: Claude Code {}, {}. Their home, their key and the API that they \
             speak to are not: a stand-in on this machine answers them, nothing leaves it, and \
             nothing costs anything.",
            home.version(),
            home.client(),
        ))?;
        claude::live(house, teller)?;
        return if keep { Ok(()) } else { claude::stop(house, teller) };
    }
    story::live(house, teller)?;
    if keep { Ok(()) } else { scenes::stop(house, teller, |_, _| Ok(())) }
}

fn end(teller: &Teller, real: bool) -> Result<(), Failure> {
    let (steps, claims) = (teller.steps(), teller.claims());
    let took = length(teller.took());
    teller.end_well(&format!(
        "All of it happened: {steps} steps, {claims} checks, {took}. Nothing is left."
    ))?;
    let called = called();
    let again = if real { "demo --agent claude --keep" } else { "demo --keep" };
    let mut hints = vec![
        (format!("{called} init"), "write a configuration to start from"),
        (format!("{called} doctor"), "see what this machine offers"),
        (format!("{called} {again}"), "the same, to look around in"),
    ];
    if !real {
        hints.push((format!("{called} demo --agent claude"), "with the real Claude Code, offline"));
    }
    hint(&hints)
}

/// Everything lives on; how to look at it, and how to end it.
fn keep(house: House, teller: &Teller) -> Result<(), Failure> {
    let (steps, claims) = (teller.steps(), teller.claims());
    let took = length(teller.took());
    teller.end_well(&format!(
        "All of it happened: {steps} steps, {claims} checks, {took}. It runs on."
    ))?;
    let folder = house.folder().display();
    let verb = format!("{} --config {}", called(), house.config().display());
    let daemon = house.daemon().map(|daemon| daemon.pid.to_string());
    let double = house.home().and_then(home::Home::double).map(|pid| pid.to_string());
    let pids = daemon.into_iter().chain(double).collect::<Vec<_>>().join(" ");
    put(&format!("\n   {}\n", paint(FAINT, "To look at it:")))?;
    for words in ["status --watch", "tell builder 'paint it'", "attach builder", "events -f"] {
        put(&format!("   {verb} {}\n", paint(BOLD, words)))?;
    }
    put(&format!("   {}\n", paint(FAINT, "To end it:")))?;
    put(&format!(
        "   {verb} {} && kill {pids} && sleep 1 && rm -r {folder}\n",
        paint(BOLD, "stop --all")
    ))?;
    house.leave();
    Ok(())
}

fn hint(commands: &[(String, &str)]) -> Result<(), Failure> {
    let rows = commands.iter().map(|(command, what)| {
        [Cell::new(FAINT, "  "), Cell::new(BOLD, command), Cell::new(FAINT, what)]
    });
    put(&Table::new([""; 3], rows.collect()).text(None))
}

/// The program by the name it was called with, so that what is shown can be typed.
fn called() -> String {
    let name = std::env::args_os().next().unwrap_or_else(|| "supervisor".into());
    clean(&name.to_string_lossy())
}

/// Says what did not happen, ends everything, and keeps the folder for whoever wants to know why.
fn fail(mut house: House, teller: &Teller, what: &str) -> Failure {
    let told = teller.end_badly(what, &house.last_words(LAST_WORDS));
    if let Err(failure) = told.and_then(|()| house.end()) {
        return failure;
    }
    Failure::failed(format!(
        "step {} of the demo did not happen: {}; everything is ended, and {} is kept for you to \
         look into",
        teller.steps(),
        clean(what),
        house.folder().display()
    ))
}

fn clear(house: &mut House) -> Result<(), Failure> {
    house.end()?;
    house.remove()
}
