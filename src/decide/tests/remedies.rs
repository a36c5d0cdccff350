//! Sessions that live and cannot go on.

use super::stage::*;
use crate::decide::*;

const WEDGED: Doing = Doing::Failed(Failure::Wedged(Wedge::Poisoned));

pub(super) fn idle() -> Stage {
    let mut stage = Stage::up(&[("builder", agent())]);
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage
}

impl Stage {
    /// It is wedged, and gets a fresh conversation.
    fn is_healed(&mut self, text: &str) {
        // Starts of agents are spaced.
        self.wait(SECOND * 3);
        assert_eq!(self.says(text, Channel::Hook, WEDGED), format!("save, stop {text}"));
        assert_eq!(self.stopped(text), format!("save, start {text}"));
        self.started(text);
        self.says(text, Channel::Hook, Doing::Idle);
    }
}

#[test]
fn a_wedged_session_gets_another_conversation_that_is_told_why() {
    let mut stage = idle();
    let first = stage.conversation.clone();
    stage.is_healed("builder");
    assert_ne!(stage.conversation, first);
    assert_eq!(stage.because.as_deref(), Some("Failed(Wedged(Poisoned))"));
    let view = stage.view("builder");
    assert_eq!((view.restarts, view.in_window), (0, 0), "it did not crash");
    // The reason is told once.
    stage.exits("builder", Exit::Signal(9));
    assert_eq!(stage.because, None);
}

#[test]
fn what_is_wedged_again_and_again_is_left_for_a_person_and_tried_again_later() {
    let mut stage = idle();
    for _ in 0..3 {
        stage.is_healed("builder");
        stage.wait(SECOND * 600);
    }
    assert_eq!(stage.says("builder", Channel::Hook, WEDGED), "");
    let view = stage.view("builder");
    assert_eq!((view.state, view.reading), (StateView::Up, Reading::Wedged));
    assert!(view.next_wake.is_some() && view.why.contains("restart --fresh"), "{view:?}");
    assert_eq!(stage.wait(SECOND * 3600), "");
    assert_eq!(stage.wait(SECOND * 5 * 3600), "save, stop builder");
}

#[test]
fn a_killed_supervisor_does_not_forget_what_it_has_tried() {
    let mut stage = idle();
    for _ in 0..3 {
        stage.is_healed("builder");
    }
    stage.killed();
    stage.alive("builder", true);
    assert_eq!(stage.says("builder", Channel::Hook, WEDGED), "");
    // A person takes over.
    assert_eq!(stage.restart("builder", true), "save, stop builder");
}

#[test]
fn nothing_is_ended_for_what_stands_on_a_screen_alone() {
    let mut stage = Stage::up(&[("builder", agent())]);
    assert_eq!(stage.says("builder", Channel::Screen, WEDGED), "");
    assert_eq!(stage.view("builder").reading, Reading::Wedged);
    stage.says("builder", Channel::Registry, Doing::Working);
    assert_eq!(stage.says("builder", Channel::Screen, WEDGED), "");
    assert_eq!(stage.view("builder").reading, Reading::Working);
}

#[test]
fn what_is_to_go_down_gets_no_remedy() {
    let mut stage = idle();
    assert_eq!(stage.stop("builder"), "save, stop builder");
    assert_eq!(stage.says("builder", Channel::Hook, WEDGED), "");
    assert_eq!(stage.stopped("builder"), "");
    assert_eq!(stage.state("builder"), StateView::Stopped);
}

/// An agent that can clear its conversation and make it shorter.
fn clearing() -> UnitPolicy {
    let command = |word: &str| Some(word.to_owned());
    let policy = AgentPolicy {
        clear: command("/clear"),
        compact: command("/compact"),
        ..AgentPolicy::default()
    };
    UnitPolicy { agent: Some(policy), ..session() }
}

pub(super) fn at_its_prompt(policy: UnitPolicy) -> Stage {
    let mut stage = Stage::up(&[("builder", policy)]);
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage
}

