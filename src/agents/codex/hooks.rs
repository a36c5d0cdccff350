//! Its hooks: how it is told of them and has them trusted without a dialog, and what each call says.
//! Errors and the ends of tools are not told by hooks; its transcript says those.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::agents::HookNews;
use crate::agents::text::evidence;
use crate::decide::{Dialog, Doing};

/// How long it waits for a call of ours, in seconds. For some hooks it takes no more than this.
const TIMEOUT: u32 = 3;

/// What we are called for: the word in the config, and in the state of trust.
const CALLS: [(&str, &str); 5] = [
    ("SessionStart", "session_start"),
    ("UserPromptSubmit", "user_prompt_submit"),
    ("PermissionRequest", "permission_request"),
    ("Stop", "stop"),
    ("Interrupt", "interrupt"),
];

/// What it calls the place of hooks that stand in arguments.
const SOURCE: &str = "/<session-flags>/config.toml";

/// Values of the config (`-c`) that make it call us. A hook is run only if its digest is known to
/// be trusted: else it asks at its start, or leaves it out.
pub(super) fn settings(hook_command: &str) -> Vec<String> {
    let text = |text: &str| toml::Value::from(text).to_string();
    let mut all = Vec::new();
    let mut trusted = Vec::new();
    for (event, word) in CALLS {
        let command = text(hook_command);
        all.push(format!(
            "hooks.{event}=[{{hooks=[{{type=\"command\",command={command},timeout={TIMEOUT}}}]}}]"
        ));
        let key = text(&format!("{SOURCE}:{word}:0:0"));
        let digest = text(&digest(word, hook_command));
        trusted.push(format!("{key}={{trusted_hash={digest}}}"));
    }
    all.push(format!("hooks.state={{{}}}", trusted.join(",")));
    all
}

/// By what it knows a hook again: its own form of it, as JSON with sorted keys.
fn digest(word: &str, hook_command: &str) -> String {
    let hook = json!({
        "async": false,
        "command": hook_command,
        "timeout": TIMEOUT,
        "type": "command",
    });
    let identity = json!({ "event_name": word, "hooks": [hook] }).to_string();
    let digest = Sha256::digest(identity.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

pub(super) fn read(payload: &Value) -> Option<HookNews> {
    let text = |key: &str| payload.get(key).and_then(Value::as_str);
    let name = text("hook_event_name")?;
    let mut news = HookNews {
        name: name.to_owned(),
        conversation: text("session_id")?.to_owned(),
        evidence: evidence(name),
        ..HookNews::default()
    };
    if name == "PermissionRequest" {
        let tool = text("tool_name").unwrap_or_default();
        news.evidence = evidence(&format!("{name} {tool}"));
        news.doing = Some(Doing::Dialog(Dialog::Permission));
    }
    if text("agent_id").is_some() {
        // Whoever asks, the question stands in the one pane.
        news.evidence.push_str(" of a sub-agent");
        return Some(news);
    }
    match name {
        "SessionStart" => {
            let source = text("source").unwrap_or("startup");
            news.evidence = evidence(&format!("{name} {source}"));
            news.begins = Some(source.to_owned());
        }
        "UserPromptSubmit" => {
            news.doing = Some(Doing::Working);
            news.prompt = text("prompt").map(str::to_owned);
        }
        "Stop" | "Interrupt" => news.doing = Some(Doing::Idle),
        _ => {}
    }
    Some(news)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(event: &str, more: Value) -> HookNews {
        let mut payload = json!({
            "session_id": "01a20004-7c74-7083-a8be-2db481478324",
            "turn_id": "01a20004-7d1e-7d51-bd7f-aa3e945a5066",
            "cwd": "/w",
            "hook_event_name": event,
        });
        for (key, value) in more.as_object().unwrap() {
            payload[key] = value.clone();
        }
        read(&payload).unwrap()
    }

    #[test]
    fn a_hook_is_trusted_by_the_digest_that_the_program_reckons() {
        // As 0.169.0 wrote it down when a person had trusted this very hook.
        let expected = "sha256:afc4a335880c0f5eabeea2dd45cd666bf46ba37875f4cfe570fe9eb39b2d4061";
        assert_eq!(digest("stop", "exec /tmp/cxm/hook.sh"), expected);
    }

    #[test]
    fn the_settings_are_toml_whatever_the_command_is() {
        let command = "exec '/nix/store/a \"b\"/supervisor' hook";
        let all: toml::Table = settings(command).join("\n").parse().unwrap();
        let hook = &all["hooks"]["Stop"][0]["hooks"][0];
        assert_eq!(hook["command"].as_str(), Some(command));
        let state = all["hooks"]["state"].as_table().unwrap();
        assert_eq!(state.len(), CALLS.len());
        let trusted = &state["/<session-flags>/config.toml:interrupt:0:0"]["trusted_hash"];
        assert_eq!(trusted.as_str(), Some(digest("interrupt", command).as_str()));
    }

    #[test]
    fn a_turn_is_work_from_the_prompt_to_the_stop_or_the_interruption() {
        let prompt = news("UserPromptSubmit", json!({ "prompt": "go\non" }));
        assert_eq!(
            (prompt.doing, prompt.prompt.as_deref()),
            (Some(Doing::Working), Some("go\non"))
        );
        assert_eq!(news("Stop", json!({ "last_assistant_message": "x" })).doing, Some(Doing::Idle));
        assert_eq!(news("Interrupt", json!({})).doing, Some(Doing::Idle));
    }

    #[test]
    fn the_first_hook_names_the_conversation_that_the_program_has_chosen() {
        let start = news("SessionStart", json!({ "source": "startup" }));
        assert_eq!(start.conversation, "01a20004-7c74-7083-a8be-2db481478324");
        assert_eq!((start.begins.as_deref(), start.doing), (Some("startup"), None));
    }

    #[test]
    fn a_question_of_permission_is_a_dialog_whoever_asks_it() {
        let asks = json!({ "tool_name": "Bash", "tool_input": { "command": "touch x" } });
        let asked = news("PermissionRequest", asks);
        assert_eq!(asked.doing, Some(Doing::Dialog(Dialog::Permission)));
        assert_eq!(asked.evidence, "PermissionRequest Bash");
        let other = news("PermissionRequest", json!({ "agent_id": "a" }));
        assert_eq!(other.doing, Some(Doing::Dialog(Dialog::Permission)));
        assert_eq!(
            news("UserPromptSubmit", json!({ "agent_id": "a", "prompt": "x" })).prompt,
            None
        );
    }

    #[test]
    fn what_is_no_call_of_a_hook_is_nothing() {
        assert_eq!(read(&json!(null)), None);
        assert_eq!(read(&json!({ "hook_event_name": "Stop" })), None);
        // What `notify` passes on is none either.
        assert_eq!(read(&json!({ "type": "agent-turn-complete", "thread-id": "a" })), None);
    }
}
