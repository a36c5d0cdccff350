//! The ledger: the gateway's own database, in which every event and every letter lies until it is
//! done. What [`Ledger::write`] has answered survives the power.
//!
//! Closures are written by one thread, as many as are waiting with one sync of the disk; reading
//! happens on connections of its own. Not here: what an event means, and how a letter gets to
//! NanoClaw.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::world::files::{self, FileError};

mod checkpoint;
pub mod events;
pub mod letters;
pub mod retention;
pub mod said;
pub mod schema;
mod state;
pub mod view;
mod writer;

pub use events::{Attachment, EventId, NewEvent, NewLetter, NewWait, Stored};
pub use said::Acked;
pub use state::State;

use checkpoint::Checkpoints;
use writer::{Job, Write};

/// How long SQLite waits for a lock of another process (a verb of ours) before it says busy.
const LOCK_WAITS: Duration = Duration::from_secs(4);

/// How long a write may take, its place in the queue included. Who asked is told then that it
/// cannot be stored now; if it is stored after all, the repetition finds a duplicate.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How many writes may wait: more would be told too late anyway.
const QUEUE: usize = 4096;

/// How many connections for reading are kept for the next reader.
const READERS_KEPT: usize = 2;

/// How a file of SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What could not be done with the ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file cannot be opened, or made, or brought to our version.
    #[error("cannot open the ledger {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A later release has written it.
    #[error(
        "the ledger {path} has version {version} and this release knows {}: use the later release",
        schema::VERSION
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// It is corrupt and cannot be moved out of the way.
    #[error("the ledger is corrupt")]
    SetAside {
        /// Why.
        #[source]
        source: FileError,
    },
    /// There is none.
    #[error("there is no ledger at {path}: has the gateway run here?")]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the ledger's writer")]
    Thread {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing can be stored now: the disk is full, the file is locked or cannot be written.
    #[error("cannot store now: {why}")]
    CannotStore {
        /// Why.
        why: String,
    },
    /// This one closure failed; nothing of it was kept.
    #[error("the ledger refused")]
    Refused {
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Reading failed.
    #[error("cannot read the ledger")]
    Read {
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

/// The ledger of one gateway; clones speak to the same writer.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    readers: Mutex<Vec<Connection>>,
    changed: Arc<Notify>,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes it, brings it to our version and starts its writer. A
    /// corrupt one is set aside, with its log, as `NAME.corrupt-TIME`, which is logged as an error.
    ///
    /// # Errors
    /// [`LedgerError`]; a file that is only locked or may not be read is never set aside.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let connection = match usable(path) {
            Err(LedgerError::Open { source, .. }) if is_corrupt(&source) => {
                let aside = set_aside(path).map_err(|source| LedgerError::SetAside { source })?;
                tracing::error!(
                    ledger = %path.display(),
                    aside = %aside.display(),
                    error = %source,
                    "the ledger was corrupt: it is set aside and an empty one is begun; what was \
                     not delivered is in the old file only"
                );
                usable(path)?
            }
            other => other?,
        };
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let changed = Arc::new(Notify::new());
        let told = Arc::clone(&changed);
        let suspect = suspect_mark(path);
        let checkpoints = Checkpoints::start(path);
        thread::Builder::new()
            .name("ledger".into())
            .spawn(move || writer::run(connection, waiting, &told, &suspect, checkpoints))
            .map_err(|source| LedgerError::Thread { source })?;
        let readers = Mutex::new(Vec::new());
        Ok(Self { shared: Arc::new(Shared { path: path.into(), jobs, readers, changed }) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Runs `work` in a transaction and answers when what it wrote is synced. If it fails, nothing
    /// of it is kept, and others that were written together with it are not touched.
    ///
    /// `work` holds up every other writer: it computes nothing and waits for nothing.
    ///
    /// # Errors
    /// [`LedgerError::CannotStore`], [`LedgerError::Refused`].
    pub async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(Write::new(work, answer));
        let written = tokio::time::timeout(WRITE_WITHIN, async {
            self.shared.jobs.send(job).await.ok()?;
            answered.await.ok()
        });
        match written.await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(LedgerError::CannotStore { why: "the writer has ended".into() }),
            Err(_) => Err(LedgerError::CannotStore { why: "the disk takes too long".into() }),
        }
    }

    /// Runs `work` on a connection that can only read, on a thread that may block. All that it
    /// reads is of one moment.
    ///
    /// # Errors
    /// [`LedgerError::Read`].
    pub async fn read<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || shared.read(work));
        match reading.await {
            Ok(read) => read.map_err(|source| LedgerError::Read { source }),
            Err(_) => Err(LedgerError::CannotStore { why: "the reader was ended".into() }),
        }
    }

    /// Waits until something was written; a write since the last call of this ends the wait at
    /// once. For one waiter: the courier.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

