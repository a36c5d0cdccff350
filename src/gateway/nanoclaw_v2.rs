//! Giving letters to NanoClaw 2.x by the socket that it has for it, and finding out what has become
//! of them. Not here: the queue, and when to try again.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use crate::nanoclaw::Unfit;
use crate::nanoclaw::v2::{self, Found, Wiring};
use crate::world::clock;

/// How long NanoClaw may take to take a line: it has a buffer for that.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// How long the lock of a session's database is waited for; the container writes to it.
const LOCK_WAITS: Duration = Duration::from_secs(2);

/// Where a group's folder is in its container.
pub(super) const IN_CONTAINER: &str = "/workspace/agent";

/// A connection to NanoClaw: it lives.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

/// Connects to NanoClaw's socket.
///
/// # Errors
/// [`Unfit::File`]: it does not run, or the socket is not for us.
pub(super) fn connect(directory: &Path) -> Result<Line, Unfit> {
    let path = v2::socket(directory);
    let stream = UnixStream::connect(&path).map_err(|error| Unfit::file(&path, &error))?;
    stream.set_write_timeout(Some(SEND_WITHIN)).map_err(|error| Unfit::file(&path, &error))?;
    Ok(Line(stream))
}

impl Line {
    /// Sends one message. NanoClaw says nothing to that.
    ///
    /// # Errors
    /// As the system has them; it may have arrived all the same.
    pub(super) fn send(mut self, wiring: &Wiring, text: &str) -> io::Result<()> {
        let message = serde_json::json!({
            "text": text,
            "to": {
                "channelType": wiring.channel_type,
                "platformId": wiring.platform_id,
                "threadId": null,
            },
            "sender": "gateway",
            "senderId": "gateway",
        });
        self.0.write_all(format!("{message}\n").as_bytes())?;
        self.0.shutdown(std::net::Shutdown::Write)
    }
}

/// Shows a short text in the chat of the session that has the message, as if its agent had said it.
/// Once: the id is that of the delivery.
///
/// # Errors
/// As SQLite has them: the container may be writing.
pub(super) fn show(
    found: &Found,
    wiring: &Wiring,
    id: &str,
    text: &str,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(found.session.join("outbound.db"), flags)?;
    connection.busy_timeout(LOCK_WAITS)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // NanoClaw compares these dates with those of SQLite's own clock. No number: numbers are the
    // agent's names for messages, and the container gives them.
    let date = clock::rfc3339(now).replace('T', " ").replace('Z', "");
    transaction.execute(
        "INSERT OR IGNORE INTO messages_out \
         (id, timestamp, kind, platform_id, channel_type, content) \
         VALUES (?1, ?2, 'chat', ?3, ?4, ?5)",
        params![
            id,
            date,
            wiring.platform_id,
            wiring.channel_type,
            serde_json::json!({ "text": text }).to_string()
        ],
    )?;
    transaction.commit()
}

#[cfg(test)]
pub(super) mod tests;
