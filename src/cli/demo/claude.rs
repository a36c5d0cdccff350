//! What happens in a demo with the real Claude Code, step by step. Whatever is claimed was looked
//! for in /proc, in what the API was asked, and in what a hook of the project itself wrote down.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::home::{AGENTS, Home, PAINT, Prompt, kickoff};
use super::house::House;
use super::scenes::{
    adopted, all_up, identities, kill_and_see_back, kill_supervisor, of, same, settled, shows,
    start_supervisor, tell_builder, unit, untouched,
};
use super::teller::{Halt, Teller, length};
use crate::cli::{doctor, status};
use crate::decide::Process;
use crate::protocol::{Status, UnitStatus};
use crate::world::procs;

const TASK: &str = "build a bridge";
const AFTER_THE_KILL: &str = "is anybody there?";
const AFTER_THE_CLEARING: &str = "what is new?";

/// A tmux that lives answers within milliseconds.
const TMUX_CEILING: Duration = Duration::from_secs(5);

/// So much of a conversation's name tells it from others.
const SHORT: usize = 8;

/// The first five steps: they leave the house running.
pub(super) fn live(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    start(house, tell)?;
    task(house, tell)?;
    kill_client(house, tell)?;
    lose_supervisor(house, tell)?;
    clear_by_hand(house, tell)
}

/// The last one.
pub(super) fn stop(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let parting = identities(house, &at_prompts(house, tell)?)?;
    super::scenes::stop(house, tell, |house, tell| {
        let left = home(house)?.registered()?;
        if let Some((name, _)) = parting.iter().find(|(_, process)| left.contains(&process.pid)) {
            return Err(Halt::Missed(format!("{name} strikes itself off the agents' own list")));
        }
        let asked = home(house)?.asked()?.len();
        tell.claim(&format!(
            "both took their leave: they have struck themselves off the agents' own list; the \
             stand-in has answered {asked} requests"
        ))
    })
}

fn start(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Start the supervisor",
        "Its configuration names two agents, each with a first prompt. A program that was never \
         started in this home or in these folders would have questions first: these are answered \
         beforehand.",
    )?;
    let status = start_supervisor(house, tell)?;
    for name in AGENTS {
        asks(house, tell, &conversation(&status, name)?, &kickoff(name))?;
    }
    let status = at_prompts(house, tell)?;
    let took = length(tell.since_act());
    for name in AGENTS {
        once(house, name, &kickoff(name))?;
    }
    tell.claim(&format!(
        "both have asked what their first prompts say and are at their prompts again after {took}; \
         no question came up, and no key was pressed"
    ))?;
    tell.command("supervisor status")?;
    tell.output(|view| status::text(&status, None, view))?;
    let builder = of_status(&status, "builder")?;
    let channel = builder.source.map(|source| source.channel).unwrap_or_default();
    if !["hook", "registry"].contains(&channel.as_str()) {
        return Err(Halt::Missed(format!("a channel of the builder's own says so: {channel:?}")));
    }
    tell.command("supervisor status builder")?;
    tell.output(|view| status::text(&status, Some("builder"), view))?;
    tell.claim(&format!("that it is idle is known from its own {channel}, not from its screen"))
}

fn task(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let before = settled(house, tell)?;
    tell.step(
        "Give the builder something to do",
        "The text is typed into its terminal, and it has arrived when the builder's hook says so.",
    )?;
    let id = conversation(&before, "builder")?;
    told(house, tell, TASK, &id)?;
    let took = length(tell.since_act());
    tell.claim(&format!("it arrived once, in conversation {}:", short(&id)))?;
    quote_answer(house, tell, TASK)?;
    tell.claim(&format!("answered, and at its prompt again after {took}"))
}

