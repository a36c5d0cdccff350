//! Messages: when they are typed, and that each arrives once.

use super::stage::*;
use crate::decide::*;

impl Stage {
    pub(super) fn tells(&mut self, text: &str, number: u32, message: &str) -> String {
        self.tell(Event::Asked(Request::Tell {
            unit: name(text),
            id: MessageId::new(number),
            text: message.to_owned(),
            expires_in: Some(SECOND * 600),
        }))
    }

    pub(super) fn typed(&mut self, text: &str, outcome: Typed) -> String {
        let unit = name(text);
        let ticket = self.pens[&unit];
        self.tell(Event::Typed { unit, ticket, outcome })
    }

    fn prompted(&mut self, text: &str, number: u32) -> String {
        let prompt = format!("hello {}", MessageId::new(number).mark());
        let process = self.view(text).process.expect("it has a process");
        self.tell(Event::Prompted { unit: name(text), process, prompt })
    }

    fn delivery(&self, text: &str, number: u32) -> Option<Delivery> {
        self.watchdog.delivery(&name(text), MessageId::new(number))
    }
}

impl Stage {
    fn sleeps_but_for_expiry(&self) -> bool {
        self.watchdog.next_wake().is_none_or(|(_, what)| what == "a message expires")
    }
}

fn idle() -> Stage {
    let mut stage = Stage::up(&[("builder", agent())]);
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage
}

#[test]
fn a_message_is_saved_marked_as_begun_typed_and_forgotten_when_it_arrived() {
    let mut stage = idle();
    assert_eq!(stage.tells("builder", 1, "hello"), "save, save, type hello");
    assert!(stage.saved.messages[&name("builder")][0].begun);
    assert_eq!(stage.typed("builder", Typed::Arrived), "save");
    assert_eq!(stage.delivery("builder", 1), Some(Delivery::Arrived));
    assert!(stage.saved.messages.is_empty());
    assert!(stage.sleeps());
}

#[test]
fn messages_are_typed_one_after_the_other_in_their_order() {
    let mut stage = idle();
    stage.tells("builder", 1, "one");
    assert_eq!(stage.tells("builder", 2, "two"), "save");
    assert_eq!(stage.typed("builder", Typed::Arrived), "save, save, type two");
}

#[test]
fn a_hook_proves_the_arrival_unless_somebody_is_seeing_to_it() {
    let mut stage = idle();
    stage.tells("builder", 1, "one");
    stage.tells("builder", 2, "two");
    assert_eq!(stage.prompted("builder", 1), "");
    assert_eq!(stage.typed("builder", Typed::Unsure("not written down".into())), "");
    assert_eq!(stage.prompted("builder", 1), "save, save, type two");
    assert_eq!(stage.delivery("builder", 1), Some(Delivery::Arrived));
}

#[test]
fn what_a_process_was_told_right_before_its_end_is_looked_for_in_the_next_one() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    let (unit, process) = (name("builder"), stage.view("builder").process.expect("a process"));
    stage.exits("builder", Exit::Signal(9));
    stage.started("builder");
    let prompt = MessageId::new(1).mark();
    assert_eq!(stage.tell(Event::Prompted { unit, process, prompt }), "");
    stage.says("builder", Channel::Hook, Doing::Idle);
    assert_eq!(stage.wait(SECOND), "look for hello");
}

#[test]
fn nothing_is_typed_into_a_dialog_nor_into_what_has_not_spoken() {
    let mut stage = Stage::up(&[("builder", agent())]);
    assert_eq!(stage.tells("builder", 1, "hello"), "save");
    stage.says("builder", Channel::Registry, Doing::Dialog(Dialog::Other));
    assert!(
        matches!(stage.delivery("builder", 1), Some(Delivery::Waiting(why)) if why.contains("dialog"))
    );
    assert_eq!(stage.wait(SECOND * 60), "");
    assert_eq!(stage.says("builder", Channel::Registry, Doing::Working), "save, type hello");
}

#[test]
fn what_could_not_be_typed_is_tried_again_and_at_once_when_the_reading_changes() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.typed("builder", Typed::NotNow("half-typed text".into())), "save");
    assert_eq!(stage.wait(SECOND), "save, type hello");
    stage.typed("builder", Typed::NotNow("half-typed text".into()));
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Working), "save, type hello");
}

#[test]
fn after_a_kill_a_message_that_was_begun_is_looked_for_before_it_is_typed() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    stage.killed();
    stage.alive("builder", true);
    assert_eq!(stage.says("builder", Channel::Registry, Doing::Idle), "look for hello");
    assert_eq!(stage.typed("builder", Typed::Arrived), "save");
}

#[test]
fn a_message_waits_through_a_death_and_a_reboot() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.exits("builder", Exit::Signal(9)), "start builder");
    stage.records.clear();
    stage.killed();
    stage.absent("builder");
    stage.started("builder");
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Idle), "look for hello");
}

