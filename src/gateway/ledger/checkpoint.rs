//! Copies the ledger's log into its file, on a thread of its own: whoever writes would be held up for
//! as long as the disk takes. Not here: the last few pages, which the writer copies itself, because
//! its log begins anew only when nothing is left to copy.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use rusqlite::{Connection, OpenFlags};

/// After so many writes the log is copied.
const WRITES: usize = 512;
/// So few pages hold nobody up.
const FEW: i64 = 256;
/// Each time, less has come meanwhile.
const TIMES: usize = 5;

/// What the writer knows of it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    asks: mpsc::SyncSender<()>,
    is_nearly_done: Arc<AtomicBool>,
    writes: usize,
}

impl Checkpoints {
    /// Starts the thread; without one, SQLite copies the log by itself now and then.
    pub(super) fn start(path: &Path) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).ok()?;
        let (asks, asked) = mpsc::sync_channel(1);
        let is_nearly_done = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_nearly_done);
        let copies = move || {
            while asked.recv().is_ok() {
                let nearly = (0..TIMES).any(|_| copy(&connection).is_some_and(|left| left <= FEW));
                told.store(nearly, Ordering::Release);
            }
        };
        thread::Builder::new().name("ledger-copy".into()).spawn(copies).ok()?;
        Some(Self { asks, is_nearly_done, writes: 0 })
    }

    /// To be called between two transactions of `writer`, with how many writes the last one held.
    pub(super) fn after(&mut self, writes: usize, writer: &Connection) {
        if self.is_nearly_done.swap(false, Ordering::Acquire) {
            // Whatever is left is left to the next time.
            let _ = copy(writer);
        }
        self.writes += writes;
        if self.writes >= WRITES && self.asks.try_send(()).is_ok() {
            self.writes = 0;
        }
    }
}

/// Copies what nobody needs in the log any more; how many pages are left in it, if that is known.
fn copy(connection: &Connection) -> Option<i64> {
    let left = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], left).ok()
}