fn kill_client(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let status = settled(house, tell)?;
    let before = identities(house, &status)?;
    let id = conversation(&status, "builder")?;
    tell.step(
        "Kill the builder in the middle of a tool",
        "The mark in brackets has the stand-in call a tool, which waits for something that does \
         not come. A crash would leave that tool behind, and the turn unfinished.",
    )?;
    let text = format!("[[mode:tool:cat {PAINT}]] wait until the paint is dry");
    // It writes down what it does a moment after it does it. What it was killed before would be lost
    // with it.
    let call = format!("\"command\":\"cat {PAINT}\"");
    let waits = || {
        let kept = home(house)?.transcript(&id)?.contains(&call);
        Ok(tool(house)?.filter(|_| kept))
    };
    let old = tell_builder(house, tell, &text, "the tool runs", waits)?;
    tell.claim(&format!("the builder waits for its tool, `cat {PAINT}`, pid {}", old.pid))?;
    let asked = home(house)?.asked()?.len();
    kill_and_see_back(house, tell, "builder", of(&before, "builder")?)?;
    if procs::is_alive(old) {
        return Err(Halt::Missed(format!("the old tool, pid {}, is gone", old.pid)));
    }
    tell.claim(&format!("the old tool, pid {}, is gone too", old.pid))?;
    let new =
        tell.until("the turn is taken up again", || Ok(tool(house)?.filter(|new| *new != old)))?;
    let took = length(tell.since_act());
    let others = [conversation(&status, "adversary")?, id.clone()];
    let asked: Vec<_> = home(house)?.asked()?.split_off(asked);
    let stranger = asked.iter().find(|asked| {
        !asked.conversation.as_ref().is_some_and(|conversation| others.contains(conversation))
    });
    if let Some(stranger) = stranger {
        return Err(Halt::Missed(format!("no other conversation was begun: {stranger:?}")));
    }
    tell.claim(&format!(
        "it went on in conversation {}, by itself: its tool waits again, pid {}, {took} after the \
         kill",
        short(&id),
        new.pid
    ))?;
    tell.command(&format!("echo it is dry > builder/{PAINT}"))?;
    home(house)?.paint_is_dry()?;
    quote_answer(house, tell, "it is dry")?;
    if conversation(&at_prompts(house, tell)?, "builder")? != id {
        return Err(Halt::Missed("the conversation is the same".to_owned()));
    }
    tell.claim("the turn is finished")?;
    untouched(house, tell, &before, "builder")
}

fn lose_supervisor(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let status = at_prompts(house, tell)?;
    let before = identities(house, &status)?;
    let id = conversation(&status, "builder")?;
    tell.step(
        "Kill the supervisor itself",
        "What it keeps must not die with it, and must be known again when it comes back.",
    )?;
    kill_supervisor(house, tell, &before)?;
    tell.claim("no supervisor runs; both agents live on under their pids")?;
    tell.command("supervisor run")?;
    house.start_daemon()?;
    tell.until("the new supervisor answers", || house.status().map_err(Halt::from))?;
    told(house, tell, AFTER_THE_KILL, &id)?;
    adopted(house, tell, &status, &before)?;
    tell.claim("it adopted both: same pids, nothing restarted")?;
    tell.claim("a message that it was given at once arrived once, in the same conversation:")?;
    quote_answer(house, tell, AFTER_THE_KILL)
}

fn clear_by_hand(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    let status = at_prompts(house, tell)?;
    let before = identities(house, &status)?;
    let old = conversation(&status, "builder")?;
    tell.step(
        "Clear the conversation by hand",
        "Somebody sits down at the builder's terminal and begins another conversation there.",
    )?;
    tell.command("supervisor attach builder   # and there: /clear")?;
    type_by_hand(house, &["-l", "--", "/clear"])?;
    tell.until("it is typed", || shows(house, "/clear"))?;
    type_by_hand(house, &["Enter"])?;
    let new = tell.until("the new conversation is known", || {
        let builder = house.status()?.and_then(|status| unit(&status, "builder"));
        Ok(builder.and_then(|builder| builder.conversation).filter(|new| *new != old))
    })?;
    tell.claim(&format!("followed: conversation {} is now {}", short(&old), short(&new)))?;
    told(house, tell, AFTER_THE_CLEARING, &new)?;
    let status = at_prompts(house, tell)?;
    same(&before, &identities(house, &status)?)?;
    tell.claim("it arrived once, in the new conversation of the same process:")?;
    quote_answer(house, tell, AFTER_THE_CLEARING)
}

/// Tells the builder something and waits until it is at its prompt again; it arrived once, in this
/// conversation.
fn told(house: &House, tell: &mut Teller, text: &str, id: &str) -> Result<(), Halt> {
    let arrived = || Ok(arrivals(house, "builder", text)?.into_iter().next());
    let prompt = tell_builder(house, tell, text, "it arrives", arrived)?;
    if prompt.session_id != id {
        return Err(Halt::Missed(format!("it arrives in {id}: {prompt:?}")));
    }
    asks(house, tell, id, text)?;
    at_prompts(house, tell)?;
    once(house, "builder", text)
}

