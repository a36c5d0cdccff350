//! Never two processes on one conversation, and always the right one.

use super::home::{BYPASS, Home, kickoff};
use crate::house::kill;

#[test]
fn a_conversation_that_a_person_clears_is_followed() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    home.types("builder", "/clear");
    home.presses("builder", "Enter");
    let unit = home.house.wait_unit("builder", "is in another conversation", |unit| {
        unit.conversation.as_ref() != Some(&first)
    });
    assert_eq!(unit.pid, Some(pid));
    home.house.does(&["tell", "builder", "what is new?"]);
    home.wait_answered("builder", "what is new?");
    kill(pid, "KILL");
    home.house.wait_unit("builder", "lives again", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|new| new != pid)
    });
    home.wait_reading("builder", "idle");
    assert_eq!(home.house.unit("builder").conversation, unit.conversation);
    home.house.does(&["tell", "builder", "and now?"]);
    home.wait_answered("builder", "and now?");
    let asked = home.api.main_requests().pop().expect("a request");
    assert_eq!(asked.conversation, unit.conversation);
}

#[test]
fn a_conversation_that_a_person_has_opened_too_is_seen_and_never_opened_twice_by_us() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    let hand = home.by_hand("builder", &["--resume", &first]);
    home.house.wait_unit("builder", "says so", |unit| {
        unit.limits.iter().any(|limit| limit.contains("also open in pid"))
    });
    kill(pid, "KILL");
    let unit = home.house.wait_unit("builder", "waits", |unit| unit.state == "waiting");
    assert!(unit.why.contains("started by hand"), "{}", unit.why);
    assert_eq!(unit.pid, None);
    drop(hand);
    let unit = home.wait_reading("builder", "idle");
    assert_eq!(unit.conversation, Some(first));
    assert_eq!(unit.limits, [] as [&str; 0]);
}

#[test]
fn two_supervisors_never_have_one_conversation_open() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let first = home.conversation("builder");
    let same = format!("{BYPASS}\nresume = {first:?}");
    let Some(mut other) = Home::of(&[("builder", &same)]) else { return };
    let folder = home.house.path("").display().to_string();
    other.house.set("HOME", &folder);
    other.house.run();
    let unit = other.house.wait_unit("builder", "waits", |unit| unit.state == "waiting");
    assert!(unit.why.contains("another supervisor"), "{}", unit.why);
    home.house.does(&["stop", "builder"]);
    let unit = other.wait_reading("builder", "idle");
    assert_eq!(unit.conversation, Some(first));
    home.house.verb(&["start", "--help"]);
    let taken = home.house.command(&["start", "builder"]).spawn();
    let unit = home.house.wait_unit("builder", "waits", |unit| unit.state == "waiting");
    assert!(unit.why.contains("another supervisor"), "{}", unit.why);
    other.house.does(&["stop", "builder"]);
    home.wait_reading("builder", "idle");
    taken.expect("the verb").wait().expect("its end");
}

#[test]
fn a_reboot_resumes_the_conversation_and_a_stale_registry_frightens_nobody() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    let (first, pid) = (home.conversation("builder"), home.house.pid_of("builder"));
    let server = home.house.terminal_of("builder");
    home.house.end_daemon("KILL");
    kill(server, "KILL");
    kill(pid, "KILL");
    home.house.boot("22222222-2222-4222-8222-222222222222");
    home.house.run();
    let unit = home.wait_reading("builder", "idle");
    assert_eq!(unit.conversation, Some(first));
    assert_eq!(home.api.prompts(), [kickoff("builder")]);
}
