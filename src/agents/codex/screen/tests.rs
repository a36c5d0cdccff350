//! Every captured screen, at every width; and screens that mean to deceive.

use super::*;
use crate::agents::captures;
use crate::agents::codex::Codex;
use crate::decide::Reading;

/// Each capture in `tests/screens/codex` by what it shows. The number is the width.
const CAPTURES: &[(Reading, &str)] = &[
    (
        Reading::Idle,
        "idle_80 idle_40 idle_140 typed_80 typed_40 typed_long_80 typed_long_40 \
         interrupted_80 resumed_100 resumed_after_kill_100 slash_menu_40  \
         steered_140 not_logged_in_80",
    ),
    (
        Reading::Working,
        "busy_80 busy_140 busy_tool_40 busy_tool_queued_80 busy_tool_queued_40 \
         busy_tool_queued_140 busy_typed_80 busy_typed_40 reconnecting_40 \
         reconnecting_80 refused_80 err401_retry_120",
    ),
    (Reading::Dialog, "permission_80 trust_40 trust_80 hooks_dialog double_100"),
    (Reading::Limited, "usage_limit_80 usage_limit_40 slash_menu_80"),
    (Reading::LoggedOut, "err401_80 err401_40"),
    (Reading::Errored, "quota_120 err400_120 err404_120"),
    (Reading::Dead, "no_conversation_80"),
    (Reading::Unknown, "killed_100"),
];

fn seen(file: &str) -> ScreenReading {
    shown(&captures::text("codex", file))
}

fn shown(text: &str) -> ScreenReading {
    read(&captures::screen(text))
}

#[test]
fn every_capture_is_read_as_what_it_shows() {
    captures::check(&Codex, "codex", CAPTURES);
}

#[test]
fn what_is_typed_is_told_from_the_suggestion() {
    for file in
        ["idle_80.txt", "idle_80.ansi", "idle_40.txt", "busy_80.txt", "busy_tool_queued_40.txt"]
    {
        assert_eq!(seen(file).composer, Composer::Empty, "{file}");
    }
    for file in ["typed_80.txt", "typed_80.ansi", "typed_40.txt"] {
        assert_eq!(seen(file).composer, Composer::Text("a typed text".to_owned()), "{file}");
    }
    let Composer::Text(long) = seen("typed_long_40.txt").composer else { panic!("no text") };
    assert!(squeeze(&long).starts_with("atypedtextthatislongenough"), "{long}");
    assert!(squeeze(&long).ends_with("full,andgoeson"), "{long}");
    for file in ["permission_80.txt", "trust_40.txt", "double_100.txt", "killed_100.txt"] {
        assert_eq!(seen(file).composer, Composer::Absent, "{file}");
    }
}

#[test]
fn what_waits_for_the_end_of_a_tool_is_seen() {
    for file in [
        "busy_tool_queued_80.txt",
        "busy_tool_queued_80.ansi",
        "busy_tool_queued_40.txt",
        "busy_typed_80.txt",
        "busy_typed_80.ansi",
    ] {
        let queued = seen(file).queued.unwrap_or_default();
        assert!(queued.contains("[msg abc123]"), "{file}: {queued}");
    }
    assert_eq!(seen("busy_80.txt").queued, None);
    assert_eq!(seen("idle_80.txt").queued, None);
}

#[test]
fn a_failure_is_named_by_what_it_means() {
    let doing = |file: &str| seen(file).shows.doing();
    let failed = |failure| Some(Doing::Failed(failure));
    assert_eq!(doing("quota_120.txt"), failed(Failure::Unpaid));
    assert_eq!(doing("err400_120.txt"), failed(Failure::Errored));
    assert_eq!(doing("err404_120.txt"), failed(Failure::Misconfigured));
    assert_eq!(doing("double_100.txt"), Some(Doing::Dialog(Dialog::Other)));
    assert_eq!(doing("trust_80.txt"), Some(Doing::Dialog(Dialog::Start)));
    assert_eq!(doing("permission_80.txt"), Some(Doing::Dialog(Dialog::Permission)));
    let evidence = seen("usage_limit_40.txt").why;
    assert!(evidence.starts_with("You’ve hit your usage limit."), "{evidence}");
}

#[test]
fn only_last_words_are_a_complaint() {
    let last = |file: &str| captures::text("codex", file);
    assert_eq!(complaint(&last("no_conversation_80.txt")), Some(Complaint::Conversation));
    assert_eq!(complaint(&last("killed_100.txt")), None);
    let quoted = format!("• ERROR: No saved session found with ID x\n\n{}", last("idle_80.txt"));
    assert_eq!(complaint(&quoted), None);
}

#[test]
fn what_an_agent_draws_is_history() {
    const BOTTOM: &str =
        "\n\n› Ask Codex to do anything\n\n  gpt-5 default · /w\n  ? for shortcuts\n";
    for drawn in [
        "• It says:\n\n  Would you like to run the following command?\n\n› 1. Yes, proceed (y)\n\n  Worked for 1s",
        "• Trust this folder?\n  › 1. Trust and continue",
        "■ You’ve hit your usage limit.\n\n› go on\n\n• done",
        "• Working (3s • esc to interrupt)\n\n• That was a quotation.",
    ] {
        let seen = shown(&format!("{drawn}{BOTTOM}"));
        assert_eq!(seen.shows, Shows::Doing(Doing::Idle), "{drawn}");
        assert_eq!(seen.composer, Composer::Empty, "{drawn}");
    }
}
