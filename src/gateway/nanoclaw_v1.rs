//! Giving letters to NanoClaw 1.x by a row of its database, so that no person's message is lost by
//! it and no letter either. Not here: the queue, and when to try again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::courier::{Addressee, drop_off};
use crate::nanoclaw::v1::{self, Cursors, Group};
use crate::nanoclaw::{Unfit, files};

pub(super) mod fate;
pub(crate) mod row_time;

/// NanoClaw reads the newest ten messages of a chat and loses the others: with so many unread ones a
/// row of ours would push a person's message out.
const UNREAD_MAX: i64 = 9;

/// A person's message bears the whole second in which it was sent, and comes in a little later. So
/// long after a date all messages of its second are there.
const SECOND_IS_OVER: Duration = Duration::from_secs(2);

/// So much of a date is its whole second: `2026-05-27T06:15:25`.
const WHOLE_SECOND: usize = 19;

/// Where a group's folder is in its container.
pub(super) const IN_CONTAINER: &str = "/workspace/group";

/// A row that is to be inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The same for the same delivery, whatever happens in between.
    pub(super) id: String,
    /// What the agent reads.
    pub(super) content: String,
    /// It only wakes an agent for what is there already.
    pub(super) wake: bool,
    /// It is inserted however many messages are unread.
    pub(super) crowds: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It is there, now or since an earlier try that was not noted.
    Row {
        /// Its date, as it stands there.
        time: String,
        /// The chat.
        chat: String,
    },
    /// An earlier row of ours is not taken yet.
    Outstanding,
    /// Too many messages are unread.
    Crowded,
    /// The second is not over; that long.
    Soon(Duration),
}

/// What one look at the database has shown.
#[derive(Debug)]
pub(super) struct Look {
    /// How far NanoClaw has read.
    pub(super) cursors: Cursors,
    /// Each group by our name for it.
    pub(super) groups: BTreeMap<String, Result<Group, Unfit>>,
    /// Which of the rows that were asked for are there.
    pub(super) rows: BTreeMap<String, bool>,
}

/// Reads all that the courier wants to know, at once: opened, read, closed.
///
/// # Errors
/// [`Unfit`]: nobody can be given anything.
pub(super) fn look(
    directory: &Path,
    addressees: &[Addressee],
    rows: &[(String, String)],
) -> Result<Look, Unfit> {
    let path = v1::path(directory);
    let fail = |error: rusqlite::Error| Unfit::database(&path, &error);
    let mut connection = v1::open(directory)?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(fail)?;
    let snapshot = connection.transaction().map_err(fail)?;
    v1::check_schema(&snapshot, &path)?;
    let group = |it: &Addressee| v1::group(&snapshot, &path, &it.folder, it.chat.as_deref());
    let groups = addressees.iter().map(|it| (it.name.clone(), group(it))).collect();
    let mut there = BTreeMap::new();
    for (row, chat) in rows {
        let time = v1::row_time(&snapshot, row, chat).map_err(fail)?;
        there.insert(row.clone(), time.is_some());
    }
    Ok(Look { cursors: v1::cursors(&snapshot).map_err(fail)?, groups, rows: there })
}

/// Inserts a row, in one short transaction that has the lock from its beginning on.
///
/// # Errors
/// [`Unfit`]: nothing was inserted.
pub(super) fn insert(
    directory: &Path,
    addressee: &Addressee,
    row: &Row,
    now: SystemTime,
) -> Result<Inserted, Unfit> {
    let path = v1::path(directory);
    let fail = |error: rusqlite::Error| Unfit::database(&path, &error);
    let mut connection = v1::open(directory)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    v1::check_schema(&transaction, &path)?;
    let group = v1::group(&transaction, &path, &addressee.folder, addressee.chat.as_deref())?;
    let inserted = within(&transaction, &path, &group, row, now)?;
    transaction.commit().map_err(fail)?;
    Ok(inserted)
}

