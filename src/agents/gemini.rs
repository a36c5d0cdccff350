//! Gemini CLI: its hooks tell of prompts, turns and questions, its transcript of errors, its screen of
//! the rest.

mod screen;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::text::{evidence, second};
use super::{
    Calls, HookNews, Login, Places, Profile, ScreenReading, ScreenText, Start, StartFacts,
    TranscriptNews, Typing,
};
use crate::decide::{Dialog, Doing, Failure};

/// The profile of Gemini CLI.
#[derive(Debug)]
pub struct Gemini;

/// Which options the config may not give, and what to do instead.
const NOT_IN_ARGS: [(&[&str], &str); 2] = [
    (
        &["-r", "--resume", "--session-id", "--session-file"],
        "which conversation a session works in is the supervisor's to say: take it out, and use \
         `supervisor restart --fresh` for a new one",
    ),
    (
        &["-p", "--prompt", "-i", "--prompt-interactive", "--acp", "-w", "--worktree"],
        "a session is an interactive program in its own pane, in its `directory`, with its \
         `prompt_file`: take it out",
    ),
];

/// What we are called for.
const CALLS: [&str; 4] = ["SessionStart", "BeforeAgent", "AfterAgent", "Notification"];
/// How long it waits for a call of ours, in milliseconds.
const TIMEOUT: u32 = 5000;
/// Instead of an answer, after an error or where a person broke the turn off.
const NO_ANSWER: &str = "[no response text]";
/// Where a person broke the turn off.
const CANCELLED: &str = "Request cancelled.";
/// So many digits of a conversation's id are in the name of its file.
const ID_IN_NAME: usize = 8;

/// Texts of errors and what each means.
const ERRORS: [(&str, Failure); 4] = [
    ("API_KEY_INVALID", Failure::LoggedOut),
    ("UNAUTHENTICATED", Failure::LoggedOut),
    ("exceeded your current quota", Failure::Limited { until: None }),
    ("is not found for API version", Failure::Misconfigured),
];

