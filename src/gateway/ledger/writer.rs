//! The one thread that writes: it takes all that is waiting, writes it in one transaction with a
//! savepoint for each, syncs once, and answers all. Not here: what is written.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{Notify, mpsc, oneshot};

use super::LedgerError;
use super::checkpoint::Checkpoints;

/// How many closures share a sync at most: one more would wait for the whole of the others.
const BATCH: usize = 256;

/// One closure on its way: it is run once and then answered.
pub(super) trait Work: Send {
    /// Runs it and keeps what it says; answers how it went.
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), Option<ErrorCode>>;
    /// Tells who waits: what it said, or why the whole transaction failed.
    fn answer(self: Box<Self>, failed: Option<&str>);
}

/// A closure in a box.
pub(super) type Job = Box<dyn Work>;

/// A closure and who waits for it.
pub(super) struct Write<T, F> {
    work: Option<F>,
    said: Option<rusqlite::Result<T>>,
    waiter: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Write<T, F> {
    pub(super) const fn new(work: F, waiter: oneshot::Sender<Result<T, LedgerError>>) -> Self {
        Self { work: Some(work), said: None, waiter }
    }
}

impl<T, F> Work for Write<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), Option<ErrorCode>> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let said = work(transaction);
        let went = said.as_ref().map(|_| ()).map_err(rusqlite::Error::sqlite_error_code);
        self.said = Some(said);
        went
    }

    fn answer(self: Box<Self>, failed: Option<&str>) {
        let answer = match (self.said, failed) {
            (Some(Err(source)), _) if is_the_ledgers(source.sqlite_error_code()) => {
                Err(LedgerError::CannotStore { why: source.to_string() })
            }
            (Some(Err(source)), _) => Err(LedgerError::Refused { source }),
            (Some(Ok(said)), None) => Ok(said),
            (_, why) => {
                let why = why.unwrap_or("it was not run").to_owned();
                Err(LedgerError::CannotStore { why })
            }
        };
        // Who has gone away meanwhile finds a duplicate when asking again.
        let _ = self.waiter.send(answer);
    }
}

/// Writes until every [`super::Ledger`] is gone. `suspect` is left beside the ledger when SQLite
/// calls it corrupt.
pub(super) fn run(
    mut connection: Connection,
    mut jobs: mpsc::Receiver<Job>,
    changed: &Arc<Notify>,
    suspect: &Path,
    mut checkpoints: Option<Checkpoints>,
) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        let written = write(&mut connection, &mut batch, &mut jobs);
        let failed = written.as_ref().err().map(ToString::to_string);
        if let Err(error) = &written {
            tracing::error!(%error, writes = batch.len(), "the ledger cannot store");
            if super::is_corrupt(error) {
                // Without the mark the next start just does not look so closely.
                let _ = fs::write(suspect, error.to_string());
            }
        }
        let writes = batch.len();
        for job in batch {
            job.answer(failed.as_deref());
        }
        changed.notify_one();
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.after(writes, &connection);
        }
    }
}

/// Runs what is in `batch` and what arrives while that goes on. An error is said of all.
fn write(
    connection: &mut Connection,
    batch: &mut Vec<Job>,
    jobs: &mut mpsc::Receiver<Job>,
) -> rusqlite::Result<()> {
    fill(batch, jobs);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut done = 0;
    while done < batch.len() {
        for job in &mut batch[done..] {
            run_one(&transaction, job)?;
        }
        done = batch.len();
        fill(batch, jobs);
    }
    transaction.commit()
}

fn fill(batch: &mut Vec<Job>, jobs: &mut mpsc::Receiver<Job>) {
    while batch.len() < BATCH {
        let Ok(job) = jobs.try_recv() else { return };
        batch.push(job);
    }
}

/// A closure that fails takes back what it did and nothing else, unless its error is one of the
/// whole ledger's.
fn run_one(transaction: &Transaction<'_>, job: &mut Job) -> rusqlite::Result<()> {
    transaction.prepare_cached("SAVEPOINT one")?.execute([])?;
    if let Err(code) = job.run(transaction) {
        // A full disk may have rolled back everything already.
        if transaction.is_autocommit() || is_the_ledgers(code) {
            let code = code.map_or(rusqlite::ffi::SQLITE_ABORT, primary);
            let error = rusqlite::ffi::Error::new(code);
            return Err(rusqlite::Error::SqliteFailure(error, None));
        }
        transaction.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE one")?.execute([])?;
    Ok(())
}

/// What is wrong with the file or the disk and not with the closure.
const fn is_the_ledgers(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::OutOfMemory
        )
    )
}

const fn primary(code: ErrorCode) -> std::os::raw::c_int {
    use rusqlite::ffi;
    #[expect(clippy::wildcard_enum_match_arm, reason = "only those of is_the_ledgers come here")]
    match code {
        ErrorCode::DiskFull => ffi::SQLITE_FULL,
        ErrorCode::SystemIoFailure => ffi::SQLITE_IOERR,
        ErrorCode::DatabaseBusy => ffi::SQLITE_BUSY,
        ErrorCode::DatabaseLocked => ffi::SQLITE_LOCKED,
        ErrorCode::ReadOnly => ffi::SQLITE_READONLY,
        ErrorCode::CannotOpen => ffi::SQLITE_CANTOPEN,
        ErrorCode::DatabaseCorrupt => ffi::SQLITE_CORRUPT,
        ErrorCode::NotADatabase => ffi::SQLITE_NOTADB,
        ErrorCode::OutOfMemory => ffi::SQLITE_NOMEM,
        _ => ffi::SQLITE_ABORT,
    }
}
