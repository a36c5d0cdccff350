//! Recognising NanoClaw and its containers by how their processes were called: the gateway has no
//! docker, but the client `docker run` lives as long as its container. Not here: reading `/proc`.

use std::time::{Duration, SystemTime};

use super::Generation;

/// The name that a command line gives to the container that it runs.
pub fn container(argv: &[&str]) -> Option<String> {
    let run = argv.iter().position(|word| *word == "run")?;
    let mut words = argv[run..].iter();
    while let Some(word) = words.next() {
        let name = match word.strip_prefix("--name") {
            Some("") => words.next().copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(name) = name.filter(|name| name.starts_with("nanoclaw-")) {
            return Some(name.to_owned());
        }
    }
    None
}

/// Whether a container of this name is one of a group.
pub fn is_of(name: &str, generation: Generation, folder: &str) -> bool {
    began(name, generation, folder).is_some()
}

/// When a container of a group was started, if this is the name of one: NanoClaw puts the folder and
/// the time, in milliseconds, into the name.
pub fn began(name: &str, generation: Generation, folder: &str) -> Option<SystemTime> {
    let begin = match generation {
        Generation::V1 => {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            format!("nanoclaw-{}-", folder.chars().map(plain).collect::<String>())
        }
        Generation::V2 => format!("nanoclaw-v2-{folder}-"),
    };
    let stamp = name.strip_prefix(&begin)?;
    let millis = stamp.bytes().all(|byte| byte.is_ascii_digit()).then(|| stamp.parse().ok())??;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The script that a command line of NanoClaw itself runs, as it is written there.
pub fn script<'a>(argv: &[&'a str]) -> Option<&'a str> {
    let ends = ["dist/index.js", "src/index.ts"];
    argv.iter().skip(1).copied().find(|word| {
        ends.iter().any(|end| {
            word.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        })
    })
}
