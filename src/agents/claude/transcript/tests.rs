//! A real conversation, and lines that mean harm.

use std::fmt::Write as _;

use super::*;

/// Two conversations of the real client: prompts typed and queued, tools, a command of its own, a
/// shell line, a compaction, errors.
const CONVERSATION: &str = include_str!("../../../../tests/transcripts/conversation.jsonl");
const SHOWN: &str = include_str!("../../../../tests/transcripts/conversation.txt");

#[test]
fn a_conversation_is_shown_as_people_had_it() {
    let lines = CONVERSATION.lines().filter_map(|line| shown(line.as_bytes()));
    let text = lines.fold(String::new(), |mut text, line| {
        let _infallible = writeln!(text, "{line}");
        text
    });
    assert_eq!(text, SHOWN);
}

#[test]
fn every_prompt_is_found_as_it_was_entered() {
    let mut prompts: Vec<_> =
        CONVERSATION.lines().filter_map(|line| prompt(line.as_bytes())).collect();
    prompts.dedup();
    let expected = ["slow one [[mode:slow:25]]", "queued ping"];
    assert_eq!(prompts[..expected.len()], expected);
    // Entered while a tool ran; then the agent got it.
    assert_eq!(prompts.iter().filter(|prompt| *prompt == "ping in tool").count(), 1);
    assert!(prompts.iter().any(|prompt| prompt == "/compact"));
    for no_prompt in ["echo hi there", "Interrupted", "being continued from", "caveat", "<"] {
        assert!(!prompts.iter().any(|prompt| prompt.contains(no_prompt)), "{no_prompt}");
    }
}

#[test]
fn prompts_in_blocks_are_found_and_results_of_tools_are_none() {
    for (content, found) in [
        (r#""two\nlines \"quoted\" $HOME""#, Some("two\nlines \"quoted\" $HOME")),
        (
            r#"[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]"#,
            Some("a\nb"),
        ),
        (r#"[{"type":"tool_result","content":"a prompt?","tool_use_id":"x"}]"#, None),
        (r#"[{"type":"text","text":"[Request interrupted by user]"}]"#, None),
        (
            r#""<command-name>/clear</command-name>\n<command-args>now</command-args>""#,
            Some("/clear now"),
        ),
        (r#""<bash-input>ls</bash-input>""#, None),
        (r#""<local-command-stdout>done</local-command-stdout>""#, None),
        ("null", None),
        ("7", None),
    ] {
        let line = format!(r#"{{"type":"user","message":{{"role":"user","content":{content}}}}}"#);
        assert_eq!(prompt(line.as_bytes()).as_deref(), found, "{content}");
    }
}

#[test]
fn what_is_aside_is_neither_shown_nor_a_prompt() {
    for aside in ["isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly"] {
        let line = format!(r#"{{"type":"user","{aside}":true,"message":{{"content":"aside"}}}}"#);
        assert_eq!((shown(line.as_bytes()), prompt(line.as_bytes())), (None, None), "{aside}");
    }
    let blob = r#"{"type":"api-request-blob","message":{"role":"user","content":"a"}}"#;
    assert_eq!((shown(blob.as_bytes()), prompt(blob.as_bytes())), (None, None));
}

#[test]
fn a_tool_takes_one_line_and_steers_no_terminal() {
    let line = br#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"a\nb \u001b[31mred\u0007","description":"d"}},{"type":"tool_use","name":"Odd","input":{"n":[1]}},{"type":"thinking","thinking":"hm"}]}}"#;
    assert_eq!(shown(line).as_deref(), Some("tool: Bash a b red\ntool: Odd {\"n\":[1]}"));
    let long = format!(
        r#"{{"type":"assistant","message":{{"content":[{{"type":"tool_use","name":"Bash","input":{{"command":"{}"}}}}]}}}}"#,
        "ü".repeat(1000)
    );
    let text = shown(long.as_bytes()).expect("a tool");
    assert!(text.ends_with("ü…") && text.chars().count() < 200, "{text}");
}

#[test]
fn no_line_is_too_odd_or_too_long() {
    let giant =
        format!(r#"{{"type":"user","message":{{"content":"{}"}}}}"#, "x".repeat(super::LINE_MAX));
    for line in [
        "",
        "{",
        "null",
        "[]",
        r#"{"type":"user""#,
        r#"{"type":"user"}"#,
        r#"{"type":"user","message":null}"#,
        r#"{"type":"user","message":{"content":[null,7,{"type":"text"}]}}"#,
        r#"{"type":"user","isMeta":"no","message":{"content":"x"}}"#,
        r#"{"type":"assistant","message":{"content":"text"}}"#,
        r#"{"type":"system","subtype":"turn_duration","durationMs":1}"#,
        r#"{"type":"queue-operation","operation":"dequeue"}"#,
        r#"{"type":"queue-operation","operation":"enqueue"}"#,
        r#"{"type":"attachment","attachment":{"type":"queued_command","prompt":7,"commandMode":"prompt"}}"#,
        r#"{"type":"a kind of tomorrow","message":{"content":"\"type\":\"user\""}}"#,
        &giant,
    ] {
        let start = &line[..line.len().min(90)];
        assert_eq!((shown(line.as_bytes()), prompt(line.as_bytes())), (None, None), "{start}");
    }
    assert_eq!(shown(b"\xff\xfe\"type\":\"user\""), None);
}

#[test]
fn the_folder_of_a_directory_is_known_by_its_name() {
    for (name, directory, is) in [
        ("-srv-code-app-a", "/srv/code/app/a", true),
        ("-srv-code-app-a", "/srv/code/app-a", true),
        ("-srv-code-app-a", "/srv/code/app/b", false),
        ("-srv-code-app", "/srv/code/app/a", false),
        ("-home-j-rg-my-app--git", "/home/jörg/my_app/.git", true),
    ] {
        assert_eq!(is_folder(name, Path::new(directory)), is, "{name} {directory}");
    }
    let long = format!("/{}", "x".repeat(300));
    assert!(is_folder(&format!("-{}-1a2b3c", "x".repeat(199)), Path::new(&long)));
    assert!(!is_folder("-", Path::new(&long)));
}
