//! Sessions that ask something: nothing is typed into them.

use std::process::Stdio;

use super::home::{BYPASS, Home, kickoff};

#[test]
fn a_start_dialog_is_recognised_and_told_with_the_key_that_spares_it_and_nothing_is_typed() {
    let unseeded = format!("{BYPASS}\nseed = false");
    let Some(mut home) = Home::of(&[("builder", &unseeded)]) else { return };
    // Everything is answered but whether the folder is trusted.
    super::client::furnish(&home.house.path(""), &[]);
    home.house.run();
    let unit = home.wait_reading("builder", "dialog");
    let source = unit.source.expect("a channel");
    assert_eq!(source.channel, "screen");
    assert!(source.evidence.contains("hasTrustDialogAccepted"), "{source:?}");
    let before = home.pane("builder");
    let mut telling = home.house.command(&["tell", "builder", "hello"]);
    let mut telling = telling.stderr(Stdio::null()).spawn().expect("the verb");
    home.house.wait_unit("builder", "has a message", |unit| unit.messages == 1);
    home.house.wait_for("a further look", || {
        let unit = home.house.unit("builder");
        (unit.source.is_some_and(|it| it.at != source.at)).then_some(())
    });
    assert_eq!(home.pane("builder"), before);
    assert!(home.house.events().iter().any(|it| it.contains("builder dialog")));
    // A person answers; the message is typed then.
    home.presses("builder", "Down");
    home.presses("builder", "Enter");
    home.wait_answered("builder", "hello");
    assert!(telling.wait().expect("its end").success());
}

#[test]
fn a_question_of_permission_is_a_dialog_and_a_message_waits_until_it_is_answered() {
    // Its own default lets a model decide, without asking.
    let asks = "args = [\"--permission-mode\", \"default\"]";
    let Some(mut home) = Home::of(&[("builder", asks)]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    home.house.does(&["tell", "builder", "[[mode:tool:touch asked]] do it"]);
    let told = home.wait_reading("builder", "dialog").source.expect("a channel");
    assert_ne!(told.channel, "screen", "the hook and the registry are faster than any screen");
    home.house.wait_for("the question", || {
        home.pane("builder").contains("Do you want to proceed?").then_some(())
    });
    let mut telling = home.house.command(&["tell", "builder", "never mind"]);
    let mut telling = telling.stderr(Stdio::null()).spawn().expect("the verb");
    home.house.wait_unit("builder", "has a message", |unit| unit.messages == 1);
    assert_eq!(home.wait_reading("builder", "dialog").messages, 1);
    home.presses("builder", "Escape");
    home.wait_answered("builder", "never mind");
    assert!(telling.wait().expect("its end").success());
    assert!(!home.house.path("builder/asked").exists(), "the message answered the question");
}

#[test]
fn half_typed_text_of_a_person_makes_a_message_wait() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    home.types("builder", "I was about to");
    let mut telling = home.house.command(&["tell", "builder", "hello"]);
    let mut telling = telling.stderr(Stdio::null()).spawn().expect("the verb");
    home.house.wait_for("a word about it", || {
        let waits = |it: &String| it.contains("message-waits") && it.contains("somebody");
        home.house.events().iter().any(waits).then_some(())
    });
    assert!(home.pane("builder").contains("I was about to"));
    home.presses("builder", "C-u");
    home.wait_answered("builder", "hello");
    assert!(telling.wait().expect("its end").success());
    assert!(home.api.prompts().iter().all(|asked| !asked.contains("I was about")));
}
