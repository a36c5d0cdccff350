//! Sessions that cannot go on by themselves, and what is done about it.

use std::process::Stdio;

use super::failures::{impatient, subscriber};
use super::home::{BYPASS, Home, kickoff};

/// What a subscriber's sessions have in common; they give up soon.
const LOGIN: &str = "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-fake-for-test\n\
     ANTHROPIC_API_KEY=\nCLAUDE_CODE_MAX_RETRIES=1\nCLAUDE_CODE_RETRY_WATCHDOG=0\n";

#[test]
fn after_a_limit_the_client_goes_on_by_itself_and_nobody_disturbs_it() {
    let Some(home) = subscriber("") else { return };
    home.types("builder", "[[mode:err429_unified:20]] try");
    home.presses("builder", "Enter");
    home.wait_reading("builder", "limited");
    let pid = home.house.pid_of("builder");
    let by_itself = || {
        let goes = |it: &String| it.contains("has reset") || it.contains("been reset");
        (home.api.prompts().iter().filter(|it| goes(it)).count() > 0).then_some(())
    };
    home.house.wait_long("the client to go on", by_itself);
    home.wait_reading("builder", "idle");
    let events = home.house.events().join("\n");
    assert!(!events.contains("builder remedy"), "{events}");
    assert_eq!(home.house.pid_of("builder"), pid);
}

#[test]
fn a_model_that_there_is_not_is_said_and_left_alone() {
    let Some(home) = impatient("") else { return };
    home.fails("err404_model", "errored");
    let unit = home.house.unit("builder");
    assert!(unit.why.contains("change its config"), "{}", unit.why);
    assert!(unit.next_wake.is_none(), "{unit:?}");
}

#[test]
fn a_lost_login_holds_both_its_sessions_and_one_that_is_renewed_in_its_file_lets_them_go_on() {
    let keys = format!("{BYPASS}\nenvironment_file = \"login.env\"");
    let Some(mut home) = Home::of(&[("adversary", &keys), ("builder", &keys)]) else { return };
    home.house.write("login.env", LOGIN);
    home.house.run();
    for name in ["adversary", "builder"] {
        home.wait_answered(name, &kickoff(name));
    }
    home.api.set_mode("err401_oauth");
    home.types("builder", "try");
    home.presses("builder", "Enter");
    home.wait_reading("builder", "logged_out");
    home.wait_event("builder account-held");
    // To the other one of the same login nothing is told that would only be lost.
    let mut telling = home.house.command(&["tell", "adversary", "are you well?"]);
    let mut telling = telling.stderr(Stdio::null()).spawn().expect("the verb");
    home.house.wait_unit("adversary", "has a message", |unit| unit.messages == 1);
    home.api.set_mode("normal");
    home.house.write("login.env", &LOGIN.replace("fake-for", "new-for"));
    home.wait_event("builder account-released its files have changed");
    home.wait_answered("adversary", "are you well?");
    assert!(telling.wait().expect("its end").success());
    home.house.wait_unit("builder", "goes on", |unit| unit.reading == "idle");
    let events = home.house.events();
    let told = events.iter().filter(|it| it.contains("account-held")).count();
    assert_eq!(told, 1, "{events:?}");
}

#[test]
fn an_idle_session_is_told_to_go_on_where_the_config_says_so() {
    let keys = format!("{BYPASS}\nidle_nudge = {{ after = \"3s\", text = \"Is work left?\" }}");
    let Some(mut home) = Home::of(&[("builder", &keys)]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    home.wait_answered("builder", "Is work left?");
}

#[test]
fn a_client_that_cannot_reach_its_service_says_so_and_is_not_counted_as_crashing() {
    let unseeded =
        format!("{BYPASS}\nseed = false\nenvironment = {{ HTTPS_PROXY = \"http://127.0.0.1:9\" }}");
    // At its very first start it looks for the vendor's servers, and ends where there are none.
    let Some(mut home) = Home::of(&[("builder", &unseeded)]) else { return };
    home.house.run();
    home.wait_event("builder cut-off it could not reach its service");
    let unit = home.house.wait_unit("builder", "waits for its service", |unit| {
        unit.why.contains("cannot be reached")
    });
    assert_eq!(unit.restarts.window, 0);
}
