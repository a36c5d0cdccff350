//! What the command line takes.

use std::time::Duration;

use clap::{CommandFactory, Parser};

use super::{Cli, duration};

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_shown_verb_has_an_example_and_an_imperative_without_a_period() {
    let mut cli = Cli::command();
    cli.build();
    for verb in cli.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:\n"), "{name} shows no example");
        assert!(help.contains("supervisor ") && help.contains(name), "{name}");
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about:?}");
    }
}

#[test]
fn units_or_all_must_be_named_and_not_both() {
    for (words, fits) in [
        (vec!["start"], false),
        (vec!["start", "web", "api"], true),
        (vec!["start", "--all"], true),
        (vec!["stop", "--all", "web"], false),
        (vec!["restart", "--fresh"], false),
        (vec!["restart", "web", "--fresh"], true),
        (vec!["logs", "web", "--screen", "-f"], false),
        (vec!["logs", "web", "--screen"], true),
        (vec!["tell", "a", "two\nlines"], true),
        (vec!["tell", "a", "a\tkey"], false),
        (vec!["incident", "show", "--weird", "x"], true),
        (vec!["status", "--json"], true),
        (vec!["--json", "status"], true),
    ] {
        let line = [vec!["supervisor"], words.clone()].concat();
        assert_eq!(Cli::try_parse_from(line).is_ok(), fits, "{words:?}");
    }
}

#[test]
fn durations_read_as_in_the_configuration() {
    for (text, wanted) in [
        ("200ms", Some(Duration::from_millis(200))),
        ("30s", Some(Duration::from_secs(30))),
        ("24h", Some(Duration::from_secs(86_400))),
        ("-3s", None),
        ("soon", None),
    ] {
        assert_eq!(duration(text).ok(), wanted, "{text}");
    }
}
