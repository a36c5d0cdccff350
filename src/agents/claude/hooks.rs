//! Its hooks: the settings that make it call us, and what each call says.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::{limits, screen, start};
use crate::agents::HookNews;
use crate::agents::text::evidence;
use crate::decide::{Dialog, Doing, Failure};

/// How long it waits for a call of ours, in seconds: a call takes milliseconds, and one that hangs
/// must not hold the agent up.
const TIMEOUT: u32 = 5;

/// What we are called for. Not for each use of a tool, which would be a process each and says
/// nothing: that a turn goes on is known, and a permission that was given shows in the registry at
/// once, here only when the tool has ended. Of the two that are questions themselves the end is
/// the answer. Sub-agents say nothing of the main conversation.
const CALLS: &[(&str, Option<&str>)] = &[
    ("SessionStart", None),
    ("SessionEnd", None),
    ("UserPromptSubmit", None),
    ("PostToolUse", Some("AskUserQuestion|ExitPlanMode")),
    ("PermissionRequest", None),
    ("Notification", None),
    ("Stop", None),
    ("StopFailure", None),
    ("PreCompact", None),
    ("PostCompact", None),
];

pub(super) fn settings(hook_command: &str, args: &[String]) -> String {
    let call = json!({ "type": "command", "command": hook_command, "timeout": TIMEOUT });
    let mut hooks = Map::new();
    for (event, matcher) in CALLS {
        let mut group = json!({ "hooks": [call] });
        if let Some(matcher) = matcher {
            group["matcher"] = json!(matcher);
        }
        hooks.insert((*event).to_owned(), json!([group]));
    }
    let mut settings = json!({ "hooks": hooks });
    if start::bypasses(args) {
        // Whoever wrote the option into the config has consented to what the dialog asks.
        settings["skipDangerousModePermissionPrompt"] = json!(true);
    }
    settings.to_string()
}

pub(super) fn read(payload: &Value, at: SystemTime) -> Option<HookNews> {
    let text = |key: &str| payload.get(key).and_then(Value::as_str);
    let name = text("hook_event_name")?;
    let mut news = HookNews {
        name: name.to_owned(),
        conversation: text("session_id")?.to_owned(),
        evidence: evidence(name),
        ..HookNews::default()
    };
    let kind = kind_of(name).and_then(text).unwrap_or_default();
    if !kind.is_empty() {
        news.evidence = evidence(&format!("{name} {kind}"));
    }
    if text("agent_id").is_some() {
        news.evidence.push_str(" of a sub-agent");
        // Whoever asks, the question stands in the one pane.
        news.doing = (name == "PermissionRequest").then_some(Doing::Dialog(asks(kind)));
        return Some(news);
    }
    news.doing = doing(name, kind);
    if name == "StopFailure" {
        // The text counts: what poisons a conversation is called `unknown` by the hook.
        let said = text("last_assistant_message").or_else(|| text("error_details"));
        let by_text = said.and_then(screen::failure_of);
        let by_word = || failure(text("error").unwrap_or_default());
        let failure = by_text.unwrap_or_else(by_word);
        let failure = limits::dated(failure, said.unwrap_or_default(), at);
        news.doing = Some(Doing::Failed(failure));
        if let Some(said) = said {
            news.evidence = evidence(said);
        }
    }
    match name {
        "SessionStart" => news.begins = Some(text("source").unwrap_or("startup").to_owned()),
        "UserPromptSubmit" => news.prompt = text("prompt").map(str::to_owned),
        _ => {}
    }
    Some(news)
}

/// The field that tells calls for one event apart.
fn kind_of(event: &str) -> Option<&'static str> {
    Some(match event {
        "SessionStart" => "source",
        "SessionEnd" => "reason",
        "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PermissionRequest" => "tool_name",
        "Notification" => "notification_type",
        "StopFailure" => "error",
        "PreCompact" | "PostCompact" => "trigger",
        _ => return None,
    })
}

/// What an error means whose text is not known, by the program's own word for it.
pub(super) fn failure(error: &str) -> Failure {
    match error {
        "authentication_failed"
        | "oauth_org_not_allowed"
        | "account_on_hold"
        | "verification_required" => Failure::LoggedOut,
        "billing_error" => Failure::Unpaid,
        "model_not_found" => Failure::Misconfigured,
        _ => Failure::Errored,
    }
}

