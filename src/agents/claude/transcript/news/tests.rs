//! Real records of 2.1.330, and lines that mean harm.

use std::collections::BTreeMap;

use super::*;
use crate::decide::{Failure, Wedge};

/// A record of each kind that matters: prompts, answers, a tool, a sub-agent, errors, book-keeping.
const RECORDS: &str = include_str!("../../../../../tests/transcripts/news.jsonl");

fn all() -> Vec<TranscriptNews> {
    RECORDS.lines().filter_map(|line| news(line.as_bytes())).collect()
}

#[test]
fn each_record_says_what_the_session_does() {
    let own: Vec<_> = all().into_iter().filter(|it| !it.aside).collect();
    let doing: Vec<_> = own.iter().filter_map(|it| it.doing).collect();
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_300_341);
    assert_eq!(
        doing,
        [
            Doing::Working,
            Doing::Idle,
            Doing::Idle,
            Doing::Idle,
            Doing::Idle,
            Doing::Working,
            Doing::Working,
            Doing::Working,
            Doing::Failed(Failure::Errored),
            Doing::Failed(Failure::Unpaid),
            Doing::Failed(Failure::LoggedOut),
            Doing::Failed(Failure::Wedged(Wedge::Poisoned)),
            Doing::Failed(Failure::Limited { until: Some(until) }),
        ]
    );
    let evidence = &own.iter().find(|it| matches!(it.doing, Some(Doing::Failed(_)))).unwrap();
    assert!(evidence.evidence.starts_with("API Error: 529 Overloaded."), "{evidence:?}");
    let second = Duration::from_millis(1_795_296_649_965);
    assert_eq!(own[0].at, SystemTime::UNIX_EPOCH + second);
}

#[test]
fn what_a_sub_agent_does_is_no_turn_of_the_session() {
    let aside: Vec<_> = all().into_iter().filter(|it| it.aside).collect();
    assert_eq!(aside.len(), 2);
    let answer = aside[1].answer.as_ref().expect("an answer");
    assert_eq!(answer.tokens, Tokens { input: 6878, output: 11, ..Tokens::default() });
}

#[test]
fn an_answer_in_parts_is_one_message() {
    let mut messages = BTreeMap::new();
    for answer in all().into_iter().filter_map(|it| it.answer) {
        messages.entry(answer.message).or_insert_with(Vec::new).push(answer.tokens.total());
    }
    let costs: Vec<_> = messages.values().cloned().collect();
    // The second was a thought and a text.
    assert_eq!(costs, [vec![13_819], vec![13_871, 13_871], vec![13_926], vec![6_889]]);
}

#[test]
fn fields_say_what_a_text_does_not() {
    let limited = Failure::Limited { until: None };
    for (fields, text, failure) in [
        (r#""error":"rate_limit","apiErrorStatus":429"#, "API Error: 429", Failure::Errored),
        (r#""apiError":"usage_limit_reached""#, "Words of tomorrow", limited),
        (r#""quotaLimits":{"status":"rejected"}"#, "", limited),
        (r#""quotaLimits":{"status":"allowed"}"#, "", Failure::Errored),
        (r#""quotaLimits":{"resetsAt":-7}"#, "You've hit your session limit", limited),
        (r#""apiErrorStatus":401"#, "API Error: 401 no", Failure::LoggedOut),
        (r#""error":"billing_error""#, "API Error: 400 no", Failure::Unpaid),
        (r#""error":"model_not_found""#, "", Failure::Misconfigured),
        (r#""error":{"status":500}"#, "", Failure::Errored),
        (r#""error":"billing_error""#, "Prompt is too long", Failure::Wedged(Wedge::Full)),
    ] {
        let line = format!(
            r#"{{"type":"assistant","timestamp":"2026-11-21T21:31:08Z","isApiErrorMessage":true,{fields},"message":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#
        );
        let news = news(line.as_bytes()).expect(&line);
        assert_eq!(news.doing, Some(Doing::Failed(failure)), "{fields} {text}");
        assert_eq!(news.answer, None);
    }
}

#[test]
fn a_turn_that_is_broken_off_is_over_and_what_the_program_does_itself_is_none() {
    for (content, doing) in [
        (r#""[Request interrupted by user]""#, Some(Doing::Idle)),
        (r#"[{"type":"tool_result","content":"x","is_error":true}]"#, Some(Doing::Working)),
        (r#""<command-name>/clear</command-name>""#, None),
        (r#""<local-command-stdout>x</local-command-stdout>""#, None),
        (r#""do it""#, Some(Doing::Working)),
        ("null", None),
    ] {
        let line = format!(
            r#"{{"type":"user","timestamp":"2026-11-21T21:31:08Z","message":{{"content":{content}}}}}"#
        );
        assert_eq!(news(line.as_bytes()).expect(&line).doing, doing, "{content}");
    }
}

#[test]
fn a_part_that_does_not_know_the_whole_yet_ends_no_turn() {
    for (message, ends) in [
        (r#""stop_reason":null"#, false),
        (r#""stop_reason":"tool_use""#, false),
        (r#""stop_reason":"max_tokens""#, true),
        (r#""model":"m""#, false),
    ] {
        let line = format!(
            r#"{{"type":"assistant","timestamp":"2026-11-21T21:31:08Z","message":{{"id":"a","usage":{{}},{message}}}}}"#
        );
        let answer = news(line.as_bytes()).and_then(|it| it.answer).expect(&line);
        assert_eq!(answer.ends_turn, ends, "{message}");
    }
}

#[test]
fn no_line_is_too_odd_or_too_long() {
    let giant = format!(
        r#"{{"type":"user","timestamp":"2026-11-21T21:31:08Z","x":"{}"}}"#,
        "x".repeat(LINE_MAX)
    );
    for line in [
        "",
        "{",
        r#"{"type":"user"}"#,
        r#"{"type":"user","timestamp":"yesterday"}"#,
        r#"{"type":"assistant","timestamp":7}"#,
        r#"{"type":"assistant","timestamp":"2026-11-21T21:31:08Z","message":{"usage":{"input_tokens":-1}}}"#,
        r#"{"type":"file-history-snapshot","x":{"type":"user"}}"#,
        &giant,
    ] {
        assert_eq!(news(line.as_bytes()), None, "{}", &line[..line.len().min(90)]);
    }
}

#[test]
fn the_summary_that_a_compaction_leaves_is_no_prompt() {
    let line = r#"{"type":"user","timestamp":"2026-11-21T22:00:00.000Z","isCompactSummary":true,
        "message":{"content":"This session is being continued from an earlier one."}}"#;
    assert_eq!(news(line.as_bytes()).and_then(|it| it.doing), None);
}