#[test]
fn a_stop_takes_the_pen_out_of_the_hand() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.stop("builder"), "save, stop builder");
    assert_eq!(stage.typed("builder", Typed::Arrived), "");
    assert!(matches!(stage.delivery("builder", 1), Some(Delivery::Waiting(_))));
    assert_eq!(stage.prompted("builder", 1), "save");
    assert_eq!(stage.delivery("builder", 1), Some(Delivery::Arrived));
}

#[test]
fn a_message_waits_where_a_turn_would_fail_and_a_command_does_not() {
    let mut stage = idle();
    stage.says("builder", Channel::Hook, Doing::Failed(Failure::Limited { until: None }));
    assert_eq!(stage.view("builder").reading, Reading::Limited);
    assert_eq!(stage.tells("builder", 1, "hello"), "save");
    assert!(
        matches!(stage.delivery("builder", 1), Some(Delivery::Waiting(why)) if why.contains("reset of a usage limit"))
    );
    assert!(stage.sleeps_but_for_expiry());
    // The limit is reset.
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Idle), "save, type hello");
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Failed(Failure::Limited { until: None }));
    assert_eq!(stage.tells("builder", 2, "/status"), "save, save, type /status");
    stage.typed("builder", Typed::Arrived);
    // Another turn may go well.
    stage.says("builder", Channel::Hook, Doing::Failed(Failure::Errored));
    assert_eq!(stage.tells("builder", 3, "again"), "save, save, type again");
}

#[test]
fn a_command_waits_for_the_end_of_a_turn_without_being_tried() {
    let mut stage = idle();
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.tells("builder", 1, "/compact"), "save");
    assert_eq!(stage.wait(SECOND * 60), "");
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Idle), "save, type /compact");
}

#[test]
fn a_message_that_is_of_no_use_any_more_is_dropped() {
    let mut stage = Stage::up(&[("builder", agent())]);
    stage.says("builder", Channel::Registry, Doing::Dialog(Dialog::Permission));
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.wait(SECOND * 599), "");
    assert_eq!(stage.wait(SECOND), "save");
    assert!(matches!(stage.delivery("builder", 1), Some(Delivery::Dropped(_))));
}

#[test]
fn what_is_told_to_a_unit_that_no_config_names_is_dropped_and_what_waited_for_it_is_kept() {
    let mut stage = Stage::up(&[("builder", agent())]);
    stage.tells("builder", 1, "hello");
    stage.policy.units.clear();
    stage.killed();
    stage.alive("builder", true);
    assert_eq!(stage.tells("builder", 2, "hello"), "save");
    assert!(matches!(stage.delivery("builder", 2), Some(Delivery::Dropped(_))));
    assert_eq!(stage.saved.messages[&name("builder")][0].id(), MessageId::new(1));
}

#[test]
fn that_a_queue_is_full_is_said() {
    let mut stage = Stage::up(&[("builder", agent())]);
    for number in 0..=500 {
        stage.tells("builder", number, &number.to_string());
    }
    assert!(matches!(stage.delivery("builder", 500), Some(Delivery::Dropped(_))));
    assert_eq!(stage.said.last().map(|entry| entry.event), Some("message-dropped"));
}

#[test]
fn a_program_without_channels_is_typed_into_as_soon_as_it_is_up() {
    let mut stage = Stage::with(&[("shell", session())]);
    stage.tick();
    assert_eq!(stage.tells("shell", 1, "ls"), "save");
    stage.absent("shell");
    assert_eq!(stage.started("shell"), "save, type ls");
}

#[test]
fn typing_that_never_answers_is_given_up_and_suspected() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.wait(SECOND * 40), "");
    assert_eq!(stage.wait(SECOND), "look for hello");
}

#[test]
fn what_was_typed_and_not_seen_to_arrive_is_looked_for_and_not_hurried() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.typed("builder", Typed::Unsure("the agent has it, and works".into())), "");
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Working), "");
    assert_eq!(stage.wait(SECOND), "look for hello");
    assert_eq!(stage.typed("builder", Typed::NotNow("half-typed text".into())), "save");
    assert_eq!(stage.wait(SECOND * 2), "save, type hello");
}

#[test]
fn a_prompt_that_names_a_message_before_it_was_typed_is_not_that_message() {
    let mut stage = Stage::up(&[("builder", agent())]);
    stage.tells("builder", 1, "hello");
    assert_eq!(stage.prompted("builder", 1), "");
    assert!(matches!(stage.delivery("builder", 1), Some(Delivery::Waiting(_))));
}

#[test]
fn a_late_answer_says_nothing_of_what_is_typed_now() {
    let mut stage = idle();
    stage.tells("builder", 1, "hello");
    let (unit, ticket) = (name("builder"), stage.pens[&name("builder")]);
    stage.wait(SECOND * 40);
    assert_eq!(stage.wait(SECOND), "look for hello");
    let outcome = Typed::NotNow("half-typed text".into());
    assert_eq!(stage.tell(Event::Typed { unit, ticket, outcome }), "");
    assert!(stage.saved.messages[&name("builder")][0].begun);
    assert_eq!(stage.typed("builder", Typed::Arrived), "save");
}
