//! Agent sessions: their conversations, and what their channels say.

use super::stage::*;
use crate::decide::*;

fn up() -> Stage {
    Stage::up(&[("builder", agent())])
}

impl Stage {
    pub(super) fn says(&mut self, text: &str, channel: Channel, doing: Doing) -> String {
        let process = self.view(text).process.expect("it has a process");
        let at = self.now().mono;
        let sighting = Sighting { channel, at, doing, evidence: format!("{doing:?}") };
        self.tell(Event::Sighted { unit: name(text), process, sighting })
    }

    fn shows(&mut self, text: &str, doing: Option<Doing>) -> String {
        let (unit, at) = (name(text), self.now().mono);
        let evidence = "on the screen".to_owned();
        let sighting =
            doing.map(|doing| Sighting { channel: Channel::Screen, at, doing, evidence });
        let ticket = self.pens[&unit];
        self.tell(Event::Screened { unit, ticket, sighting, picture: None })
    }

    /// A hook speaks of a process of the builder.
    fn says_of(&mut self, process: Process, doing: Doing) -> String {
        let (channel, at) = (Channel::Hook, self.now().mono);
        let sighting = Sighting { channel, at, doing, evidence: format!("{doing:?}") };
        self.tell(Event::Sighted { unit: name("builder"), process, sighting })
    }

    fn opens(&mut self, process: Process, conversation: &str) -> String {
        let (conversation, how) = (conversation.to_owned(), "clear".to_owned());
        self.tell(Event::Opened { unit: name("builder"), process, conversation, how })
    }

    pub(super) fn moves_to(&mut self, text: &str, conversation: &str) -> String {
        let process = self.view(text).process.expect("it has a process");
        self.opens(process, conversation)
    }

    fn not_started(&mut self, text: &str, why: NoStart) -> String {
        let unit = name(text);
        let ticket = self.tickets[&unit];
        self.tell(Event::Started { unit, ticket, outcome: Err(why) })
    }

    fn free(&mut self, text: &str) -> String {
        let dependency = Dependency::Conversation(name(text));
        self.tell(Event::Found { dependency, outcome: Ok(()) })
    }

    fn reading(&self, text: &str) -> Reading {
        self.view(text).reading
    }
}

#[test]
fn a_conversation_is_saved_before_it_is_begun_and_gone_on_with_after_every_death() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    assert_eq!(stage.absent("builder"), "save, start builder");
    let first = stage.conversation.clone().expect("a conversation");
    assert_eq!(stage.saved.conversations[&name("builder")], first);
    stage.started("builder");
    assert_eq!(stage.exits("builder", Exit::Signal(9)), "start builder");
    assert_eq!(stage.conversation.as_ref(), Some(&first));
    // The power fails: records are gone, what was saved is not.
    stage.records.clear();
    stage.killed();
    assert_eq!(stage.absent("builder"), "start builder");
    assert_eq!(stage.conversation, Some(first));
}

#[test]
fn a_fresh_restart_begins_another_conversation() {
    let mut stage = up();
    let first = stage.conversation.clone();
    assert_eq!(stage.restart("builder", true), "stop builder");
    assert_eq!(stage.stopped("builder"), "save, start builder");
    assert_ne!(stage.conversation, first);
    let second = stage.conversation.clone();
    stage.started("builder");
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.conversation, second);
}

#[test]
fn the_conversation_that_the_config_names_is_the_first_one() {
    let named = AgentPolicy { first: Some("named".to_owned()), ..AgentPolicy::default() };
    let mut stage = Stage::up(&[("builder", UnitPolicy { agent: Some(named), ..agent() })]);
    assert_eq!(stage.conversation.as_deref(), Some("named"));
    stage.restart("builder", true);
    stage.stopped("builder");
    assert_ne!(stage.conversation.as_deref(), Some("named"));
}

#[test]
fn a_conversation_that_was_cleared_by_hand_is_followed() {
    let mut stage = up();
    assert_eq!(stage.moves_to("builder", "second"), "save, lease builder");
    assert_eq!(stage.moves_to("builder", "second"), "");
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.conversation.as_deref(), Some("second"));
}

#[test]
fn a_conversation_that_cannot_be_opened_leads_to_another_one_and_never_to_a_loop() {
    let mut stage = up();
    let (unit, first) = (name("builder"), stage.conversation.clone());
    let process = stage.view("builder").process.expect("a process");
    stage.tell(Event::Complained {
        unit,
        process,
        about: Complaint::Conversation,
        why: "no such conversation".to_owned(),
    });
    assert_eq!(stage.exits("builder", Exit::Code(1)), "save, start builder");
    assert_ne!(stage.conversation, first);
}

