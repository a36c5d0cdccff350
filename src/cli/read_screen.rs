//! `read-screen`: what a captured pane says of a session, as the daemon would read it. Needs neither
//! daemon nor configuration.

use std::io::Read as _;

use anyhow::Context as _;
use serde::Serialize;

use super::args;
use super::failure::Failure;
use super::render::put_raw;
use crate::agents::{self, ScreenText};
use crate::config::Agent;

/// A pane is a few kilobytes; what is larger is no pane, in bytes.
const SCREEN_MAX: u64 = 16 << 20;

/// Those that have or will have a profile.
const AGENTS: [Agent; 4] = [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Opencode];

/// A plain command, which has no profile.
const COMMAND: &str = "command";

#[derive(Debug, Serialize)]
struct Read {
    reading: &'static str,
    why: String,
}

/// Prints the reading and its evidence, always as JSON.
pub(super) fn run(args: &args::ReadScreen) -> Result<(), Failure> {
    let profile = match args.agent.as_str() {
        COMMAND => None,
        name => Some(known(name)?),
    };
    let text = text(args)?;
    let read = profile.map_or_else(
        || plain(&text),
        |profile| {
            let now = crate::world::clock::now().wall;
            let screen = ScreenText { text: &text, cursor: None, directory: None, now };
            let reading = profile.screen(&screen);
            Read { reading: reading.shows.reading().as_str(), why: reading.why }
        },
    );
    let line = serde_json::to_string(&read).context("cannot write the reading as JSON")?;
    put_raw(format!("{line}\n").as_bytes())
}

fn known(name: &str) -> Result<&'static dyn agents::Profile, Failure> {
    let named = AGENTS.iter().find(|agent| agent.as_str() == name);
    named.map(|agent| agents::profile(*agent)).ok_or_else(|| {
        let names: Vec<&str> = AGENTS.iter().map(|agent| agent.as_str()).chain([COMMAND]).collect();
        Failure::Usage(format!("no agent {name:?} can be read: there are {}", names.join(", ")))
    })
}

/// A plain command says nothing of itself: it reads idle whenever it is there.
fn plain(text: &str) -> Read {
    if text.trim().is_empty() {
        return Read { reading: "unknown", why: "the screen is empty".to_owned() };
    }
    Read { reading: "idle", why: "a plain command has no way to say more".to_owned() }
}

fn text(args: &args::ReadScreen) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    match &args.file {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(SCREEN_MAX).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", file.display()))?,
        None => std::io::stdin()
            .lock()
            .take(SCREEN_MAX)
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