fn within(
    transaction: &Transaction<'_>,
    path: &Path,
    group: &Group,
    row: &Row,
    now: SystemTime,
) -> Result<Inserted, Unfit> {
    let fail = |error: rusqlite::Error| Unfit::database(path, &error);
    if let Some(time) = v1::row_time(transaction, &row.id, &group.jid).map_err(fail)? {
        return Ok(Inserted::Row { time, chat: group.jid.clone() });
    }
    let cursors = v1::cursors(transaction).map_err(fail)?;
    // What NanoClaw has passed over in a chat that it never read is not unread.
    let read = cursors.chats.get(&group.jid).unwrap_or(&cursors.global).as_str();
    if !row.wake && has_unread_of_ours(transaction, &group.jid, read).map_err(fail)? {
        return Ok(Inserted::Outstanding);
    }
    let crowded = || unread(transaction, &group.jid, read).map(|it| it >= UNREAD_MAX);
    if !row.crowds && crowded().map_err(fail)? {
        return Ok(Inserted::Crowded);
    }
    let newest = newest_message(transaction).map_err(fail)?;
    let cursor = cursors.chats.values().chain([&cursors.global]).max().map_or("", String::as_str);
    let latest = cursor.max(newest.as_str());
    let soon = second_is_not_over(transaction, group, &cursors, latest, now).map_err(fail)?;
    if let Some(soon) = soon {
        return Ok(Inserted::Soon(soon));
    }
    let Some(time) = row_time::after(latest, now) else {
        return Err(Unfit::NotADate { text: latest.into() });
    };
    transaction
        .execute(
            "INSERT OR IGNORE INTO messages \
             (id, chat_jid, sender, sender_name, content, timestamp, is_from_me, is_bot_message) \
             VALUES (?1, ?2, 'gateway', 'gateway', ?3, ?4, 0, 0)",
            params![row.id, group.jid, row.content, time],
        )
        .map_err(fail)?;
    Ok(Inserted::Row { time, chat: group.jid.clone() })
}

/// Shows a short text in the group's chat, as if its agent had said it. The name of the file is the
/// same for the same delivery.
///
/// # Errors
/// As the system has them: the folder may not be there before the group's first container is.
pub(super) fn show(
    directory: &Path,
    folder: &str,
    chat: &str,
    row: &str,
    text: &str,
) -> io::Result<()> {
    let message = serde_json::json!({ "type": "message", "chatJid": chat, "text": text });
    let base = directory.join("data/ipc").join(folder);
    if !base.exists() && !is_ours(&directory.join("data/ipc")) {
        // Made by another user than NanoClaw's own, it would keep NanoClaw out.
        return Err(io::ErrorKind::NotFound.into());
    }
    let name = format!("{row}.json");
    let bytes = message.to_string().into_bytes();
    if base.exists() {
        drop_off::put(&base, &["messages"], &name, &bytes, false)
    } else {
        drop_off::put(&directory.join("data/ipc"), &[folder, "messages"], &name, &bytes, false)
    }
}

/// Since when a message lies in the folder from which the group's container takes its input.
pub(super) fn stranded(directory: &Path, folder: &str) -> Option<SystemTime> {
    files::oldest(&directory.join("data/ipc").join(folder).join("input"), ".json")
}

fn is_ours(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(folder).map(|it| it.uid());
    owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
}

/// Our rows are found by their names: the range is that of the primary key.
fn has_unread_of_ours(connection: &Connection, jid: &str, read: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE id >= 'gw-' AND id < 'gw.' \
         AND chat_jid = ?1 AND timestamp > ?2 AND id NOT LIKE '%-wake-%')",
        params![jid, read],
        |row| row.get(0),
    )
}

fn unread(connection: &Connection, jid: &str, read: &str) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT count(*) FROM (SELECT 1 FROM messages WHERE chat_jid = ?1 AND timestamp > ?2 \
         AND is_bot_message = 0 AND content != '' LIMIT ?3)",
        params![jid, read, UNREAD_MAX],
        |row| row.get(0),
    )
}

fn newest_message(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT coalesce(max(timestamp), '') FROM messages", [], |row| row.get(0))
}

/// A row is a millisecond after all that there is. If that is in a second which this chat itself has
/// not reached, the row alone would move its cursor past what people may still write in that second.
/// It reaches it by a message that NanoClaw is going to read, or has read.
fn second_is_not_over(
    connection: &Connection,
    group: &Group,
    cursors: &Cursors,
    latest: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<Duration>> {
    let Some(at) = row_time::parse(latest) else { return Ok(None) };
    let soon = (at + SECOND_IS_OVER).duration_since(now).ok();
    // A date in the future is a fault that waiting does not mend.
    let Some(soon) = soon.filter(|soon| *soon <= SECOND_IS_OVER) else { return Ok(None) };
    let second = latest.get(..WHOLE_SECOND).unwrap_or(latest);
    if cursors.chats.get(&group.jid).is_some_and(|own| own.as_str() >= second) {
        return Ok(None);
    }
    let has_reached_it: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE timestamp >= ?1 AND timestamp > ?3 \
         AND chat_jid = ?2 AND is_bot_message = 0)",
        [second, &group.jid, &cursors.global],
        |row| row.get(0),
    )?;
    Ok(Some(soon).filter(|_| !has_reached_it))
}

#[cfg(test)]
pub(super) mod tests;
