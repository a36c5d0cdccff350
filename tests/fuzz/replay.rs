//! The corpus of every target, played on stable Rust.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{TARGETS, Target};

/// What is given again and again, to see how the time grows: what parsers look for, and look back at.
const PIECES: [&str; 21] = [
    "\u{1b}[2ma",
    "a",
    " ",
    "\n",
    "<",
    "<!--",
    "<!-- x -->",
    "\u{1b}",
    "\u{1b}[",
    "[",
    "{\"a\":",
    "bearer ",
    "%41",
    "ghp_",
    "```\n",
    "## Reboots\n- x\n",
    "────\n",
    "❯\u{a0}x\n",
    "A=$A$A\n",
    "[a]\n",
    "resets 3pm ",
];

/// What stands around them, for which target.
const AROUND: [(&str, &str, &str); 6] = [
    ("screen", "────\n❯\u{a0}", "\n────\n"),
    ("relay", "text/plain\nto=cody\n", ""),
    ("relay", "text/plain\nto=cody&thread=", "\nx"),
    (
        "azure",
        r#"{"eventType":"git.pullrequest.updated","resource":{"status":"completed","title":""#,
        r#""}}"#,
    ),
    (
        "hook",
        r#"{"session_id":"a","hook_event_name":"StopFailure","last_assistant_message":""#,
        r#""}"#,
    ),
    ("markdown", "## A\nx+y$\n", ""),
];

/// The shorter of the two, in bytes, and how many times longer the other one is.
const SHORT: usize = 1024;
const LONGER: usize = 32;
/// 32 times the time is what is expected, 1024 times would be the square.
const GROWS_MOST: u32 = 150;
/// So often it is seen anew: others use the machine's caches too.
const TRIES: usize = 5;
/// What is shorter than this is not to be measured.
const MOMENT: Duration = Duration::from_micros(100);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a target: its corpus, and what other tests have.
fn files(target: &Target) -> Vec<PathBuf> {
    let corpus = root().join("tests/corpus").join(target.name);
    let mut files = under(&corpus);
    assert!(!files.is_empty(), "the target {} has no corpus in {}", target.name, corpus.display());
    files.extend(target.also.iter().flat_map(|place| under(&root().join(place))));
    files
}

fn under(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = fs::read_dir(place).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| under(path)).collect()
}

#[test]
fn the_corpus_of_every_target_holds() {
    let mut bad = Vec::new();
    for target in TARGETS {
        for file in files(target) {
            let data = fs::read(&file).expect("a file of the corpus");
            // What is wrong is printed where it panics; here it gets its file's name.
            if catch_unwind(AssertUnwindSafe(|| (target.check)(&data))).is_err() {
                bad.push(format!("{}: {}", target.name, file.display()));
            }
        }
    }
    assert!(bad.is_empty(), "these do not hold:\n{}", bad.join("\n"));
}

/// A stranger who sends much shall not keep us busy for much longer than that takes.
#[test]
fn no_target_takes_the_square_of_the_length() {
    let mut bad = Vec::new();
    for target in TARGETS {
        let around = AROUND.iter().filter(|(name, _, _)| *name == target.name);
        let around = around.map(|(_, before, after)| (*before, *after));
        for (before, after) in around.chain([("", "")]) {
            for piece in PIECES {
                let takes = |length: usize| {
                    let data = format!("{before}{}{after}", piece.repeat(length / piece.len()));
                    let began = worked();
                    (target.check)(data.as_bytes());
                    (worked() - began).max(MOMENT)
                };
                let grows = || takes(SHORT * LONGER) > takes(SHORT) * GROWS_MOST;
                if (0..TRIES).all(|_| grows()) {
                    bad.push(format!("{}: {before}{piece:?}{after}", target.name));
                }
            }
        }
    }
    assert!(bad.is_empty(), "these take the square of their length:\n{}", bad.join("\n"));
}

/// What this thread has worked, whoever else did meanwhile.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time")
}

/// `cargo fuzz` knows the same targets, by the same names, and there is no corpus of another.
#[test]
fn each_target_is_one_of_cargo_fuzz() {
    let named = TARGETS.iter().map(|target| target.name.to_owned());
    let named: BTreeSet<String> = named.collect();
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("its manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let bins = manifest["bin"].as_array().expect("binaries");
    let bins: BTreeSet<String> = bins
        .iter()
        .map(|bin| {
            let name = bin["name"].as_str().expect("a name").to_owned();
            let path = format!("fuzz_targets/{name}.rs");
            assert_eq!(bin["path"].as_str(), Some(path.as_str()));
            let text = fs::read_to_string(root().join("fuzz").join(path)).expect("a target");
            assert!(text.contains(&format!("agent_supervisor::fuzz::{name}(data)")), "{text}");
            name
        })
        .collect();
    assert_eq!(bins, named);
    let corpora = fs::read_dir(root().join("tests/corpus")).expect("the corpora");
    let corpora: BTreeSet<String> = corpora
        .map(|it| it.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(corpora, named);
}
