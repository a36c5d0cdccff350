//! The hidden verb `demo-nanoclaw`: a double of NanoClaw 1.x with one scripted agent, for the demo
//! alone. It makes a database as NanoClaw does, reads it and moves its cursors as NanoClaw does; its
//! agent reads a letter aloud, and acknowledges it once the build is said to be mended. Not here: all
//! else that NanoClaw is, and anything of the gateway's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{clean, put};

/// The agent's group, which is the name of its folder too.
pub(super) const AGENT: &str = "ryan";
/// Its chat.
const CHAT: &str = "120363000000000000@g.us";
/// What it begins with, whose row follows.
pub(super) const READS: &str = "the agent ryan reads ";
/// What stands before each line of a letter.
pub(super) const QUOTED: &str = "  ";
/// What it says before the event.
pub(super) const ACKNOWLEDGES: &str = "the agent ryan acknowledges ";
/// The file in its folder by which it knows that the build is mended.
pub(super) const MENDED: &str = "mended";

/// NanoClaw looks every two seconds; a person who watches waits for less.
const LOOK: Duration = Duration::from_millis(50);
/// How long a lock is waited for.
const LOCK_WAITS: Duration = Duration::from_secs(10);

/// What the gateway needs of NanoClaw 1.2, and the demo of it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS chats (jid TEXT PRIMARY KEY, name TEXT);
    CREATE TABLE IF NOT EXISTS messages (id TEXT, chat_jid TEXT REFERENCES chats (jid),
        sender TEXT, sender_name TEXT, content TEXT, timestamp TEXT, is_from_me INTEGER,
        is_bot_message INTEGER DEFAULT 0, PRIMARY KEY (id, chat_jid));
    CREATE TABLE IF NOT EXISTS router_state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS registered_groups (jid TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE,
        container_config TEXT, requires_trigger INTEGER DEFAULT 1);";

/// Where the database of an installation lies.
pub(super) fn database(directory: &Path) -> PathBuf {
    directory.join("store/messages.db")
}

/// The folder of the agent.
pub(super) fn folder(directory: &Path) -> PathBuf {
    directory.join("groups").join(AGENT)
}

/// Opens the database as NanoClaw does.
pub(super) fn open(directory: &Path) -> Result<Connection, Failure> {
    let path = database(directory);
    let opened = Connection::open(&path).and_then(|it| it.busy_timeout(LOCK_WAITS).map(|()| it));
    Ok(opened.with_context(|| format!("cannot open {}", path.display()))?)
}

/// Runs until it is killed, in the working directory.
pub(in crate::cli) fn run(args: &args::DemoNanoclaw) -> Result<(), Failure> {
    let directory = Path::new(".");
    for folder in [directory.join("store"), folder(directory), directory.join("data/ipc")] {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let database = open(directory)?;
    begin(&database).context("cannot make the database")?;
    put(&format!("a double of NanoClaw 1.x is running, pid {}\n", std::process::id()))?;
    loop {
        while let Some((row, text)) = take(&database).context("cannot read the database")? {
            hear(directory, &args.socket, &row, &text)?;
        }
        std::thread::sleep(LOOK);
    }
}

fn begin(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch(SCHEMA)?;
    database.execute("INSERT OR IGNORE INTO chats (jid, name) VALUES (?1, ?2)", [CHAT, AGENT])?;
    database.execute(
        "INSERT OR IGNORE INTO registered_groups (jid, folder, requires_trigger) VALUES (?1, ?2, 0)",
        [CHAT, AGENT],
    )?;
    Ok(())
}

/// The next row that was not read: its id and its text. Both cursors move before the agent reads.
fn take(database: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    let read = "SELECT value FROM router_state WHERE key = 'last_timestamp'";
    let read: Option<String> = database.query_row(read, [], |row| row.get(0)).optional()?;
    let next: Option<(String, String, String)> = database
        .query_row(
            "SELECT id, content, timestamp FROM messages WHERE chat_jid = ?1 AND timestamp > ?2 \
             AND is_bot_message = 0 AND content != '' ORDER BY timestamp LIMIT 1",
            params![CHAT, read.unwrap_or_default()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((row, text, at)) = next else { return Ok(None) };
    let chats = json!({ CHAT: at }).to_string();
    database.execute(
        "INSERT OR REPLACE INTO router_state (key, value) VALUES ('last_timestamp', ?1), \
         ('last_agent_timestamp', ?2)",
        [&at, &chats],
    )?;
    Ok(Some((row, text)))
}

/// The agent's script.
fn hear(directory: &Path, socket: &Path, row: &str, text: &str) -> Result<(), Failure> {
    let event = text.strip_prefix("[evt ").and_then(|text| text.split([']', ',']).next());
    let event = event.ok_or_else(|| Failure::failed(format!("the row {row} names no event")))?;
    let mut said = format!("{READS}{}\n", clean(row));
    for line in text.lines() {
        said += &format!("{QUOTED}{}\n", clean(line));
    }
    put(&said)?;
    while !folder(directory).join(MENDED).exists() {
        std::thread::sleep(LOOK);
    }
    let binary = std::env::current_exe().context("cannot find our own program")?;
    let acked = Command::new(binary).args(["ack", event, "--socket"]).arg(socket).output();
    let acked = acked.context("cannot run `supervisor ack`")?;
    if !acked.status.success() {
        let why = String::from_utf8_lossy(&acked.stderr).into_owned();
        return Err(Failure::failed(format!("the agent cannot acknowledge: {}", clean(&why))));
    }
    put(&format!("{ACKNOWLEDGES}{}\n", clean(event)))
}
