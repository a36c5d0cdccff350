//! The structure of the house, checked on its source text: who may import whom, what the pure room
//! must not touch, where `unsafe` may be, how long a file may be. ARCHITECTURE.md says why.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a check that cannot read the source has failed, and says what it saw"
)]

/// The folder beside this file.
mod architecture {
    pub(crate) mod paths;
    pub(crate) mod rules;
    pub(crate) mod source;
    pub(crate) mod tokens;
}

use std::path::Path;

use architecture::rules::{self, Violation};
use architecture::source::SourceFile;

#[test]
fn every_room_imports_only_what_the_dependency_rule_lets_it() {
    check(rules::imports);
}

#[test]
fn the_pure_room_has_nothing_but_the_pure_part_of_std() {
    check(rules::purity);
}

#[test]
fn the_daemon_makes_no_child_behind_the_reapers_back() {
    check(rules::children);
}

#[test]
fn the_rooms_stand_in_reading_order() {
    let lib = SourceFile::read(root(), Path::new("src/lib.rs"));
    report(&rules::reading_order(&lib));
}

#[test]
fn unsafe_is_in_one_file_and_no_lint_is_allowed_away() {
    check(rules::attributes);
}

#[test]
fn every_module_says_what_it_is_for() {
    check(rules::module_docs);
}

#[test]
fn files_are_short_and_main_is_a_door() {
    check(rules::lengths);
}

/// The list of long files shrinks: what has become short leaves it.
#[test]
fn the_list_of_long_files_names_only_long_files() {
    report(&rules::stale_exceptions(&files()));
}

/// A checker that finds nothing proves nothing.
#[test]
fn each_rule_finds_what_breaks_it() {
    for (path, text, wanted) in [
        ("src/decide/a.rs", "//! x\nuse crate::world::procs;", "src/decide/a.rs:2: `crate::world"),
        ("src/decide/a.rs", "//! x\nuse {std::fmt, std::{io, fs as files}};", "a.rs:2: `std::fs`"),
        ("src/decide/a.rs", "//! x\nuse std::time as t;\nfn f() { t::SystemTime::now(); }", ":3: "),
        ("src/decide/a.rs", "//! x\nfn f() {\n std::thread::spawn(g);\n}", "a.rs:3: `std::thread"),
        ("src/decide/a.rs", "//! x\nfn f(t: T) { t.elapsed(); }", "a.rs:2: `.elapsed()`"),
        ("src/decide/a.rs", "//! x\nasync fn f() {}", "a.rs:2: `async`"),
        ("src/decide/a.rs", "//! x\nuse std::*;", "a.rs:2: `std::*`"),
        ("src/decide/a.rs", "//! x\nuse serde::Serialize;", "a.rs:2: `serde::Serialize`"),
        ("src/decide/a.rs", "//! x\nfn f() { nix::unistd::getpid(); }", "a.rs:2: `nix::unistd"),
        ("src/decide/a.rs", "//! x\nuse super::super::world::procs;", "a.rs:2: `crate::world"),
        ("src/decide/a.rs", "//! See [`crate::daemon`].", "a.rs:1: `crate::daemon`"),
        ("src/world/a.rs", "//! x\nuse crate::{decide::Exit, daemon::run};", ":2: `crate::daemon"),
        ("src/world/a/b.rs", "//! x\nmod m {\n use super::super::super::super::cli::x; }", ":3: "),
        ("src/config/a.rs", "//! x\nfn f() { crate::world::boot::f(); }", "a.rs:2: `crate::world"),
        ("src/protocol.rs", "//! x\nuse crate::decide::Exit;", "protocol.rs:2: `crate::decide"),
        ("src/daemon/a.rs", "//! x\nuse crate::cli::main;", "a.rs:2: `crate::cli::main`"),
        ("src/daemon/a.rs", "//! x\nuse crate::*;", "a.rs:2: `crate::*`"),
        ("src/daemon/a.rs", "//! x\nuse std::process::{Command, id};", "a.rs:2: `std::process::C"),
        ("src/main.rs", "//! x\nuse agent_supervisor::daemon;", "`agent_supervisor::daemon`"),
        ("src/daemon/a.rs", "//! x\nfn f() { unsafe { g() } }", "a.rs:2: `unsafe`"),
        ("src/daemon/a.rs", "//! x\n#[cfg_attr(test, allow(dead_code))]\nfn f() {}", ":2: `allow`"),
        ("src/daemon/a.rs", "fn f() {}", "a.rs:1: no `//!`"),
        ("src/daemon/a.rs", &format!("//! x{}", "\n".repeat(401)), "a.rs:401: "),
        ("src/main.rs", &format!("//! x{}", "\n".repeat(16)), "main.rs:16: "),
    ] {
        let found = all_rules(&SourceFile::from_text(path, text));
        assert!(
            found.iter().any(|violation| violation.to_string().contains(wanted)),
            "{path}: {text:?} must give {wanted:?}, and gives {found:#?}"
        );
    }
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    for (path, text) in [
        ("src/decide/a.rs", "//! x\nuse std::time::{Duration, SystemTime};\nuse super::Mono;"),
        ("src/decide/a.rs", "//! x\nfn f() { g(\"std::fs::read unsafe\"); } // unsafe std::fs"),
        ("src/decide/a.rs", "//! x\n/* /* unsafe */ std::env */ const C: char = '\"';"),
        ("src/decide/a.rs", "//! x\nconst S: &str = r#\"crate::world \" unsafe\"#;"),
        ("src/decide/a.rs", "//! x\nfn f<'a>(x: &'a str) -> u32 { u32::from(b'\\'') }"),
        ("src/decide/a.rs", "//! x\n#[cfg(test)]\nmod tests {\n use super::super::*;\n}"),
        ("src/daemon/a.rs", "//! See [`crate::decide`].\nuse crate::world::{self, boot::Boot};"),
        ("src/main.rs", "//! x\nfn main() { agent_supervisor::cli::main() }"),
        ("src/world/spawn.rs", "//! x\nfn f() { unsafe { g() } }"),
        ("src/world/spawn/tests.rs", "use super::*;"),
    ] {
        let found = all_rules(&SourceFile::from_text(path, text));
        assert!(found.is_empty(), "{path}: {text:?} gives {found:#?}");
    }
}

fn all_rules(file: &SourceFile) -> Vec<Violation> {
    let rules: [fn(&SourceFile) -> Vec<Violation>; 6] = [
        rules::imports,
        rules::purity,
        rules::children,
        rules::attributes,
        rules::module_docs,
        rules::lengths,
    ];
    rules.iter().flat_map(|rule| rule(file)).collect()
}

fn check(rule: fn(&SourceFile) -> Vec<Violation>) {
    let files = files();
    assert!(files.len() > 100, "only {} files were found: is this the right place?", files.len());
    report(&files.iter().flat_map(rule).collect::<Vec<_>>());
}

fn report(violations: &[Violation]) {
    let lines: Vec<String> =
        violations.iter().map(|violation| format!("  {violation}\n")).collect();
    assert!(violations.is_empty(), "{} breaches:\n{}", violations.len(), lines.concat());
}

fn files() -> Vec<SourceFile> {
    let mut files = SourceFile::under(root(), Path::new("src"));
    files.extend(SourceFile::under(root(), Path::new("tests")));
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
