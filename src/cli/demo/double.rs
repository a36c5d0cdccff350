//! The double of the Messages API as a demo uses it: a process of its own, ended with its value,
//! and what it has been asked. Not here: how it answers.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use crate::cli::failure::Failure;

/// It says where it listens as soon as it does; a busy machine may need longer to load it.
const BEGIN_CEILING: Duration = Duration::from_secs(15);

/// What stands before its address.
const LISTENING: &str = "listening on ";

/// A running double.
pub(super) struct Double {
    /// `None` once it is to live on.
    process: Option<Child>,
    url: String,
    log: PathBuf,
}

/// One request, as the double has written it down.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Asked {
    /// The agent's name for the conversation.
    pub(super) conversation: Option<String>,
    /// The newest thing the user said.
    pub(super) newest: String,
    /// Whether tools were offered: if not, it is a request on the side.
    pub(super) tools: bool,
}

impl Double {
    /// Starts one that keeps its files in `folder`, and waits until it listens. It ends when this
    /// process does, however that ends; not so if it `outlives` it.
    pub(super) fn start(binary: &Path, folder: &Path, outlives: bool) -> Result<Self, Failure> {
        let log = folder.join("api.jsonl");
        let said = folder.join("api.log");
        let said = File::create(&said).with_context(|| format!("cannot write {}", said.display()));
        let mut command = Command::new(binary);
        command.arg("stand-in-api").arg("--log").arg(&log);
        if outlives {
            command.stdin(Stdio::null());
        } else {
            command.arg("--until-eof").stdin(Stdio::piped());
        }
        // The terminal's Ctrl-C is for the demo alone.
        command.stdout(Stdio::piped()).stderr(said?).process_group(0).current_dir(folder);
        let mut process = command.spawn().context("cannot start the stand-in for the API")?;
        let output = process.stdout.take();
        let mut double = Self { process: Some(process), url: String::new(), log };
        double.url = output.and_then(first_line).ok_or_else(|| {
            let place = folder.display();
            Failure::failed(format!("the stand-in for the API does not begin: see {place}/api.log"))
        })?;
        Ok(double)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Its pid, while it is ours.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// All requests so far that carry on a conversation, in order.
    pub(super) fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let log = std::fs::read_to_string(&self.log);
        let log = log.with_context(|| format!("cannot read {}", self.log.display()))?;
        // The last line may be half written.
        let whole = log.rfind('\n').and_then(|end| log.get(..end)).unwrap_or_default();
        let asked: Result<Vec<Asked>, _> = whole.lines().map(serde_json::from_str).collect();
        let mut asked = asked.with_context(|| format!("cannot read {}", self.log.display()))?;
        asked.retain(|asked| asked.tools);
        Ok(asked)
    }

    /// Lets it live on.
    pub(super) fn leave(mut self) {
        self.process = None;
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Where it listens; nothing if it does not say so in time.
fn first_line(output: ChildStdout) -> Option<String> {
    let (sender, said) = mpsc::channel();
    // A read of a pipe has no end of its own. The thread ends with the double.
    std::thread::spawn(move || {
        let mut line = String::new();
        // What cannot be read is not said; and somebody else may have given up on it.
        let _ = BufReader::new(output).read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = said.recv_timeout(BEGIN_CEILING).ok()?;
    line.trim().strip_prefix(LISTENING).map(str::to_owned)
}
