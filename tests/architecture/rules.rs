//! The rules, and what breaks them.

use std::fmt;

use super::paths::{Named, named};
use super::source::SourceFile;

/// Who may import whom, arrows as in ARCHITECTURE.md. Rooms of a later release stand here too, so
/// that they move in under the same rule.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    ("decide", &[]),
    ("config", &["decide"]),
    ("protocol", &[]),
    ("world", &["decide", "config"]),
    ("agents", &["decide", "config"]),
    ("nanoclaw", &["decide", "config"]),
    ("gateway", &["decide", "config", "protocol", "world", "nanoclaw"]),
    ("daemon", &["decide", "config", "protocol", "world", "agents", "nanoclaw"]),
    ("stand_in", &[]),
    (
        "cli",
        &[
            "decide", "config", "protocol", "world", "agents", "nanoclaw", "gateway", "daemon",
            "stand_in",
        ],
    ),
];

/// What std has that reaches out of the process, or differs from run to run.
const IMPURE: &[&[&str]] = &[
    &["std", "backtrace"],
    &["std", "collections", "HashMap"],
    &["std", "collections", "HashSet"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "hash", "RandomState"],
    &["std", "io"],
    &["std", "net"],
    &["std", "os"],
    &["std", "process"],
    &["std", "sync"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime", "now"],
];

/// Words of the language that have no place in the pure room.
const IMPURE_WORDS: &[&str] = &["async", "await", "extern", "thread_local"];

/// Methods that read a clock in secret.
const IMPURE_METHODS: &[&str] = &["elapsed"];

/// The one file with `unsafe`.
const UNSAFE: &str = "src/world/spawn.rs";

/// Above this many lines a file is to be split.
const LONG: usize = 400;
/// Above this many there is no excuse.
const TOO_LONG: usize = 600;
/// main is a door.
const MAIN_MAX: usize = 15;
/// Files of `src/` that may be long all the same, and why. The list only shrinks.
const MAY_BE_LONG: &[(&str, &str)] =
    &[("src/world/spawn.rs", "everything around `unsafe` is to be read in one piece")];

/// One breach.
#[derive(Debug)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
    rule: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.path, self.line, self.what, self.rule)
    }
}

/// The dependency rule.
pub(crate) fn imports(file: &SourceFile) -> Vec<Violation> {
    let Some(room) = file.room() else { return Vec::new() };
    let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        return vec![violation(file, 1, format!("the room {room} has no rule"), DEPENDENCIES)];
    };
    let allowed = |it: &Named| {
        let own = ["crate", "agent_supervisor"].contains(&it.path[0].as_str());
        let other = it.path.get(1).map(String::as_str);
        !own || other.is_some_and(|other| other == room || may.contains(&other))
    };
    let breaches = named(file).into_iter().filter(|it| !allowed(it));
    breaches
        .map(|it| {
            let may = if may.is_empty() { "no other room".to_owned() } else { may.join(", ") };
            let what = format!("`{}`, and {room} may import {may}", it.text());
            violation(file, it.line, what, DEPENDENCIES)
        })
        .collect()
}

const DEPENDENCIES: &str = "ARCHITECTURE.md, the dependency rule";

/// decide: std alone, and of std only what computes.
pub(crate) fn purity(file: &SourceFile) -> Vec<Violation> {
    if file.room() != Some("decide") {
        return Vec::new();
    }
    const RULE: &str = "decide is pure";
    let crates = dependencies();
    let mut found = Vec::new();
    for it in named(file) {
        let root = it.path[0].as_str();
        let impure = IMPURE.iter().any(|impure| it.is_in(impure));
        let glob = root == "std" && it.path.last().is_some_and(|last| last == "*");
        if impure || glob || ["core", "alloc"].contains(&root) || crates.iter().any(|it| it == root)
        {
            let what = format!("`{}`: decide has std only, and no I/O, no clock", it.text());
            found.push(violation(file, it.line, what, RULE));
        }
    }
    for (index, token) in file.tokens.iter().enumerate() {
        let word = token.text.as_str();
        let method = index.checked_sub(1).is_some_and(|before| file.tokens[before].text == ".");
        if IMPURE_WORDS.contains(&word) {
            found.push(violation(file, token.line, format!("`{word}`"), RULE));
        } else if method && IMPURE_METHODS.contains(&word) {
            found.push(violation(file, token.line, format!("`.{word}()` reads a clock"), RULE));
        }
    }
    found
}

