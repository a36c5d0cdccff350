//! Claude Code.

mod account;
mod hooks;
mod limits;
mod registry;
mod screen;
mod seeds;
mod start;
mod transcript;

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{
    Account, Calls, Choice, Commands, HookNews, Live, Login, Places, Profile, ScreenReading,
    ScreenText, Seed, Start, StartFacts, TranscriptNews, Typing,
};
use crate::decide::Complaint;

/// The profile of Claude Code.
#[derive(Debug)]
pub struct Claude;

impl Profile for Claude {
    fn program(&self) -> &'static str {
        "claude"
    }

    fn known_versions(&self) -> &'static [&'static str] {
        &["2.1.197", "2.1.330"]
    }

    fn arguments(&self, start: &Start<'_>) -> Vec<OsString> {
        start::arguments(start)
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        start::ENVIRONMENT
    }

    fn places(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places> {
        seeds::places(variable)
    }

    fn refusal(&self, facts: &StartFacts<'_>) -> Option<String> {
        start::refusal(facts)
    }

    fn seeds(&self, places: &Places, facts: &StartFacts<'_>) -> Vec<Seed> {
        seeds::seeds(places, facts)
    }

    fn settings(&self, hook_command: &str, args: &[String]) -> Option<String> {
        Some(hooks::settings(hook_command, args))
    }

    fn hook(&self, payload: &Value, at: SystemTime) -> Option<HookNews> {
        hooks::read(payload, at)
    }

    fn registry_name(&self, pid: i32) -> Option<String> {
        Some(format!("{pid}.json"))
    }

    fn live(&self, file: &[u8]) -> Option<Live> {
        registry::read(file)
    }

    fn opens(&self, arguments: &[&[u8]]) -> Option<String> {
        registry::opens(arguments)
    }

    fn calls(&self) -> Calls {
        start::CALLS
    }

    fn transcript_depth(&self) -> usize {
        1
    }

    fn is_transcript(&self, name: &str, conversation: &str) -> bool {
        name.strip_suffix(".jsonl") == Some(conversation)
    }

    fn is_transcript_folder(&self, name: &str, directory: &Path) -> bool {
        transcript::is_folder(name, directory)
    }

    fn names_conversations(&self) -> bool {
        true
    }

    fn transcript_title(&self, line: &[u8]) -> Option<String> {
        transcript::title(line)
    }

    fn conversation_of(&self, name: &str) -> Option<String> {
        name.strip_suffix(".jsonl").map(str::to_owned)
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

    fn transcripts_aside(&self, conversation: &str) -> Option<String> {
        Some(format!("{conversation}/subagents"))
    }

    fn screen(&self, screen: &ScreenText<'_>) -> ScreenReading {
        screen::read(screen)
    }

    fn commands(&self) -> Commands {
        Commands { clear: Some("/clear"), compact: Some("/compact") }
    }

    fn waiting(&self, screen: &ScreenText<'_>) -> Result<Choice, String> {
        screen::waiting(screen)
    }

    fn complaint(&self, last_screen: &str) -> Option<Complaint> {
        screen::complaint(last_screen)
    }

    /// Text and Enter that come at once are glued: 3 of 50 were, without a pause; with 0.3 s
    /// none of 200.
    fn typing(&self) -> Typing {
        Typing { enter_after: Duration::from_millis(300), lines: true, mark: true, proof: true }
    }

    fn login(&self) -> Login {
        Login {
            secrets: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
            service: &["ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"],
        }
    }

    fn account_arguments(&self) -> Option<&'static [&'static str]> {
        Some(&["auth", "status", "--json"])
    }

    fn account(&self, printed: &[u8]) -> Option<Account> {
        account::read(printed)
    }
}
