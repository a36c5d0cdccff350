//! NanoClaw as it lies on disk: which generation, which groups it has, what its database and its
//! logs say. Read only, and always in a moment: a reader that is held open harms NanoClaw. Not here:
//! what is written into it, and its life as a unit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

pub mod containers;
pub mod files;
pub mod runs;
pub mod transcripts;
pub mod v1;
pub mod v2;

/// Which NanoClaw it is: they are delivered to in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 1.x: `store/messages.db`.
    V1,
    /// 2.x: `data/v2.db`, and two databases for each session.
    V2,
}

/// Why nothing can be given to a group. What an operator reads; it ends in what to do.
#[derive(Clone, Debug, Error)]
pub enum Unfit {
    /// Nothing is there.
    #[error(
        "there is no NanoClaw in {directory}: neither store/messages.db nor data/v2.db; has it run \
         once?"
    )]
    Absent {
        /// `[gateway.nanoclaw] directory`.
        directory: PathBuf,
    },
    /// The database is another one than we know.
    #[error(
        "NanoClaw's database has no {what}: this version of it is not known here; nothing is written"
    )]
    Drift {
        /// What is missing.
        what: String,
    },
    /// The database cannot be used just now.
    #[error("NanoClaw's database {path} cannot be used: {why}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// No group has this folder.
    #[error("NanoClaw has no group with the folder {folder:?}: register it")]
    NoGroup {
        /// As in our configuration.
        folder: String,
    },
    /// Folder and chat are of two groups.
    #[error("NanoClaw's group {folder:?} has the chat {theirs}, and the configuration says {ours}")]
    OtherChat {
        /// The folder.
        folder: String,
        /// In NanoClaw.
        theirs: String,
        /// In our configuration.
        ours: String,
    },
    /// The chat is not known.
    #[error("NanoClaw has no chat {jid}: somebody must write into it once")]
    NoChat {
        /// Its id.
        jid: String,
    },
    /// A letter would wake nobody.
    #[error(
        "NanoClaw's group {folder:?} answers only to its trigger: set requires_trigger to 0 and \
         restart NanoClaw"
    )]
    NeedsTrigger {
        /// The folder.
        folder: String,
    },
    /// NanoClaw itself cannot start with this.
    #[error("the container_config of NanoClaw's group {folder:?} is no JSON: mend it")]
    ContainerConfig {
        /// The folder.
        folder: String,
    },
    /// A date that no date of ours can be later than.
    #[error("NanoClaw's database has the date {text:?}, after which nothing can be written")]
    NotADate {
        /// As it stands there.
        text: String,
    },
    /// The wiring of a chat to an agent drops what comes from us.
    #[error("NanoClaw would drop what is sent to {folder:?}: {why}")]
    Wiring {
        /// The folder.
        folder: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A file or a folder.
    #[error("{path} cannot be used: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl Unfit {
    /// What SQLite says of a database of NanoClaw.
    pub fn database(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly};
        let why = match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => "another process holds its lock".into(),
            Some(ReadOnly) => "we may not write to it, or to its folder".into(),
            Some(CannotOpen) => "it is not there, or we may not read it".into(),
            Some(DiskFull) => "the disk is full".into(),
            _ => error.to_string(),
        };
        Self::Database { path: path.into(), why }
    }

    /// What the system says of a file.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::File { path: path.into(), why: error.to_string() }
    }
}

/// Finds out which NanoClaw lies in `directory`. If both are there, it is the one that was written
/// last: people go from one to the other, and back.
///
/// # Errors
/// [`Unfit::Absent`].
pub fn generation(directory: &Path) -> Result<Generation, Unfit> {
    let last = |names: &[&str]| {
        let times = names.iter().filter_map(|name| modified(&directory.join(name)));
        times.max()
    };
    let first = last(&["store/messages.db", "store/messages.db-wal"]);
    let second = last(&["data/v2.db", "data/v2.db-wal"]);
    match (first, second) {
        (None, None) => Err(Unfit::Absent { directory: directory.into() }),
        (Some(_), None) => Ok(Generation::V1),
        (None, Some(_)) => Ok(Generation::V2),
        (Some(first), Some(second)) if first > second => Ok(Generation::V1),
        (Some(_), Some(_)) => Ok(Generation::V2),
    }
}

/// Whether NanoClaw accepts this as the name of a group's folder.
pub fn is_folder(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && name.len() <= 64 && name.bytes().all(inner) && name != "global"
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests;
