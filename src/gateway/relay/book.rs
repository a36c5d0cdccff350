//! What is kept of messages, so that the rule against endless talk survives a restart: who wrote to
//! whom, how far from the outside, and which threads are held. Tables `messages` and `threads` of
//! the ledger. Not here: the rule itself (see [`super::guard`]).

use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::guard::{ECHO_WITHIN, PATH_WITHIN, Past, THREAD_WITHIN};
use crate::gateway::ledger::{EventId, said};

/// A message that is about to be judged.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who wrote it.
    pub from: String,
    /// Who shall read it.
    pub to: String,
    /// What it is about.
    pub thread: String,
    /// By which the same words are known.
    pub digest: Vec<u8>,
}

/// A thread that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub thread: String,
    /// Why.
    pub why: String,
    /// How many letters wait in it.
    pub letters: u32,
    /// From when on its messages count, in milliseconds since 1970: whenever it is held once more,
    /// that is another date.
    pub counted_from: i64,
}

/// What is known of the past of `entry`.
///
/// # Errors
/// As SQLite has them.
pub fn past(connection: &Connection, entry: &Entry, now: SystemTime) -> rusqlite::Result<Past> {
    let now = millis(now);
    let since = |within: Duration| now - span(within);
    let cause = connection
        .prepare_cached(
            "SELECT COALESCE(messages.hop, 0) FROM letters \
             LEFT JOIN messages ON messages.event = letters.event \
             WHERE letters.addressee = ?1 AND letters.deliveries > 0 \
             ORDER BY letters.id DESC LIMIT 1",
        )?
        .query_row([&entry.from], |row| row.get(0))
        .optional()?;
    let on_path = connection
        .prepare_cached(
            "SELECT at FROM messages WHERE sender = ?1 AND addressee = ?2 AND at > ?3 ORDER BY at",
        )?
        .query_map(params![entry.from, entry.to, since(PATH_WITHIN)], |row| {
            let at: i64 = row.get(0)?;
            Ok(Duration::from_millis(u64::try_from(now - at).unwrap_or(0)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let thread: Option<(bool, i64)> = connection
        .prepare_cached("SELECT held, counted_from FROM threads WHERE thread = ?1")?
        .query_row([&entry.thread], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let counted_from = thread.map_or(i64::MIN, |(_, from)| from).max(since(THREAD_WITHIN));
    let in_thread = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE thread = ?1 AND at > ?2")?
        .query_row(params![entry.thread, counted_from], |row| row.get(0))?;
    Ok(Past {
        cause,
        on_path,
        in_thread,
        echo: echoed(connection, entry, now)?.is_some(),
        held: thread.is_some_and(|(held, _)| held),
    })
}

/// The event that said the same between the same two, a short time ago.
///
/// # Errors
/// As SQLite has them.
pub fn echo_of(
    connection: &Connection,
    entry: &Entry,
    now: SystemTime,
) -> rusqlite::Result<Option<EventId>> {
    echoed(connection, entry, millis(now))
}

fn echoed(connection: &Connection, entry: &Entry, now: i64) -> rusqlite::Result<Option<EventId>> {
    connection
        .prepare_cached(
            "SELECT events.id FROM messages JOIN events ON events.seq = messages.event \
             WHERE messages.digest = ?1 AND messages.at > ?2 \
             AND ((sender = ?3 AND addressee = ?4) OR (sender = ?4 AND addressee = ?3)) \
             ORDER BY messages.at LIMIT 1",
        )?
        .query_row(params![entry.digest, now - span(ECHO_WITHIN), entry.from, entry.to], |row| {
            row.get(0)
        })
        .optional()
}

/// Notes a message that was stored as `event`.
///
/// # Errors
/// As SQLite has them.
pub fn note(
    transaction: &Transaction<'_>,
    event: &EventId,
    entry: &Entry,
    hop: u32,
    now: SystemTime,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO messages (event, sender, addressee, thread, digest, hop, at) \
             SELECT seq, ?2, ?3, ?4, ?5, ?6, ?7 FROM events WHERE id = ?1",
        )?
        .execute(params![
            event,
            entry.from,
            entry.to,
            entry.thread,
            entry.digest,
            hop,
            millis(now)
        ])?;
    Ok(())
}

/// Holds a thread: `true` if it was not held before.
///
/// # Errors
/// As SQLite has them.
pub fn hold(
    transaction: &Transaction<'_>,
    thread: &str,
    why: &str,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "INSERT INTO threads (thread, held, why, counted_from) VALUES (?1, 1, ?2, ?3) \
             ON CONFLICT (thread) DO UPDATE SET held = 1, why = ?2 WHERE held = 0",
        )?
        .execute(params![thread, why, millis(now) - span(THREAD_WITHIN)])?;
    Ok(changed > 0)
}

/// Lets a thread go on: what was held in it is delivered, and it is counted anew, for a person has
/// looked. How many letters there were; `None` if it is not held.
///
/// # Errors
/// As SQLite has them.
pub fn release(
    transaction: &Transaction<'_>,
    thread: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<usize>> {
    if !end_hold(transaction, thread, now)? {
        return Ok(None);
    }
    transaction.execute(
        "UPDATE messages SET hop = 0 WHERE event IN (SELECT event FROM letters WHERE state = 'held') \
         AND thread = ?1",
        [thread],
    )?;
    let released = said::release(transaction, thread, true, now)?;
    Ok(Some(released))
}

/// Lets a thread go on without what was held in it. How many letters there were; `None` if it is
/// not held.
///
/// # Errors
/// As SQLite has them.
pub fn drop_held(
    transaction: &Transaction<'_>,
    thread: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<usize>> {
    if !end_hold(transaction, thread, now)? {
        return Ok(None);
    }
    let dropped = said::release(transaction, thread, false, now)?;
    Ok(Some(dropped))
}

fn end_hold(
    transaction: &Transaction<'_>,
    thread: &str,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let changed = transaction.execute(
        "UPDATE threads SET held = 0, why = '', counted_from = ?2 WHERE thread = ?1 AND held = 1",
        params![thread, millis(now)],
    )?;
    Ok(changed > 0)
}

/// The threads that are held.
///
/// # Errors
/// As SQLite has them.
pub fn held(connection: &Connection) -> rusqlite::Result<Vec<Held>> {
    connection
        .prepare_cached(
            "SELECT thread, why, (SELECT count(*) FROM letters JOIN events ON events.seq = \
             letters.event WHERE events.thread = threads.thread AND letters.state = 'held'), \
             counted_from FROM threads WHERE held = 1 ORDER BY thread",
        )?
        .query_map([], |row| {
            let (thread, why) = (row.get(0)?, row.get(1)?);
            Ok(Held { thread, why, letters: row.get(2)?, counted_from: row.get(3)? })
        })?
        .collect()
}

/// Notes that something was done now, by a name of ours.
///
/// # Errors
/// As SQLite has them.
pub fn mark(transaction: &Transaction<'_>, name: &str, now: SystemTime) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO dates (name, at) VALUES (?1, ?2)")?
        .execute(params![name, millis(now)])?;
    Ok(())
}

/// When something was done last, if ever.
///
/// # Errors
/// As SQLite has them.
pub fn marked(connection: &Connection, name: &str) -> rusqlite::Result<Option<SystemTime>> {
    let at: Option<i64> = connection
        .prepare_cached("SELECT at FROM dates WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let at = at.map(|at| Duration::from_millis(u64::try_from(at).unwrap_or(0)));
    Ok(at.map(|at| SystemTime::UNIX_EPOCH + at))
}

/// Milliseconds since 1970.
fn millis(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, span)
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
