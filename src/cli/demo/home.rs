//! The home of real agents: everything that they find, in the folder of the demo, so that nothing
//! of the person's own is read or written; and what they are known to have done, from other
//! witnesses than the supervisor. Not here: what happens to them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde::Deserialize;
use serde_json::json;

use super::double::{Asked, Double};
use crate::cli::doctor;
use crate::cli::failure::Failure;

const CONFIG: &str = include_str!("claude.toml");

/// Who lives here, each in a folder of its own name.
pub(super) const AGENTS: [&str; 2] = ["adversary", "builder"];

/// What a read of this file in the builder's folder waits for is written by nobody but the demo.
pub(super) const PAINT: &str = "paint";

/// No key at all.
const KEY: &str = "sk-ant-made-up-for-the-demo";

/// The program is large: the first look at it may have to read it from a slow disk.
const ANSWER: Duration = Duration::from_secs(20);

/// What of the person's environment reaches the supervisor and the agents. All else might lead to
/// the person's own account, settings or provider.
const INHERITED: [&str; 6] = ["PATH", "LOGNAME", "USER", "TERM", "RUST_LOG", "RUST_BACKTRACE"];

/// Written by a hook of the project itself: another witness than the supervisor's own hooks.
const WITNESS: &str = r#"{ cat; echo; } >> "$CLAUDE_PROJECT_DIR/.claude/prompts.jsonl""#;

/// A home that real agents can be started in.
pub(super) struct Home {
    folder: PathBuf,
    client: String,
    version: String,
    double: Double,
}

/// Something that an agent has been told, by its own account.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Prompt {
    /// In which conversation.
    pub(super) session_id: String,
    /// What.
    pub(super) prompt: String,
}

