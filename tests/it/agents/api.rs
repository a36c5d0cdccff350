//! The double of the Messages API as tests use it: a process of its own for each test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

/// A running double. It ends with this value, or with the process that holds it.
pub(crate) struct Api {
    process: Child,
    url: String,
    folder: PathBuf,
}

/// One request, as the double has written it down.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Asked {
    /// How it was answered, in the words of a mark.
    pub(crate) mode: String,
    /// The agent's name for the conversation.
    pub(crate) conversation: Option<String>,
    /// The newest user message, with what it repeats of others that got no answer.
    pub(crate) prompt: String,
    /// Without that.
    pub(crate) newest: String,
    /// How many messages the conversation has.
    pub(crate) messages: usize,
    /// Whether tools were offered: if not, it is a request on the side.
    pub(crate) tools: bool,
    /// Whether it brings a tool's result, and no prompt.
    pub(crate) goes_on: bool,
}

impl Api {
    /// Starts a double that keeps its files in `folder`, and waits until it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::at("127.0.0.1:0", folder)
    }

    /// Ends it: whoever asks is refused.
    pub(crate) fn goes_away(&mut self) {
        self.process.kill().expect("ours");
        self.process.wait().expect("its end");
    }

    /// Starts it again where it was.
    pub(crate) fn comes_back(&mut self) {
        let address = self.url.strip_prefix("http://").expect("an address").to_owned();
        let again = Self::at(&address, &self.folder);
        *self = again;
    }

    fn at(address: &str, folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
        command.args(["stand-in-api", "--until-eof", "--listen", address]);
        command.arg("--control").arg(folder.join("api.mode"));
        command.arg("--log").arg(folder.join("api.jsonl"));
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the double");
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
        Self { process, url, folder: folder.to_owned() }
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Has requests without a mark answered so from now on.
    pub(crate) fn set_mode(&self, mode: &str) {
        let half = self.folder.join("api.mode.new");
        std::fs::write(&half, mode).expect("a file");
        std::fs::rename(&half, self.folder.join("api.mode")).expect("ours");
    }

    /// All requests so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let log = std::fs::read_to_string(self.folder.join("api.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Those of them that carry on a conversation: tools are offered.
    pub(crate) fn main_requests(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.tools).collect()
    }

    /// What users have said, in order: once each, however often an agent tried again.
    pub(crate) fn prompts(&self) -> Vec<String> {
        let mut prompts = self.main_requests();
        prompts.retain(|asked| !asked.goes_on);
        prompts.dedup_by_key(|asked| (asked.conversation.clone(), asked.prompt.clone()));
        prompts.into_iter().map(|asked| asked.newest).collect()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
