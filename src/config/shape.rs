//! The words for a text that is not TOML, for an unknown key and for a value of a wrong type: what
//! toml and serde say, said to a person. Values are not repeated: one of them may be a secret.

use super::key::Key;
use super::nearest::nearest;

/// Keys that only services have, for whoever writes one under a session.
const ONLY_SERVICES: [&str; 4] = ["builtin", "ready", "restart_on_change", "systemd_unit"];

/// Keys that only sessions have, for whoever writes one under a service.
const ONLY_SESSIONS: [&str; 11] = [
    "agent",
    "args",
    "at_boot",
    "budget",
    "dialog",
    "idle_nudge",
    "prompt_file",
    "remote_control",
    "resume",
    "role",
    "watch",
];

/// What is to be said of a text that is not TOML; `there` is the text at the place.
pub(super) fn not_toml(message: &str, there: &str) -> String {
    match message {
        "duplicate key" => {
            format!("{there:?} is there twice; rename one of them, or put the two together")
        }
        message if message.starts_with("string values must be quoted") => {
            "not TOML: a text without quotes; write \"…\" around it".into()
        }
        message => format!("not TOML: {message}"),
    }
}

/// Whether serde found an array where it wanted something else.
pub(super) fn is_about_an_array(message: &str) -> bool {
    message.starts_with("invalid type: sequence")
}

/// What is to be said of serde's `message` about `key`, whose value is of `kind`.
pub(super) fn explain(message: &str, key: &Key, kind: &str) -> String {
    let expected = message.rfind(", expected ").map(|at| &message[at + ", expected ".len()..]);
    if message.starts_with("unknown field ") {
        return unknown_key(key, &quoted_names(expected.unwrap_or_default()));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let word = rest.split('`').nth(1).unwrap_or_default();
        let known = quoted_names(expected.unwrap_or_default());
        let right = match (nearest(word, known.iter().copied()), known.as_slice()) {
            (Some(near), _) => format!("did you mean {near:?}?"),
            (None, [only]) => format!("the only one is {only:?}"),
            (None, known) => format!("write one of {}", listed(known)),
        };
        return format!("{word:?} is not known; {right}");
    }
    let Some(expected) = expected else { return message.into() };
    if message.starts_with("invalid value: ") {
        return format!("is out of range; write {}", wanted(expected, key, kind));
    }
    if message.starts_with("invalid type: ") {
        return format!("is {}; write {}", article(kind), wanted(expected, key, kind));
    }
    message.into()
}

fn unknown_key(key: &Key, known: &[&str]) -> String {
    let name = key.last_name();
    let depth = key.steps().len();
    let what = if depth == 1 { "no such table" } else { "no such key" };
    let right = match key.name(0) {
        Some("sessions") if depth == 3 && ONLY_SERVICES.contains(&name) => {
            "only [services.NAME] has it".into()
        }
        Some("services") if depth == 3 && ONLY_SESSIONS.contains(&name) => {
            "only [sessions.NAME] has it".into()
        }
        Some("services" | "sessions") if depth == 4 && matches!(name, "cap" | "stagger") => {
            "it holds for all units together: write it in [restart]".into()
        }
        _ => match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        },
    };
    format!("{what}; {right}")
}

/// What serde wanted, in TOML's words.
fn wanted(expected: &str, key: &Key, kind: &str) -> String {
    match expected {
        "a string" | "path string" if matches!(kind, "array" | "table") => {
            "one text in quotes".into()
        }
        "a string" | "path string" => "it in quotes: \"…\"".into(),
        "a boolean" => "true or false, without quotes".into(),
        "u32" | "u64" => "a whole number, 0 or more, without quotes".into(),
        "a map" => match key.last_name() {
            "environment" => "a table such as { NAME = \"value\" }".into(),
            "owners" => "a table such as { \"STATUS.md\" = \"builder\" }".into(),
            _ => format!("a table for each, [{key}.NAME]"),
        },
        "a table" if kind == "array" => format!("[{key}], in single brackets"),
        "a sequence" if kind == "table" => format!("[[{key}]], in double brackets"),
        "a sequence" if key.last_name() == "command" => {
            "an array, one item for each word: [\"program\", \"argument\"]".into()
        }
        "a sequence" => "an array: [\"…\"]".into(),
        other => other.into(),
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// The names in backticks, as serde lists them.
fn quoted_names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn listed(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    words.join(", ")
}
