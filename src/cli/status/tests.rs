use anstream::adapter::strip_str;

use super::samples::{NOW, status, unit, zoo};
use super::text;
use crate::cli::render::View;
use crate::protocol::{Status, UnitStatus};

fn plain(status: &Status, unit: Option<&str>, width: Option<usize>) -> String {
    let view = View { width, height: None, now: NOW.parse().expect("a time") };
    strip_str(&text(status, unit, &view).expect("such a unit")).to_string()
}

#[test]
fn a_pipe_gets_everything_whole() {
    assert_eq!(plain(&zoo(), None, None), include_str!("tests/piped.txt"));
}

#[test]
fn a_terminal_gets_marks_and_no_line_of_a_unit_wider_than_it() {
    let shown = plain(&zoo(), None, Some(100));
    assert_eq!(shown, include_str!("tests/terminal.txt"));
}

#[test]
fn a_narrow_terminal_makes_room_for_what_comes_next() {
    let shown = plain(&zoo(), None, Some(80));
    assert_eq!(shown, include_str!("tests/narrow.txt"));
}

#[test]
fn one_unit_is_shown_with_everything_that_is_known() {
    assert_eq!(plain(&zoo(), Some("builder"), None), include_str!("tests/builder.txt"));
    assert_eq!(plain(&zoo(), Some("adversary"), None), include_str!("tests/adversary.txt"));
    assert_eq!(plain(&zoo(), Some("worker"), None), include_str!("tests/worker.txt"));
}

#[test]
fn an_unknown_unit_is_not_shown_as_nothing() {
    let view = View { width: None, height: None, now: NOW.parse().expect("a time") };
    let failure = text(&zoo(), Some("bilder"), &view).expect_err("no such unit");
    assert_eq!(failure.code(), 4);
}

#[test]
fn no_units_are_no_empty_table() {
    let shown = plain(&status(Vec::new()), None, None);
    assert!(shown.ends_with("no units: add one to the configuration, then `supervisor reload`\n"));
}

#[test]
fn a_reason_with_a_newline_stays_in_its_row() {
    let shown = plain(
        &status(vec![UnitStatus { why: "a\nb".to_owned(), ..unit("web", "up", "up") }]),
        None,
        None,
    );
    assert!(shown.ends_with("  a b\n"), "{shown}");
}
