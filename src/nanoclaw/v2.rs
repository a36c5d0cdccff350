//! The databases of NanoClaw 2.x: how a chat is wired to an agent's group (`data/v2.db`), and what
//! has become of a message in the sessions of that group (`data/v2-sessions/GROUP/SESSION/`). Not
//! here: sending one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{Unfit, is_folder, v1};

/// How long a lock is waited for.
const LOCK_WAITS: Duration = Duration::from_secs(3);

/// What we need of its tables.
const NEEDED: &[(&str, &[&str])] = &[
    ("agent_groups", &["id", "folder"]),
    ("messaging_groups", &["id", "channel_type", "platform_id", "unknown_sender_policy"]),
    (
        "messaging_group_agents",
        &["messaging_group_id", "agent_group_id", "engage_mode", "engage_pattern", "sender_scope"],
    ),
];

/// Where a letter to a group is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// NanoClaw's id of the agent's group; also a folder's name.
    pub group: String,
    /// `whatsapp`, `telegram`, `cli`, …
    pub channel_type: String,
    /// The chat's id in that channel.
    pub platform_id: String,
}

/// A message that NanoClaw has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The folder of its session.
    pub session: PathBuf,
    /// Its id.
    pub id: String,
    /// When it came in, as it stands there.
    pub timestamp: String,
    /// What has become of it.
    pub progress: Progress,
    /// Since when, to the second, if its container has noted that.
    pub since: Option<SystemTime>,
}

/// What has become of a message, from the container's own word where there is one: the host's is
/// up to a minute late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing yet.
    Pending,
    /// The runner in its container has it.
    Processing,
    /// Its agent has been given it, and NanoClaw gives it to nobody else. That is noted when a turn
    /// is over; for what comes while one is under way, as soon as it is queued behind that; and for
    /// what an error has ended, too.
    Completed,
    /// NanoClaw has given it up.
    Failed,
}

/// The socket that takes messages.
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("data/cli.sock")
}

/// Finds how a group is wired, and makes sure that a message from us is not dropped. NanoClaw gives
/// what comes into a chat to all groups that are wired to it: one that has it alone goes first.
///
/// # Errors
/// [`Unfit`].
pub fn wiring(directory: &Path, folder: &str, chat: Option<&str>) -> Result<Wiring, Unfit> {
    let path = directory.join("data/v2.db");
    let fail = |error: rusqlite::Error| Unfit::database(&path, &error);
    let connection = open(&path).map_err(fail)?;
    for (table, columns) in NEEDED {
        let there = v1::columns_of(&connection, table).map_err(fail)?;
        if let Some(missing) = columns.iter().find(|it| !there.iter().any(|have| have == *it)) {
            return Err(Unfit::Drift { what: format!("column {table}.{missing}") });
        }
    }
    let group: Option<String> = connection
        .query_row("SELECT id FROM agent_groups WHERE folder = ?1", [folder], |row| row.get(0))
        .optional()
        .map_err(fail)?;
    let Some(group) = group.filter(|_| is_folder(folder)) else {
        return Err(Unfit::NoGroup { folder: folder.into() });
    };
    let mut statement = connection
        .prepare(
            "SELECT chats.channel_type, chats.platform_id, chats.unknown_sender_policy, \
             wires.engage_mode, wires.engage_pattern, wires.sender_scope \
             FROM messaging_group_agents AS wires \
             JOIN messaging_groups AS chats ON chats.id = wires.messaging_group_id \
             WHERE wires.agent_group_id = ?1 ORDER BY (SELECT count(*) FROM \
             messaging_group_agents AS others WHERE others.messaging_group_id = chats.id), chats.id",
        )
        .map_err(fail)?;
    let wires = statement
        .query_map([&group], |row| {
            Ok(Wire {
                channel_type: row.get(0)?,
                platform_id: row.get(1)?,
                policy: row.get(2)?,
                mode: row.get(3)?,
                pattern: row.get(4)?,
                scope: row.get(5)?,
            })
        })
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(fail)?;
    let wires = wires.into_iter().filter(|wire| chat.is_none_or(|chat| wire.platform_id == chat));
    let mut why = match chat {
        Some(chat) => {
            format!("it is not wired to the chat {chat}; wire it with ncl wirings-create")
        }
        None => "it is wired to no chat; wire it with ncl wirings-create".into(),
    };
    for wire in wires {
        match wire.drops() {
            None => {
                let Wire { channel_type, platform_id, .. } = wire;
                return Ok(Wiring { group, channel_type, platform_id });
            }
            Some(reason) => why = format!("its chat {} {reason}", wire.platform_id),
        }
    }
    Err(Unfit::Wiring { folder: folder.into(), why })
}

