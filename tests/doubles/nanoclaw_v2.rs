//! A double of NanoClaw 2.0: its databases as the real one makes them, and what it writes into them
//! when it takes a message. It moves only when it is told to. Used by the unit tests and by the
//! integration tests; not a part of the product.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

const MAIN: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE agent_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL UNIQUE,
        agent_provider TEXT, created_at TEXT NOT NULL);
    CREATE TABLE messaging_groups (id TEXT PRIMARY KEY, channel_type TEXT NOT NULL,
        platform_id TEXT NOT NULL, name TEXT, is_group INTEGER DEFAULT 0,
        unknown_sender_policy TEXT NOT NULL DEFAULT 'strict', created_at TEXT NOT NULL,
        UNIQUE (channel_type, platform_id));
    CREATE TABLE messaging_group_agents (id TEXT PRIMARY KEY, messaging_group_id TEXT NOT NULL,
        agent_group_id TEXT NOT NULL, engage_mode TEXT NOT NULL DEFAULT 'mention',
        engage_pattern TEXT, sender_scope TEXT NOT NULL DEFAULT 'all');";

const INBOUND: &str = "
    CREATE TABLE messages_in (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, kind TEXT NOT NULL,
        timestamp TEXT NOT NULL, status TEXT DEFAULT 'pending', content TEXT NOT NULL);";

const OUTBOUND: &str = "
    CREATE TABLE messages_out (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, in_reply_to TEXT,
        timestamp TEXT NOT NULL, deliver_after TEXT, recurrence TEXT, kind TEXT NOT NULL,
        platform_id TEXT, channel_type TEXT, thread_id TEXT, content TEXT NOT NULL);
    CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL,
        status_changed TEXT NOT NULL);";

/// What is on disk.
#[derive(Debug)]
pub(crate) struct NanoClaw2 {
    directory: PathBuf,
}

impl NanoClaw2 {
    pub(crate) fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("data/v2-sessions")).unwrap();
        let nanoclaw = Self { directory: directory.into() };
        nanoclaw.main().execute_batch(MAIN).unwrap();
        nanoclaw
    }

    /// Its main database.
    pub(crate) fn main(&self) -> Connection {
        Connection::open(self.directory.join("data/v2.db")).unwrap()
    }

    /// Makes a group with one session that answers to everybody in one chat.
    pub(crate) fn wire(&self, group: &str, folder: &str, channel: &str, chat: &str) {
        let main = self.main();
        main.execute("INSERT INTO agent_groups VALUES (?1, ?2, ?2, NULL, '')", [group, folder])
            .unwrap();
        main.execute(
            "INSERT INTO messaging_groups VALUES (?1, ?2, ?3, NULL, 1, 'public', '')",
            [&format!("mg-{group}"), channel, chat],
        )
        .unwrap();
        main.execute(
            "INSERT INTO messaging_group_agents VALUES (?1, ?2, ?3, 'pattern', '.', 'all')",
            [&format!("w-{group}"), &format!("mg-{group}"), group],
        )
        .unwrap();
        fs::create_dir_all(self.directory.join("groups").join(folder)).unwrap();
        let session = self.session(group);
        fs::create_dir_all(&session).unwrap();
        Connection::open(session.join("inbound.db")).unwrap().execute_batch(INBOUND).unwrap();
        Connection::open(session.join("outbound.db")).unwrap().execute_batch(OUTBOUND).unwrap();
    }

    /// It takes what came by its socket.
    pub(crate) fn takes(&self, group: &str, id: &str, text: &str) {
        let content = serde_json::json!({ "text": text, "sender": "gateway" }).to_string();
        Connection::open(self.session(group).join("inbound.db"))
            .unwrap()
            .execute(
                "INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES \
                 (?1, (SELECT coalesce(max(seq), 0) + 2 FROM messages_in), 'chat', \
                 strftime('%Y-%m-%dT%H:%M:%fZ'), ?2)",
                params![id, content],
            )
            .unwrap();
    }

    /// The container notes how far it is with a message.
    pub(crate) fn notes(&self, group: &str, id: &str, word: &str) {
        Connection::open(self.session(group).join("outbound.db"))
            .unwrap()
            .execute(
                "INSERT OR REPLACE INTO processing_ack VALUES (?1, ?2, datetime('now'))",
                [id, word],
            )
            .unwrap();
    }

    /// What goes out into the chat.
    pub(crate) fn shows(&self, group: &str) -> Vec<String> {
        let outbound = Connection::open(self.session(group).join("outbound.db")).unwrap();
        let mut statement = outbound
            .prepare(
                "SELECT json_extract(content, '$.text') FROM messages_out \
                 WHERE deliver_after IS NULL OR deliver_after <= datetime('now') ORDER BY timestamp",
            )
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn session(&self, group: &str) -> PathBuf {
        self.directory.join("data/v2-sessions").join(group).join("sess-1")
    }
}
