//! A house whose sessions are real agents, with a home of their own and a double of the API.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use agent_supervisor::protocol::UnitStatus;
use serde_json::Value;

use super::api::Api;
use super::client::{claude, environment};
use crate::house::House;
use crate::tmux::PATIENT;

/// The house, the double, and the client's path.
pub(super) struct Home {
    pub(super) house: House,
    pub(super) api: Api,
    client: String,
}

impl Home {
    /// A house with these sessions, each in a folder of its own name, not running yet; nothing,
    /// and a word about it, where the client is not installed.
    pub(super) fn of(sessions: &[(&str, &str)]) -> Option<Self> {
        let client = claude()?.to_string_lossy().into_owned();
        let mut house = House::new("");
        let api = Api::start(&house.path(""));
        for (name, value) in environment(&api) {
            house.set(name, &value);
        }
        let home = Self { house, api, client };
        home.configure(sessions);
        Some(home)
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

    pub(super) fn configure(&self, sessions: &[(&str, &str)]) {
        let mut config = PATIENT.replace("[restart]\n", "[restart]\nstagger = \"0s\"\n");
        for (name, more) in sessions {
            let folder = self.house.path(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            let prompt = format!("{name}.md");
            self.house.write(&prompt, &kickoff(name));
            config += &format!(
                "[sessions.{name}]\nagent = \"claude\"\ncommand = [{:?}]\ndirectory = {name:?}\n\
                 prompt_file = {prompt:?}\n{more}\n",
                self.client
            );
        }
        self.house.configure(&config);
    }

    /// Waits until the API has been asked this, the answer is in the transcript, and the session
    /// is at its prompt again.
    pub(super) fn wait_answered(&self, name: &str, prompt: &str) -> UnitStatus {
        self.house.wait_for(&format!("{prompt:?} to be asked"), || {
            self.api.prompts().iter().any(|asked| asked.contains(prompt)).then_some(())
        });
        self.house.wait_for(&format!("{prompt:?} to be answered"), || {
            let transcript = self.transcript(&self.conversation(name))?;
            let text = std::fs::read_to_string(transcript).ok()?;
            let asked = text.find(serde_json::json!(prompt).to_string().trim_matches('"'))?;
            text.get(asked..)?.contains("\"type\":\"assistant\"").then_some(())
        });
        self.wait_reading(name, "idle")
    }

    /// The file of a conversation, if it exists.
    pub(super) fn transcript(&self, conversation: &str) -> Option<PathBuf> {
        let folders = std::fs::read_dir(self.house.path(".claude/projects")).ok()?.flatten();
        let mut files = folders.map(|it| it.path().join(format!("{conversation}.jsonl")));
        files.find(|file| file.exists())
    }

    pub(super) fn wait_reading(&self, name: &str, reading: &str) -> UnitStatus {
        self.house.wait_unit(name, &format!("reads {reading}"), |unit| {
            unit.state == "up" && unit.reading == reading
        })
    }

    pub(super) fn conversation(&self, name: &str) -> String {
        self.house.unit(name).conversation.expect("a conversation")
    }

    /// What the pane shows now.
    pub(super) fn pane(&self, name: &str) -> String {
        self.house.tmux(name, &["capture-pane", "-p"]).unwrap_or_default()
    }

    /// Types as a person would, behind the supervisor's back.
    pub(super) fn types(&self, name: &str, text: &str) {
        self.house.tmux(name, &["send-keys", "-l", "--", text]).expect("a terminal");
        self.house.wait_for("the text to show", || self.pane(name).contains(text).then_some(()));
    }

    pub(super) fn presses(&self, name: &str, key: &str) {
        self.house.tmux(name, &["send-keys", key]).expect("a terminal");
    }

    /// Starts the client by hand, as a person at another terminal would: in a tmux of its own,
    /// with the same home. It ends with the value.
    pub(super) fn by_hand(&self, folder: &str, words: &[&str]) -> ByHand {
        let socket = self.house.path("hand.sock");
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&socket).args(["new-session", "-d", "-x", "120", "-y", "40", "--"]);
        command.arg(&self.client).arg("--dangerously-skip-permissions");
        command.args(["--settings", r#"{"skipDangerousModePermissionPrompt":true}"#]).args(words);
        command.env_remove("TMUX").env("HOME", self.house.path("")).envs(environment(&self.api));
        command.current_dir(self.house.path(folder)).stdin(Stdio::null());
        assert!(command.status().expect("tmux").success());
        ByHand { socket }
    }

    /// All that was entered by anybody in the session's folder, as a hook of the project tells:
    /// this is to be called before the session starts.
    pub(super) fn count_prompts(&self, name: &str) {
        let log = self.house.path(format!("{name}.prompts"));
        // One write, so that two that are told of at once keep a line each.
        let command = format!("told=$(cat); printf '%s\\n' \"$told\" >> {}", log.display());
        let hook = serde_json::json!([{ "hooks": [{ "type": "command", "command": command }] }]);
        let settings = serde_json::json!({ "hooks": { "UserPromptSubmit": hook } });
        let folder = self.house.path(name).join(".claude");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("settings.json"), settings.to_string()).expect("a file");
    }

    /// What that hook has told.
    pub(super) fn prompts(&self, name: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.house.path(format!("{name}.prompts")));
        let log = log.unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|told| Some(told["prompt"].as_str()?.to_owned())).collect()
    }
}

/// A client that a person has started.
pub(super) struct ByHand {
    socket: PathBuf,
}

impl Drop for ByHand {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

/// What lets an agent act without asking.
pub(super) const BYPASS: &str = "args = [\"--dangerously-skip-permissions\"]";

/// The first prompt of a session.
pub(super) fn kickoff(name: &str) -> String {
    format!("You are the {name}: say `{name}`, \"quoted\", and $HOME.")
}
