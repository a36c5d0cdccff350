//! The orchestrator: one conversation, ours or a person's, and never two.

use super::home::{BYPASS, Home, kickoff};
use crate::house::kill;

const CHIEF: &str = "role = \"orchestrator\"\nresume = \"the-chief\"";

fn chief() -> Option<Home> {
    Home::of(&[("chief", &format!("{BYPASS}\n{CHIEF}"))])
}

#[test]
fn it_is_begun_under_its_name_found_again_by_it_and_told_how_things_stand() {
    let Some(mut home) = chief() else { return };
    home.house.run();
    home.wait_answered("chief", &kickoff("chief"));
    home.house.wait_for("what it has to know", || {
        let told = |it: &String| it.contains("You were started by the supervisor.");
        home.api.prompts().iter().any(told).then_some(())
    });
    home.wait_reading("chief", "idle");
    let first = home.conversation("chief");
    // Whoever loses all state knows its name still.
    home.house.does(&["stop", "--all"]);
    home.house.end_daemon("TERM");
    std::fs::remove_file(home.house.path("state/state.json")).expect("ours");
    home.house.run();
    home.wait_reading("chief", "idle");
    home.house.wait_unit("chief", "is in its conversation", |unit| {
        unit.conversation.as_ref() == Some(&first)
    });
    let kickoffs = home.api.prompts().iter().filter(|it| it.contains(&kickoff("chief"))).count();
    assert_eq!(kickoffs, 1, "{:?}", home.api.prompts());
}

#[test]
fn one_that_a_person_has_started_is_left_alone_and_ours_comes_when_it_ends() {
    let Some(mut home) = chief() else { return };
    // The start dialogs of that folder are answered by a first life of ours.
    home.house.run();
    home.wait_answered("chief", &kickoff("chief"));
    home.house.does(&["stop", "chief"]);
    let hand = home.by_hand("chief", &[]);
    home.house.wait_for("it to be listed", || {
        let listed = std::fs::read_dir(home.house.path(".claude/sessions")).ok()?.count();
        (listed > 0).then_some(())
    });
    let mut starting = home.house.command(&["start", "chief"]).spawn().expect("the verb");
    let unit = home.house.wait_unit("chief", "waits, and says for whom", |unit| {
        let says = unit.why.contains("pid") && unit.why.contains("claude");
        unit.state == "waiting" && says
    });
    assert_eq!(unit.pid, None);
    drop(hand);
    home.wait_reading("chief", "idle");
    assert!(starting.wait().expect("its end").success());
}

#[test]
fn ours_yields_to_a_person_and_comes_back() {
    let Some(mut home) = chief() else { return };
    home.house.run();
    home.wait_answered("chief", &kickoff("chief"));
    let (first, pid) = (home.conversation("chief"), home.house.pid_of("chief"));
    let hand = home.by_hand("chief", &[]);
    let unit = home.house.wait_unit("chief", "yields", |unit| unit.state == "waiting");
    assert!(unit.why.contains("claude"), "{}", unit.why);
    assert!(!crate::house::lives(pid));
    let events = home.house.events().join("\n");
    assert!(events.contains("chief yields "), "{events}");
    drop(hand);
    let unit = home.wait_reading("chief", "idle");
    assert_eq!((unit.conversation, unit.restarts.total), (Some(first), 0));
}

#[test]
fn a_session_whose_directory_a_person_works_in_waits_and_says_how_it_is_handed_over() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    home.house.does(&["stop", "--all"]);
    home.house.end_daemon("TERM");
    let hand = home.by_hand("builder", &[]);
    home.house.wait_for("it to be listed", || {
        let listed = std::fs::read_dir(home.house.path(".claude/sessions")).ok()?.count();
        (listed > 0).then_some(())
    });
    std::fs::remove_file(home.house.path("state/state.json")).expect("ours");
    home.house.run();
    home.house.wait_unit("builder", "waits, and says how it is handed over", |unit| {
        let says = unit.why.contains("/exit") && unit.why.contains("kill ");
        unit.state == "waiting" && says
    });
    drop(hand);
    home.wait_reading("builder", "idle");
    kill(home.house.pid_of("builder"), "KILL");
    home.wait_reading("builder", "idle");
}
