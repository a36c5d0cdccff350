//! Turns that end in an error: what is read, and what becomes of messages.

use super::home::{BYPASS, Home, kickoff};

/// The client gives up soon; by itself it tries for minutes, and with its watchdog for days.
const IMPATIENT: &str =
    "environment = { CLAUDE_CODE_MAX_RETRIES = \"1\", CLAUDE_CODE_RETRY_WATCHDOG = \"0\"";

pub(super) fn impatient(more: &str) -> Option<Home> {
    let keys = format!("{BYPASS}\n{IMPATIENT}{more} }}");
    let mut home = Home::of(&[("builder", &keys)])?;
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    Some(home)
}

/// The same, as somebody who pays by the month.
pub(super) fn subscriber(more: &str) -> Option<Home> {
    let token =
        ", CLAUDE_CODE_OAUTH_TOKEN = \"sk-ant-oat01-fake-for-test\", ANTHROPIC_API_KEY = \"\"";
    impatient(&format!("{token}{more}"))
}

impl Home {
    /// A person asks for a turn that goes so, and it is read so.
    pub(super) fn fails(&self, mode: &str, reading: &str) {
        self.types("builder", &format!("[[mode:{mode}]] try"));
        self.presses("builder", "Enter");
        let unit =
            self.house.wait_unit("builder", &format!("reads {reading} after {mode}"), |unit| {
                let source = unit.source.as_ref();
                unit.reading == reading && source.is_some_and(|it| it.channel == "hook")
            });
        assert_eq!(unit.state, "up", "{mode}");
        assert_eq!(unit.restarts.total, 0, "{mode}");
    }

    /// A person asks for a turn that goes well.
    fn goes_well(&self, text: &str) {
        self.types("builder", text);
        self.presses("builder", "Enter");
        self.wait_answered("builder", text);
    }
}

#[test]
fn an_error_that_ends_a_turn_is_read_for_what_it_means_and_a_good_turn_heals_it() {
    let Some(home) = impatient("") else { return };
    home.fails("err529", "errored");
    home.fails("err500", "errored");
    home.fails("err400_credit", "errored");
    home.fails("err404_model", "errored");
    home.fails("err401_key", "logged_out");
    home.goes_well("and now well");
    let events = home.house.events().join("\n");
    for event in ["builder errored", "builder logged-out", "builder well-again"] {
        assert!(events.contains(event), "{event}\n{events}");
    }
}

#[test]
fn a_poisoned_conversation_is_cleared_in_its_process_and_told_why_and_messages_wait_for_it() {
    let Some(home) = impatient("") else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    home.types("builder", "[[sticky:err400_thinking]] think");
    home.presses("builder", "Enter");
    let unit = home.house.wait_unit("builder", "has another conversation", |unit| {
        unit.state == "up" && unit.conversation.as_ref() != Some(&first)
    });
    assert_eq!(unit.pid, Some(pid), "the process is the same");
    home.house.does(&["tell", "builder", "are you well?"]);
    home.wait_answered("builder", "are you well?");
    let asked = home.api.main_requests();
    let again = asked.iter().find(|it| it.conversation == unit.conversation).expect("a request");
    assert!(again.prompt.contains(&kickoff("builder")), "{}", again.prompt);
    assert!(again.prompt.contains("cannot be modified"), "{}", again.prompt);
    let unit = home.house.unit("builder");
    assert_eq!((unit.restarts.total, unit.restarts.window), (0, 0), "it is no crash");
    let events = home.house.events().join("\n");
    assert!(events.contains("builder remedy clear: API Error: 400"), "{events}");
}

#[test]
fn uses_of_tools_that_do_not_fit_their_results_are_left_behind_in_the_same_process() {
    let Some(home) = impatient("") else { return };
    leaves_them_behind(&home);
}

/// As in CI, or with NO_COLOR: what it suggests looks like what a person has typed.
#[test]
fn a_client_that_draws_no_colours_is_helped_all_the_same() {
    let Some(home) = impatient(", CI = \"true\"") else { return };
    leaves_them_behind(&home);
}