impl Profile for Gemini {
    fn program(&self) -> &'static str {
        "gemini"
    }

    fn known_versions(&self) -> &'static [&'static str] {
        &["0.61.0"]
    }

    fn arguments(&self, start: &Start<'_>) -> Vec<OsString> {
        let which = if start.resumes { "--resume" } else { "--session-id" };
        // Whoever names a directory in the config has answered whether it is trusted.
        let mut words: Vec<OsString> =
            vec!["--skip-trust".into(), which.into(), start.conversation.into()];
        words.extend(start.args.iter().map(OsString::from));
        if let Some(prompt) = start.prompt {
            // In one word: it may begin with `-`.
            words.push(format!("--prompt-interactive={prompt}").into());
        }
        words
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        &[("LANG", "C.UTF-8")]
    }

    fn places(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("GEMINI_CLI_HOME").or_else(|| absolute("HOME"))?.join(".gemini");
        Some(Places {
            config_file: home.join("settings.json"),
            settings_file: home.join("settings.json"),
            registry: None,
            transcripts: home.join("tmp"),
            credentials: home.join("oauth_creds.json"),
        })
    }

    fn refusal(&self, facts: &StartFacts<'_>) -> Option<String> {
        super::refused(facts.args, &NOT_IN_ARGS)
    }

    /// Defaults, so that whatever the user or the machine says otherwise stands. It reads them only
    /// from folders that nobody else may write to; else the screen has to do.
    fn settings(&self, hook_command: &str, _args: &[String]) -> Option<String> {
        let call = json!({ "type": "command", "command": hook_command, "timeout": TIMEOUT });
        let hooks: serde_json::Map<String, Value> =
            CALLS.iter().map(|event| ((*event).to_owned(), json!([{ "hooks": [call] }]))).collect();
        let settings = json!({ "general": { "enableAutoUpdate": false }, "hooks": hooks });
        Some(settings.to_string())
    }

    fn settings_variable(&self) -> Option<&'static str> {
        Some("GEMINI_CLI_SYSTEM_DEFAULTS_PATH")
    }

    fn hook(&self, payload: &Value, _at: SystemTime) -> Option<HookNews> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        let name = text("hook_event_name")?;
        let mut news = HookNews {
            name: name.to_owned(),
            conversation: text("session_id")?.to_owned(),
            evidence: evidence(name),
            ..HookNews::default()
        };
        match name {
            "SessionStart" => news.begins = Some(text("source").unwrap_or("startup").to_owned()),
            "BeforeAgent" => {
                news.doing = Some(Doing::Working);
                news.prompt = text("prompt").map(str::to_owned);
            }
            // Without an answer the transcript says what became of the turn.
            "AfterAgent" if text("prompt_response") != Some(NO_ANSWER) => {
                news.doing = Some(Doing::Idle);
            }
            "Notification" if text("notification_type") == Some("ToolPermission") => {
                news.evidence = "Notification ToolPermission".to_owned();
                news.doing = Some(Doing::Dialog(Dialog::Permission));
            }
            _ => {}
        }
        Some(news)
    }

    fn opens(&self, arguments: &[&[u8]]) -> Option<String> {
        let is_gemini = |word: &&[u8]| {
            let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            name.starts_with(b"gemini")
        };
        let at = arguments.iter().take(3).position(is_gemini)?;
        let mut words = arguments.get(at + 1..)?.iter();
        words.find(|word| [&b"--resume"[..], b"--session-id", b"-r"].contains(*word))?;
        let named = words.next().and_then(|word| std::str::from_utf8(word).ok());
        named.filter(|named| !named.is_empty()).map(str::to_owned)
    }

    fn calls(&self) -> Calls {
        Calls {
            paths: &["/gemini-cli/dist/index.js", "/gemini-cli/bundle/"],
            batch_options: &["-p", "--prompt", "-v", "--version", "-h", "--help"],
            batch_commands: &["mcp", "extensions", "extension", "skills", "skill", "hooks", "hook"],
            batch_words: &[],
            labels: &[],
        }
    }

    /// One of the project, and `chats`.
    fn transcript_depth(&self) -> usize {
        2
    }

    /// `session-TIME-ID.jsonl`.
    fn is_transcript(&self, name: &str, conversation: &str) -> bool {
        let named = name.strip_prefix("session-").and_then(|rest| rest.strip_suffix(".jsonl"));
        let id = conversation.get(..ID_IN_NAME);
        named.zip(id).is_some_and(|(named, id)| named.ends_with(&format!("-{id}")))
    }

    fn transcript_line(&self, line: &[u8]) -> Option<String> {
        let record = read(line)?;
        let who = match record.kind.as_str() {
            "gemini" | "error" | "user" => record.kind.as_str(),
            "info" => "note",
            _ => return None,
        };
        let text: String =
            record.text().chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        let text = text.trim().replace('\n', "\n  ");
        let time = second(&record.timestamp)?;
        (!text.is_empty()).then(|| format!("{time}Z {who}: {text}"))
    }

    fn transcript_prompt(&self, line: &[u8]) -> Option<String> {
        let record = read(line)?;
        (record.kind == "user").then(|| record.text())
    }

    fn transcript_news(&self, line: &[u8]) -> Option<TranscriptNews> {
        let record = read(line)?;
        let text = record.text();
        let doing = match record.kind.as_str() {
            "error" => Doing::Failed(failure(&text)),
            "info" if text == CANCELLED => Doing::Idle,
            _ => return None,
        };
        let at = record.timestamp.parse::<jiff::Timestamp>().ok()?.into();
        let evidence = evidence(&text);
        Some(TranscriptNews { at, aside: false, doing: Some(doing), evidence, answer: None })
    }

    fn login(&self) -> Login {
        Login {
            secrets: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            service: &["GOOGLE_GEMINI_BASE_URL"],
        }
    }

    fn screen(&self, screen: &ScreenText<'_>) -> ScreenReading {
        screen::read(screen)
    }

    fn typing(&self) -> Typing {
        Typing { enter_after: Duration::from_millis(400), lines: false, mark: true, proof: true }
    }
}

