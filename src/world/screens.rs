//! The last screens of dead sessions, kept in the session's log. Nobody else writes there: the
//! living screen is tmux's. Not here: reading a screen, and rotating the log.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Why a screen is lost.
#[derive(Debug, thiserror::Error)]
#[error("cannot append to {}", path.display())]
pub struct ScreenError {
    /// The log.
    path: PathBuf,
    /// Why.
    #[source]
    source: std::io::Error,
}

/// Appends `text` to the log, which need not be there yet, in one write. Blocks for as long as the
/// disk needs.
///
/// # Errors
/// [`ScreenError`]; the screen is lost, or a part of it.
pub fn keep(log: &Path, text: &str) -> Result<(), ScreenError> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(log);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| ScreenError { path: log.to_owned(), source })
}