fn leaves_them_behind(home: &Home) {
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    home.types("builder", "[[sticky:err400_tooluse]] try");
    home.presses("builder", "Enter");
    home.house.wait_unit("builder", "goes on in another conversation", |unit| {
        unit.reading == "idle" && unit.conversation.as_ref() != Some(&first)
    });
    assert_eq!(home.house.pid_of("builder"), pid);
    let events = home.house.events().join("\n");
    assert!(events.contains("builder remedy clear: API Error: 400 due to tool use"), "{events}");
}

#[test]
fn poison_that_comes_back_is_left_for_a_fresh_process() {
    let Some(home) = impatient("") else { return };
    let pid = home.house.pid_of("builder");
    // Whatever conversation it is in.
    home.api.set_mode("err400_thinking");
    home.types("builder", "think");
    home.presses("builder", "Enter");
    home.house.wait_unit("builder", "is another process", |unit| {
        unit.state == "up" && unit.pid != Some(pid)
    });
    home.api.set_mode("normal");
    home.wait_reading("builder", "idle");
    let events = home.house.events().join("\n");
    let at = |what: &str| events.find(what).unwrap_or_else(|| panic!("{what}\n{events}"));
    assert!(at("builder remedy clear: ") < at("builder remedy fresh: "), "{events}");
}

#[test]
fn a_conversation_that_is_too_long_is_compacted_and_goes_on() {
    let Some(home) = impatient("") else { return };
    let first = home.conversation("builder");
    // Of a conversation of one turn there is nothing to compact.
    home.goes_well("one");
    home.goes_well("two");
    home.types("builder", "[[mode:err400_toolong]] more");
    home.presses("builder", "Enter");
    home.house.wait_for("it to be told to go on", || {
        home.api.prompts().iter().any(|it| it.contains("was to be compacted")).then_some(())
    });
    home.wait_reading("builder", "idle");
    assert_eq!(home.conversation("builder"), first, "it is the same conversation");
    let events = home.house.events().join("\n");
    assert!(events.contains("builder remedy compact: "), "{events}");
}

#[test]
fn a_session_whose_client_gave_up_is_told_to_go_on_when_the_server_is_well_again() {
    let Some(home) = impatient("") else { return };
    home.fails("err529", "errored");
    // Nobody types anything more.
    home.house.wait_for("it to be told to go on", || {
        home.api.prompts().iter().any(|it| it.contains("Go on with your work")).then_some(())
    });
    home.wait_reading("builder", "idle");
    let events = home.house.events().join("\n");
    assert!(events.contains("builder remedy nudge: "), "{events}");
}

#[test]
fn a_session_whose_server_was_away_is_told_to_go_on_when_it_is_back() {
    let Some(mut home) = impatient("") else { return };
    home.api.goes_away();
    home.types("builder", "try");
    home.presses("builder", "Enter");
    let unit = home.wait_reading("builder", "errored");
    let evidence = unit.source.expect("a channel").evidence;
    assert!(evidence.contains("refused"), "{evidence}");
    home.api.comes_back();
    home.house.wait_long("it to be told to go on", || {
        home.api.prompts().iter().any(|it| it.contains("Go on with your work")).then_some(())
    });
    home.wait_reading("builder", "idle");
}

#[test]
fn a_usage_limit_of_a_subscriber_is_read_with_the_words_of_the_client() {
    let Some(home) = subscriber("") else { return };
    home.fails("err429_unified:3600", "limited");
    let unit = home.house.unit("builder");
    let evidence = unit.source.expect("a channel").evidence;
    assert!(evidence.contains("limit") && evidence.contains("resets"), "{evidence}");
    let mut telling = home.house.command(&["tell", "builder", "hello"]).spawn().expect("the verb");
    home.house.wait_unit("builder", "has a message", |unit| unit.messages == 1);
    assert_eq!(home.house.unit("builder").reading, "limited");
    // Whoever told it has seen enough.
    let _ = telling.kill();
    let _ = telling.wait();
}