/// What an error means, by its text.
fn failure(text: &str) -> Failure {
    let known = ERRORS.iter().find(|(words, _)| text.contains(words));
    known.map_or(Failure::Errored, |(_, failure)| *failure)
}

/// What is read of a line; everything else in it is passed over.
#[derive(Debug, Deserialize)]
struct Record {
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: Value,
}

impl Record {
    /// A text, or a list of parts with texts.
    fn text(&self) -> String {
        let parts = self.content.as_array().into_iter().flatten();
        let parts: Vec<&str> = parts.filter_map(|part| part.get("text")?.as_str()).collect();
        self.content.as_str().map_or_else(|| parts.join("\n"), str::to_owned)
    }
}

fn read(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c3a52-6f8e-4d55-9a3c-0d7c1f2e4b6a";

    fn says(event: &str, key: &str, value: &str) -> HookNews {
        let mut payload = json!({ "session_id": ID, "hook_event_name": event });
        payload[key] = json!(value);
        Gemini.hook(&payload, SystemTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_turn_is_work_from_the_prompt_to_the_answer() {
        let prompt = says("BeforeAgent", "prompt", "go on");
        assert_eq!((prompt.doing, prompt.prompt.as_deref()), (Some(Doing::Working), Some("go on")));
        assert_eq!(says("AfterAgent", "prompt_response", "done").doing, Some(Doing::Idle));
        assert_eq!(says("AfterAgent", "prompt_response", NO_ANSWER).doing, None);
        let asks = says("Notification", "notification_type", "ToolPermission");
        assert_eq!(asks.doing, Some(Doing::Dialog(Dialog::Permission)));
        assert_eq!(says("SessionStart", "source", "resume").begins.as_deref(), Some("resume"));
    }

    #[test]
    fn a_transcript_tells_of_prompts_and_of_errors() {
        let line = |kind: &str, content: Value| {
            let at = "2026-11-21T22:18:11.525Z";
            json!({ "id": "x", "timestamp": at, "type": kind, "content": content }).to_string()
        };
        let prompt = line("user", json!([{ "text": "go on [msg abc123]" }]));
        assert_eq!(
            Gemini.transcript_prompt(prompt.as_bytes()).as_deref(),
            Some("go on [msg abc123]")
        );
        let failed =
            |text: &str| Gemini.transcript_news(line("error", json!(text)).as_bytes())?.doing;
        let key = r#"[API Error: {"error":{"details":[{"reason":"API_KEY_INVALID"}]}}]"#;
        assert_eq!(failed(key), Some(Doing::Failed(Failure::LoggedOut)));
        assert_eq!(failed("another"), Some(Doing::Failed(Failure::Errored)));
        let cancelled = line("info", json!(CANCELLED));
        let cancelled = Gemini.transcript_news(cancelled.as_bytes()).and_then(|news| news.doing);
        assert_eq!(cancelled, Some(Doing::Idle));
        assert!(Gemini.is_transcript("session-2026-11-21T22-18-0b7c3a52.jsonl", ID));
        assert!(!Gemini.is_transcript("session-2026-11-21T22-18-0b7c3a53.jsonl", ID));
    }

    #[test]
    fn a_command_line_says_which_conversation_it_opens() {
        let opened = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            Gemini.opens(&words)
        };
        let ours = ["node", "--no-warnings", "/x/gemini.js", "--skip-trust", "--resume", ID];
        assert_eq!(opened(&ours).as_deref(), Some(ID));
        assert_eq!(opened(&["gemini", "--session-id", ID]).as_deref(), Some(ID));
        assert_eq!(opened(&["gemini"]), None);
        assert_eq!(opened(&["gemini", "--resume", ""]), None);
        assert_eq!(opened(&["rg", "--resume", ID]), None);
    }
}