struct Wire {
    channel_type: String,
    platform_id: String,
    policy: Option<String>,
    mode: Option<String>,
    pattern: Option<String>,
    scope: Option<String>,
}

impl Wire {
    /// Why NanoClaw would drop what we send, silently.
    fn drops(&self) -> Option<&'static str> {
        let is = |field: &Option<String>, word: &str| field.as_deref() == Some(word);
        let any = self.pattern.as_deref().is_none_or(|pattern| pattern == ".");
        if !is(&self.mode, "pattern") || !any {
            Some(
                "answers only when mentioned; set engage_mode to \"pattern\" and its pattern to \".\"",
            )
        } else if !is(&self.policy, "public") || !is(&self.scope, "all") {
            Some(
                "takes nothing from strangers; set unknown_sender_policy to \"public\" and \
                 sender_scope to \"all\"",
            )
        } else {
            None
        }
    }
}

/// Looks for a message with this mark in the sessions of a group; the newest one.
///
/// # Errors
/// [`Unfit::Database`].
pub fn find(directory: &Path, group: &str, mark: &str) -> Result<Option<Found>, Unfit> {
    let sessions = directory.join("data/v2-sessions").join(group);
    let mut newest: Option<Found> = None;
    for session in fs::read_dir(&sessions).into_iter().flatten().flatten() {
        let session = session.path();
        let path = session.join("inbound.db");
        if !path.exists() {
            continue;
        }
        let found = look(&session, mark).map_err(|error| Unfit::database(&path, &error))?;
        if let Some(found) = found
            && newest.as_ref().is_none_or(|other| found.timestamp > other.timestamp)
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}

fn look(session: &Path, mark: &str) -> rusqlite::Result<Option<Found>> {
    let inbound = open(&session.join("inbound.db"))?;
    let row: Option<(String, String, Option<String>)> = inbound
        .query_row(
            "SELECT id, timestamp, status FROM messages_in WHERE instr(content, ?1) > 0 \
             ORDER BY seq DESC LIMIT 1",
            [mark],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((id, timestamp, status)) = row else { return Ok(None) };
    drop(inbound);
    let (progress, since) = match container_says(session, &id) {
        Some((said, since)) => (said, Some(since)),
        None => (progress(status.as_deref()).unwrap_or(Progress::Pending), None),
    };
    Ok(Some(Found { session: session.into(), id, timestamp, progress, since }))
}

/// What the container has noted of a message, and when; nothing if that cannot be read now.
fn container_says(session: &Path, id: &str) -> Option<(Progress, SystemTime)> {
    let outbound = open(&session.join("outbound.db")).ok()?;
    let sql = "SELECT status, unixepoch(status_changed) FROM processing_ack WHERE message_id = ?1";
    let (status, seconds): (String, i64) =
        outbound.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
    let since = Duration::from_secs(seconds.try_into().ok()?);
    let since = SystemTime::UNIX_EPOCH.checked_add(since)?;
    Some((progress(Some(&status))?, since))
}

fn progress(status: Option<&str>) -> Option<Progress> {
    match status {
        Some("completed") => Some(Progress::Completed),
        Some("failed") => Some(Progress::Failed),
        Some("processing") => Some(Progress::Processing),
        Some(_) | None => None,
    }
}

/// Opened for a moment, to read. A database of WAL needs its shared memory to be written.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_WAITS)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}
