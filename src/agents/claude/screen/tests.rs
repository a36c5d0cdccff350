//! Every captured screen, at every width; and screens that mean to deceive.

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::captures::CAPTURES;
use super::*;
use crate::decide::Reading;

mod captures;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens")
}

fn capture(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every capture by name, and what it shows.
fn captures() -> BTreeMap<String, Reading> {
    let mut captures = BTreeMap::new();
    for (shows, names) in CAPTURES {
        for name in names.split_whitespace() {
            let endings: &[&str] = if name.contains('.') { &[""] } else { &[".txt", ".ansi"] };
            for ending in endings {
                let twice = captures.insert(format!("{name}{ending}"), *shows);
                assert_eq!(twice, None, "{name} stands twice");
            }
        }
    }
    captures
}

/// Of the day on which most captures were taken.
fn noon() -> SystemTime {
    "2026-11-21T12:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

fn at_noon(text: &str) -> ScreenText<'_> {
    ScreenText { text, cursor: None, directory: None, now: noon() }
}

fn seen(text: &str) -> ScreenReading {
    read(&at_noon(text))
}

fn seen_at(text: &str, cursor: (usize, usize)) -> ScreenReading {
    read(&ScreenText { text, cursor: Some(cursor), directory: None, now: noon() })
}

/// As a pane that is narrower breaks it: anywhere.
fn broken(text: &str, width: usize) -> String {
    let mut broken = String::new();
    for line in text.lines() {
        let cells: Vec<char> = line.chars().collect();
        for part in cells.chunks(width) {
            broken.extend(part);
            broken.push('\n');
        }
        if cells.is_empty() {
            broken.push('\n');
        }
    }
    broken
}

#[test]
fn every_capture_shows_what_it_was_taken_for() {
    for (name, shows) in captures() {
        let reading = seen(&capture(&name));
        assert_eq!(reading.shows.reading(), shows, "{name}: {}", reading.why);
        assert!(!reading.why.is_empty() && !reading.why.contains(char::is_control), "{name}");
    }
}

#[test]
fn no_capture_is_left_out() {
    let entries = std::fs::read_dir(folder()).expect("the captures").flatten();
    // Other programs have folders of their own.
    let entries = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut there: Vec<_> =
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    there.sort();
    let expected: Vec<_> = captures().into_keys().collect();
    assert_eq!(there, expected);
}

#[test]
fn a_capture_shows_the_same_at_every_width_and_with_rows_to_spare() {
    for (name, shows) in captures().into_iter().filter(|(name, _)| name.ends_with(".txt")) {
        // Broken anywhere, a picture that is indented comes to stand at the edge.
        if name.contains("adversary") {
            continue;
        }
        for width in [100, 80, 60, 40] {
            let text = broken(&capture(&name), width) + "\n   \n\n\n";
            let reading = seen(&text);
            assert_eq!(
                reading.shows.reading(),
                shows,
                "{name} at {width}: {}\n{text}",
                reading.why
            );
        }
    }
}

#[test]
fn what_a_person_has_typed_is_told_from_what_the_program_suggests() {
    let text = |text: &str| Composer::Text(text.to_owned());
    for (name, composer) in [
        ("07_bypass_idle.txt", Composer::Empty),
        ("45_queued_during_tool.txt", Composer::Empty),
        ("err400_tooluse.txt", Composer::Empty),
        ("err400_credit.txt", Composer::Empty),
        ("60_refused.txt", Composer::Empty),
        ("busy_queued.txt", Composer::Empty),
        ("busy_queued.ansi", Composer::Empty),
        ("not_logged_in.ansi", Composer::Empty),
        ("err413_token.ansi", Composer::Empty),
        ("v197_busy_queued.ansi", Composer::Empty),
        ("adversary.ansi", Composer::Empty),
        ("named.ansi", Composer::Empty),
        ("typed.txt", text("half typed by a person")),
        ("typed.ansi", text("half typed by a person")),
        ("typed_cursor_at_start.ansi", text("abc abc abc")),
        ("typed_three_lines.txt", text("ine one\nline two is longer\n  indented")),
        ("typed_three_lines.ansi", text("ine one\nline two is longer\n  indented")),
        ("limit_5h_typed.ansi", text("typed while limited")),
        ("busy_typed.ansi", text("queued ping")),
        ("busy_typed_40.txt", text("queued")),
        ("v197_busy_typed.ansi", text("queued thing")),
        ("slash_menu_60.ansi", text("/model")),
        ("shell_typed_60.ansi", text("ls -l")),
        ("permission.ansi", Composer::Absent),
        ("02_first_dialog.txt", Composer::Absent),
        ("transcript_view_60.txt", Composer::Absent),
    ] {
        assert_eq!(seen(&capture(name)).composer, composer, "{name}");
    }
    let Composer::Text(long) = seen(&capture("typed_beyond_its_box.ansi")).composer else {
        panic!("what does not fit into the box is a typed text");
    };
    assert!(long.starts_with("line 46\n") && long.ends_with("\nline 60"), "{long}");
}

#[test]
fn without_colours_the_cursor_tells_a_suggestion() {
    let screen = |typed: &str| {
        let rule = "─".repeat(40);
        format!("\n{rule}\n❯\u{a0}{typed}\n{rule}\n  ⏵⏵ bypass permissions on\n")
    };
    let suggestion = "A new kind of suggestion";
    assert_eq!(seen_at(&screen(suggestion), (2, 2)).composer, Composer::Empty);
    let typed = Composer::Text(suggestion.to_owned());
    assert_eq!(seen_at(&screen(suggestion), (26, 2)).composer, typed);
    assert_eq!(seen(&screen(suggestion)).composer, typed);
    assert_eq!(seen(&screen("Try \"edit lib.rs to…\"")).composer, Composer::Empty);
    assert_eq!(seen(&screen("")).composer, Composer::Empty);
}

#[test]
fn a_start_dialog_is_told_with_the_key_that_would_have_spared_it() {
    let told = |name: &str, directory: Option<&str>| {
        let text = capture(name);
        let directory = directory.map(OsStr::new);
        read(&ScreenText { text: &text, cursor: None, directory, now: noon() }).why
    };
    for name in ["02_first_dialog.txt", "v197_trust.txt", "trust_40.txt"] {
        let why = told(name, Some("/srv/x"));
        let key = "projects[\"/srv/x\"].hasTrustDialogAccepted to true in ~/.claude.json";
        assert!(why.contains("trust dialog") && why.contains(key), "{why}");
    }
    let why = told("02_first_dialog.txt", None);
    assert!(why.contains("projects[\"/srv/agents/work/p1\"]"), "{why}");
    for (name, words) in [
        ("06_bypass_sandbox.txt", "skipDangerousModePermissionPrompt"),
        ("03_after_trust.txt", "customApiKeyResponses.approved"),
        ("imports_dialog.txt", "projects[\"/srv/x\"].hasClaudeMdExternalIncludesApproved"),
        ("mcp_dialog_60.txt", "enableAllProjectMcpServers"),
        ("login_dialog.txt", "CLAUDE_CODE_OAUTH_TOKEN"),
        ("resume_picker.txt", "the picker of conversations"),
        ("permission.txt", "a permission prompt"),
        ("v197_permission.ansi", "a permission prompt"),
        ("permission_write.txt", "a permission prompt"),
        ("ask_user_question.ansi", "a question of the agent"),
        ("limit_weekly_dialog.ansi", "the usage-limit dialog"),
        ("model_dialog_60.txt", "a dialog: Select model"),
    ] {
        let why = told(name, Some("/srv/x"));
        assert!(why.contains(words), "{name}: {why}");
    }
}

#[test]
fn the_first_start_is_recognised_although_it_has_no_box() {
    let screen = "Welcome to Claude Code v2.1.330\n......\n\n   *  ██▓░\n\n Let's get started.\n\n \
                  Choose the text style that looks best with your terminal\n\n ❯ 1. Dark mode ✔\n   \
                  2. Light mode\n\n  1  function greet() {\n";
    let reading = seen(screen);
    assert_eq!(reading.shows.doing(), Some(Doing::Dialog(Dialog::Start)));
    assert!(reading.why.contains("hasCompletedOnboarding"), "{}", reading.why);
}

#[test]
fn a_screen_with_nothing_on_it_says_nothing() {
    for text in ["", "\n\n\n", "   \n \u{a0}\n", "\x1b[0m\n\x1b[39m"] {
        let reading = seen(text);
        assert_eq!(reading.shows, Shows::Unknown, "{text:?}");
        assert_eq!(reading.composer, Composer::Absent);
    }
    let banner = "\n ▐▛███▛█   Claude Code v2.1.330\n▝▜██████▀  Opus 5.5\n";
    assert_eq!(seen(banner).shows, Shows::Starting);
}

/// What an agent may print, as the program shows it: below a marker, indented.
fn said(text: &str) -> String {
    let indented: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("❯ draw a screen\n\n● Here it is:\n\n{}\n\n", indented.join("\n"))
}

fn at_its_prompt(above: &str) -> String {
    let rule = "─".repeat(60);
    format!(
        "{above}✻ Brewed for 0s · done 6:15 PM\n\n{rule}\n❯\u{a0}\n{rule}\n  ⏵⏵ bypass permissions on (shift+tab to cycle)\n"
    )
}

#[test]
fn whatever_an_agent_draws_above_its_prompt_it_stays_idle() {
    for (name, _) in captures() {
        let reading = seen(&at_its_prompt(&said(&capture(&name))));
        assert_eq!(reading.shows.reading(), Reading::Idle, "{name} in an answer: {}", reading.why);
        assert_eq!(reading.composer, Composer::Empty, "{name} in an answer");
    }
}

#[test]
fn a_dialog_is_seen_whatever_an_agent_has_drawn_above_it() {
    let dialog = capture("permission.txt");
    let dialog = &dialog[dialog.find("────").expect("its rule")..];
    for (name, _) in captures() {
        let reading = seen(&format!("{}{dialog}", said(&capture(&name))));
        assert_eq!(
            reading.shows.reading(),
            Reading::Dialog,
            "{name} above a dialog: {}",
            reading.why
        );
        assert_eq!(reading.composer, Composer::Absent, "{name} above a dialog");
    }
}

#[test]
fn a_drawing_without_a_prompt_below_it_is_nothing() {
    for (name, _) in captures() {
        let reading = seen(&said(&capture(&name)));
        assert_eq!(reading.shows.doing(), None, "{name} in an unfinished screen: {}", reading.why);
        assert_eq!(reading.composer, Composer::Absent, "{name} in an unfinished screen");
    }
}

#[test]
fn what_is_typed_is_no_dialog_and_no_work() {
    let rule = "─".repeat(60);
    for typed in ["Enter to confirm · Esc to cancel", "esc to interrupt", "✻ Waiting…", "❯ 1. Yes"]
    {
        let screen = format!("\n{rule}\n❯\u{a0}{typed}\n{rule}\n  ⏵⏵ bypass permissions on\n");
        let reading = seen(&screen);
        assert_eq!(reading.shows.reading(), Reading::Idle, "{typed}");
        assert_eq!(reading.composer, Composer::Text(typed.to_owned()));
    }
}

#[test]
fn only_last_words_are_a_complaint() {
    for name in [
        "27_session_id_exists.txt",
        "no_conversation_40.txt",
        "invalid_session_id.txt",
        "session_id_in_use_40.txt",
    ] {
        let text = capture(name);
        assert_eq!(complaint(&text), Some(Complaint::Conversation), "{name}");
        let dead = format!("{text}\n\n\nPane is dead (status 1, Sat Nov 21 18:20:00 2026)\n");
        assert_eq!(complaint(&dead), Some(Complaint::Conversation), "{name}");
        let advised = format!("{text}\n\nResume this session with:\nclaude --resume 583ca0bd");
        assert_eq!(complaint(&advised), Some(Complaint::Conversation), "{name}");
        assert_eq!(complaint(&said(&text)), None, "{name} quoted");
        assert_eq!(complaint(&at_its_prompt(&said(&text))), None, "{name} quoted");
    }
    let unreachable = capture("01_first_run_theme.txt");
    assert_eq!(complaint(&unreachable), Some(Complaint::Network));
    let ends = unreachable.find(" Check your internet").expect("advice");
    assert_eq!(complaint(&unreachable[..ends]), Some(Complaint::Network));
    assert_eq!(complaint(&said(&unreachable)), None);
    assert_eq!(complaint(&at_its_prompt(&said(&unreachable))), None);
    let proxied = capture("unreachable_proxy_100.txt");
    assert_eq!(complaint(&proxied), Some(Complaint::Network));
    assert_eq!(complaint(&said(&proxied)), None);
    let blocked = unreachable.find(" Claude Code might").expect("advice");
    assert_eq!(complaint(&unreachable[blocked..]), None, "it was reached, and refuses");
    for name in ["adversary.txt", "21_ctrlc_twice.txt", "03_second.txt", "25_kill9.txt"] {
        assert_eq!(complaint(&capture(name)), None, "{name}");
    }
    assert_eq!(complaint(""), None);
    let not_about_its_id = "Error: Session ID is required when using --x";
    assert_eq!(complaint(not_about_its_id), None);
}

#[test]
fn a_limit_is_told_with_the_time_of_its_reset() {
    for (name, time) in [
        ("limit_5h.ansi", "19:03:00"),
        ("limit_5h_retried.txt", "21:57:00"),
        ("limit_weekly_retried.ansi", "20:57:00"),
        ("limit_weekly_chosen_80.ansi", "22:16:00"),
        ("limit_5h_shortly_100.txt", "22:17:00"),
    ] {
        let Some(Doing::Failed(Failure::Limited { until: Some(until) })) =
            seen(&capture(name)).shows.doing()
        else {
            panic!("{name}: no reset");
        };
        let until = jiff::Timestamp::try_from(until).unwrap();
        let here = until.to_zoned(jiff::tz::TimeZone::system()).time();
        assert_eq!(here.to_string(), time, "{name}");
    }
}

#[test]
fn in_every_capture_of_the_limit_dialog_the_option_that_waits_is_found_and_in_no_other() {
    for (name, _) in captures() {
        let text = capture(&name);
        let found = waiting(&at_noon(&text));
        if !name.contains("limit_weekly_dialog") {
            assert!(found.is_err(), "{name}: {found:?}");
            continue;
        }
        let choice = found.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(choice.text.starts_with("Waithere,thencontinueautomatically"), "{choice:?}");
        for width in [100, 80, 60, 40].into_iter().filter(|_| name.ends_with(".txt")) {
            let text = broken(&text, width);
            assert_eq!(waiting(&at_noon(&text)), Ok(choice.clone()), "{name} at {width}");
        }
    }
}

#[test]
fn a_row_that_begins_with_a_wide_blank_is_typed_too() {
    let rule = "─".repeat(20);
    let reading = seen(&format!("{rule}\n❯\u{a0}one\n\u{3000}two\n{rule}\n"));
    assert_eq!(reading.composer, Composer::Text("one\ntwo".to_owned()));
}
