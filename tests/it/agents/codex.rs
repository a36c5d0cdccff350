//! The real Codex against the double of the Responses API, offline.

mod home;

use std::process::Stdio;

use self::home::{BYPASS, Home, kickoff};
use crate::house::{kill, lives, running};

#[test]
fn it_starts_without_a_dialog_takes_its_kickoff_and_its_users_file_is_left_alone() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    std::fs::create_dir(home.house.path(".codex")).expect("a folder");
    home.house.write(".codex/config.toml", "# mine\nhide_agent_reasoning = true\n");
    home.house.run();
    let unit = home.wait_answered("builder", &kickoff("builder"));
    let asked = home.api.main_requests();
    assert_eq!(asked[0].conversation, unit.conversation, "its own id is learnt");
    assert_eq!(home.api.prompts(), [kickoff("builder")]);
    assert!(!home.house.events().iter().any(|it| it.starts_with("builder dialog")));
    let file = std::fs::read_to_string(home.house.path(".codex/config.toml")).expect("a file");
    assert!(file.starts_with("# mine\n"), "{file}");
    assert!(!file.contains("trust") && !file.contains("hooks"), "{file}");
    let logs = home.house.does(&["logs", "builder"]);
    assert!(logs.contains("codex: You said: You are the builder"), "{logs}");
}

#[test]
fn after_a_death_it_goes_on_in_its_conversation_and_is_told_nothing_anew() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    kill(pid, "KILL");
    home.house.wait_unit("builder", "is up again", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|it| it != pid)
    });
    home.house.does(&["tell", "builder", "do you remember?"]);
    let unit = home.wait_answered("builder", "do you remember?");
    assert_eq!(unit.conversation.as_ref(), Some(&first));
    let asked = home.api.main_requests();
    assert!(asked.iter().all(|it| it.conversation.as_ref() == Some(&first)), "{asked:?}");
    let last = asked.last().expect("a request");
    assert!(last.messages > asked[0].messages, "it has forgotten: {asked:?}");
    assert_eq!(home.api.prompts().len(), 2);
}

#[test]
fn a_turn_that_a_death_has_cut_off_is_taken_up() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    let file = home.house.path("work").display().to_string();
    std::fs::write(&file, "").expect("a file");
    home.house.does(&["tell", "builder", &format!("[[mode:tool:tail -f {file}]] work")]);
    let tools = || running(&file);
    home.house.wait_for("the tool", || (!tools().is_empty()).then_some(()));
    let old = tools();
    kill(pid, "KILL");
    home.house.wait_for("the old tool's end", || old.iter().all(|pid| !lives(*pid)).then_some(()));
    home.wait_answered("builder", "started again");
    assert_eq!(home.conversation("builder"), first);
}

#[test]
fn a_message_arrives_once_at_its_prompt_and_in_the_middle_of_a_turn() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    for text in ["plain", "-l looks like a flag", "two\nlines", "$HOME `x` \"y\" ; ~ #{pid} ä 日本"]
    {
        home.house.does(&["tell", "builder", "--", text]);
        home.wait_answered("builder", text);
    }
    // While it waits for an answer, what is entered is taken at once.
    home.house.does(&["tell", "builder", "[[mode:slow:20]] think"]);
    home.wait_reading("builder", "working");
    home.house.does(&["tell", "builder", "and think of this"]);
    home.wait_answered("builder", "and think of this");
    // While a tool runs, the program keeps it.
    let file = home.house.path("work").display().to_string();
    std::fs::write(&file, "").expect("a file");
    // Without this many milliseconds it would only wait for ten seconds.
    let input = format!(r#"{{"cmd":"timeout 900 tail -f {file}","yield_time_ms":30000}}"#);
    let call = format!(r#"[[mode:toolraw:{{"name":"exec_command","input":{input}}}]] work"#);
    home.house.does(&["tell", "builder", &call]);
    let tools = || running(&file);
    home.house.wait_for("the tool", || (!tools().is_empty()).then_some(()));
    let mut telling = home.house.command(&["tell", "builder", "said during a tool"]);
    let mut telling = telling.stdout(Stdio::null()).spawn().expect("the verb");
    home.house.wait_for("the program to keep it", || {
        home.pane("builder").contains("said during a tool").then_some(())
    });
    home.house.wait_unit("builder", "is not sure", |unit| {
        unit.messages == 1
            && home.house.events().iter().any(|it| it.contains("keeps what was entered"))
    });
    tools().into_iter().for_each(|pid| kill(pid, "TERM"));
    assert!(telling.wait().expect("its end").success());
    home.wait_answered("builder", "said during a tool");
    let asked = home.transcript_prompts("builder");
    for text in ["plain", "two\nlines", "and think of this", "said during a tool"] {
        assert_eq!(asked.iter().filter(|it| it.contains(text)).count(), 1, "{text}: {asked:?}");
    }
}

#[test]
fn an_error_is_read_for_what_it_means_and_a_message_told_after_it_arrives() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    for (mode, reading) in [
        ("err401_key", "logged_out"),
        ("err429_usage:3600", "limited"),
        ("err429_quota", "errored"),
        ("err404_model", "errored"),
        ("err429", "errored"),
        ("err500", "errored"),
    ] {
        home.types("builder", &format!("[[mode:{mode}]] try {mode}"));
        home.presses("builder", "Enter");
        let unit = home.house.wait_unit("builder", &format!("reads {reading}"), |unit| {
            let source = unit.source.as_ref();
            unit.reading == reading && source.is_some_and(|it| it.channel == "transcript")
        });
        assert_eq!((unit.state.as_str(), unit.restarts.total), ("up", 0), "{mode}");
        if mode != "err500" {
            home.types("builder", &format!("well after {mode}"));
            home.presses("builder", "Enter");
            home.wait_answered("builder", &format!("well after {mode}"));
        }
    }
    home.house.does(&["tell", "builder", "are you well?"]);
    home.wait_answered("builder", "are you well?");
}

