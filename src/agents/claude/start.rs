//! Its command line and environment, and when it refuses to start.

use std::ffi::OsString;

use crate::agents::{Calls, Start, StartFacts};

/// What makes unattended work possible.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    // It would replace its own program under a session that is to be resumed with the same one.
    ("DISABLE_AUTOUPDATER", "1"),
    // Without it an overloaded server ends the turn after three minutes of retries, and the
    // session then sits idle for ever.
    ("CLAUDE_CODE_RETRY_WATCHDOG", "1"),
    // A turn that a death cut off goes on at the resumption; without it the session sits idle.
    ("CLAUDE_CODE_RESUME_INTERRUPTED_TURN", "1"),
    // The question how the session is going takes the digits that are typed next for an answer.
    ("CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY", "1"),
    // What the pane shows is told apart by characters outside ASCII.
    ("LANG", "C.UTF-8"),
];

/// Everything after this word is text: a prompt that begins with `-` arrives verbatim, and no
/// option of the config that takes several words swallows it.
const END_OF_OPTIONS: &str = "--";

/// Options that lift every permission check. It refuses them to root outside of a sandbox.
const BYPASS: [&str; 2] =
    ["--dangerously-skip-permissions", "--allow-dangerously-skip-permissions"];

/// Which options the config may not give, and what to do instead.
const NOT_IN_ARGS: &[(&[&str], &str)] = &[
    (
        &["-r", "--resume", "-c", "--continue", "--session-id", "--fork-session", "--from-pr"],
        "which conversation a session works in is the supervisor's to say: take it out, and use \
         `supervisor restart --fresh` for a new one",
    ),
    (
        &["--settings"],
        "the supervisor passes a settings file of its own, and a second one replaces the first: \
         put yours into the user's or the project's settings",
    ),
    (&["--remote-control"], "use the key `remote_control`"),
    (
        &["-p", "--print", "--bg", "--background", "--cloud", "--teleport", "--desktop", "--tmux"],
        "a session is an interactive program in its own pane: take it out",
    ),
    (
        &["--bare", "--safe-mode"],
        "it turns off the hooks by which the supervisor knows what the session is doing: take it \
         out",
    ),
    (&["-w", "--worktree"], "the session works in the key `directory`: name the worktree there"),
    (&[END_OF_OPTIONS], "the prompt goes into `prompt_file`, and all else are options"),
];

/// Its native releases are files that are named after their version.
pub(super) const CALLS: Calls = Calls {
    paths: &["/claude/versions/", "/claude-code/cli.js"],
    batch_options: &["-p", "--print", "-v", "--version", "-h", "--help", "--bg", "--background"],
    batch_commands: &[
        "mcp",
        "config",
        "doctor",
        "update",
        "upgrade",
        "install",
        "setup-token",
        "plugin",
        "plugins",
        "auth",
        "agents",
        "migrate-installer",
    ],
    batch_words: &[],
    labels: &["-n", "--name", "--remote-control"],
};

pub(super) fn arguments(start: &Start<'_>) -> Vec<OsString> {
    let which = if start.resumes { "--resume" } else { "--session-id" };
    let mut words: Vec<OsString> = vec![which.into(), start.conversation.into()];
    if let Some(settings) = start.settings {
        words.extend(["--settings".into(), settings.into()]);
    }
    if let Some(name) = start.name.filter(|_| !start.resumes) {
        words.push(format!("--name={name}").into());
    }
    if let Some(label) = start.remote_control {
        // In one word: a label may begin with `-`.
        words.push(format!("--remote-control={label}").into());
    }
    words.extend(start.args.iter().map(OsString::from));
    if let Some(prompt) = start.prompt {
        words.extend([END_OF_OPTIONS.into(), prompt.into()]);
    }
    words
}

pub(super) fn refusal(facts: &StartFacts<'_>) -> Option<String> {
    for arg in facts.args {
        for (options, instead) in NOT_IN_ARGS {
            if options.iter().any(|option| is_option(arg, option)) {
                let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
                return Some(format!("`{name}` may not be among `args`: {instead}"));
            }
        }
    }
    let sandboxed = (facts.variable)("IS_SANDBOX").is_some_and(|it| it == "1");
    if facts.root && !sandboxed && bypasses(facts.args) {
        return Some(
            "claude runs without permission checks only as another user than root: run the \
             supervisor as that user, or take the option out, or, if this machine is a sandbox \
             that may be lost, give the unit `environment = { IS_SANDBOX = \"1\" }`"
                .to_owned(),
        );
    }
    None
}

