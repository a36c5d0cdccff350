//! Dialogs that are answered.

use super::failures::subscriber;
use super::home::{Home, kickoff};

impl Home {
    pub(super) fn wait_event(&self, words: &str) {
        self.house.wait_for(&format!("the event {words:?}"), || {
            self.house.events().iter().any(|event| event.starts_with(words)).then_some(())
        });
    }

    fn wait_shown(&self, name: &str, words: &str) {
        self.house.wait_for(&format!("{words:?} to show"), || {
            self.pane(name).contains(words).then_some(())
        });
    }
}

#[test]
fn at_the_limit_dialog_the_option_is_taken_that_waits_and_goes_on() {
    let Some(home) = subscriber("") else { return };
    home.types("builder", "[[mode:err429_unified7:259200]] try");
    home.presses("builder", "Enter");
    home.wait_event("builder remedy answer (wait for the reset)");
    home.wait_shown("builder", "Continuing automatically at");
    home.wait_reading("builder", "limited");
    let pane = home.pane("builder");
    assert!(pane.contains("will continue automatically at"), "{pane}");
    let unit = home.house.wait_unit("builder", "says what follows", |unit| {
        unit.why.contains("resets") && unit.why.contains("goes on by itself")
    });
    assert!(unit.next_wake.is_some(), "{unit:?}");
    assert_eq!((unit.restarts.total, unit.messages), (0, 0));
}

#[test]
fn a_permission_that_nobody_gives_is_dismissed_where_the_config_says_so_and_work_goes_on() {
    let asks = "args = [\"--permission-mode\", \"default\"]\ndialog = \"escape\"";
    let Some(mut home) = Home::of(&[("builder", asks)]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    home.types("builder", "[[mode:tool:touch asked]] do it");
    home.presses("builder", "Enter");
    home.wait_reading("builder", "dialog");
    home.wait_event("builder remedy answer (Escape)");
    home.wait_shown("builder", "Interrupted");
    home.house.wait_for("it to be told to go on", || {
        home.api.prompts().iter().any(|it| it.contains("Nobody is here to answer")).then_some(())
    });
    home.wait_reading("builder", "idle");
    assert!(!home.house.path("builder/asked").exists(), "it was not allowed");
}
