//! What was asked, a line of JSON each. No credentials: only what a test wants to know.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// One request.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// When it had arrived in full; RFC 3339.
    pub(super) at: String,
    /// What was asked for.
    pub(super) path: &'a str,
    /// How it is answered, in the words of a mark or of this room.
    pub(super) mode: &'a str,
    /// The agent's own name for the conversation.
    pub(super) conversation: Option<&'a str>,
    /// The model that was asked for.
    pub(super) model: Option<&'a str>,
    /// How many messages the conversation has.
    pub(super) messages: usize,
    /// The newest thing the user said.
    pub(super) prompt: &'a str,
    /// The last paragraph of that: without what was said before it and got no answer.
    pub(super) newest: &'a str,
    /// Whether tools were offered: requests on the side offer none.
    pub(super) tools: bool,
    /// Whether a tool's result came since the prompt: then the turn goes on.
    pub(super) goes_on: bool,
}

/// Where requests are written down.
#[derive(Debug)]
pub(super) struct Log(Option<File>);

impl Log {
    /// Opens the file, or none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        path.map(open).transpose().map(Self)
    }

    /// Adds a line, in one write.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn add(&self, entry: &Entry<'_>) -> io::Result<()> {
        let Some(mut file) = self.0.as_ref() else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}
