//! Whether a process is an agent program, and whether a person could be speaking with it: by its
//! name, its program file and its arguments. Not here: whose process it is, and what follows.

use super::Profile;

/// Programs that run the script which their first argument names.
const INTERPRETERS: [&str; 11] =
    ["node", "nodejs", "bun", "deno", "sh", "bash", "dash", "zsh", "ksh", "perl", "ruby"];

/// Options of interpreters with a value in the next word.
const WITH_A_VALUE: [&str; 6] =
    ["-r", "--require", "--import", "--loader", "--experimental-loader", "-C"];

/// Everything after this word is text.
const END_OF_OPTIONS: &str = "--";

/// What the command lines of a program look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// A part of the path of its program or script, where the name of the file does not tell.
    pub paths: &'static [&'static str],
    /// With one of these, before any `--`, it does one thing and ends.
    pub batch_options: &'static [&'static str],
    /// So it does if its first word is one of these.
    pub batch_commands: &'static [&'static str],
    /// So it does if any word before `--` is one of these.
    pub batch_words: &'static [&'static str],
    /// After these a session is named.
    pub labels: &'static [&'static str],
}

/// What can be seen of a process.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the kernel calls it; of at most 15 bytes.
    pub name: &'a [u8],
    /// Its program file, where that may be read.
    pub program: Option<&'a [u8]>,
    /// Its arguments, the program's name first. A program may have written over them.
    pub arguments: &'a [&'a [u8]],
}

/// A process that is an agent program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// It was not told to do one thing and end.
    pub interactive: bool,
    /// What it calls its conversation, by id or by name.
    pub names: Vec<String>,
}

/// What kind of invocation of `profile`'s program a process is; none if it is another program. `also`
/// are further names that the program has here, as [`names`] gives them.
pub fn invocation(profile: &dyn Profile, also: &[String], seen: &Seen<'_>) -> Option<Invocation> {
    let calls = profile.calls();
    let called = |word: &[u8]| {
        let word = String::from_utf8_lossy(word);
        let name = bare(&word);
        name == profile.program()
            || also.iter().any(|other| other == name)
            || calls.paths.iter().any(|part| word.contains(part))
    };
    let mut words = seen.arguments.iter().copied();
    let first = words.next().unwrap_or_default();
    let rest: Vec<&[u8]> = words.collect();
    let script = script(first, &rest);
    let (at, found) = match script {
        Some(at) if rest.get(at).copied().is_some_and(called) => (at + 1, true),
        _ => (0, called(first) || called(seen.name) || seen.program.is_some_and(called)),
    };
    if !found {
        return None;
    }
    let rest = rest.get(at..).unwrap_or_default();
    // Under whatever name it runs, these are its words.
    let called: Vec<&[u8]> =
        [profile.program().as_bytes()].into_iter().chain(rest.iter().copied()).collect();
    let words: Vec<String> = rest
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .take_while(|word| word != END_OF_OPTIONS)
        .collect();
    let mut names: Vec<String> = profile.opens(&called).into_iter().collect();
    for (index, word) in words.iter().enumerate() {
        let value = calls.labels.iter().find_map(|label| {
            let rest = word.strip_prefix(label)?;
            let next = || words.get(index + 1).filter(|next| !next.starts_with('-')).cloned();
            if rest.is_empty() { next() } else { rest.strip_prefix('=').map(str::to_owned) }
        });
        names.extend(value.filter(|value| !value.is_empty()));
    }
    Some(Invocation { interactive: !is_batch(&calls, &words), names })
}

/// Under which names a program is seen that a config starts with these words, besides its own.
pub fn names(command: &[String]) -> Vec<String> {
    let words: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    let word = script(first, rest).and_then(|at| command.get(at + 1)).or(command.first());
    word.map(|word| bare(word).to_owned()).into_iter().collect()
}

fn is_batch(calls: &Calls, words: &[String]) -> bool {
    let option = |word: &String| {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        // Short ones may stand together: `-cp`.
        let bundled = |option: &&str| {
            let letter = option.strip_prefix('-').filter(|it| it.len() == 1);
            let letters = word.strip_prefix('-').filter(|it| (2..=3).contains(&it.len()));
            letter.zip(letters).is_some_and(|(letter, letters)| {
                letters.contains(letter) && letters.chars().all(|c| "cpvh".contains(c))
            })
        };
        calls.batch_options.contains(&name) || calls.batch_options.iter().any(bundled)
    };
    words.first().is_some_and(|word| calls.batch_commands.contains(&word.as_str()))
        || words.iter().any(|word| calls.batch_words.contains(&word.as_str()))
        || words.iter().any(option)
}

/// Which of the arguments is the script, if the program runs one.
fn script(program: &[u8], arguments: &[&[u8]]) -> Option<usize> {
    let program = String::from_utf8_lossy(program);
    let name = bare(program.trim_start_matches('-'));
    let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&name) && numbered != "python" {
        return None;
    }
    let mut is_value = false;
    for (at, word) in arguments.iter().enumerate() {
        if !is_value && !word.starts_with(b"-") {
            return Some(at);
        }
        is_value = !is_value && WITH_A_VALUE.iter().any(|option| option.as_bytes() == *word);
    }
    None
}

