//! The last screens of dead sessions, kept in the session's log. Nobody else writes there: the
//! living screen is tmux's. Not here: reading a screen.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::logs::{self, LogError};

/// Why a screen is lost.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// The log cannot be rotated.
    #[error(transparent)]
    Rotate(#[from] LogError),
    /// The log cannot be written.
    #[error("cannot append to {}", path.display())]
    Append {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Appends `screen` under the line `head`. A log larger than `max` bytes is begun anew first;
/// `keep` old ones are kept.
///
/// # Errors
/// [`ScreenError`]; the screen is lost.
pub fn keep(log: &Path, head: &str, screen: &str, max: u64, keep: u32) -> Result<(), ScreenError> {
    logs::begin_anew(log, max, keep)?;
    let text = format!("{head}\n{}\n", screen.trim_end());
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(log);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| ScreenError::Append { path: log.to_owned(), source })
}
