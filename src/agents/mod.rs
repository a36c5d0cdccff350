//! What each agent program looks like from outside: how it is started and resumed, which of its
//! start dialogs can be answered beforehand, what its channels say, how text gets into it. Text
//! comes in and plain data goes out: nothing here reads or writes a file, or knows what a reading
//! leads to.

#[cfg(test)]
mod captures;
pub mod claude;
pub mod codex;
pub mod gemini;
mod invoked;
pub mod opencode;
mod profile;
mod rows;
mod shown;
mod text;

pub use invoked::{Calls, Invocation, Seen, invocation, names};
pub use profile::{
    Account, Commands, HookNews, Live, Login, Places, Profile, Seed, SeedValue, Start, StartFacts,
    TranscriptAnswer, TranscriptNews, Typing,
};
pub use shown::{Choice, Composer, ScreenReading, ScreenText, Shows};

use crate::config::Agent;

/// The profile of an agent program.
pub fn profile(agent: Agent) -> &'static dyn Profile {
    match agent {
        Agent::Claude => &claude::Claude,
        Agent::Codex => &codex::Codex,
        Agent::Gemini => &gemini::Gemini,
        Agent::Opencode => &opencode::Opencode,
    }
}

/// Why a program is not started with these arguments of the config, if one of them is among `refused`:
/// options and commands, each with what to do instead.
fn refused(args: &[String], refused: &[(&[&str], &str)]) -> Option<String> {
    let mut is_value = false;
    for arg in args {
        let (name, _) = arg.split_once('=').unwrap_or((arg, ""));
        let found = refused.iter().find(|(options, _)| options.contains(&name));
        // A word after an option may be that option's value.
        if let Some((_, instead)) = found.filter(|_| name.starts_with('-') || !is_value) {
            return Some(format!("`{name}` may not be among `args`: {instead}"));
        }
        is_value = arg.starts_with('-') && !arg.contains('=');
    }
    None
}