pub(super) fn failed(failure: Failure) -> Doing {
    Doing::Failed(failure)
}

const FULL: Doing = Doing::Failed(Failure::Wedged(Wedge::Full));

impl Stage {
    pub(super) fn fails(&mut self, failure: Failure) -> String {
        self.says("builder", Channel::Hook, failed(failure))
    }

    /// The agent says that its conversation is another one.
    fn is_cleared(&mut self) -> String {
        self.moves_to("builder", "cleared");
        self.says("builder", Channel::Hook, Doing::Idle)
    }

    fn kickoff(&mut self, text: &str) -> String {
        self.tell(Event::Kickoff { unit: name("builder"), text: Some(text.to_owned()) })
    }

    pub(super) fn login_changed(&mut self, account: &str) -> String {
        self.tell(Event::LoginChanged { account: account.to_owned() })
    }

    pub(super) fn works_on(&mut self, text: &str, account: &str) {
        self.tell(Event::Account { unit: name(text), account: account.to_owned() });
    }

    pub(super) fn answered(&mut self, outcome: Result<(), String>) -> String {
        let unit = name("builder");
        let ticket = self.pens[&unit];
        self.tell(Event::Answered { unit, ticket, outcome })
    }

    pub(super) fn journal(&self, event: &str) -> usize {
        self.said.iter().filter(|entry| entry.event == event).count()
    }
}

#[test]
fn a_poisoned_conversation_is_cleared_in_its_process_and_told_its_prompt_and_why() {
    let mut stage = at_its_prompt(clearing());
    assert_eq!(stage.says("builder", Channel::Hook, WEDGED), "save, save, type /clear");
    stage.typed("builder", Typed::Arrived);
    assert_eq!(stage.is_cleared(), "kickoff builder");
    assert_eq!(stage.kickoff("Build it."), "save, save, type Build it.");
    stage.typed("builder", Typed::Arrived);
    assert_eq!(stage.saved.because.len(), 0, "it has been told");
    assert_eq!(stage.view("builder").restarts, 0);
}

#[test]
fn what_comes_again_after_it_was_cleared_gets_a_fresh_process() {
    let mut stage = at_its_prompt(clearing());
    stage.says("builder", Channel::Hook, WEDGED);
    stage.typed("builder", Typed::Arrived);
    stage.is_cleared();
    stage.kickoff("Build it.");
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.says("builder", Channel::Hook, WEDGED), "save, stop builder");
    assert_eq!(stage.stopped("builder"), "save, start builder");
    assert!(stage.because.is_some());
}

#[test]
fn a_kickoff_prompt_that_comes_too_late_does_not_take_the_reason_from_the_next_conversation() {
    let mut stage = at_its_prompt(clearing());
    stage.says("builder", Channel::Hook, WEDGED);
    stage.typed("builder", Typed::Arrived);
    assert_eq!(stage.is_cleared(), "kickoff builder");
    stage.says("builder", Channel::Hook, WEDGED);
    assert_eq!(stage.kickoff("Build it."), "");
    stage.stopped("builder");
    assert!(stage.because.is_some());
}

#[test]
fn a_conversation_that_cannot_be_cleared_is_left_for_a_fresh_process() {
    let mut stage = at_its_prompt(clearing());
    stage.says("builder", Channel::Hook, WEDGED);
    stage.typed("builder", Typed::Arrived);
    assert_eq!(stage.wait(SECOND * 44), "");
    assert_eq!(stage.wait(SECOND * 2), "save, stop builder");
}

#[test]
fn what_a_dead_supervisor_owed_a_cleared_conversation_its_successor_pays() {
    let mut stage = at_its_prompt(clearing());
    stage.says("builder", Channel::Hook, WEDGED);
    stage.typed("builder", Typed::Arrived);
    stage.killed();
    stage.alive("builder", true);
    assert_eq!(stage.is_cleared(), "kickoff builder");
}

