//! A letter on its way: what the courier asks, and what it notes. Not here: what moves a letter,
//! and what people and agents say about it.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::events::{EventId, millis, time};
use super::state::State;

/// A letter's name within the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterId(i64);

#[cfg(any(test, fuzzing))]
impl LetterId {
    /// One that no ledger has given.
    pub(crate) const fn of_a_test() -> Self {
        Self(0)
    }
}

/// A letter, without its attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its name here.
    pub id: LetterId,
    /// What it is about.
    pub event: EventId,
    /// When that came in.
    pub received: SystemTime,
    /// A name in `[gateway.groups]`.
    pub group: String,
    /// The short form.
    pub subject: String,
    /// What the agent reads.
    pub text: String,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// How often it was given to NanoClaw.
    pub deliveries: u32,
    /// The last time, unless there was none.
    pub last: Option<Delivery>,
}

/// One handing over to NanoClaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// 1 is the first.
    pub number: u32,
    /// The row's id in NanoClaw.
    pub row: String,
    /// NanoClaw's id of the chat.
    pub chat: String,
    /// The row's date in NanoClaw, as it stands there.
    pub row_time: String,
    /// Which life of NanoClaw it was given to; empty if none was seen.
    pub host: String,
    /// When.
    pub at: SystemTime,
    /// When its agent was woken by it.
    pub taken: Option<SystemTime>,
    /// How often NanoClaw was woken once more for it, and when last.
    pub wakes: u32,
    /// See `wakes`.
    pub woken: Option<SystemTime>,
}

/// The columns of a [`Letter`]; the last delivery's are NULL if there was none.
const LETTER: &str = "SELECT letters.id, events.id, events.received, letters.addressee, \
    letters.subject, letters.text, letters.state, letters.since, letters.deliveries, \
    last.number, last.row, last.chat, last.row_time, last.host, last.at, last.taken, last.wakes, \
    last.woken FROM letters JOIN events ON events.seq = letters.event \
    LEFT JOIN deliveries AS last \
    ON last.letter = letters.id AND last.number = letters.deliveries ";

