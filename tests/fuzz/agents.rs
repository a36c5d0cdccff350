//! What agent programs say through their channels, of any of the programs.

use std::ffi::OsStr;

use super::{head, is_a_line, is_without_controls, now};
use crate::agents::{self, Composer, Profile, ScreenReading, ScreenText, Seen};
use crate::config::Agent;
use crate::nanoclaw::{Generation, containers};
use crate::world::hook_spool::drop;

/// Evidence is a few words.
const EVIDENCE_MAX: usize = 260;

fn profiles() -> [&'static dyn Profile; 4] {
    [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Opencode].map(agents::profile)
}

/// What an agent tells a hook of ours on standard input.
pub fn hook(data: &[u8]) {
    let Some(payload) = drop::payload(data) else { return };
    let kept = payload.to_string();
    // JSON of ours may need six bytes for one of theirs.
    assert!(kept.len() <= 6 * data.len().max(1), "{} bytes of {}", kept.len(), data.len());
    for profile in profiles() {
        let Some(news) = profile.hook(&payload, now()) else { continue };
        is_a_line(&news.evidence, EVIDENCE_MAX);
        let told =
            |text: &str| payload.as_object().is_some_and(|it| it.values().any(|v| v == text));
        assert!(told(&news.conversation) && told(&news.name), "{news:?}");
        assert!(news.prompt.as_deref().is_none_or(told), "{news:?}");
    }
}

/// Lines of a transcript.
pub fn transcript(data: &[u8]) {
    for profile in profiles() {
        for line in data.split(|byte| *byte == b'\n') {
            if let Some(news) = profile.transcript_news(line) {
                is_a_line(&news.evidence, EVIDENCE_MAX);
            }
            if let Some(shown) = profile.transcript_line(line) {
                is_without_controls(&shown);
                assert!(!shown.trim().is_empty());
            }
            let prompt = profile.transcript_prompt(line);
            assert!(prompt.is_none_or(|it| it.len() <= 3 * line.len()), "longer than its line");
            profile.transcript_title(line);
        }
    }
}

/// A file of a registry, and what a program prints of its login.
pub fn registry(data: &[u8]) {
    for profile in profiles() {
        if let Some(live) = profile.live(data) {
            is_a_line(&live.evidence, EVIDENCE_MAX);
        }
        if let Some(account) = profile.account(data) {
            is_a_line(account.method.as_deref().unwrap_or_default(), EVIDENCE_MAX);
        }
    }
}

/// A pane: a line with the column and the row of its cursor, if that is known, and its rows.
pub fn screen(data: &[u8]) {
    let (first, rest) = head(data);
    let cursor = first.split_once(' ').and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
    let text = String::from_utf8_lossy(if cursor.is_some() { rest } else { data });
    let screen =
        ScreenText { text: &text, cursor, directory: Some(OsStr::new("/srv/w")), now: now() };
    for profile in profiles() {
        let ScreenReading { shows: _, why, composer, queued } = profile.screen(&screen);
        is_a_line(&why, 2 * EVIDENCE_MAX);
        is_without_controls(&queued.unwrap_or_default());
        if let Composer::Text(typed) = composer {
            is_without_controls(&typed);
            assert!(!typed.trim().is_empty(), "nothing is typed");
            let all: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let first = typed.chars().find(|c| !c.is_whitespace());
            assert!(first.is_none_or(|first| all.contains(first)), "{typed:?} of {text:?}");
        }
        if let Ok(choice) = profile.waiting(&screen) {
            assert!(choice.above == 0 || choice.below == 0, "{choice:?}");
            let rows = text.lines().count();
            assert!(choice.above < rows && choice.below < rows, "{choice:?}");
        }
        profile.complaint(&text);
    }
}

/// A command line of `/proc`: words that end with NUL.
pub fn cmdline(data: &[u8]) {
    let words: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    for profile in profiles() {
        let seen = Seen { name: b"node", program: None, arguments: &words };
        let also = ["my-claude".to_owned()];
        if let Some(it) = agents::invocation(profile, &also, &seen) {
            assert!(it.names.iter().all(|name| !name.is_empty()), "{it:?}");
        }
        let opened = profile.opens(&words);
        assert!(opened.is_none_or(|it| !it.is_empty() && !it.contains('\0')));
    }
    let line = String::from_utf8_lossy(data);
    let argv: Vec<&str> = line.split_terminator('\0').collect();
    let owned: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    assert!(agents::names(&owned).len() <= 1);
    if let Some(script) = containers::script(&argv) {
        assert!(argv.contains(&script));
    }
    let Some(name) = containers::container(&argv) else { return };
    assert!(name.starts_with("nanoclaw-"), "{name:?}");
    for folder in argv {
        for generation in [Generation::V1, Generation::V2] {
            if containers::is_of(&name, generation, folder) {
                assert!(name.ends_with(|c: char| c.is_ascii_digit()), "{name:?} of {folder:?}");
            }
        }
    }
}
