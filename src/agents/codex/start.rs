//! Its command line, what may not be among the config's arguments, and which conversation a command
//! line opens.

use std::ffi::OsString;

use super::hooks;
use crate::agents::{Calls, Start, StartFacts, refused};

/// Everything after this word is text.
const END_OF_OPTIONS: &str = "--";

/// Which options the config may not give, and what to do instead.
const NOT_IN_ARGS: &[(&[&str], &str)] = &[
    (
        &["resume", "fork", "--last", "--all"],
        "which conversation a session works in is the supervisor's to say: take it out, and use \
         `supervisor restart --fresh` for a new one",
    ),
    (
        &["exec", "e", "review", "app-server", "--remote", "remote-control", "cloud"],
        "a session is an interactive program in its own pane: take it out",
    ),
    (&["--no-daemon"], "the supervisor says so itself: take it out"),
    (&["-C", "--cd"], "the session works in the key `directory`: name it there"),
    (&["--worktree"], "the session works in the key `directory`: name the worktree there"),
];

/// Options of its own may stand before a command.
pub(super) const CALLS: Calls = Calls {
    paths: &[],
    batch_options: &["-V", "--version", "-h", "--help"],
    batch_commands: &[
        "e",
        "review",
        "login",
        "logout",
        "mcp",
        "mcp-server",
        "plugin",
        "remote-control",
        "completion",
        "update",
        "doctor",
        "sandbox",
        "debug",
        "apply",
        "a",
        "queue",
        "archive",
        "unarchive",
        "delete",
        "cloud",
        "features",
        "help",
    ],
    batch_words: &["exec", "app-server", "exec-server"],
    labels: &[],
};

pub(super) fn arguments(start: &Start<'_>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if start.resumes {
        words.extend(["resume".into(), start.conversation.into()]);
    }
    // A server that all sessions share would outlive its session and call our hooks for others.
    words.push("--no-daemon".into());
    let mut settings = vec!["check_for_update_on_startup=false".to_owned()];
    settings.extend(trust(start));
    settings.extend(hooks::settings(start.hook_command));
    for setting in settings {
        words.extend(["-c".into(), setting.into()]);
    }
    words.extend(start.args.iter().map(OsString::from));
    if let Some(prompt) = start.prompt {
        words.extend([END_OF_OPTIONS.into(), prompt.into()]);
    }
    words
}

/// Whoever names a directory in the config has answered whether it is trusted. One whose name is not
/// text cannot be named; its dialog is told when it comes.
fn trust(start: &Start<'_>) -> Option<String> {
    let directory = toml::Value::from(start.directory.to_str()?);
    Some(format!("projects={{{directory}={{trust_level=\"trusted\"}}}}"))
}

pub(super) fn refusal(facts: &StartFacts<'_>) -> Option<String> {
    refused(facts.args, NOT_IN_ARGS)
}

/// `codex resume ID …`.
pub(super) fn opens(arguments: &[&[u8]]) -> Option<String> {
    let (program, words) = arguments.split_first()?;
    if !is_codex(program) && !words.first().is_some_and(|script| is_codex(script)) {
        return None;
    }
    let words = words.iter().map(|word| std::str::from_utf8(word).unwrap_or_default());
    let words = words.take_while(|word| *word != END_OF_OPTIONS);
    let mut after = words.skip_while(|word| *word != "resume").skip(1);
    after.find(|word| is_uuid(word)).map(str::to_owned)
}

/// Its program, in whatever folder, or its script for node.
fn is_codex(word: &[u8]) -> bool {
    let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"codex") || name.starts_with(b".codex")
}

fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ID: &str = "01a20004-7c74-7083-a8be-2db481478324";

    fn words(resumes: bool, args: &[String], prompt: Option<&str>) -> Vec<String> {
        let start = Start {
            conversation: ID,
            resumes,
            name: None,
            prompt,
            remote_control: Some("builder"),
            settings: None,
            hook_command: "exec /x hook",
            directory: Path::new("/srv/\"w\""),
            args,
        };
        arguments(&start).into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    fn refused(args: &[&str]) -> Option<String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let variable = |_: &str| None;
        let directory = Path::new("/w");
        refusal(&StartFacts { root: false, directory, args: &args, variable: &variable })
    }

    fn opened(words: &[&str]) -> Option<String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        opens(&words)
    }

    #[test]
    fn a_fresh_start_names_no_conversation_and_ends_with_its_prompt() {
        let args = ["--model".to_owned(), "gpt-5".to_owned()];
        let words = words(false, &args, Some("--help\nis no option"));
        assert_eq!(words.first().map(String::as_str), Some("--no-daemon"));
        assert!(!words.iter().any(|word| word.contains(ID)), "{words:?}");
        assert_eq!(words[words.len() - 4..], ["--model", "gpt-5", "--", "--help\nis no option"]);
    }

    #[test]
    fn a_resumption_names_its_conversation_first() {
        let words = words(true, &[], None);
        assert_eq!(words[..3], ["resume", ID, "--no-daemon"]);
        let opened: Vec<&str> =
            ["codex"].into_iter().chain(words.iter().map(String::as_str)).collect();
        assert_eq!(self::opened(&opened).as_deref(), Some(ID));
    }

    #[test]
    fn the_directory_is_trusted_whatever_it_is_called() {
        let words = words(false, &[], None);
        let trust = words.iter().find(|word| word.starts_with("projects=")).unwrap();
        let table: toml::Table = trust.parse().unwrap();
        assert_eq!(table["projects"]["/srv/\"w\""]["trust_level"].as_str(), Some("trusted"));
    }

    #[test]
    fn what_is_the_supervisors_to_say_is_refused() {
        for args in [&["resume"][..], &["--cd=/x"], &["-C", "/x"], &["--model", "x", "exec"]] {
            assert!(refused(args).is_some(), "{args:?}");
        }
        for args in [&["--model", "resume"][..], &["-c", "model=\"x\""], &["--search"]] {
            assert_eq!(refused(args), None, "{args:?}");
        }
    }

    #[test]
    fn a_command_line_says_which_conversation_it_opens() {
        let id = || Some(ID.to_owned());
        assert_eq!(opened(&["codex", "resume", ID]), id());
        assert_eq!(opened(&["/opt/codex", "-m", "x", "resume", "--search", ID, "--", "go"]), id());
        assert_eq!(opened(&["node", "/usr/bin/codex", "resume", ID]), id());
        assert_eq!(opened(&["codex", "resume", "--last"]), None);
        assert_eq!(opened(&["codex", "fork", ID]), None);
        assert_eq!(opened(&["codex", "--", "resume", ID]), None);
        assert_eq!(opened(&["rg", "resume", ID]), None);
        assert_eq!(opened(&[]), None);
    }
}
