//! Codex, the agent program of OpenAI.

mod account;
mod hooks;
mod screen;
mod start;
mod transcript;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use super::{
    Account, Calls, HookNews, Login, Places, Profile, ScreenReading, ScreenText, Start, StartFacts,
    TranscriptNews, Typing,
};
use crate::decide::Complaint;

/// The profile of Codex. What spares its dialogs is said on its command line, and the user's file stays
/// as it is. It chooses the ids of conversations itself and tells them by its first hook;
/// it keeps no registry, but a lock for each conversation: of two processes that open one, the second
/// shows a dialog and does nothing.
#[derive(Debug)]
pub struct Codex;

impl Profile for Codex {
    fn program(&self) -> &'static str {
        "codex"
    }

    fn known_versions(&self) -> &'static [&'static str] {
        &["0.169.0"]
    }

    fn arguments(&self, start: &Start<'_>) -> Vec<OsString> {
        start::arguments(start)
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        // What the pane shows is told apart by characters outside ASCII.
        &[("LANG", "C.UTF-8")]
    }

    /// Everything lies in `~/.codex`, unless `CODEX_HOME` names another folder.
    fn places(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = match variable("CODEX_HOME") {
            Some(_) => absolute("CODEX_HOME")?,
            None => absolute("HOME")?.join(".codex"),
        };
        Some(Places {
            config_file: folder.join("config.toml"),
            settings_file: folder.join("config.toml"),
            registry: None,
            transcripts: folder.join("sessions"),
            credentials: folder.join("auth.json"),
        })
    }

    fn refusal(&self, facts: &StartFacts<'_>) -> Option<String> {
        start::refusal(facts)
    }

    fn hook(&self, payload: &Value, _at: SystemTime) -> Option<HookNews> {
        hooks::read(payload)
    }

    fn opens(&self, arguments: &[&[u8]]) -> Option<String> {
        start::opens(arguments)
    }

    fn calls(&self) -> Calls {
        start::CALLS
    }

    /// Year, month and day.
    fn transcript_depth(&self) -> usize {
        3
    }

    fn is_transcript(&self, name: &str, conversation: &str) -> bool {
        transcript::is_of(name, conversation)
    }

    fn transcript_line(&self, line: &[u8]) -> Option<String> {
        transcript::shown(line)
    }

    fn transcript_prompt(&self, line: &[u8]) -> Option<String> {
        transcript::prompt(line)
    }

    fn transcript_news(&self, line: &[u8]) -> Option<TranscriptNews> {
        transcript::news(line)
    }

    /// After a death in the middle of a turn it says "Conversation interrupted" and sits idle.
    fn goes_on_with(&self) -> Option<&'static str> {
        Some(
            "(The program was ended in the middle of your turn and has been started again. See how \
             far you had come, and go on.)",
        )
    }

    fn screen(&self, screen: &ScreenText<'_>) -> ScreenReading {
        screen::read(screen)
    }

    fn complaint(&self, last_screen: &str) -> Option<Complaint> {
        screen::complaint(last_screen)
    }

    /// An Enter that comes close behind text is a line break of a paste: so were 6 of 25 without a
    /// pause, 2 of 25 with 0.12 s, and none of 50 with 0.2 s and more.
    fn typing(&self) -> Typing {
        Typing { enter_after: Duration::from_millis(300), lines: true, mark: true, proof: true }
    }

    fn login(&self) -> Login {
        Login { secrets: &["CODEX_API_KEY", "OPENAI_API_KEY"], service: &["OPENAI_BASE_URL"] }
    }

    fn account_arguments(&self) -> Option<&'static [&'static str]> {
        Some(&["login", "status"])
    }

    fn account(&self, printed: &[u8]) -> Option<Account> {
        account::read(printed)
    }
}
