//! How things look.

use super::{BAD, Cell, GOOD, PLAIN, Table, clean, exit, relative, span, strip_str, wrap};
use crate::protocol::LastExit;

#[test]
fn times_are_told_by_their_two_largest_units() {
    for (seconds, words) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (192, "3m 12s"),
        (3_600, "1h"),
        (3_601, "1h"),
        (7_500, "2h 5m"),
        (86_400 * 12 + 3_600 * 4, "12d 4h"),
    ] {
        assert_eq!(span(seconds), words);
    }
}

#[test]
fn a_time_is_told_from_where_one_stands() {
    let now = "2026-01-01T00:10:00Z".parse().expect("a time");
    for (at, words) in [
        ("2026-01-01T00:06:48Z", "3m 12s ago"),
        ("2026-01-01T00:10:00Z", "just now"),
        ("2026-01-01T00:14:00Z", "in 4m"),
        ("2026-01-01T01:14:00+01:00", "in 4m"),
        ("some day", "some day"),
    ] {
        assert_eq!(relative(at, now), words);
    }
}

#[test]
fn an_exit_is_told_in_words_and_never_guessed() {
    let end = |known, code, signal: Option<&str>| LastExit {
        known,
        code,
        signal: signal.map(str::to_owned),
        oom: false,
        at: String::new(),
    };
    assert_eq!(exit(&end(true, None, Some("KILL"))), "killed by SIGKILL");
    assert_eq!(exit(&end(true, Some(1), None)), "exited with 1");
    assert!(exit(&end(false, None, None)).starts_with("unknown"));
    assert!(exit(&end(false, Some(0), None)).starts_with("unknown"));
}

#[test]
fn only_the_last_column_is_cut_and_by_what_the_eye_sees() {
    let table = |width| {
        let rows = vec![
            [Cell::new(PLAIN, "日本"), Cell::new(GOOD, "up"), Cell::new(PLAIN, "日本語です")],
            [
                Cell::new(PLAIN, "b"),
                Cell::default(),
                Cell::new(PLAIN, "one").with(BAD, "two").with(PLAIN, "three"),
            ],
            [Cell::new(PLAIN, "c"), Cell::new(PLAIN, "x"), Cell::default()],
        ];
        let text = Table::new(["N", "S", "WHY"], rows).text(width);
        strip_str(&text).to_string()
    };
    assert_eq!(
        table(None),
        "N     S   WHY\n日本  up  日本語です\nb         one two three\nc     x\n"
    );
    assert_eq!(table(Some(18)), "N     S   WHY\n日本  up  日本語…\nb         one two…\nc     x\n");
    assert_eq!(table(Some(11)), "N     S   …\n日本  up  …\nb         …\nc     x\n");
    assert_eq!(table(Some(4)), "N     S   \n日本  up  \nb         \nc     x\n");
}

#[test]
fn text_is_broken_between_words_and_no_word_is() {
    assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
    assert_eq!(wrap("日本 語 overlong x", 7), ["日本 語", "overlong", "x"]);
    assert!(wrap(" ", 7).is_empty());
}

#[test]
fn hostile_text_cannot_play_with_the_terminal() {
    assert_eq!(clean("a\x1b[31mb\nc\u{202e}d"), "a [31mb cd");
}
