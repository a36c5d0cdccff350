//! The database of NanoClaw 1.x, `store/messages.db`: is it the one that we know, which groups has
//! it, how far has it read. Not here: writing to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Unfit, is_folder};

/// How long a lock of NanoClaw's is waited for. It holds none longer than a moment, and somebody
/// else who does harms NanoClaw, not us: we come again.
pub const LOCK_WAITS: Duration = Duration::from_secs(3);

/// What we need of its tables. Later versions have more.
const NEEDED: &[(&str, &[&str])] = &[
    ("chats", &["jid"]),
    (
        "messages",
        &[
            "id",
            "chat_jid",
            "sender",
            "sender_name",
            "content",
            "timestamp",
            "is_from_me",
            "is_bot_message",
        ],
    ),
    ("router_state", &["key", "value"]),
    ("registered_groups", &["jid", "folder", "container_config", "requires_trigger"]),
];

/// A group, as NanoClaw has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its chat.
    pub jid: String,
    /// Its folder.
    pub folder: String,
}

/// How far NanoClaw has read. Dates are texts and compared as such, as NanoClaw does it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Of all chats: what is not later wakes nobody.
    pub global: String,
    /// Of each chat: what is not later is never read again.
    pub chats: BTreeMap<String, String>,
}

/// Where the database lies.
pub fn path(directory: &Path) -> PathBuf {
    directory.join("store/messages.db")
}

/// Opens the database for a moment. It is never made, and a lock is waited for only shortly. To read
/// it as well: what NanoClaw left half-written when it was killed can be taken back by writing only.
///
/// # Errors
/// [`Unfit::Database`].
pub fn open(directory: &Path) -> Result<Connection, Unfit> {
    let path = path(directory);
    let fail = |error| Unfit::database(&path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
    connection.busy_timeout(LOCK_WAITS).map_err(fail)?;
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(fail)?;
    Ok(connection)
}

/// Whether it has all that we need.
///
/// # Errors
/// [`Unfit::Drift`], [`Unfit::Database`].
pub fn check_schema(connection: &Connection, path: &Path) -> Result<(), Unfit> {
    for (table, columns) in NEEDED {
        let there = columns_of(connection, table).map_err(|err| Unfit::database(path, &err))?;
        if there.is_empty() {
            return Err(Unfit::Drift { what: format!("table {table}") });
        }
        if let Some(missing) = columns.iter().find(|it| !there.iter().any(|have| have == *it)) {
            return Err(Unfit::Drift { what: format!("column {table}.{missing}") });
        }
    }
    Ok(())
}

/// The columns of a table; none if there is no such table.
pub(super) fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

/// Finds a group by its folder, and makes sure that a letter to it wakes its agent.
///
/// # Errors
/// [`Unfit`]: what is wrong with it.
pub fn group(
    connection: &Connection,
    path: &Path,
    folder: &str,
    jid: Option<&str>,
) -> Result<Group, Unfit> {
    let fail = |error: rusqlite::Error| Unfit::database(path, &error);
    let row = connection
        .query_row(
            "SELECT jid, requires_trigger, container_config FROM registered_groups \
             WHERE folder = ?1",
            [folder],
            |row| {
                let trigger: Option<i64> = row.get(1)?;
                Ok((row.get::<_, String>(0)?, trigger, row.get::<_, Option<String>>(2)?))
            },
        )
        .optional()
        .map_err(fail)?;
    let Some((theirs, requires_trigger, config)) = row.filter(|_| is_folder(folder)) else {
        return Err(Unfit::NoGroup { folder: folder.into() });
    };
    if let Some(ours) = jid.filter(|ours| *ours != theirs) {
        return Err(Unfit::OtherChat { folder: folder.into(), theirs, ours: ours.into() });
    }
    let chat: bool = connection
        .query_row("SELECT EXISTS (SELECT 1 FROM chats WHERE jid = ?1)", [&theirs], |row| {
            row.get(0)
        })
        .map_err(fail)?;
    if !chat {
        return Err(Unfit::NoChat { jid: theirs });
    }
    // NULL counts as required. The main group never needs a trigger.
    if requires_trigger != Some(0) && !is_main(connection, folder).map_err(fail)? {
        return Err(Unfit::NeedsTrigger { folder: folder.into() });
    }
    if config.is_some_and(|it| serde_json::from_str::<serde_json::Value>(&it).is_err()) {
        return Err(Unfit::ContainerConfig { folder: folder.into() });
    }
    Ok(Group { jid: theirs, folder: folder.into() })
}

/// The folders of this machine that the container of a group sees besides its own, as its
/// `container_config` names them; NanoClaw refuses those that its allowlist does not name.
///
/// # Errors
/// As SQLite has them.
pub fn mounts(connection: &Connection, folder: &str) -> rusqlite::Result<Vec<PathBuf>> {
    let config: Option<String> = connection
        .query_row(
            "SELECT container_config FROM registered_groups WHERE folder = ?1",
            [folder],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    let config: serde_json::Value =
        config.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mounts = config["additionalMounts"].as_array().into_iter().flatten();
    Ok(mounts.filter_map(|mount| Some(mount["hostPath"].as_str()?.into())).collect())
}

/// How far NanoClaw has read.
///
/// # Errors
/// As SQLite has them.
pub fn cursors(connection: &Connection) -> rusqlite::Result<Cursors> {
    let value = |key: &str| {
        connection
            .query_row("SELECT value FROM router_state WHERE key = ?1", [key], |row| {
                row.get::<_, String>(0)
            })
            .optional()
    };
    let global = value("last_timestamp")?.unwrap_or_default();
    // What cannot be read, NanoClaw itself takes for empty.
    let chats = value("last_agent_timestamp")?;
    let chats = chats.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(Cursors { global, chats })
}

/// The date of a row; `None` if there is no such row.
///
/// # Errors
/// As SQLite has them.
pub fn row_time(connection: &Connection, id: &str, jid: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT timestamp FROM messages WHERE id = ?1 AND chat_jid = ?2",
            params![id, jid],
            |row| row.get(0),
        )
        .optional()
}

/// Older ones have no such column, and know the main group by its folder.
fn is_main(connection: &Connection, folder: &str) -> rusqlite::Result<bool> {
    if !columns_of(connection, "registered_groups")?.iter().any(|name| name == "is_main") {
        return Ok(folder == "main");
    }
    connection.query_row(
        "SELECT coalesce(is_main, 0) = 1 FROM registered_groups WHERE folder = ?1",
        [folder],
        |row| row.get(0),
    )
}