impl Home {
    /// A home below `folder` for the program `client`, with a double of the API that runs `binary`;
    /// the double ends with this process, unless it `outlives` it.
    pub(super) fn new(
        folder: &Path,
        binary: &Path,
        client: &Path,
        outlives: bool,
    ) -> Result<Self, Failure> {
        let name = client.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::failed(format!("{} is not UTF-8: give it another name", client.display()))
        })?;
        let folder = folder.to_owned();
        for inside in ["home", "tmp"] {
            make(&folder.join(inside))?;
        }
        for name in AGENTS {
            let project = folder.join(name);
            make(&project.join(".claude"))?;
            write(&project.join(".claude/settings.json"), &settings())?;
            write(&folder.join(format!("{name}.md")), &kickoff(name))?;
        }
        let paint = folder.join("builder").join(PAINT);
        mkfifo(&paint, Mode::S_IRUSR | Mode::S_IWUSR)
            .with_context(|| format!("cannot make {}", paint.display()))?;
        let double = Double::start(binary, &folder, outlives)?;
        let mut home = Self { folder, client: name, version: String::new(), double };
        let lines = home.variables();
        let lines: String =
            lines.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
        write(&home.folder.join("agents.env"), &lines)?;
        home.version = home.ask_version()?;
        Ok(home)
    }

    /// The configuration of a supervisor that keeps them.
    pub(super) fn config(&self) -> String {
        let client = toml::Value::from(self.client.as_str()).to_string();
        CONFIG.replace("@CLIENT@", &client)
    }

    /// Lets a program find this home, and nothing of the person's.
    pub(super) fn furnish(&self, command: &mut Command) {
        command.env_clear();
        let inherited = |name: &&'static str| Some((*name, std::env::var_os(name)?));
        command.envs(INHERITED.iter().filter_map(inherited));
        command.envs(self.variables());
    }

    /// What lets the program find this home and the double, and may be known to anybody.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let inside = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("HOME", inside("home")),
            ("TMPDIR", inside("tmp")),
            ("ANTHROPIC_BASE_URL", self.double.url().to_owned()),
            ("ANTHROPIC_API_KEY", KEY.to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            // All that it can get at as root is what the demo tells it to.
            ("IS_SANDBOX", "1".to_owned()),
        ]
    }

    fn ask_version(&self) -> Result<String, Failure> {
        let mut command = Command::new(&self.client);
        self.furnish(&mut command);
        command.arg("--version").current_dir(&self.folder);
        let why = match doctor::output(&mut command, ANSWER) {
            Ok((status, said)) if status.success() => {
                let said = String::from_utf8_lossy(&said);
                return Ok(said.split_whitespace().next().unwrap_or("of no version").to_owned());
            }
            Ok((status, _)) => format!("does not say its version ({status})"),
            Err(why) => why,
        };
        let client = &self.client;
        Err(Failure::failed(format!("{client} {why}: run `{client} --version` to see why")))
    }

    /// What the program says that it is.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The program.
    pub(super) fn client(&self) -> &str {
        &self.client
    }

    /// The double's pid, while it is ours.
    pub(super) fn double(&self) -> Option<u32> {
        self.double.pid()
    }

    /// What the API was asked so far in conversations, in order.
    pub(super) fn asked(&self) -> Result<Vec<Asked>, Failure> {
        self.double.asked()
    }

    /// What an agent was told so far, in order.
    pub(super) fn prompts(&self, name: &str) -> Result<Vec<Prompt>, Failure> {
        let file = self.folder.join(name).join(".claude/prompts.jsonl");
        // There is none before the first one.
        let told = std::fs::read_to_string(&file).unwrap_or_default();
        let lines =
            told.split_inclusive('\n').filter(|line| line.len() > 1 && line.ends_with('\n'));
        let prompts: Result<Vec<Prompt>, _> = lines.map(serde_json::from_str).collect();
        Ok(prompts.with_context(|| format!("cannot read {}", file.display()))?)
    }

    /// What the agents keep of a conversation, to take it up again; nothing before it has begun.
    pub(super) fn transcript(&self, conversation: &str) -> Result<String, Failure> {
        let projects = self.folder.join("home/.claude/projects");
        let folders = std::fs::read_dir(&projects);
        let folders = folders.with_context(|| format!("cannot read {}", projects.display()))?;
        let name = format!("{conversation}.jsonl");
        let mut files = folders.flatten().map(|folder| folder.path().join(&name));
        Ok(files.find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default())
    }

    /// The pids on the agents' own list of those that live. Who takes its leave strikes itself off;
    /// who was killed stays on.
    pub(super) fn registered(&self) -> Result<Vec<i32>, Failure> {
        let list = self.folder.join("home/.claude/sessions");
        let entries = std::fs::read_dir(&list);
        let entries = entries.with_context(|| format!("cannot read {}", list.display()))?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let pid = |name: OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
        Ok(names.filter_map(pid).collect())
    }

    /// Ends a wait for the paint; nobody may be waiting any more.
    pub(super) fn paint_is_dry(&self) -> Result<(), Failure> {
        let paint = self.folder.join("builder").join(PAINT);
        // Without a reader this fails at once, and does not wait for one.
        let file = File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&paint);
        let written = file.and_then(|mut file| file.write_all(b"it is dry\n"));
        Ok(written.with_context(|| format!("cannot write {}", paint.display()))?)
    }

    /// Lets the double live on.
    pub(super) fn leave(self) {
        self.double.leave();
    }
}

/// The first prompt of an agent.
pub(super) fn kickoff(name: &str) -> String {
    format!("You are the {name}. Say so.")
}

/// What makes a project the witness of what is said in it.
fn settings() -> String {
    let hook = json!([{ "hooks": [{ "type": "command", "command": WITNESS }] }]);
    json!({ "hooks": { "UserPromptSubmit": hook } }).to_string()
}

fn make(folder: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(folder);
    Ok(made.with_context(|| format!("cannot make {}", folder.display()))?)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::write(file, text);
    Ok(written.with_context(|| format!("cannot write {}", file.display()))?)
}
