//! What the documents say is so: the README's example runs, its tables are those of the binary, and
//! whatever ARCHITECTURE.md names is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::handoffs::{clones, commit};
use crate::house::House;

const README: &str = include_str!("../../README.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");
const OPTIONS: &str = include_str!("../../nixos-modules/OPTIONS.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

#[test]
fn the_first_configuration_of_the_readme_is_taken_as_a_whole() {
    let house = House::new("");
    std::fs::write(house.path("config.toml"), first_configuration()).expect("the config");
    let said = house.does(&["check-config"]);
    assert!(said.contains("1 service, 1 session") && !said.contains("not acted on"), "{said}");
}

#[test]
fn the_units_of_the_first_configuration_come_up() {
    let configuration = first_configuration();
    let units = configuration.find("[services").expect("a service");
    let house = House::running(&configuration[units..]);
    house.wait_up(&["clock", "shell"]);
}

/// With programs that are no agents in the agents' place.
#[test]
fn the_two_loops_of_the_readme_are_taken_and_a_claim_and_its_verdict_are_handed_on() {
    let text = between(section(README, "## Two loops and a plan"), "```toml\n", "```");
    let mut house = House::new("");
    let [builder, adversary] = clones(&house);
    std::fs::write(house.path("config.toml"), text).expect("the config");
    let said = house.does(&["check-config"]);
    assert!(said.contains("2 sessions") && !said.contains("not acted on"), "{said}");
    let lines = text.lines().filter(|line| !line.starts_with("prompt_file"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let agent = "agent = \"command\"\ncommand = [\"cat\"]";
    house.configure(&text.replace("agent = \"claude\"", agent));
    house.run();
    house.wait_for("both baselines", || {
        let begun = house.events().iter().filter(|it| it.contains("handoff-begins")).count();
        (begun == 2).then_some(())
    });
    let at = commit(&builder, "STATUS.md", "# Status\nCLAIMED 1 D1\n");
    let told =
        format!("The builder says: CLAIMED 1 D1. Fetch, and verify it from scratch at {at}.");
    house.waits_to_see("adversary", &told);
    let at = commit(&adversary, "REVIEW.md", "# Review\nPASS 1 D1\n");
    house
        .waits_to_see("builder", &format!("The adversary says: PASS 1 D1. See REVIEW.md at {at}."));
}

#[test]
fn the_readme_has_the_verbs_that_the_help_has() {
    let help = House::new("").does(&["--help"]);
    let commands = between(&help, "Commands:\n", "\n\n");
    let commands = commands.lines().filter_map(|line| line.split_whitespace().next());
    let rows = section(README, "## Verbs").lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| row.split([' ', '`']).next());
    assert_eq!(rows.collect::<BTreeSet<_>>(), commands.collect());
}

#[test]
fn the_readme_has_the_exit_codes_that_the_help_has() {
    let help = House::new("").does(&["--help"]);
    let codes = between(&help, "Exit codes: ", "\n");
    let codes: Vec<_> = codes.split(", ").filter_map(|code| code.split_once(' ')).collect();
    let rows = section(README, "## Verbs").lines().filter_map(|line| {
        let mut cells = line.trim_matches(['|', ' ']).split(" | ");
        let code = cells.next().filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some((code, cells.next()?))
    });
    assert_eq!(rows.collect::<Vec<_>>(), codes);
}

#[test]
fn a_daemon_with_a_wrong_configuration_ends_with_the_promised_code() {
    let mut house = House::new("");
    house.configure("colour = \"red\"\n");
    house.spawn();
    let (code, said) = house.daemon_ends();
    assert_eq!(code, Some(78), "{said}");
}

#[test]
fn a_rust_log_that_means_nothing_is_said_and_does_no_harm() {
    let mut house = House::new("");
    house.set("RUST_LOG", "loud=please");
    house.run();
    assert!(house.said().contains("using info"), "{}", house.said());
}

#[test]
fn every_key_of_the_configuration_is_in_the_readme() {
    for table in
        ["[supervisor]", "[restart]", "[services.x]", "[sessions.x]", "[plan]", "[[handoffs]]"]
    {
        let house = House::new("");
        std::fs::write(house.path("config.toml"), format!("{table}\nno_such = 1\n"))
            .expect("a file");
        let (_, said) = house.refuses(&["check-config"]);
        let (_, known) = said.trim().split_once("known here: ").expect("the known keys");
        for key in known.split(", ") {
            let text = section(README, "## Configuration");
            let named = text.contains(&format!("`{key}")) || text.contains(&format!(".{key}`"));
            assert!(named, "{table} knows {key}, and the README does not name it");
        }
    }
}

#[test]
fn every_key_that_nixos_types_is_an_option_of_the_module() {
    for (table, option) in [
        ("[services.x]", "services.<name>"),
        ("[sessions.x]", "sessions.<name>"),
        ("[plan]", "plan"),
        ("[[handoffs]]", "handoffs.*"),
        ("[notify]", "notify"),
    ] {
        let house = House::new("");
        std::fs::write(house.path("config.toml"), format!("{table}\nno_such = 1\n"))
            .expect("a file");
        let (_, said) = house.refuses(&["check-config"]);
        let (_, known) = said.trim().split_once("known here: ").expect("the known keys");
        for key in known.split(", ") {
            let heading = format!("### `{option}.{key}");
            let is_option = OPTIONS.lines().any(|line| {
                line.strip_prefix(&heading).is_some_and(|rest| rest.starts_with(['`', '.']))
            });
            assert!(is_option, "{table} knows {key}, and the NixOS module does not");
        }
    }
}

#[test]
fn the_readme_asks_for_the_rust_that_cargo_asks_for() {
    let rust = between(MANIFEST, "rust-version = \"", "\"");
    assert!(README.contains(&format!("Rust {rust}\n")), "the README must ask for Rust {rust}");
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let entry = section(CHANGELOG, concat!("## [", env!("CARGO_PKG_VERSION"), "]"));
    assert!(entry.lines().any(|line| line.starts_with("- ")), "{entry}");
}

#[test]
fn every_dependency_has_its_reason_in_the_architecture() {
    let reasons = section(ARCHITECTURE, "## Dependencies");
    for line in section(MANIFEST, "[dependencies]").lines() {
        if let Some((name, _)) = line.split_once(" = ") {
            assert!(reasons.contains(&format!("`{name}`")), "{name} has no reason");
        }
    }
}

#[test]
fn what_the_documents_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in ["src", "tests"] {
        read(&root.join(folder), &mut source);
    }
    for document in [README, ARCHITECTURE, CONTRIBUTING] {
        for name in document.split('`').skip(1).step_by(2) {
            let is_path = name.contains('/')
                && ["src/", "tests/", ".ci/", "nixos-modules/"]
                    .iter()
                    .any(|start| name.starts_with(start))
                && !name.contains([' ', '*', '…']);
            let is_test =
                name.matches('_').count() > 2 && !name.contains(|c: char| c.is_uppercase());
            if is_path {
                assert!(root.join(name).exists(), "{name} is not there");
            } else if is_test {
                assert!(source.contains(&format!("fn {name}(")), "there is no test {name}");
            }
        }
        for link in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_there = link.starts_with("http") || root.join(link).exists();
            assert!(is_there, "the link to {link} leads nowhere");
        }
    }
}

fn first_configuration() -> String {
    between(section(README, "## A first configuration"), "```toml\n", "```").to_owned()
}

/// From a heading to the next one of its kind.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let at = text.find(heading).unwrap_or_else(|| panic!("no {heading}"));
    let body = &text[at + heading.len()..];
    let kind = if heading.starts_with('#') { "\n## " } else { "\n[" };
    body.find(kind).map_or(body, |end| &body[..end])
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once(end).map_or(rest, |(found, _)| found)
}

fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}
