//! Where it keeps what, and the keys that spare every start dialog.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::agents::{Places, Seed, SeedValue, StartFacts};

/// What is left of an API key in the list of those that were approved.
const KEY_TAIL: usize = 20;

/// With `CLAUDE_CONFIG_DIR`, everything lies in that folder; without it, in `~/.claude`, but for
/// the state file, which lies beside that folder.
pub(super) fn places(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (folder, config_file) = match variable("CLAUDE_CONFIG_DIR") {
        // A relative or empty one is looked for below wherever the program happens to be.
        Some(_) => absolute("CLAUDE_CONFIG_DIR").map(|dir| (dir.clone(), dir))?,
        None => absolute("HOME").map(|home| (home.join(".claude"), home))?,
    };
    Some(Places {
        config_file: config_file.join(".claude.json"),
        settings_file: folder.join("settings.json"),
        registry: Some(folder.join("sessions")),
        transcripts: folder.join("projects"),
        credentials: folder.join(".credentials.json"),
    })
}

/// Only the state file: the consent to work without permission checks is read from our own
/// settings file too ([`super::hooks`]). No theme: it throws that key away again where it names its
/// own default, and no version that we know asks for one once the onboarding is over.
pub(super) fn seeds(places: &Places, facts: &StartFacts<'_>) -> Vec<Seed> {
    let key = |name: &str| vec![name.to_owned()];
    let yes = || Value::Bool(true);
    let mut keys = vec![
        // Without it the first start looks for the vendor's servers and ends where there are none.
        (key("hasCompletedOnboarding"), SeedValue::Is(yes())),
        (key("hasSeenAutoDefaultNotice"), SeedValue::Default(yes())),
        // Else the resumption of an old and long conversation asks whether to compact it first.
        (key("resumeReturnDismissed"), SeedValue::Default(yes())),
    ];
    // A directory whose name is not text could not be a key; its dialog is told when it comes.
    if let Some(directory) = facts.directory.to_str() {
        let path = ["projects", directory, "hasTrustDialogAccepted"];
        keys.push((path.map(str::to_owned).into(), SeedValue::Is(yes())));
    }
    if let Some(tail) = key_tail(facts) {
        let path = ["customApiKeyResponses", "approved"];
        keys.push((path.map(str::to_owned).into(), SeedValue::Contains(Value::String(tail))));
    }
    vec![Seed { file: places.config_file.clone(), keys }]
}

fn key_tail(facts: &StartFacts<'_>) -> Option<String> {
    let key = (facts.variable)("ANTHROPIC_API_KEY")?.into_string().ok()?;
    let from = key.char_indices().rev().nth(KEY_TAIL - 1).map_or(0, |(at, _)| at);
    Some(key[from..].to_owned()).filter(|tail| !tail.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn of<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    fn keys(environment: &[(&str, &str)]) -> Vec<(String, SeedValue)> {
        let variable = of(environment);
        let places = places(&variable).unwrap();
        let facts = StartFacts {
            root: false,
            directory: Path::new("/srv/clone"),
            args: &[],
            variable: &variable,
        };
        let mut seeds = seeds(&places, &facts);
        let seed = seeds.remove(0);
        assert!(seeds.is_empty());
        assert_eq!(seed.file, places.config_file);
        seed.keys.into_iter().map(|(path, value)| (path.join("|"), value)).collect()
    }

    #[test]
    fn everything_lies_below_the_home_and_the_state_file_beside_the_folder() {
        let found = places(&of(&[("HOME", "/home/a")])).unwrap();
        assert_eq!(found.config_file, Path::new("/home/a/.claude.json"));
        assert_eq!(found.settings_file, Path::new("/home/a/.claude/settings.json"));
        assert_eq!(found.registry.as_deref(), Some(Path::new("/home/a/.claude/sessions")));
        assert_eq!(found.transcripts, Path::new("/home/a/.claude/projects"));
    }

    #[test]
    fn a_folder_of_its_own_holds_the_state_file_too() {
        let found = places(&of(&[("HOME", "/home/a"), ("CLAUDE_CONFIG_DIR", "/srv/cc")])).unwrap();
        assert_eq!(found.config_file, Path::new("/srv/cc/.claude.json"));
        assert_eq!(found.registry.as_deref(), Some(Path::new("/srv/cc/sessions")));
    }

    #[test]
    fn no_home_is_no_place() {
        assert_eq!(places(&of(&[])), None);
        assert_eq!(places(&of(&[("HOME", "")])), None);
        assert_eq!(places(&of(&[("HOME", "/home/a"), ("CLAUDE_CONFIG_DIR", "cc")])), None);
    }

    #[test]
    fn our_directory_alone_is_trusted_and_what_the_user_chose_stands() {
        let keys = keys(&[("HOME", "/home/a")]);
        let is = |path: &str, value: SeedValue| keys.contains(&(path.to_owned(), value));
        assert!(is("projects|/srv/clone|hasTrustDialogAccepted", SeedValue::Is(json!(true))));
        assert!(is("resumeReturnDismissed", SeedValue::Default(json!(true))));
        assert!(!keys.iter().any(|(path, _)| path.starts_with("customApiKeyResponses")));
    }

    #[test]
    fn of_an_api_key_its_last_twenty_characters_are_approved() {
        let long = [("HOME", "/h"), ("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdefghij")];
        let short = [("HOME", "/h"), ("ANTHROPIC_API_KEY", "short")];
        let none = [("HOME", "/h"), ("ANTHROPIC_API_KEY", "")];
        let approved = |environment: &[(&str, &str)]| {
            let mut keys = keys(environment).into_iter();
            keys.find(|(path, _)| path == "customApiKeyResponses|approved").map(|(_, it)| it)
        };
        assert_eq!(approved(&long), Some(SeedValue::Contains(json!("0123456789abcdefghij"))));
        assert_eq!(approved(&short), Some(SeedValue::Contains(json!("short"))));
        assert_eq!(approved(&none), None);
    }
}