/// Whether `args` turn off every permission check.
pub(super) fn bypasses(args: &[String]) -> bool {
    const MODE: &str = "bypassPermissions";
    args.iter().any(|arg| BYPASS.contains(&arg.as_str()))
        || args.iter().any(|arg| arg.strip_prefix("--permission-mode=") == Some(MODE))
        || args.windows(2).any(|pair| pair[0] == "--permission-mode" && pair[1] == MODE)
}

/// `--name`, `--name=value`, and for a short one `-nvalue` too.
fn is_option(arg: &str, option: &str) -> bool {
    let Some(rest) = arg.strip_prefix(option) else { return false };
    if rest.is_empty() || option == END_OF_OPTIONS {
        return rest.is_empty();
    }
    // What has blanks in it is the text of some other option.
    let short = option.len() == 2 && !rest.contains(char::is_whitespace);
    short || rest.starts_with('=')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ID: &str = "0b7c3a52-6f8e-4d55-9a3c-0d7c1f2e4b6a";

    fn words(start: &Start<'_>) -> Vec<String> {
        arguments(start).into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    fn start<'a>(args: &'a [String], prompt: Option<&'a str>) -> Start<'a> {
        Start {
            conversation: ID,
            resumes: false,
            name: None,
            prompt,
            remote_control: Some("builder"),
            settings: Some(Path::new("/run/x/settings.json")),
            hook_command: "hook",
            directory: Path::new("/w"),
            args,
        }
    }

    fn refused(root: bool, args: &[&str], sandbox: Option<&str>) -> Option<String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let variable = |name: &str| (name == "IS_SANDBOX").then_some(sandbox).flatten();
        let variable = |name: &str| variable(name).map(OsString::from);
        refusal(&StartFacts { root, directory: Path::new("/w"), args: &args, variable: &variable })
    }

    #[test]
    fn a_prompt_is_the_last_word_and_can_be_taken_for_no_option() {
        let args = vec!["--allowedTools".to_owned(), "Bash".to_owned()];
        let words = words(&start(&args, Some("--help\nis \"not\" an option")));
        let expected = [
            "--session-id",
            ID,
            "--settings",
            "/run/x/settings.json",
            "--remote-control=builder",
            "--allowedTools",
            "Bash",
            "--",
            "--help\nis \"not\" an option",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_conversation_that_exists_is_resumed_and_needs_no_prompt() {
        let start = Start { resumes: true, remote_control: None, ..start(&[], None) };
        assert_eq!(words(&start), ["--resume", ID, "--settings", "/run/x/settings.json"]);
    }

    #[test]
    fn root_without_permission_checks_is_refused_with_the_remedy() {
        let ways: [&[&str]; 4] = [
            &["--dangerously-skip-permissions"],
            &["--allow-dangerously-skip-permissions"],
            &["--permission-mode", "bypassPermissions"],
            &["--permission-mode=bypassPermissions"],
        ];
        for args in ways {
            let why = refused(true, args, None).unwrap();
            assert!(why.contains("root") && why.contains("IS_SANDBOX"), "{why}");
            assert!(refused(true, args, Some("true")).is_some(), "the client wants exactly 1");
            assert_eq!(refused(true, args, Some("1")), None);
            assert_eq!(refused(false, args, None), None);
        }
        assert_eq!(refused(true, &["--permission-mode", "plan"], None), None);
    }

    #[test]
    fn what_the_supervisor_says_itself_may_not_be_said_in_args() {
        let wrong = [
            "--resume",
            "--resume=abc",
            "-r",
            "-rabc",
            "-c",
            "--continue",
            "--session-id",
            "--settings",
            "--settings=/x",
            "--remote-control=x",
            "-p",
            "--bare",
            "--",
        ];
        for arg in wrong {
            let why = refused(false, &["--model", "opus", arg], None).unwrap();
            assert!(why.contains("`args`"), "{arg}: {why}");
        }
        let right = [
            "--model",
            "--setting-sources",
            "--remote-control-session-name-prefix",
            "--permission-mode",
            "--continued",
            "text",
            "-d",
            "-c is not meant here",
        ];
        for arg in right {
            assert_eq!(refused(false, &[arg], None), None, "{arg}");
        }
    }
}