#[test]
fn a_conversation_that_is_open_elsewhere_is_waited_for_and_costs_no_budget() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    stage.absent("builder");
    let why = "it is open in pid 77".to_owned();
    let done = stage.not_started("builder", NoStart::Taken(why.clone()));
    assert_eq!(done, "await its conversation");
    let view = stage.view("builder");
    assert_eq!((view.state, view.in_window, view.restarts), (StateView::Waiting, 0, 0));
    assert!(view.why.contains(&why), "{}", view.why);
    assert_eq!(stage.wait(SECOND * 30), "");
    assert_eq!(stage.free("builder"), "start builder");
    // Somebody was faster again.
    assert_eq!(stage.not_started("builder", NoStart::Taken(why)), "await its conversation");
}

#[test]
fn a_start_that_would_always_be_refused_is_held_until_a_person_asks_again() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    stage.absent("builder");
    let why = NoStart::Refused("not as root".to_owned());
    assert_eq!(stage.not_started("builder", why), "");
    assert_eq!(stage.state("builder"), StateView::Held);
    assert!(stage.sleeps());
    assert_eq!(stage.wait(SECOND * 3), "");
    assert_eq!(stage.start("builder"), "start builder");
}

#[test]
fn it_is_starting_until_a_channel_speaks_and_then_what_the_newest_says() {
    let mut stage = up();
    assert_eq!(stage.reading("builder"), Reading::Starting);
    stage.says("builder", Channel::Hook, Doing::Idle);
    assert_eq!(stage.reading("builder"), Reading::Idle);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.reading("builder"), Reading::Working);
    stage.says("builder", Channel::Hook, Doing::Idle);
    assert!(stage.sleeps());
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.reading("builder"), Reading::Starting);
    stage.started("builder");
    assert_eq!(stage.reading("builder"), Reading::Starting);
}

#[test]
fn what_is_said_of_another_process_is_not_believed() {
    let mut stage = up();
    let sighting = Sighting {
        channel: Channel::Hook,
        at: stage.now().mono,
        doing: Doing::Idle,
        evidence: String::new(),
    };
    let process = Process { pid: 1, start: 1 };
    stage.tell(Event::Sighted { unit: name("builder"), process, sighting });
    assert_eq!(stage.reading("builder"), Reading::Starting);
}

#[test]
fn only_a_silent_session_has_its_screen_read_and_ever_less_often() {
    let mut stage = up();
    assert_eq!(stage.wait(SECOND * 5), "");
    assert_eq!(stage.wait(SECOND * 5), "read builder");
    stage.shows("builder", Some(Doing::Dialog(Dialog::Other)));
    assert_eq!(stage.reading("builder"), Reading::Dialog);
    assert_eq!(stage.wait(SECOND * 8), "read builder");
    stage.shows("builder", None);
    assert_eq!(stage.wait(SECOND * 8), "");
    assert_eq!(stage.wait(SECOND * 8), "read builder");
    stage.shows("builder", Some(Doing::Dialog(Dialog::Other)));
    // A person answers the dialog.
    stage.says("builder", Channel::Registry, Doing::Idle);
    assert_eq!(stage.reading("builder"), Reading::Idle);
    assert!(stage.sleeps());
}

#[test]
fn what_is_said_before_the_start_is_answered_holds_once_it_is() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    stage.absent("builder");
    let process = Process { pid: 101, start: 0 };
    assert_eq!(stage.says_of(process, Doing::Idle), "");
    assert_eq!(stage.reading("builder"), Reading::Starting);
    stage.started("builder");
    assert_eq!(stage.reading("builder"), Reading::Idle);
    assert!(stage.sleeps());
}

#[test]
fn what_was_spooled_while_no_supervisor_lived_holds_once_it_is_looked_at() {
    let mut stage = up();
    let process = stage.view("builder").process.expect("a process");
    stage.killed();
    stage.says_of(process, Doing::Working);
    assert_eq!(stage.opens(process, "second"), "save, lease builder");
    stage.alive("builder", true);
    assert_eq!(stage.reading("builder"), Reading::Working);
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.conversation.as_deref(), Some("second"));
}

#[test]
fn a_conversation_that_was_cleared_just_before_the_end_is_gone_on_with() {
    let mut stage = up();
    let process = stage.view("builder").process.expect("a process");
    stage.exits("builder", Exit::Signal(9));
    stage.started("builder");
    let last = stage.view("builder").process.expect("a process");
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.opens(last, "second"), "save, lease builder");
    assert_eq!(stage.wait(SECOND * 2), "start builder");
    assert_eq!(stage.conversation.as_deref(), Some("second"));
    // These come too late: the next one is being started in what was known.
    assert_eq!(stage.opens(last, "third"), "");
    stage.started("builder");
    assert_eq!(stage.opens(process, "fourth"), "");
}

