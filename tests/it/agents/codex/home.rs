//! A house whose sessions are Codex, with a home of their own and the double.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent_supervisor::protocol::UnitStatus;
use serde_json::Value;

use super::super::api::Api;
pub(super) use super::super::home::kickoff;
use crate::house::House;
use crate::tmux::PATIENT;

/// What lets it act without asking.
pub(super) const BYPASS: &str = "\"--dangerously-bypass-approvals-and-sandbox\"";

/// No key at all.
const KEY: &str = "sk-fake-for-test";

/// The house, the double, and the program's path.
pub(super) struct Home {
    pub(super) house: House,
    pub(super) api: Api,
    program: PathBuf,
}

impl Home {
    /// A house with these sessions and their further arguments, each in a folder of its own name, not
    /// running yet; nothing, and a word about it, where the program is not installed.
    pub(super) fn of(sessions: &[(&str, &str)]) -> Option<Self> {
        let program = codex()?;
        let mut house = House::new("");
        let api = Api::start(&house.path(""));
        house.set("OPENAI_API_KEY", KEY);
        let mut config = PATIENT.replace("[restart]\n", "[restart]\nstagger = \"0s\"\n");
        for (name, more) in sessions {
            std::fs::create_dir_all(house.path(name)).expect("a folder");
            let prompt = format!("{name}.md");
            house.write(&prompt, &kickoff(name));
            let mut args = provider(&api).join(", ");
            if !more.is_empty() {
                args = format!("{args}, {more}");
            }
            config += &format!(
                "[sessions.{name}]\nagent = \"codex\"\ncommand = [{:?}]\ndirectory = {name:?}\n\
                 prompt_file = {prompt:?}\nargs = [{args}]\n",
                program.display().to_string(),
            );
        }
        house.configure(&config);
        Some(Self { house, api, program })
    }

    /// The same, running and with every agent at its prompt, its kickoff prompt answered.
    pub(super) fn idle(names: &[&str]) -> Option<Self> {
        let sessions: Vec<_> = names.iter().map(|name| (*name, BYPASS)).collect();
        let mut home = Self::of(&sessions)?;
        home.house.run();
        for name in names {
            home.wait_answered(name, &kickoff(name));
        }
        Some(home)
    }

    /// Waits until the API has been asked this, the turn is over, and the session is at its prompt.
    pub(super) fn wait_answered(&self, name: &str, prompt: &str) -> UnitStatus {
        self.house.wait_for(&format!("{prompt:?} to be asked"), || {
            self.api.prompts().iter().any(|asked| asked.contains(prompt)).then_some(())
        });
        self.house.wait_for(&format!("{prompt:?} to be answered"), || {
            let text = std::fs::read_to_string(self.transcript(&self.conversation(name))?).ok()?;
            let asked = text.find(serde_json::json!(prompt).to_string().trim_matches('"'))?;
            text.get(asked..)?.contains("\"type\":\"task_complete\"").then_some(())
        });
        self.wait_reading(name, "idle")
    }

    pub(super) fn wait_reading(&self, name: &str, reading: &str) -> UnitStatus {
        self.house.wait_unit(name, &format!("reads {reading}"), |unit| {
            unit.state == "up" && unit.reading == reading
        })
    }

    pub(super) fn conversation(&self, name: &str) -> String {
        self.house.unit(name).conversation.expect("a conversation")
    }

    /// The file of a conversation, if it exists.
    fn transcript(&self, conversation: &str) -> Option<PathBuf> {
        let mut folders = vec![self.house.path(".codex/sessions")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).ok()?.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if entry.file_name().to_string_lossy().contains(conversation) {
                    return Some(path);
                }
            }
        }
        None
    }

    /// What was entered in the session's conversation, as its transcript tells.
    pub(super) fn transcript_prompts(&self, name: &str) -> Vec<String> {
        let file = self.transcript(&self.conversation(name)).expect("a transcript");
        let text = std::fs::read_to_string(file).expect("a text");
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let items = lines.map(|line| line["payload"]["item"].clone());
        let prompts = items.filter(|item| item["type"] == "UserMessage");
        prompts.filter_map(|item| Some(item["content"][0]["text"].as_str()?.to_owned())).collect()
    }

    /// What the pane shows now.
    pub(super) fn pane(&self, name: &str) -> String {
        self.house.tmux(name, &["capture-pane", "-p"]).unwrap_or_default()
    }

    /// Types as a person would, behind the supervisor's back.
    pub(super) fn types(&self, name: &str, text: &str) {
        self.house.tmux(name, &["send-keys", "-l", "--", text]).expect("a terminal");
        self.house.wait_for("the text to show", || self.pane(name).contains(text).then_some(()));
        // What follows at once is a part of a paste.
        std::thread::sleep(std::time::Duration::from_millis(300));
    }

    pub(super) fn presses(&self, name: &str, key: &str) {
        self.house.tmux(name, &["send-keys", key]).expect("a terminal");
    }

    /// Starts the program by hand, as a person at another terminal would: in a tmux of its own, with
    /// the same home. It ends with the value.
    pub(super) fn by_hand(&self, folder: &str, words: &[&str]) -> ByHand {
        let socket = self.house.path("hand.sock");
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&socket).args(["new-session", "-d", "-x", "120", "-y", "40", "--"]);
        command.arg(&self.program).args(words);
        for value in provider(&self.api) {
            // As a shell would read them, without the quotes of TOML.
            command.arg(value.trim_matches(['\'', '"']));
        }
        command.env_remove("TMUX").env("HOME", self.house.path("")).env("OPENAI_API_KEY", KEY);
        command.current_dir(self.house.path(folder)).stdin(Stdio::null());
        assert!(command.status().expect("tmux").success());
        ByHand { socket }
    }
}

/// A program that a person has started.
pub(super) struct ByHand {
    socket: PathBuf,
}

impl Drop for ByHand {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

/// The arguments, as words of TOML, by which it finds the double and nothing else, and does not try
/// again for long what has failed.
fn provider(api: &Api) -> Vec<String> {
    let url = format!("{}/v1", api.url());
    let provider = format!(
        "model_providers.double={{name=\"double\",base_url=\"{url}\",wire_api=\"responses\",\
         env_key=\"OPENAI_API_KEY\",request_max_retries=0,stream_max_retries=0}}"
    );
    ["-c", &provider, "-c", "model_provider=\"double\"", "-c", "model=\"gpt-5\""]
        .map(|word| format!("'{word}'"))
        .into()
}

/// The program, or nothing and a word why this test is left out. `tests/run tools` installs it;
/// `SUPERVISOR_TEST_CODEX` names another one.
fn codex() -> Option<PathBuf> {
    let named = std::env::var_os("SUPERVISOR_TEST_CODEX").filter(|path| !path.is_empty());
    if let Some(path) = named.map(PathBuf::from) {
        assert!(path.is_file(), "SUPERVISOR_TEST_CODEX: {} is no file", path.display());
        return Some(path);
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/node_modules/@openai");
    let (short, long) = match cfg!(target_arch = "aarch64") {
        true => ("arm64", "aarch64"),
        false => ("x64", "x86_64"),
    };
    let program =
        modules.join(format!("codex-linux-{short}/vendor/{long}-unknown-linux-musl/bin/codex"));
    let found = Some(program).filter(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: the real Codex is not installed: run `tests/run tools`");
    }
    found
}