impl Shared {
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => reader(&self.path)?,
        };
        let snapshot = connection.transaction()?;
        let result = work(&snapshot);
        drop(snapshot);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() && readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }
}

/// A connection for the verbs, which work beside a running gateway and without one: it makes no
/// ledger and sets none aside.
///
/// # Errors
/// [`LedgerError::Missing`], [`LedgerError::Open`], [`LedgerError::Later`].
pub fn by_hand(path: &Path) -> Result<Connection, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Missing { path: path.into() });
    }
    prepared(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// A connection that only looks: it makes no ledger, and brings none to our version.
///
/// # Errors
/// [`LedgerError::Missing`], [`LedgerError::Open`], [`LedgerError::Later`].
pub fn to_look_at(path: &Path) -> Result<Connection, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Missing { path: path.into() });
    }
    let fail = |source| LedgerError::Open { path: path.into(), source };
    let connection = reader(path).map_err(fail)?;
    let version =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
    if version > schema::VERSION {
        return Err(LedgerError::Later { path: path.into(), version });
    }
    Ok(connection)
}

/// The server's connection. What was found to be damaged while it was in use is examined whole.
fn usable(path: &Path) -> Result<Connection, LedgerError> {
    let connection =
        prepared(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let mark = suspect_mark(path);
    if mark.exists() {
        let fail = |source| LedgerError::Open { path: path.into(), source };
        let sound: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(fail)?;
        if sound != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(fail(rusqlite::Error::SqliteFailure(code, Some(sound))));
        }
        // If it cannot be removed, the next start examines the ledger once more.
        let _ = fs::remove_file(mark);
    }
    Ok(connection)
}

fn prepared(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let fail = |source| LedgerError::Open { path: path.into(), source };
    if !begins_like_a_database(path) {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(fail(rusqlite::Error::SqliteFailure(code, None)));
    }
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(LOCK_WAITS).map_err(fail)?;
    // Growing is bounded by retention; a page that is free is used again. A gateway that confines
    // itself may write no file elsewhere. The log is copied back by a thread, and if that is too
    // slow, by whoever writes.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 8000; \
             PRAGMA temp_store = MEMORY;",
        )
        .map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement is compiled anew whenever it is given other values: a third of all work.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    match schema::migrate(&mut connection).map_err(fail)? {
        schema::Migrated::Done => Ok(connection),
        schema::Migrated::Later(version) => Err(LedgerError::Later { path: path.into(), version }),
    }
}

/// SQLite would throw the log of such a file away, and it may be all that is left.
fn begins_like_a_database(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    match fs::File::open(path).and_then(|mut file| file.read(&mut begin)) {
        Ok(0) | Err(_) => true,
        Ok(length) => MAGIC.starts_with(&begin[..length]),
    }
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    // A reader of a WAL needs its shared memory, which is why this is no SQLITE_OPEN_READ_ONLY.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_WAITS)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Its log goes with it: a log beside another database would be taken for that one's.
fn set_aside(path: &Path) -> Result<PathBuf, FileError> {
    for beside in ["-wal", "-shm"] {
        match files::set_aside(&files::with_suffix(path, beside), "corrupt") {
            // Whoever had the ledger open last has just taken it away.
            Err(FileError::SetAside { source, .. }) if source.kind() == NotFound => {}
            other => drop(other?),
        }
    }
    let aside = files::set_aside(path, "corrupt")?;
    // If it cannot be removed, the new ledger is examined once more.
    let _ = fs::remove_file(suspect_mark(path));
    Ok(aside)
}

/// The file that says that SQLite called the ledger corrupt while it was in use.
fn suspect_mark(path: &Path) -> PathBuf {
    files::with_suffix(path, ".suspect")
}

#[cfg(test)]
mod tests;
