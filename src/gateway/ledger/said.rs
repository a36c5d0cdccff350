//! What agents and people say about letters: acknowledged, once more, never, let go. Not here: who may
//! say it.

use std::time::SystemTime;

use rusqlite::{Transaction, params};

use super::events::{EventId, millis, seq_of};
use super::state::State;

/// What came of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// The letter is done.
    Done,
    /// It had come to its end before.
    Already,
    /// There is no such event, or it has no letter to this group: an agent learns nothing about
    /// the events of others.
    NotYours,
}

/// The agent of `group` says that it has dealt with an event.
///
/// # Errors
/// As SQLite has them.
pub fn ack(
    transaction: &Transaction<'_>,
    event: &EventId,
    group: &str,
    now: SystemTime,
) -> rusqlite::Result<Acked> {
    let Some(seq) = seq_of(transaction, event)? else { return Ok(Acked::NotYours) };
    let done = transaction
        .prepare_cached(
            "UPDATE letters SET state = 'done', since = ?3, why = 'acknowledged' WHERE event = ?1 \
             AND addressee = ?2 AND state IN ('queued', 'delivered', 'taken', 'dead')",
        )?
        .execute(params![seq, group, millis(now)])?;
    if done > 0 {
        return Ok(Acked::Done);
    }
    let ended = transaction
        .prepare_cached(
            "SELECT 1 FROM letters WHERE event = ?1 AND addressee = ?2 AND state != 'held'",
        )?
        .exists(params![seq, group])?;
    Ok(if ended { Acked::Already } else { Acked::NotYours })
}

/// By hand: all letters of an event go out once more; answers how many.
///
/// # Errors
/// As SQLite has them.
pub fn replay(
    transaction: &Transaction<'_>,
    event: &EventId,
    now: SystemTime,
) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "UPDATE letters SET state = 'queued', since = ?2, due = ?2, why = 'replayed by hand' \
             WHERE event = (SELECT seq FROM events WHERE id = ?1)",
        )?
        .execute(params![event, millis(now)])
}

/// By hand: no letter of an event goes out any more; answers how many that were.
///
/// # Errors
/// As SQLite has them.
pub fn drop_event(
    transaction: &Transaction<'_>,
    event: &EventId,
    now: SystemTime,
) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "UPDATE letters SET state = 'dropped', since = ?2, why = 'dropped by hand' \
             WHERE event = (SELECT seq FROM events WHERE id = ?1) \
             AND state NOT IN ('done', 'dropped')",
        )?
        .execute(params![event, millis(now)])
}

/// What is held of a thread goes out (`true`) or is dropped; answers how many letters.
///
/// # Errors
/// As SQLite has them.
pub fn release(
    transaction: &Transaction<'_>,
    thread: &str,
    out: bool,
    now: SystemTime,
) -> rusqlite::Result<usize> {
    let (state, why) =
        if out { (State::Queued, "released") } else { (State::Dropped, "dropped by hand") };
    transaction
        .prepare_cached(
            "UPDATE letters SET state = ?2, since = ?3, due = ?3, why = ?4 WHERE state = 'held' \
             AND event IN (SELECT seq FROM events WHERE thread = ?1)",
        )?
        .execute(params![thread, state, millis(now), why])
}
