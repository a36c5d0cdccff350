//! Messages: each arrives once.

use std::process::{Child, Stdio};

use super::home::{BYPASS, Home, kickoff};
use crate::house::kill;

/// How many for each of the two sessions.
const EACH: usize = 100;
const KILLS: usize = 10;

#[test]
fn a_message_arrives_as_it_was_written() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    for text in
        ["plain", "-l looks like a flag", "two\nlines", "$HOME `x` \"y\" 'z' \\ ; ~ #{pid} ä 日本"]
    {
        home.house.does(&["tell", "builder", "--", text]);
        let unit = home.wait_answered("builder", text);
        assert_eq!(unit.messages, 0);
    }
    assert_eq!(home.api.prompts().len(), 5);
}

#[test]
fn two_hundred_messages_arrive_once_each_at_idle_and_busy_sessions_whoever_is_killed() {
    let names = ["idle", "busy"];
    let Some(mut home) = Home::of(&[("idle", BYPASS), ("busy", BYPASS)]) else { return };
    names.iter().for_each(|name| home.count_prompts(name));
    home.house.run();
    names.iter().for_each(|name| drop(home.wait_answered(name, &kickoff(name))));
    let file = home.house.path("work").display().to_string();
    std::fs::write(&file, "").expect("a file");
    let work = format!("[[mode:tool:timeout 900 tail -f {file}]] work");
    home.house.does(&["tell", "busy", &work]);
    home.wait_reading("busy", "working");

    let mut tellers = Vec::new();
    for number in 0..EACH {
        for name in names {
            tellers.push((name, number, tells(&home, name, &text(name, number))));
        }
        if number % (EACH / KILLS) == EACH / KILLS / 2 {
            home.house.wait_for("some to be on their way", || {
                names.iter().all(|name| queued(&home, name).is_some_and(|it| it > 0)).then_some(())
            });
            home.house.end_daemon("KILL");
            home.house.run();
        }
    }
    for (name, number, teller) in tellers {
        let mut told = teller.wait_with_output().expect("its end");
        // Who finds no daemon says so, and has told nobody.
        if told.status.code() == Some(3) {
            told = tells(&home, name, &text(name, number)).wait_with_output().expect("its end");
        }
        let said = String::from_utf8_lossy(&told.stderr);
        // On a busy machine its answer may come before its turn does; that it arrives is seen below.
        let waits = said.contains("the message stays in its queue");
        assert!(told.status.success() || waits, "{name} {number}: {}, {said}", told.status);
    }
    for name in names {
        home.house.wait_long(&format!("all messages of {name}"), || {
            (queued(&home, name) == Some(0)).then_some(())
        });
        let prompts = home.prompts(name);
        for number in 0..EACH {
            let text = text(name, number);
            let times = prompts.iter().filter(|it| it.contains(&text)).count();
            assert_eq!(times, 1, "{text:?} arrived {times} times");
        }
    }
    let tail = home.house.unit("busy").pid.expect("a process");
    assert!(crate::house::lives(tail));
    kill(tail, "TERM");
}

/// The blanks keep one from being found in another.
fn text(name: &str, number: usize) -> String {
    format!("message {number} for {name} ")
}

/// How many messages wait; none if the daemon has too much to do to say so.
fn queued(home: &Home, name: &str) -> Option<usize> {
    let units = home.house.status()?.units;
    units.into_iter().find(|unit| unit.name == name).map(|unit| unit.messages)
}

fn tells(home: &Home, name: &str, text: &str) -> Child {
    let mut command = home.house.command(&["tell", name, text]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the verb")
}

#[test]
fn a_message_told_to_a_supervisor_that_is_reloaded_arrives_once() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let text = "told to one, and confirmed by the other";
    let telling = home.house.command(&["tell", "builder", text]).spawn();
    home.house.wait_for("the message", || {
        home.house.events().iter().any(|it| it.starts_with("builder message ")).then_some(())
    });
    home.house.reload();
    // Under load its confirmation was once seen to fail; that it arrives once is what is promised.
    let told = telling.expect("the verb").wait().expect("its end");
    eprintln!("the teller ended with {told}");
    home.wait_answered("builder", text);
    let times = home.api.prompts().iter().filter(|asked| asked.contains(text)).count();
    assert_eq!(times, 1);
}
