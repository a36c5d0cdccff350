//! Sessions that have spent their budget of tokens.

use super::stage::*;
use crate::decide::*;

fn with(hold: bool) -> Stage {
    let budget = Some(TokenBudget { tokens: 5_000_000, per: SECOND * 24 * 3600, hold });
    let agent =
        UnitPolicy { agent: Some(AgentPolicy { budget, ..AgentPolicy::default() }), ..agent() };
    let mut stage = Stage::up(&[("builder", agent)]);
    stage.says("builder", Channel::Hook, Doing::Working);
    stage
}

impl Stage {
    fn spends(&mut self, tokens: u64, room_in: u32) -> String {
        let until = self.now().mono + SECOND * room_in;
        self.tell(Event::Used { unit: name("builder"), tokens, until })
    }

    fn told(&self, event: &str) -> usize {
        self.said.iter().filter(|entry| entry.event == event).count()
    }

    fn sends(&mut self, text: &str) -> String {
        let (unit, text) = (name("builder"), text.to_owned());
        let id = MessageId::parse("7k3f9q").expect("an id");
        self.tell(Event::Asked(Request::Tell { unit, id, text, expires_in: None }))
    }
}

#[test]
fn a_budget_that_only_tells_tells_once_for_each_crossing_and_stops_nothing() {
    let mut stage = with(false);
    for tokens in [4_999_999, 5_000_000, 6_000_000] {
        assert_eq!(stage.spends(tokens, 3600), "");
    }
    assert_eq!(stage.told("budget-spent"), 1);
    let why = stage.view("builder").why;
    assert_eq!(why, "its budget of 5 M tokens per 24h is spent");
    stage.says("builder", Channel::Hook, Doing::Idle);
    assert_eq!(stage.state("builder"), StateView::Up);
    assert_eq!(stage.sends("go on"), "save, save, type go on");
    stage.wait(SECOND * 3600);
    assert_eq!((stage.told("budget-free"), stage.view("builder").why.as_str()), (1, ""));
    stage.spends(5_500_000, 60);
    assert_eq!(stage.told("budget-spent"), 2);
}

#[test]
fn a_budget_that_holds_lets_the_turn_end_and_goes_on_in_the_same_conversation_by_itself() {
    let mut stage = with(true);
    let first = stage.conversation.clone();
    assert_eq!(stage.spends(5_000_000, 3600), "");
    assert_eq!(stage.sends("go on"), "save", "no message is typed");
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Idle), "stop builder");
    assert_eq!(stage.stopped("builder"), "");
    let view = stage.view("builder");
    assert_eq!((view.state, view.wish), (StateView::Waiting, Wish::Up));
    assert_eq!(view.why, "its budget of 5 M tokens per 24h is spent");
    assert_eq!(view.next_wake, Some((SECOND * 3600, "starts")));
    assert_eq!((view.restarts, view.in_window), (0, 0), "it did not crash");
    assert_eq!(stage.wait(SECOND * 3599), "");
    assert_eq!(stage.wait(SECOND), "start builder");
    assert_eq!(stage.conversation, first);
    stage.started("builder");
    let view = stage.view("builder");
    assert_eq!((view.restarts, view.in_window), (0, 0));
    assert_eq!(stage.says("builder", Channel::Hook, Doing::Idle), "save, type go on");
}

#[test]
fn neither_a_turn_nor_a_question_nor_a_silent_program_is_ended_for_a_budget() {
    let mut stage = with(true);
    stage.spends(5_000_000, 3600);
    for doing in [Doing::Working, Doing::Dialog(Dialog::Permission)] {
        assert_eq!(stage.says("builder", Channel::Hook, doing), "", "{doing:?}");
    }
    let failed = Doing::Failed(Failure::Errored);
    assert_eq!(stage.says("builder", Channel::Hook, failed), "stop builder");
}

#[test]
fn whoever_asks_for_a_held_session_is_told_why_and_a_larger_budget_frees_it() {
    let mut stage = with(true);
    stage.spends(5_000_000, 3600);
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage.stopped("builder");
    assert_eq!(stage.start("builder"), "");
    let outcome = stage.watchdog.outcome(&name("builder"), Goal::Up);
    assert!(matches!(outcome, Some(Outcome::Missed(why)) if why.contains("5 M tokens")));
    // Another configuration, another daemon.
    let agent = stage.policy.units.get_mut(&name("builder")).and_then(|it| it.agent.as_mut());
    agent.expect("an agent").budget.as_mut().expect("a budget").tokens = 9_000_000;
    stage.killed();
    stage.spends(5_000_000, 0);
    assert_eq!(stage.absent("builder"), "start builder");
}

#[test]
fn a_killed_supervisor_that_is_told_first_holds_on() {
    let mut stage = with(true);
    stage.spends(5_000_000, 3600);
    stage.says("builder", Channel::Hook, Doing::Idle);
    stage.stopped("builder");
    assert_eq!(stage.records[&name("builder")].process, None, "no death is suspected later");
    stage.killed();
    stage.spends(5_000_000, 3600);
    assert_eq!(stage.absent("builder"), "");
    assert_eq!(stage.view("builder").in_window, 0);
    assert_eq!(stage.state("builder"), StateView::Waiting);
    // What was counted too high is put right.
    assert_eq!(stage.spends(4_000_000, 0), "start builder");
}
