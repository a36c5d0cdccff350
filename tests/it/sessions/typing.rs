//! `tell`: a line is typed, and confirmed on the screen.

use crate::house::House;
use crate::tmux::{scripted, session};

/// Writes each line that it reads into a file.
const LISTENS: &str = "while IFS= read -r line; do printf '%s\\n' \"$line\" >> heard; done";

#[test]
fn a_line_arrives_as_it_was_told() {
    let house = House::running(&scripted("one", LISTENS, "directory = \".\""));
    house.wait_up(&["one"]);
    let lines = [
        "plain words",
        "it's \"quoted\" with `ticks` and \\ backslashes\\",
        "$HOME ~ #{pane_id} #(date) %0; !x",
        "-n --help",
        "Enter",
        "C-c",
        "naïve 日本語 🙂 e\u{301}",
        ";",
        "  between blanks",
    ];
    for line in lines {
        house.does(&["tell", "one", "--", line]);
    }
    let long = format!("{}the end", "long words ".repeat(120));
    house.does(&["tell", "one", &long]);
    let heard = house.wait_for("all lines", || {
        let heard = std::fs::read_to_string(house.path("heard")).ok()?;
        (heard.lines().count() == lines.len() + 1).then_some(heard)
    });
    let wanted: Vec<&str> = lines.into_iter().chain([long.as_str()]).collect();
    assert_eq!(heard.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_program_that_shows_nothing_is_not_told_anything() {
    let script = format!("stty -echo; echo ready; {LISTENS}");
    let house = House::running(&scripted("one", &script, "directory = \".\""));
    house.wait_screen("one", "ready");
    let (code, said) = house.refuses(&["tell", "one", "a password?"]);
    assert_eq!(code, 1);
    assert!(said.contains("did not show on the screen"), "{said}");
    assert!(!house.path("heard").exists());
}

#[test]
fn control_characters_are_keys_and_are_refused() {
    let house = House::running(&scripted("one", LISTENS, "directory = \".\""));
    house.wait_up(&["one"]);
    let (code, said) = house.refuses(&["tell", "one", "two\nlines"]);
    assert_eq!(code, 1, "only an agent may take several lines: {said}");
    assert!(said.contains("control character"), "{said}");
    for text in ["a\tb", "\u{1b}[A", "bell\u{7}", "\u{3}", "c1 \u{9b}"] {
        let (code, said) = house.refuses(&["tell", "one", text]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("control character"), "{said}");
    }
    house.does(&["tell", "one", "fine"]);
    assert_eq!(house.written("heard"), "fine\n");
}

#[test]
fn who_scrolls_in_the_pane_does_not_keep_a_line_from_arriving() {
    let house = House::running(&scripted("one", LISTENS, "directory = \".\""));
    house.wait_up(&["one"]);
    house.tmux("one", &["copy-mode", "-t", "%0"]).expect("an answer");
    house.does(&["tell", "one", "over the shoulder"]);
    assert_eq!(house.written("heard"), "over the shoulder\n");
}

#[test]
fn only_sessions_that_exist_can_be_told() {
    let units = session("one", &["cat"], "") + "[services.web]\ncommand = [\"sleep\", \"1000\"]\n";
    let house = House::running(&units);
    house.wait_up(&["one", "web"]);
    let (code, said) = house.refuses(&["tell", "two", "hi"]);
    assert_eq!(code, 4, "{said}");
    let (code, said) = house.refuses(&["tell", "web", "hi"]);
    assert!(code == 1 && said.contains("no session in tmux"), "{said}");
}