#[test]
fn a_killed_supervisor_leaves_it_alone_and_the_next_one_adopts_it_in_the_middle_of_a_turn() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    home.house.does(&["tell", "builder", "[[mode:slow:4]] think"]);
    home.house.end_daemon("KILL");
    home.house.run();
    let unit = home.wait_answered("builder", "think");
    assert_eq!((unit.pid, unit.conversation.as_deref()), (Some(pid), Some(first.as_str())));
    assert_eq!(unit.restarts.total, 0);
}

#[test]
fn a_question_of_permission_is_a_dialog_and_a_message_waits_until_it_is_answered() {
    let Some(mut home) = Home::of(&[("builder", "")]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    let call = r#"{"name":"exec_command","input":{"cmd":"true","sandbox_permissions":"require_escalated","justification":"May I?"}}"#;
    home.house.does(&["tell", "builder", &format!("[[mode:toolraw:{call}]] go")]);
    home.wait_reading("builder", "dialog");
    let telling = home.house.command(&["tell", "builder", "after the dialog"]).spawn();
    home.house.wait_unit("builder", "has a message", |unit| unit.messages == 1);
    assert!(!home.pane("builder").contains("after the dialog"));
    // The hook is called before the question is drawn.
    home.house
        .wait_for("the question", || home.pane("builder").contains("Yes, proceed").then_some(()));
    home.presses("builder", "y");
    assert!(telling.expect("the verb").wait().expect("its end").success());
    home.wait_answered("builder", "after the dialog");
}

#[test]
fn a_conversation_that_a_person_has_opened_is_waited_for() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    home.house.does(&["stop", "builder"]);
    let hand = home.by_hand("builder", &["resume", &first, "--no-daemon"]);
    home.house.wait_for("the person's", || (!running(&first).is_empty()).then_some(()));
    let starting = home.house.command(&["start", "builder"]).spawn();
    let unit = home.house.wait_unit("builder", "waits", |unit| unit.state == "waiting");
    assert!(unit.why.contains("started by hand"), "{}", unit.why);
    drop(hand);
    assert!(starting.expect("the verb").wait().expect("its end").success());
    home.house.wait_unit("builder", "is up", |unit| unit.state == "up");
    assert_eq!(home.conversation("builder"), first);
}

#[test]
fn a_conversation_that_is_gone_leads_to_a_new_one_with_the_kickoff_prompt() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    home.house.does(&["restart", "--fresh", "builder"]);
    home.house.wait_for("the kickoff", || (home.api.prompts().len() == 2).then_some(()));
    let unit = home.wait_answered("builder", &kickoff("builder"));
    home.house.wait_unit("builder", "is elsewhere", |unit| {
        unit.conversation.as_ref().is_some_and(|it| *it != first)
    });
    assert_eq!(unit.state, "up");
}

#[test]
fn a_stop_leaves_nothing_of_it() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    home.house.does(&["stop", "builder"]);
    home.house.must_be_empty();
}