/// Where an event leaves it open, the registry says it a moment later.
fn doing(event: &str, kind: &str) -> Option<Doing> {
    match (event, kind) {
        // At a start it comes 150 ms before there is a prompt to type at, and before the questions
        // of a resumption; after a compaction the turn may go on or not.
        ("SessionStart", "clear") => Some(Doing::Idle),
        (
            "UserPromptSubmit" | "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PreCompact",
            _,
        ) => Some(Doing::Working),
        // One that a person asked for ends at the prompt.
        ("PostCompact", "manual") => Some(Doing::Idle),
        ("PostCompact", _) => Some(Doing::Working),
        ("Stop", _) => Some(Doing::Idle),
        ("PermissionRequest", tool) => Some(Doing::Dialog(asks(tool))),
        // `agent_needs_input` is also said of other sessions in the background, and `idle_prompt` a
        // minute after a turn that failed as after one that went well.
        ("Notification", "permission_prompt") => Some(Doing::Dialog(Dialog::Permission)),
        ("Notification", "elicitation_dialog") => Some(Doing::Dialog(Dialog::Question)),
        ("Notification", "quota_auto_resume_fired") => Some(Doing::Working),
        _ => None,
    }
}

/// Two tools are questions themselves.
fn asks(tool: &str) -> Dialog {
    match tool {
        "AskUserQuestion" | "ExitPlanMode" => Dialog::Question,
        _ => Dialog::Permission,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Wedge;

    const POISONED: Failure = Failure::Wedged(Wedge::Poisoned);
    const FULL: Failure = Failure::Wedged(Wedge::Full);
    const NOON: &str = "2026-11-21T12:00:00Z";

    fn at(time: &str) -> SystemTime {
        time.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn limited(until: &str) -> Failure {
        Failure::Limited { until: Some(at(until)) }
    }

    fn news(event: &str, more: Value) -> HookNews {
        let mut payload = json!({
            "session_id": "d821b97d-c8da-4d7a-9728-7030c8c4a00a",
            "transcript_path": "/h/.claude/projects/-w/d821b97d-c8da-4d7a-9728-7030c8c4a00a.jsonl",
            "cwd": "/w",
            "hook_event_name": event,
        });
        for (key, value) in more.as_object().unwrap() {
            payload[key] = value.clone();
        }
        read(&payload, at(NOON)).unwrap()
    }

    fn says(event: &str, more: Value) -> (Option<Doing>, String) {
        let news = news(event, more);
        (news.doing, news.evidence)
    }

    fn is(doing: Option<Doing>, evidence: &str) -> (Option<Doing>, String) {
        (doing, evidence.to_owned())
    }

    #[test]
    fn a_turn_is_work_from_the_prompt_to_the_stop() {
        let prompt = news("UserPromptSubmit", json!({ "prompt": "go\non" }));
        assert_eq!(prompt.doing, Some(Doing::Working));
        assert_eq!(prompt.prompt.as_deref(), Some("go\non"));
        assert_eq!(prompt.conversation, "d821b97d-c8da-4d7a-9728-7030c8c4a00a");
        let stop = json!({ "stop_hook_active": false, "last_assistant_message": "done" });
        assert_eq!(says("Stop", stop), is(Some(Doing::Idle), "Stop"));
    }

    #[test]
    fn a_failure_is_told_by_its_text_before_the_word_of_the_hook() {
        const POISON: &str = "API Error: 400 messages.3.content.17: `thinking` or \
            `redacted_thinking` blocks in the latest assistant message cannot be modified. These \
            blocks must remain as they were in the original response.";
        for (error, text, failure) in [
            ("unknown", POISON, POISONED),
            (
                "invalid_request",
                "API Error: 400 due to tool use concurrency issues. Run /rewind to recover the \
                 conversation.",
                POISONED,
            ),
            ("invalid_request", "Prompt is too long · the request is ~9 tokens", FULL),
            ("invalid_request", "Context limit reached · /compact or /clear to continue", FULL),
            (
                "rate_limit",
                "You've hit your 5-hour limit · resets 3:33pm (UTC)",
                limited("2026-11-21T15:33:00Z"),
            ),
            (
                "rate_limit",
                "You've hit your weekly limit · resets Nov 24, 1pm (UTC)",
                limited("2026-11-24T13:00:00Z"),
            ),
            ("rate_limit", "You've hit your weekly limit", Failure::Limited { until: None }),
            ("rate_limit", "API Error: Request rejected (429) · slow down", Failure::Errored),
            ("server_error", "API Error: 529 Overloaded. This is server-side", Failure::Errored),
            (
                "authentication_failed",
                "Please run /login · API Error: 401 OAuth token has expired",
                Failure::LoggedOut,
            ),
            ("authentication_failed", "Invalid API key · Fix external API key", Failure::LoggedOut),
            ("authentication_failed", "a text of a later version", Failure::LoggedOut),
            ("billing_error", "Credit balance is too low", Failure::Unpaid),
            ("unknown", "a text of a later version", Failure::Errored),
        ] {
            let payload = json!({ "error": error, "last_assistant_message": text });
            assert_eq!(says("StopFailure", payload).0, Some(Doing::Failed(failure)), "{text}");
        }
        let wordless = says("StopFailure", json!({ "error": "rate_limit" }));
        assert_eq!(wordless, is(Some(Doing::Failed(Failure::Errored)), "StopFailure rate_limit"));
    }

    #[test]
    fn a_question_is_a_dialog_until_it_is_answered() {
        let tool = || json!({ "tool_name": "AskUserQuestion", "tool_input": { "questions": [] } });
        let asked = says("PermissionRequest", tool());
        assert_eq!(
            asked,
            is(Some(Doing::Dialog(Dialog::Question)), "PermissionRequest AskUserQuestion")
        );
        let late = says("Notification", json!({ "notification_type": "permission_prompt" }));
        assert_eq!(
            late,
            is(Some(Doing::Dialog(Dialog::Permission)), "Notification permission_prompt")
        );
        let answered = says("PostToolUse", tool());
        assert_eq!(answered, is(Some(Doing::Working), "PostToolUse AskUserQuestion"));
    }

    #[test]
    fn notes_say_what_they_name_and_no_more() {
        let note = |kind: &str| says("Notification", json!({ "notification_type": kind })).0;
        assert_eq!(note("idle_prompt"), None, "it comes a minute after a failed turn, too");
        assert_eq!(note("quota_auto_resume_fired"), Some(Doing::Working));
        assert_eq!(note("agent_needs_input"), None);
        assert_eq!(note("of_another_release"), None);
    }

    #[test]
    fn a_start_names_the_conversation_that_it_goes_on_in() {
        let start = news("SessionStart", json!({ "source": "startup", "model": "m" }));
        assert_eq!(start.begins.as_deref(), Some("startup"));
        assert_eq!(start.doing, None, "there is nothing to type at yet");
        let clear = news("SessionStart", json!({ "source": "clear" }));
        assert_eq!(clear.begins.as_deref(), Some("clear"));
        assert_eq!(clear.doing, Some(Doing::Idle));
        let end = news("SessionEnd", json!({ "reason": "clear" }));
        assert_eq!(
            (end.doing, end.begins, end.evidence.as_str()),
            (None, None, "SessionEnd clear")
        );
    }

    #[test]
    fn a_compaction_ends_where_it_began() {
        let of = |event: &str, trigger: &str| says(event, json!({ "trigger": trigger })).0;
        assert_eq!(of("PreCompact", "manual"), Some(Doing::Working));
        assert_eq!(of("PostCompact", "manual"), Some(Doing::Idle));
        assert_eq!(of("PostCompact", "auto"), Some(Doing::Working));
        assert_eq!(says("SessionStart", json!({ "source": "compact" })).0, None);
    }

    #[test]
    fn a_sub_agent_says_nothing_of_the_main_conversation_unless_it_asks() {
        let failed = news("StopFailure", json!({ "error": "invalid_request", "agent_id": "a16" }));
        assert_eq!((failed.doing, failed.begins, failed.prompt), (None, None, None));
        assert_eq!(failed.evidence, "StopFailure invalid_request of a sub-agent");
        let asked = json!({ "tool_name": "Bash", "agent_id": "a16" });
        assert_eq!(says("PermissionRequest", asked).0, Some(Doing::Dialog(Dialog::Permission)));
    }

    #[test]
    fn what_is_no_call_of_a_hook_is_nothing() {
        assert_eq!(read(&json!(null), at(NOON)), None);
        assert_eq!(read(&json!([]), at(NOON)), None);
        assert_eq!(read(&json!({ "hook_event_name": "Stop" }), at(NOON)), None);
        assert_eq!(read(&json!({ "session_id": 1, "hook_event_name": "Stop" }), at(NOON)), None);
    }

    #[test]
    fn the_settings_call_us_and_consent_only_to_what_the_config_asks_for() {
        let with = |args: &[&str]| -> Value {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            serde_json::from_str(&settings("'/nix/store/a b/supervisor' hook", &args)).unwrap()
        };
        let plain = with(&["--model", "opus"]);
        let call = &plain["hooks"]["Stop"][0]["hooks"][0];
        assert_eq!(call["command"], "'/nix/store/a b/supervisor' hook");
        assert_eq!(call["timeout"], 5);
        assert_eq!(plain["hooks"]["PostToolUse"][0]["matcher"], "AskUserQuestion|ExitPlanMode");
        assert_eq!(plain.get("skipDangerousModePermissionPrompt"), None);
        let bypassing = with(&["--dangerously-skip-permissions"]);
        assert_eq!(bypassing["skipDangerousModePermissionPrompt"], true);
    }
}
