//! The real Claude Code, in a home of its own, without any dialog in its way.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::Api;

/// A turn takes a second; a busy machine may need long.
const CEILING: Duration = Duration::from_secs(120);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// No key at all; it is approved in [`furnish`] by its last twenty characters, which are all.
const KEY: &str = "sk-ant-fake-for-test";

/// The program, or nothing and a word why this test is left out. `tests/run tools` installs it;
/// `SUPERVISOR_TEST_CLAUDE` names another one.
pub(crate) fn claude() -> Option<PathBuf> {
    let named = std::env::var_os("SUPERVISOR_TEST_CLAUDE").filter(|path| !path.is_empty());
    if let Some(path) = named.map(PathBuf::from) {
        assert!(path.is_file(), "SUPERVISOR_TEST_CLAUDE: {} is no file", path.display());
        return Some(path);
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/node_modules");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    // npm installs the one that fits the C library.
    let found = ["", "-musl"].into_iter().find_map(|library| {
        let package = format!("@anthropic-ai/claude-code-linux-{architecture}{library}");
        Some(modules.join(package).join("claude")).filter(|path| path.is_file())
    });
    if found.is_none() {
        eprintln!("SKIPPED: the real Claude Code is not installed: run `tests/run tools`");
    }
    found
}

/// Writes what answers every dialog of a start beforehand: for these folders, in this home.
pub(crate) fn furnish(home: &Path, clones: &[&Path]) {
    let trusted =
        |clone: &&Path| (clone.display().to_string(), json!({ "hasTrustDialogAccepted": true }));
    let state = json!({
        "hasCompletedOnboarding": true,
        "hasSeenAutoDefaultNotice": true,
        "theme": "dark",
        "customApiKeyResponses": { "approved": [KEY], "rejected": [] },
        "projects": clones.iter().map(trusted).collect::<serde_json::Map<_, _>>(),
    });
    let settings = json!({ "skipDangerousModePermissionPrompt": true });
    std::fs::create_dir_all(home.join(".claude")).expect("a folder");
    std::fs::write(home.join(".claude.json"), state.to_string()).expect("a file");
    std::fs::write(home.join(".claude/settings.json"), settings.to_string()).expect("a file");
}

/// The variables by which it finds the double and nothing else, and may do what it wants as root.
pub(crate) fn environment(api: &Api) -> Vec<(&'static str, String)> {
    vec![
        ("ANTHROPIC_BASE_URL", api.url().to_owned()),
        ("ANTHROPIC_API_KEY", KEY.to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
        ("DISABLE_TELEMETRY", "1".to_owned()),
        ("IS_SANDBOX", "1".to_owned()),
    ]
}

/// A folder with a home, a clone and a double: what one agent needs.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    claude: PathBuf,
    pub(crate) api: Api,
}

/// How a client in print mode has ended.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: Option<i32>,
    /// Its last line of JSON; if there was none, what it said on standard error.
    pub(crate) result: Value,
}

impl Place {
    /// A place, or nothing where the client is not installed.
    pub(crate) fn new() -> Option<Self> {
        let claude = claude()?;
        let folder = tempfile::Builder::new().prefix("sv").tempdir_in("/tmp").expect("a folder");
        for inside in ["clone", "tmp"] {
            std::fs::create_dir(folder.path().join(inside)).expect("a folder");
        }
        furnish(&folder.path().join("home"), &[&folder.path().join("clone")]);
        let api = Api::start(folder.path());
        Some(Self { folder, claude, api })
    }

    /// Runs the client in print mode to its end, in nobody's environment but this place's.
    pub(crate) fn prints(&self, words: &[&str], variables: &[(&str, &str)]) -> Printed {
        let path = |inside: &str| self.folder.path().join(inside);
        let output = |name: &str| File::create(path(name)).expect("a file");
        let mut command = Command::new(&self.claude);
        command.args(["-p", "--output-format", "json", "--dangerously-skip-permissions"]);
        command.args(words).current_dir(path("clone")).env_clear();
        command.envs(environment(&self.api)).envs(variables.iter().copied());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin")));
        command.env("HOME", path("home")).env("TMPDIR", path("tmp")).env("LANG", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        let mut client = command.spawn().expect("the client");
        let deadline = Instant::now() + CEILING;
        let ended = loop {
            if let Some(ended) = client.try_wait().expect("a child") {
                break ended;
            }
            if Instant::now() > deadline {
                // So that nothing is left over.
                let _ = client.kill();
                let _ = client.wait();
                panic!("{words:?}: no end; asked: {:#?}", self.api.asked());
            }
            std::thread::sleep(LOOK);
        };
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
        let result = read("stdout").lines().next_back().and_then(|l| serde_json::from_str(l).ok());
        let result = result.unwrap_or_else(|| json!(read("stderr")));
        Printed { code: ended.code(), result }
    }
}

impl Printed {
    /// What it said in the end.
    pub(crate) fn text(&self) -> &str {
        self.result["result"].as_str().unwrap_or_default()
    }
}
