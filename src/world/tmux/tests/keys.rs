//! What is typed, and what is shown.

use std::fs;

use tmux_interface::{CopyMode, SaveBuffer, SetBuffer};

use super::super::*;
use super::support::{Dice, House, until, until_shown};
use std::os::unix::ffi::OsStringExt;

#[tokio::test]
async fn any_bytes_pass_through_the_quoting_unchanged() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let out = house.path("out");
    let mut dice = Dice(0x5eed);
    let special = b"\"'\\$~#;{}%\n\t -\x01\x7f`!@=";
    for round in 0..200 {
        let length = 1 + dice.below(60);
        let bytes: Vec<u8> = (0..length)
            .map(|_| match dice.below(3) {
                0 => special[dice.below(special.len())],
                1 => u8::try_from(32 + dice.below(95)).unwrap(),
                _ => u8::try_from(1 + dice.below(255)).unwrap(),
            })
            .collect();
        let set = Words::from(SetBuffer::new().buffer_name("b").build());
        let set = set.and(["--".into(), OsString::from_vec(bytes.clone())]);
        let save = Words::from(SaveBuffer::new().buffer_name("b").build()).and([&out]);
        server.control.sequence(vec![set, save]).await.unwrap();
        assert_eq!(fs::read(&out).unwrap(), bytes, "round {round}");
    }
}

#[tokio::test]
async fn typed_text_arrives_as_it_was_written() {
    let house = House::new().await;
    let out = house.path("out");
    let script = format!("stty raw -echo; echo ready; exec cat > {}", out.display());
    let server = house.shell(&script).await;
    until_shown(&server, "ready").await;
    let alphabet: Vec<char> =
        "ab zAZ09 \"'\\$~#;{}%`!@=-\n\t\u{1b}\u{3}éßЖ日本語한글🦀👍\u{301}".chars().collect();
    let mut dice = Dice(0xc0ffee);
    let mut expected = String::new();
    for _ in 0..60 {
        let length = 1 + dice.below(40);
        let text: String = (0..length).map(|_| alphabet[dice.below(alphabet.len())]).collect();
        server.send_literal(&text).await.unwrap();
        expected.push_str(&text);
    }
    for key_like in ["Enter", "C-c", "-l", "--", "C-u;"] {
        server.send_literal(key_like).await.unwrap();
        expected.push_str(key_like);
    }
    until("all has arrived", async || fs::read(&out).unwrap().len() >= expected.len()).await;
    assert_eq!(String::from_utf8(fs::read(&out).unwrap()).unwrap(), expected);
    server.send_key("Enter").await.unwrap();
    server.send_key("C-u").await.unwrap();
    server.send_key("Escape").await.unwrap();
    expected.push_str("\r\u{15}\u{1b}");
    until("the keys have arrived", async || fs::read(&out).unwrap().len() >= expected.len()).await;
    assert_eq!(String::from_utf8(fs::read(&out).unwrap()).unwrap(), expected);
}

#[tokio::test]
async fn history_and_wrapped_lines_are_captured_as_asked() {
    let house = House::new().await;
    let server =
        house.shell("seq 100; printf '日本語%.0s' $(seq 50); echo; echo end; exec cat").await;
    until_shown(&server, "end").await;
    let visible = server.capture(false, false).await.unwrap();
    assert!(!visible.starts_with("1\n") && visible.ends_with("\nend"));
    assert!(visible.lines().all(|line| line.chars().count() <= 100));
    let all = server.capture(true, true).await.unwrap();
    assert!(all.starts_with("1\n2\n") && all.contains(&"日本語".repeat(50)));
}

#[tokio::test]
async fn a_line_is_typed_and_confirmed_again_and_again() {
    let house = House::new().await;
    let out = house.path("out");
    let server = house.shell(&format!("echo ready; exec tee {}", out.display())).await;
    until_shown(&server, "ready").await;
    let long = "a long line that wraps around the edge, ".repeat(12);
    let lines =
        ["y", "y", "same", "same", "größer 日本語 🦀 end", "$(x) `y` \"z\"; ~ #{a}", "-l", &long];
    for line in lines {
        server.type_and_confirm(line).await.unwrap();
    }
    let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
    until("all lines", async || fs::read_to_string(&out).unwrap() == expected).await;
}

#[tokio::test]
async fn a_text_that_does_not_show_is_taken_back_and_never_submitted() {
    let house = House::new().await;
    let out = house.path("out");
    let script = format!("stty -echo; echo ready; exec cat > {}", out.display());
    let server = house.shell(&script).await;
    until_shown(&server, "ready").await;
    let error = server.type_and_confirm("hidden").await.unwrap_err();
    assert!(matches!(error, Untyped::NoEcho), "{error}");
    server.send_literal("after").await.unwrap();
    server.send_key("Enter").await.unwrap();
    until("the next line", async || !fs::read(&out).unwrap().is_empty()).await;
    assert_eq!(fs::read_to_string(&out).unwrap(), "after\n");
}

#[tokio::test]
async fn copy_mode_is_left_before_anything_is_typed() {
    let house = House::new().await;
    let server = house.shell("seq 100; echo ready; exec cat").await;
    until_shown(&server, "ready").await;
    let scroll = CopyMode::new().page_up().target_pane("%0").build();
    server.control.command(scroll).await.unwrap();
    assert!(server.state().await.unwrap().in_mode);
    server.type_and_confirm("through").await.unwrap();
    assert!(!server.state().await.unwrap().in_mode);
    until_shown(&server, "through\nthrough").await;
}

#[tokio::test]
async fn more_than_one_plain_line_is_refused_and_so_is_a_dead_pane() {
    let house = House::new().await;
    let server = house.shell("exit 0").await;
    until("its end", async || server.state().await.unwrap().dead).await;
    let refused = async |text| server.type_and_confirm(text).await.unwrap_err();
    assert!(matches!(refused("a\nb").await, Untyped::Control('\n')));
    assert!(matches!(refused("a\u{1b}[A").await, Untyped::Control('\u{1b}')));
    assert!(matches!(refused("  ").await, Untyped::Empty));
    assert!(matches!(refused("text").await, Untyped::Dead));
}

#[tokio::test]
async fn a_refused_command_and_a_nul_byte_are_errors_and_harm_nothing() {
    let house = House::new().await;
    let server = house.start(&["/bin/sleep", "1000"]).await;
    let bad = Words::from(pane::print("%0", "")).and(["one word too many"]);
    assert!(matches!(server.control.command(bad).await, Err(ControlError::Refused { .. })));
    let nul = server.send_literal("a\0b").await;
    assert!(matches!(nul, Err(ControlError::Nul)));
    assert!(!server.state().await.unwrap().dead);
}