#[test]
fn a_conversation_that_is_full_is_compacted_then_cleared_then_left() {
    let mut stage = at_its_prompt(clearing());
    assert_eq!(stage.says("builder", Channel::Hook, FULL), "save, save, type /compact");
    stage.typed("builder", Typed::Arrived);
    stage.wait(SECOND);
    stage.says("builder", Channel::Hook, Doing::Working);
    let line = stage.says("builder", Channel::Hook, Doing::Idle);
    assert!(line.contains("type Your conversation had become too long"), "{line}");
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.says("builder", Channel::Hook, FULL), "save, save, type /clear");
    stage.typed("builder", Typed::Arrived);
    stage.is_cleared();
    stage.kickoff("Build it.");
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.says("builder", Channel::Hook, FULL), "save, stop builder");
}

#[test]
fn a_conversation_of_which_there_was_too_little_to_compact_is_cleared_once_that_shows() {
    let mut stage = at_its_prompt(clearing());
    stage.says("builder", Channel::Hook, FULL);
    stage.typed("builder", Typed::Arrived);
    stage.wait(SECOND);
    stage.says("builder", Channel::Hook, Doing::Working);
    stage.wait(SECOND);
    assert_eq!(stage.says("builder", Channel::Registry, Doing::Idle), "");
    assert_eq!(stage.wait(SECOND * 4), "");
    assert!(stage.wait(SECOND * 2).contains("type Your conversation"));
    stage.typed("builder", Typed::Arrived);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert!(stage.says("builder", Channel::Hook, FULL).contains("type /clear"));
}

