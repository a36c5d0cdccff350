//! How agents end, and what becomes of them.

use std::collections::BTreeSet;

use super::home::{BYPASS, Home, kickoff};
use crate::house::{kill, lives, running};

#[test]
fn a_killed_client_goes_on_in_the_same_conversation_and_its_tool_is_ended() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    let file = home.house.path("tool").display().to_string();
    std::fs::write(&file, "").expect("a file");
    let tool = format!("[[mode:tool:timeout 900 tail -f {file}]] wait for it");
    home.house.does(&["tell", "builder", &tool]);
    let tools = || running(&format!("tail\0-f\0{file}"));
    let old = home.house.wait_for("the tool", || Some(tools()).filter(|pids| !pids.is_empty()));
    kill(pid, "KILL");
    home.house.wait_unit("builder", "lives again", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|new| new != pid)
    });
    home.house.wait_for("the old tool's end", || old.iter().all(|pid| !lives(*pid)).then_some(()));
    // The client takes the turn up again by itself.
    home.house.wait_for("the new tool", || Some(tools()).filter(|pids| !pids.is_empty()));
    assert_eq!(home.conversation("builder"), first);
    let asked = home.api.main_requests();
    assert!(asked.iter().all(|it| it.conversation.as_deref() == Some(&first)), "{asked:?}");
    assert_eq!(home.wait_reading("builder", "working").restarts.total, 1);
}

#[test]
fn a_message_that_the_client_takes_into_its_death_is_not_lost() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let pid = home.house.pid_of("builder");
    let text = "[[mode:slow:2]] remember this";
    let mut telling = home.house.command(&["tell", "builder", text]).spawn().expect("the verb");
    home.house.wait_for("the request", || {
        home.api.prompts().iter().any(|asked| asked.contains("remember this")).then_some(())
    });
    kill(pid, "KILL");
    assert!(telling.wait().expect("its end").success());
    home.house.wait_for("the answer", || {
        let text = std::fs::read_to_string(home.transcript(&home.conversation("builder"))?).ok()?;
        // One that it had written down it takes up again by itself, in the place of the first: of
        // what we typed twice the second would follow the first.
        let places: BTreeSet<String> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|it| it["type"] == "user" && it.to_string().contains("remember this"))
            .map(|it| it["parentUuid"].to_string())
            .collect();
        assert!(places.len() <= 1, "it was entered twice:\n{text}");
        text.contains("You said").then_some(())?;
        text.rfind("\"type\":\"assistant\"")
            .filter(|at| *at > text.find("remember this").unwrap_or(usize::MAX))
    });
}

#[test]
fn a_killed_supervisor_leaves_the_agent_and_its_turn_alone() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    home.house.does(&["tell", "builder", "[[mode:slow:3]] think"]);
    home.house.end_daemon("KILL");
    home.house.run();
    let unit = home.wait_answered("builder", "think");
    assert_eq!((unit.pid, unit.conversation.as_deref()), (Some(pid), Some(first.as_str())));
    assert_eq!(unit.restarts.total, 0);
}

#[test]
fn what_hooks_tell_while_no_supervisor_listens_is_heard_by_the_next_one() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    home.house.end_daemon("KILL");
    home.types("builder", "a person asks this");
    home.presses("builder", "Enter");
    home.house.wait_for("the answer", || {
        home.pane("builder").contains("You said: a person asks this").then_some(())
    });
    let spool = home.house.path("run/hooks");
    home.house.wait_for("the hooks", || {
        (std::fs::read_dir(&spool).expect("the spool").count() >= 2).then_some(())
    });
    home.house.run();
    home.wait_reading("builder", "idle");
    home.house.wait_for("an empty spool", || {
        std::fs::read_dir(&spool).expect("the spool").next().is_none().then_some(())
    });
}

#[test]
fn a_client_that_a_person_ends_stays_down_and_comes_back_in_its_conversation() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    home.types("builder", "/exit");
    home.presses("builder", "Enter");
    let unit = home.house.wait_unit("builder", "is down", |unit| unit.state == "stopped");
    assert_eq!((unit.wish.as_str(), unit.why.contains("by hand")), ("down", true));
    home.house.does(&["start", "builder"]);
    home.wait_reading("builder", "idle");
    assert_eq!(home.conversation("builder"), first);
    assert_eq!(home.api.prompts(), [kickoff("builder")], "a resumed one is told nothing anew");
}

#[test]
fn ctrl_c_twice_is_a_persons_end_too_unless_the_config_says_otherwise() {
    let always = format!("{BYPASS}\non_exit = \"restart\"");
    let Some(mut home) = Home::of(&[("builder", &always)]) else { return };
    home.house.run();
    let pid = home.wait_answered("builder", &kickoff("builder")).pid;
    home.presses("builder", "C-c");
    home.house.wait_for("the question", || {
        home.pane("builder").contains("Press Ctrl-C again to exit").then_some(())
    });
    home.presses("builder", "C-c");
    home.house.wait_unit("builder", "is up again", |unit| unit.pid.is_some() && unit.pid != pid);
}

#[test]
fn a_conversation_that_cannot_be_opened_leads_to_a_new_one_once() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    home.house.does(&["stop", "builder"]);
    // There, and nothing in it: the client says that there is no such conversation.
    std::fs::write(home.transcript(&first).expect("the transcript"), "").expect("ours");
    home.house.does(&["start", "builder"]);
    let unit = home.house.wait_unit("builder", "goes on elsewhere", |unit| {
        unit.state == "up" && unit.conversation.as_ref() != Some(&first)
    });
    home.wait_reading("builder", "idle");
    // It is told why it is told again.
    home.house.wait_for("the kickoff", || {
        let asked = home.api.main_requests();
        let again = asked.iter().find(|it| it.conversation == unit.conversation)?;
        let told = again.prompt.starts_with(&kickoff("builder"));
        (told && again.prompt.contains("could not open its conversation")).then_some(())
    });
    assert_eq!(home.house.unit("builder").conversation, unit.conversation);
    assert!(home.house.events().iter().any(|it| it.contains("conversation-lost")));
}

#[test]
fn a_fresh_restart_begins_another_conversation_with_the_kickoff_prompt() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    home.house.does(&["restart", "--fresh", "builder"]);
    home.house.wait_for("the kickoff", || (home.api.prompts().len() == 2).then_some(()));
    assert_ne!(home.conversation("builder"), first);
    let asked = home.api.main_requests();
    assert_ne!(asked[0].conversation, asked.last().expect("a request").conversation);
}

#[test]
fn a_stop_lets_the_client_take_its_leave() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    home.house.does(&["stop", "builder"]);
    let left = std::fs::read_dir(home.house.path(".claude/sessions")).expect("the registry");
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "it had no time to clean up: {left:?}");
    home.house.must_be_empty();
}
