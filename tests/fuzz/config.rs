//! What a person writes: the configuration, an older launch script, requests of the verbs.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::is_without_controls;
use crate::cli::init::launch::Launch;
use crate::config::{Config, ConfigError, Origin};
use crate::daemon::control;
use crate::protocol;

/// A shorter value of an environment may stand elsewhere by chance.
const SECRET_MIN: usize = 10;

/// A configuration.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text, &Origin::BuiltIn, Path::new("/srv")) {
        Ok(config) => {
            let consents = config.plan.phases.iter().filter_map(|phase| phase.consent.as_ref());
            for consent in consents {
                for pattern in consent.patterns.iter().chain(&consent.veto) {
                    Regex::new(pattern).expect("a pattern that was checked");
                }
                Regex::new(&consent.any()).expect("all of them as one");
            }
        }
        Err(ConfigError::Invalid { origin: _, problems }) => {
            assert!(!problems.is_empty());
            let lines = text.split('\n').count();
            let told: String =
                problems.iter().map(|it| format!("{} {}\n", it.key, it.what)).collect();
            for problem in &problems {
                assert!((1..=lines).contains(&problem.line), "{problem:?}");
                assert!(!problem.what.is_empty(), "{problem:?}");
            }
            for secret in secrets(text) {
                assert!(!told.contains(&secret), "{secret:?} in {told}");
            }
        }
        Err(error) => panic!("{error}"),
    }
}

/// The values of every `environment` that stand nowhere else in the text.
fn secrets(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<toml::Table>() else { return Vec::new() };
    let units = ["services", "sessions"].iter().filter_map(|kind| table.get(*kind)?.as_table());
    let units = units.flat_map(|units| units.values()).filter_map(|unit| unit.get("environment"));
    let values = units.filter_map(toml::Value::as_table).flat_map(|it| it.values());
    let values = values.filter_map(toml::Value::as_str).filter(|it| it.len() >= SECRET_MIN);
    values.filter(|it| text.matches(*it).count() == 1).map(str::to_owned).collect()
}

/// A launch environment of an older script.
pub fn launch(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let launch = Launch::parse(Path::new("/srv/run/launch"), &text, Some("/home/x".to_owned()));
    if let Some(url) = &launch.url {
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let user = host.split('/').next().unwrap_or_default().rsplit_once('@');
        assert!(user.is_none_or(|(user, _)| !user.contains(':')), "a password: {url:?}");
    }
    for line in launch.report() {
        is_without_controls(&line);
        assert!(!line.contains('\n'), "{line:?}");
    }
}

/// One line of the control socket, in either direction.
pub fn protocol(data: &[u8]) {
    if let Err(why) = control::parse(data) {
        assert!(!why.is_empty());
    }
    let Ok(reply) = serde_json::from_slice::<protocol::Reply>(data) else { return };
    let written = serde_json::to_value(&reply).expect("what was read can be written");
    let read: protocol::Reply = serde_json::from_value(written.clone()).expect("and read again");
    let again: Value = serde_json::to_value(&read).expect("and written");
    assert_eq!(written, again);
}