#[test]
fn an_error_is_answered_by_a_line_after_ever_longer_waits() {
    let mut stage = idle();
    let mut waits = Vec::new();
    for _ in 0..4 {
        stage.wait(SECOND);
        assert_eq!(stage.fails(Failure::Errored), "");
        let mut waited = 0;
        loop {
            waited += 1;
            let done = stage.wait(SECOND);
            if !done.is_empty() {
                assert!(done.contains("Go on with your work"), "{done}");
                break;
            }
        }
        waits.push(waited);
        stage.typed("builder", Typed::Arrived);
        stage.says("builder", Channel::Hook, Doing::Working);
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    // A good turn forgives.
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage.wait(SECOND);
    stage.fails(Failure::Errored);
    assert_ne!(stage.wait(SECOND * 25), "");
}

#[test]
fn through_a_long_outage_a_session_is_told_to_go_on_again_and_again_but_not_often() {
    let mut stage = idle();
    let (begun, mut lines) = (stage.now().mono, 0);
    while stage.now().mono.since(begun) < SECOND * 3600 * 24 {
        stage.fails(Failure::Errored);
        while !stage.wait(SECOND * 10).contains("type") {}
        lines += 1;
        stage.typed("builder", Typed::Arrived);
        stage.says("builder", Channel::Hook, Doing::Working);
        stage.wait(SECOND);
    }
    assert!((24..=64).contains(&lines), "{lines}");
}

#[test]
fn a_limit_is_waited_for_and_only_what_does_not_go_on_by_itself_is_told_to() {
    let mut stage = idle();
    let until = Some(stage.now().wall + SECOND * 3600);
    assert_eq!(stage.fails(Failure::Limited { until }), "");
    let view = stage.view("builder");
    assert_eq!(view.reading, Reading::Limited);
    assert!(view.next_wake.is_some() && view.why.contains("goes on by itself"), "{view:?}");
    assert_eq!(stage.wait(SECOND * 3600), "");
    assert_eq!(stage.wait(SECOND * 299), "");
    assert!(stage.wait(SECOND * 2).contains("type The usage limit has been reset"));

    // One that goes on by itself is told nothing.
    let mut stage = idle();
    stage.fails(Failure::Limited { until });
    stage.wait(SECOND * 3680);
    stage.says("builder", Channel::Hook, Doing::Working);
    assert_eq!(stage.wait(SECOND * 600), "read builder", "why the turn goes on for long");
}

#[test]
fn a_limit_without_a_date_is_tried_ever_less_often() {
    let mut stage = idle();
    stage.fails(Failure::Limited { until: None });
    assert_eq!(stage.wait(SECOND * 60 * 29), "");
    assert!(stage.wait(SECOND * 60 * 2).contains("type"));
}

#[test]
fn a_message_is_not_risked_to_find_out_whether_a_limit_is_over() {
    let mut stage = idle();
    let until = Some(stage.now().wall + SECOND * 60);
    stage.fails(Failure::Limited { until });
    stage.tells("builder", 1, "hello");
    assert!(stage.wait(SECOND * 400).contains("type The usage limit"));
    stage.typed("builder", Typed::Arrived);
    assert!(stage.says("builder", Channel::Hook, Doing::Working).contains("type hello"));
}

#[test]
fn an_idle_session_is_told_to_go_on_only_if_the_config_says_so() {
    let stage = idle();
    assert!(stage.sleeps());
    let nudge = IdleNudge { after: SECOND * 600, text: "Go on.".to_owned() };
    let policy = AgentPolicy { idle_nudge: Some(nudge), ..AgentPolicy::default() };
    let mut stage = at_its_prompt(UnitPolicy { agent: Some(policy), ..session() });
    assert_eq!(stage.wait(SECOND * 599), "");
    assert!(stage.wait(SECOND * 2).contains("type Go on."));
}

#[test]
fn a_turn_in_which_nothing_moves_is_resumed_once_and_then_begun_anew() {
    let mut stage = idle();
    for anew in [false, true] {
        stage.wait(SECOND);
        stage.says("builder", Channel::Hook, Doing::Working);
        let process = stage.view("builder").process.expect("a process");
        let at = stage.now().mono;
        stage.tell(Event::Progress { unit: name("builder"), process, at });
        let before = stage.conversation.clone();
        stage.wait(SECOND * 60 * 74);
        assert_eq!(stage.state("builder"), StateView::Up);
        assert!(stage.wait(SECOND * 61).contains("stop builder"));
        stage.stopped("builder");
        stage.wait(SECOND * 10);
        stage.started("builder");
        assert_eq!(stage.conversation != before, anew);
        stage.says("builder", Channel::Hook, Doing::Idle);
    }
}

#[test]
fn a_screen_that_stands_still_in_a_turn_is_that_of_a_program_that_hangs() {
    for (pictures, stuck) in [([7, 7, 7], true), ([7, 8, 9], false)] {
        let mut stage = idle();
        stage.wait(SECOND);
        stage.says("builder", Channel::Hook, Doing::Working);
        let mut done = String::new();
        for picture in pictures {
            while !done.contains("read builder") {
                done = stage.wait(SECOND * 10);
            }
            let unit = name("builder");
            let ticket = stage.pens[&unit];
            done = stage.tell(Event::Screened {
                unit,
                ticket,
                sighting: None,
                picture: Some(picture),
            });
        }
        assert_eq!(done.contains("stop builder"), stuck, "{done}");
    }
}

#[test]
fn a_client_that_cannot_reach_its_service_is_started_again_without_end_and_without_a_crash() {
    let mut stage = Stage::up(&[("builder", agent())]);
    for _ in 0..20 {
        let process = stage.view("builder").process.expect("a process");
        let (unit, why) = (name("builder"), "ENOTFOUND".to_owned());
        stage.tell(Event::Complained { unit, process, about: Complaint::Network, why });
        assert_eq!(stage.exits("builder", Exit::Code(1)), "");
        assert_eq!(stage.state("builder"), StateView::Waiting);
        stage.wait(SECOND * 370);
        stage.started("builder");
    }
    let view = stage.view("builder");
    assert_eq!((view.state, view.restarts, view.in_window), (StateView::Up, 0, 0));
}

#[test]
fn what_asks_for_a_model_that_there_is_not_waits_for_its_config() {
    let mut stage = idle();
    assert_eq!(stage.fails(Failure::Misconfigured), "");
    assert_eq!(stage.wait(SECOND * 3600 * 24), "");
    assert!(stage.view("builder").why.contains("change its config"));
}