/// What of all that an agent was told, by its own account, has this in it.
fn arrivals(house: &House, name: &str, text: &str) -> Result<Vec<Prompt>, Halt> {
    let mut prompts = home(house)?.prompts(name)?;
    prompts.retain(|prompt| prompt.prompt.contains(text));
    Ok(prompts)
}

fn once(house: &House, name: &str, text: &str) -> Result<(), Halt> {
    let arrived = arrivals(house, name, text)?.len();
    if arrived == 1 {
        return Ok(());
    }
    Err(Halt::Missed(format!("{text:?} arrives once, and it did {arrived} times")))
}

/// Waits until an agent has asked the API what it was told, in this conversation.
fn asks(house: &House, tell: &mut Teller, id: &str, text: &str) -> Result<(), Halt> {
    tell.until(&format!("the API is asked {text:?} in conversation {id}"), || {
        house.status()?.as_ref().map_or(Ok(()), no_dialog)?;
        let mut asked = home(house)?.asked()?.into_iter();
        let found =
            asked.any(|it| it.conversation.as_deref() == Some(id) && it.newest.contains(text));
        Ok(found.then_some(()))
    })
}

/// The snapshot, once both agents are at their prompts and nothing is to be typed.
fn at_prompts(house: &House, tell: &mut Teller) -> Result<Status, Halt> {
    tell.until("both agents are at their prompts", || {
        let Some(status) = all_up(house)? else { return Ok(None) };
        no_dialog(&status)?;
        let idle = |unit: &UnitStatus| unit.reading == "idle" && unit.messages == 0;
        Ok(Some(status).filter(|status| status.units.iter().all(idle)))
    })
}

/// A dialog would wait for a person for ever.
fn no_dialog(status: &Status) -> Result<(), Halt> {
    let Some(unit) = status.units.iter().find(|unit| unit.reading == "dialog") else {
        return Ok(());
    };
    let evidence = unit.source.as_ref().map(|source| source.evidence.as_str()).unwrap_or_default();
    Err(Halt::Missed(format!("{} is asked nothing: {evidence}", unit.name)))
}

/// The tool that the builder waits for, if there is one.
fn tool(house: &House) -> Result<Option<Process>, Halt> {
    let command = format!("cat\0{PAINT}\0");
    let is_tool = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == command.as_bytes())
    };
    let mut living = house.inhabitants().into_keys().filter(is_tool).filter_map(procs::identify);
    Ok(living.find(|process| procs::is_alive(*process)))
}

/// Presses keys as a person would who is attached.
fn type_by_hand(house: &House, keys: &[&str]) -> Result<(), Halt> {
    let (socket, pane) = house.client().pane("builder")?;
    let mut command = Command::new("tmux");
    command.args(["-N", "-u", "-S", &socket, "send-keys", "-t", &pane]).args(keys);
    command.env_remove("TMUX").stdin(Stdio::null());
    let done = doctor::output(&mut command, TMUX_CEILING).map_err(anyhow::Error::msg);
    let (status, _) = done.context("cannot type into the builder's terminal")?;
    if status.success() {
        return Ok(());
    }
    Err(Halt::Missed(format!("tmux types into the builder's terminal ({status})")))
}

/// Quotes what the builder shows of its answer to this.
fn quote_answer(house: &House, tell: &mut Teller, text: &str) -> Result<(), Halt> {
    let screen = tell.until("the answer shows", || {
        Ok(shows(house, text)?.filter(|screen| answer(screen, text).is_some()))
    })?;
    tell.quote(answer(&screen, text))
}

/// The line of an answer, which repeats what was said.
fn answer<'a>(screen: &'a str, text: &str) -> Option<&'a str> {
    screen.lines().map(str::trim).find(|line| line.contains(" said: ") && line.contains(text))
}

fn conversation(status: &Status, name: &str) -> Result<String, Halt> {
    let conversation = of_status(status, name)?.conversation;
    conversation.ok_or_else(|| Halt::Missed(format!("{name} has a conversation")))
}

fn of_status(status: &Status, name: &str) -> Result<UnitStatus, Halt> {
    unit(status, name).ok_or_else(|| Halt::Missed(format!("{name} is a unit")))
}

fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

fn home(house: &House) -> Result<&Home, Halt> {
    house.home().ok_or_else(|| Halt::Missed("the agents have a home".to_owned()))
}
