//! What must hold of every parser of others' bytes, whatever they are. Each function here is a target
//! of `cargo fuzz` (`fuzz/fuzz_targets/`), and `replay.rs` plays the corpus through the very same
//! functions on stable Rust. Not here: examples of what a parser answers, which are beside it.
#![expect(clippy::expect_used, clippy::panic, reason = "what does not hold is to be seen")]

mod agents;
mod config;
mod gateway;
mod nanoclaw;
#[cfg(test)]
mod replay;
mod world;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use regex::Regex;

pub use agents::{cmdline, hook, registry, screen, transcript};
pub use config::{config, launch, protocol};
pub use gateway::{ack, azure, clean, github, relay, rest, secrets, signature, words};
pub use nanoclaw::{nanoclaw, row_time};
pub use world::{json_keys, kernel, markdown, reboots, tmux};

/// One target.
#[derive(Debug)]
pub struct Target {
    /// Its name, under which its corpus lies in `tests/corpus/`.
    pub name: &'static str,
    /// Panics if something does not hold of these bytes.
    pub check: fn(&[u8]),
    /// Folders and files of other tests that are played too, from the project's root.
    pub also: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("ack", ack, &[]),
    target("azure", azure, &["tests/webhooks/azure"]),
    target("clean", clean, &["tests/webhooks/azure"]),
    target("cmdline", cmdline, &[]),
    target("config", config, &["src/config/init.toml", "src/config/tests/everything.toml"]),
    target("github", github, &[]),
    target("hook", hook, &["tests/transcripts"]),
    target("json_keys", json_keys, &[]),
    target("kernel", kernel, &[]),
    target("launch", launch, &["tests/run"]),
    target("markdown", markdown, &["REBOOTS.md"]),
    target("nanoclaw", nanoclaw, &[]),
    target("protocol", protocol, &[]),
    target("reboots", reboots, &["REBOOTS.md", "README.md"]),
    target("registry", registry, &[]),
    target("relay", relay, &[]),
    target("rest", rest, &["tests/webhooks/azure"]),
    target("row_time", row_time, &[]),
    target("screen", screen, &["tests/screens"]),
    target("secrets", secrets, &[]),
    target("signature", signature, &[]),
    target("tmux", tmux, &[]),
    target("transcript", transcript, &["tests/transcripts"]),
    target("words", words, &[]),
];

const fn target(name: &'static str, check: fn(&[u8]), also: &'static [&'static str]) -> Target {
    Target { name, check, also }
}

/// The time of every test, so that the same bytes always give the same.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400)
}

/// The first line, and all after it.
fn head(data: &[u8]) -> (String, &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let first = parts.next().unwrap_or_default();
    (String::from_utf8_lossy(first).into_owned(), parts.next().unwrap_or_default())
}

/// What Unicode itself says that nobody sees, or that turns the writing round: another table than
/// ours.
static UNSEEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Variation_Selector}]")
        .expect("a pattern")
});

/// What a terminal obeys, or a reader does not see, is not in it; line ends may be.
fn is_harmless(text: &str) {
    if let Some(found) = UNSEEN.find(text) {
        panic!("unseen {:?} in {text:?}", found.as_str());
    }
    assert!(!text.contains('\t'), "a tab in {text:?}");
    is_without_controls(text);
}

/// No character of it is a control one, but for line ends and tabs.
fn is_without_controls(text: &str) {
    let control = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert!(control.is_none(), "{control:?} in {text:?}");
}

/// One line of at most so many characters that steers nothing.
fn is_a_line(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "more than {most} characters: {text:?}");
    assert!(!text.contains('\n'), "several lines: {text:?}");
    is_without_controls(text);
}