/// The name of a file without the folder, without what a wrapper adds to it, and without what says
/// which kind of program it is.
fn bare(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix('.').unwrap_or(name);
    let name = name.trim_end_matches('_').trim_end_matches("-wrapped");
    [".exe", ".js", ".mjs", ".cjs"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use crate::agents::profile;
    use crate::config::Agent;

    use super::*;

    fn seen(agent: Agent, program: Option<&str>, words: &[&str]) -> Option<Invocation> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let program = program.map(str::as_bytes);
        let seen = Seen { name: b"x", program, arguments: &words };
        invocation(profile(agent), &["my-claude".to_owned()], &seen)
    }

    fn kind(agent: Agent, words: &[&str]) -> Option<bool> {
        seen(agent, None, words).map(|it| it.interactive)
    }

    #[test]
    fn an_agent_is_known_by_its_name_its_script_or_its_file() {
        let files = [
            "/home/x/.local/share/claude/versions/2.1.330",
            "/nix/store/x/bin/.claude-wrapped",
            "/x/@anthropic-ai/claude-code/bin/claude.exe",
        ];
        for file in files {
            assert!(seen(Agent::Claude, Some(file), &["other"]).is_some(), "{file}");
        }
        let lines: &[&[&str]] = &[
            &["claude"],
            &["/usr/bin/claude", "--resume"],
            &["node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"],
            &["/usr/bin/node", "--no-warnings", "-r", "/x/y.js", "/usr/bin/claude"],
            &["/bin/sh", "/usr/local/bin/claude", "--model", "x"],
            &["python3.11", "/opt/my-claude"],
            &["my-claude"],
        ];
        for line in lines {
            assert_eq!(kind(Agent::Claude, line), Some(true), "{line:?}");
        }
        assert_eq!(kind(Agent::Codex, &["node", "/x/codex.js"]), Some(true));
        assert_eq!(kind(Agent::Gemini, &["node", "/x/gemini-cli/dist/index.js"]), Some(true));
        assert_eq!(kind(Agent::Opencode, &["opencode"]), Some(true));
        let written_over = Seen { name: b"claude", program: None, arguments: &[b""] };
        assert!(invocation(profile(Agent::Claude), &[], &written_over).is_some());
    }

    #[test]
    fn what_only_speaks_of_an_agent_is_none() {
        let lines: &[&[&str]] = &[
            &["vim", "claude.md"],
            &["vim", "/srv/claude"],
            &["tmux", "new-session", "claude"],
            &["bash", "-c", "claude --resume x"],
            &["sudo", "-u", "x", "claude"],
            &["/opt/claude-desktop/claude-desktop"],
            &["node", "/x/server.js", "/usr/bin/claude"],
            &["codex"],
            &[""],
            &[],
        ];
        for line in lines {
            assert_eq!(kind(Agent::Claude, line), None, "{line:?}");
        }
    }

    #[test]
    fn a_call_that_does_one_thing_and_ends_is_told_from_a_session() {
        let batch: &[(Agent, &[&str])] = &[
            (Agent::Claude, &["claude", "-p", "hi"]),
            (Agent::Claude, &["claude", "--resume", "x", "--print"]),
            (Agent::Claude, &["claude", "-cp", "hi"]),
            (Agent::Claude, &["node", "/usr/bin/claude", "-p"]),
            (Agent::Claude, &["claude", "mcp", "serve"]),
            (Agent::Claude, &["claude", "--version"]),
            (Agent::Codex, &["codex", "exec", "x"]),
            (Agent::Codex, &["codex", "--search", "exec", "x"]),
            (Agent::Codex, &["codex", "app-server"]),
            (Agent::Gemini, &["gemini", "--prompt=x"]),
            (Agent::Opencode, &["opencode", "run", "x"]),
        ];
        for (agent, line) in batch {
            assert_eq!(kind(*agent, line), Some(false), "{line:?}");
        }
        let sessions: &[(Agent, &[&str])] = &[
            (Agent::Claude, &["claude", "--", "-p"]),
            (Agent::Claude, &["claude", "-rp"]),
            (Agent::Claude, &["claude", "do -p please"]),
            (Agent::Claude, &["claude", "-c"]),
            (Agent::Codex, &["codex", "resume", "--last"]),
            (Agent::Gemini, &["gemini", "--prompt-interactive=x"]),
            (Agent::Opencode, &["opencode", "--prompt=x"]),
        ];
        for (agent, line) in sessions {
            assert_eq!(kind(*agent, line), Some(true), "{line:?}");
        }
    }

    #[test]
    fn a_session_is_named_by_what_it_resumes_and_by_its_labels() {
        let names = |words: &[&str]| seen(Agent::Claude, None, words).unwrap().names;
        assert_eq!(names(&["claude", "--resume", "the-one"]), ["the-one"]);
        let both = ["claude", "-r", "7-id", "--remote-control=the-one", "--", "--name", "x"];
        assert_eq!(names(&both), ["7-id", "the-one"]);
        assert_eq!(names(&["claude", "-n", "the-one", "--remote-control", "--model"]), ["the-one"]);
        assert_eq!(names(&["claude"]), Vec::<String>::new());
    }

    #[test]
    fn another_program_of_a_config_has_the_name_of_its_script() {
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            super::names(&words)
        };
        assert_eq!(names(&["/opt/my-claude", "--fast"]), ["my-claude"]);
        assert_eq!(names(&["node", "--no-warnings", "/opt/mine.js"]), ["mine"]);
        assert_eq!(names(&[]), Vec::<String>::new());
    }
}