#[test]
fn a_fresh_conversation_is_begun_once_however_its_start_goes() {
    let mut stage = up();
    stage.restart("builder", true);
    assert_eq!(stage.stopped("builder"), "save, start builder");
    let second = stage.conversation.clone();
    // The start is not answered, and yet it lives.
    stage.wait(SECOND * 60);
    assert_eq!(stage.wait(SECOND), "look builder");
    stage.alive("builder", true);
    assert_eq!(stage.exits("builder", Exit::Signal(9)), "start builder");
    assert_eq!(stage.conversation, second);
}

#[test]
fn a_complaint_that_comes_before_the_start_is_answered_is_heeded() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    stage.absent("builder");
    let (unit, first) = (name("builder"), stage.conversation.clone());
    let process = Process { pid: 101, start: 0 };
    let why = "no such conversation".to_owned();
    stage.tell(Event::Complained {
        unit: unit.clone(),
        process,
        about: Complaint::Conversation,
        why,
    });
    stage.tell(Event::Exited { unit, process, exit: Exit::Code(1) });
    assert_eq!(stage.started("builder"), "save, save, start builder");
    assert_ne!(stage.conversation, first);
}

#[test]
fn what_was_asked_to_be_fresh_stays_so_over_a_plain_restart_and_a_complaint_over_both() {
    let mut stage = up();
    let first = stage.conversation.clone();
    assert_eq!(stage.restart("builder", true), "stop builder");
    assert_eq!(stage.restart("builder", false), "");
    stage.stopped("builder");
    let second = stage.conversation.clone();
    assert_ne!(second, first);
    stage.started("builder");
    let (unit, process) = (name("builder"), stage.view("builder").process.expect("a process"));
    stage.tell(Event::Complained {
        unit,
        process,
        about: Complaint::Conversation,
        why: "in use".to_owned(),
    });
    stage.restart("builder", false);
    stage.stopped("builder");
    stage.wait(SECOND * 3);
    assert_ne!(stage.conversation, second);
}

#[test]
fn a_restart_that_is_asked_during_a_start_that_is_not_made_is_not_made_up_for_later() {
    for why in [NoStart::Taken("pid 77".to_owned()), NoStart::Refused("as root".to_owned())] {
        let mut stage = Stage::with(&[("builder", agent())]);
        stage.tick();
        stage.absent("builder");
        stage.restart("builder", false);
        stage.not_started("builder", why);
        stage.start("builder");
        stage.wait(SECOND * 3);
        assert_eq!(stage.started("builder"), "");
        assert_eq!(stage.state("builder"), StateView::Up);
    }
}

#[test]
fn a_fresh_restart_does_not_wait_for_a_conversation_that_is_open_elsewhere() {
    let mut stage = Stage::with(&[("builder", agent())]);
    stage.tick();
    stage.absent("builder");
    let first = stage.conversation.clone();
    stage.not_started("builder", NoStart::Taken("pid 77".to_owned()));
    stage.wait(SECOND * 3);
    assert_eq!(stage.restart("builder", true), "save, start builder");
    assert_ne!(stage.conversation, first);
    // Nor if it is asked before that is known.
    stage.restart("builder", true);
    assert_eq!(stage.not_started("builder", NoStart::Taken("pid 77".to_owned())), "");
    assert_eq!(stage.wait(SECOND * 3), "save, start builder");
}

#[test]
fn a_silent_screen_is_not_read_while_the_unit_is_looked_at() {
    let slow = UnitPolicy { ready_within: Some(SECOND * 20), ..agent() };
    let mut stage = Stage::up(&[("builder", slow)]);
    assert_eq!(stage.wait(SECOND * 9), "read builder");
    stage.shows("builder", None);
    assert_eq!(stage.wait(SECOND * 11), "look builder");
    let wake = stage.watchdog.next_wake().expect("a deadline");
    assert!(wake.0 > stage.now().mono, "{wake:?}");
    assert_eq!(stage.alive("builder", true), "");
    assert_eq!(stage.wait(SECOND * 8), "read builder");
}

#[test]
fn a_turn_that_goes_on_for_long_has_its_screen_read_for_what_it_waits_for() {
    let mut stage = up();
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.wait(SECOND * 89), "");
    assert_eq!(stage.wait(SECOND), "read builder");
    stage.shows("builder", Some(Doing::Working));
    assert_eq!(stage.reading("builder"), Reading::Working);
    assert_eq!(stage.wait(SECOND * 90), "read builder");
    stage.shows("builder", Some(Doing::Failed(Failure::Limited { until: None })));
    assert_eq!(stage.reading("builder"), Reading::Limited);
    // It waits longer from look to look; a word of another channel ends that.
    assert_eq!(stage.wait(SECOND * 179), "");
    assert_eq!(stage.wait(SECOND), "read builder");
    stage.shows("builder", Some(Doing::Working));
    assert_eq!(stage.reading("builder"), Reading::Working);
    stage.says("builder", Channel::Hook, Doing::Idle);
    assert!(stage.sleeps());
}