/// The oldest letter that is to be given to a group now. Nearly all are due: the `+` keeps SQLite
/// from sorting all of them by their dates.
///
/// # Errors
/// As SQLite has them.
pub fn next(
    connection: &Connection,
    group: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<Letter>> {
    connection
        .prepare_cached(&format!(
            "{LETTER} WHERE letters.addressee = ?1 AND letters.state = 'queued' \
             AND +letters.due <= ?2 ORDER BY letters.id LIMIT 1"
        ))?
        .query_row(params![group, millis(now)], letter)
        .optional()
}

/// When the next letter of a group is due that is not due now.
///
/// # Errors
/// As SQLite has them.
pub fn next_due(
    connection: &Connection,
    group: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<SystemTime>> {
    let due: Option<i64> = connection
        .prepare_cached(
            "SELECT min(due) FROM letters WHERE addressee = ?1 AND state = 'queued' AND due > ?2",
        )?
        .query_row(params![group, millis(now)], |row| row.get(0))?;
    Ok(due.map(time))
}

/// The letters of a group that NanoClaw has and that are not at their end, the oldest first.
///
/// # Errors
/// As SQLite has them.
pub fn under_way(connection: &Connection, group: &str) -> rusqlite::Result<Vec<Letter>> {
    connection
        .prepare_cached(&format!(
            "{LETTER} WHERE letters.addressee = ?1 AND letters.state IN ('delivered', 'taken') \
             ORDER BY letters.id"
        ))?
        .query_map([group], letter)?
        .collect()
}

/// A letter's attachments: their number in the ledger and their names, in order.
///
/// # Errors
/// As SQLite has them.
pub fn attachments(
    connection: &Connection,
    letter: LetterId,
) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare_cached("SELECT id, name FROM attachments WHERE letter = ?1 ORDER BY id")?
        .query_map([letter.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// What is in an attachment.
///
/// # Errors
/// As SQLite has them.
pub fn attachment(connection: &Connection, number: i64) -> rusqlite::Result<Vec<u8>> {
    connection
        .prepare_cached("SELECT bytes FROM attachments WHERE id = ?1")?
        .query_row([number], |row| row.get(0))
}

/// NanoClaw has it.
///
/// # Errors
/// As SQLite has them.
pub fn delivered(
    transaction: &Transaction<'_>,
    letter: LetterId,
    delivery: &Delivery,
) -> rusqlite::Result<()> {
    let at = millis(delivery.at);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO deliveries (letter, number, row, chat, row_time, host, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            letter.0,
            delivery.number,
            delivery.row,
            delivery.chat,
            delivery.row_time,
            delivery.host,
            at
        ])?;
    transaction
        .prepare_cached(
            "UPDATE letters SET state = 'delivered', since = ?2, deliveries = ?3, why = '' \
             WHERE id = ?1 AND state = 'queued'",
        )?
        .execute(params![letter.0, at, delivery.number])?;
    Ok(())
}

/// What was found out about the last delivery since: the row's id and date, and the life of
/// NanoClaw that has it.
///
/// # Errors
/// As SQLite has them.
pub fn confirmed(
    transaction: &Transaction<'_>,
    letter: LetterId,
    row: &str,
    row_time: &str,
    host: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET row = ?2, row_time = ?3, host = ?4 WHERE letter = ?1 \
             AND number = (SELECT deliveries FROM letters WHERE id = ?1)",
        )?
        .execute(params![letter.0, row, row_time, host])?;
    Ok(())
}

/// Its agent was woken by it.
///
/// # Errors
/// As SQLite has them.
pub fn taken(
    transaction: &Transaction<'_>,
    letter: LetterId,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let changed = transaction
        .prepare_cached(
            "UPDATE letters SET state = 'taken', since = ?2 WHERE id = ?1 AND state = 'delivered'",
        )?
        .execute(params![letter.0, millis(now)])?;
    if changed > 0 {
        transaction
            .prepare_cached(
                "UPDATE deliveries SET taken = ?2 WHERE letter = ?1 AND number = \
                 (SELECT deliveries FROM letters WHERE id = ?1)",
            )?
            .execute(params![letter.0, millis(now)])?;
    }
    Ok(())
}

/// NanoClaw has taken its cursor back and will wake the agent again by itself.
///
/// # Errors
/// As SQLite has them.
pub fn given_back(
    transaction: &Transaction<'_>,
    letter: LetterId,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let changed = transaction
        .prepare_cached(
            "UPDATE letters SET state = 'delivered', since = ?2 WHERE id = ?1 AND state = 'taken'",
        )?
        .execute(params![letter.0, millis(now)])?;
    if changed > 0 {
        transaction
            .prepare_cached("UPDATE deliveries SET taken = NULL WHERE letter = ?1")?
            .execute([letter.0])?;
    }
    Ok(())
}

/// NanoClaw was woken once more for it.
///
/// # Errors
/// As SQLite has them.
pub fn woken(
    transaction: &Transaction<'_>,
    letter: LetterId,
    now: SystemTime,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET wakes = wakes + 1, woken = ?2 WHERE letter = ?1 AND number = \
             (SELECT deliveries FROM letters WHERE id = ?1)",
        )?
        .execute(params![letter.0, millis(now)])?;
    Ok(())
}

/// It must be given to NanoClaw once more, from `due` on.
///
/// # Errors
/// As SQLite has them.
pub fn again(
    transaction: &Transaction<'_>,
    letter: LetterId,
    why: &str,
    due: SystemTime,
    now: SystemTime,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE letters SET state = 'queued', since = ?2, due = ?3, why = ?4 \
             WHERE id = ?1 AND state IN ('delivered', 'taken')",
        )?
        .execute(params![letter.0, millis(now), millis(due), why])?;
    Ok(())
}

/// It has come to its end: done, or dead. One that is at its end already stays as it is.
///
/// # Errors
/// As SQLite has them.
pub fn end(
    transaction: &Transaction<'_>,
    letter: LetterId,
    state: State,
    why: &str,
    now: SystemTime,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE letters SET state = ?2, since = ?3, why = ?4 \
             WHERE id = ?1 AND state NOT IN ('done', 'dead', 'dropped')",
        )?
        .execute(params![letter.0, state, millis(now), why])?;
    Ok(())
}

/// Says what keeps the letters of a group from being delivered; `None`: nothing. The date stays
/// that of the first time.
///
/// # Errors
/// As SQLite has them.
pub fn trouble(
    transaction: &Transaction<'_>,
    group: &str,
    why: Option<&str>,
    now: SystemTime,
) -> rusqlite::Result<()> {
    match why {
        Some(why) => transaction
            .prepare_cached(
                "INSERT INTO troubles (addressee, why, since) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (addressee) DO UPDATE SET why = ?2",
            )?
            .execute(params![group, why, millis(now)])?,
        None => transaction
            .prepare_cached("DELETE FROM troubles WHERE addressee = ?1")?
            .execute([group])?,
    };
    Ok(())
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let last = match row.get::<_, Option<u32>>(9)? {
        Some(number) => Some(Delivery {
            number,
            row: row.get(10)?,
            chat: row.get(11)?,
            row_time: row.get(12)?,
            host: row.get(13)?,
            at: time(row.get(14)?),
            taken: row.get::<_, Option<i64>>(15)?.map(time),
            wakes: row.get(16)?,
            woken: row.get::<_, Option<i64>>(17)?.map(time),
        }),
        None => None,
    };
    Ok(Letter {
        id: LetterId(row.get(0)?),
        event: row.get(1)?,
        received: time(row.get(2)?),
        group: row.get(3)?,
        subject: row.get(4)?,
        text: row.get(5)?,
        state: row.get(6)?,
        since: time(row.get(7)?),
        deliveries: row.get(8)?,
        last,
    })
}