/// The daemon has one reaper: a child of std or tokio would be waited for twice.
pub(crate) fn children(file: &SourceFile) -> Vec<Violation> {
    if file.room() != Some("daemon") {
        return Vec::new();
    }
    let stranger = |it: &Named| {
        [&["std", "process", "Command"], &["std", "process", "Child"]].iter().any(|a| it.is_in(*a))
            || it.is_in(&["tokio", "process"])
    };
    let breaches = named(file).into_iter().filter(stranger);
    breaches
        .map(|it| {
            let what = format!("`{}`: children are born by world::spawn", it.text());
            violation(file, it.line, what, "one reaper")
        })
        .collect()
}

/// Each room stands in lib.rs below all that it imports.
pub(crate) fn reading_order(lib: &SourceFile) -> Vec<Violation> {
    let words: Vec<_> = lib.tokens.iter().map(|token| token.text.as_str()).collect();
    let mods = words.windows(2).zip(&lib.tokens).filter(|(pair, _)| pair[0] == "mod");
    let rooms: Vec<(&str, usize)> = mods.map(|(pair, token)| (pair[1], token.line)).collect();
    let mut found = Vec::new();
    for (index, (room, line)) in rooms.iter().enumerate() {
        let rule = MAY_IMPORT.iter().find(|(name, _)| name == room);
        let may = rule.map_or(&[][..], |(_, may)| *may);
        let below = rooms[index..].iter().map(|(later, _)| *later);
        for later in below.filter(|later| may.contains(later)) {
            let what = format!("{room} stands before {later}, which it may import");
            found.push(violation(lib, *line, what, "lib.rs is in reading order"));
        }
    }
    found
}

/// `unsafe` in one file, and `expect` with a reason instead of `allow`.
pub(crate) fn attributes(file: &SourceFile) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut attribute = 0;
    for (index, token) in file.tokens.iter().enumerate() {
        let text = |back: usize| index.checked_sub(back).map_or("", |at| &file.tokens[at].text);
        match token.text.as_str() {
            "[" if attribute > 0 || text(1) == "#" || (text(1) == "!" && text(2) == "#") => {
                attribute += 1;
            }
            "]" if attribute > 0 => attribute -= 1,
            "allow" if attribute > 0 => {
                let what = "`allow`: write `expect` with a reason".to_owned();
                found.push(violation(file, token.line, what, "no lint is allowed away"));
            }
            "unsafe" if file.path != UNSAFE => {
                let what = format!("`unsafe`: that is for {UNSAFE} alone");
                found.push(violation(file, token.line, what, "one file has `unsafe`"));
            }
            _ => {}
        }
    }
    found
}

/// Every module begins with its purpose; that of `x/tests.rs` is x.
pub(crate) fn module_docs(file: &SourceFile) -> Vec<Violation> {
    if file.text.starts_with("//!") || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    vec![violation(file, 1, "no `//!`".to_owned(), "a module says what it is for")]
}

/// Short files.
pub(crate) fn lengths(file: &SourceFile) -> Vec<Violation> {
    let lines = file.lines();
    let excused = MAY_BE_LONG.iter().any(|(path, _)| *path == file.path);
    let most = match file.path.as_str() {
        "src/main.rs" => MAIN_MAX,
        _ if file.is_src() && !excused => LONG,
        _ => TOO_LONG,
    };
    if lines <= most {
        return Vec::new();
    }
    let what = format!("{lines} lines of at most {most}: split the file");
    vec![violation(file, lines, what, "files are short")]
}

/// What has become short, or is gone, needs no exception.
pub(crate) fn stale_exceptions(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, why) in MAY_BE_LONG {
        match files.iter().find(|file| file.path == *path) {
            Some(file) if file.lines() > LONG => {
                println!("{path}: {} lines, for now: {why}", file.lines());
            }
            Some(_) | None => found.push(Violation {
                path: (*path).to_owned(),
                line: 1,
                what: "is not long: take it off MAY_BE_LONG".to_owned(),
                rule: "the list of long files shrinks",
            }),
        }
    }
    found
}

/// The names of all crates of Cargo.toml, as code names them.
fn dependencies() -> Vec<String> {
    let mut within = false;
    let mut names = Vec::new();
    for line in include_str!("../../Cargo.toml").lines() {
        if line.starts_with('[') {
            within = line.contains("dependencies");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| within) {
            names.push(name.trim().replace('-', "_"));
        }
    }
    assert!(names.iter().any(|name| name == "tokio"), "Cargo.toml was misread: {names:?}");
    names
}

fn violation(file: &SourceFile, line: usize, what: String, rule: &'static str) -> Violation {
    Violation { path: file.path.clone(), line, what, rule }
}
