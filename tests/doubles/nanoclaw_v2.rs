//! A double of NanoClaw 2.0: its databases as the real one makes them, its socket, and what it writes
//! when it takes a message. It is strict: what the real one would drop, it drops, and what that would
//! not understand ends the test. It moves only when it is told to. Used by the unit tests and by the
//! integration tests; not a part of the product.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::{Value, json};

const MAIN: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE agent_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL UNIQUE,
        agent_provider TEXT, created_at TEXT NOT NULL);
    CREATE TABLE messaging_groups (id TEXT PRIMARY KEY, channel_type TEXT NOT NULL,
        platform_id TEXT NOT NULL, name TEXT, is_group INTEGER DEFAULT 0,
        unknown_sender_policy TEXT NOT NULL DEFAULT 'strict', created_at TEXT NOT NULL,
        UNIQUE (channel_type, platform_id));
    CREATE TABLE messaging_group_agents (id TEXT PRIMARY KEY, messaging_group_id TEXT NOT NULL,
        agent_group_id TEXT NOT NULL, session_mode TEXT DEFAULT 'shared',
        priority INTEGER DEFAULT 0, created_at TEXT NOT NULL, engage_mode TEXT, engage_pattern TEXT,
        sender_scope TEXT, ignored_message_policy TEXT,
        UNIQUE (messaging_group_id, agent_group_id));";

const INBOUND: &str = "
    CREATE TABLE IF NOT EXISTS messages_in (id TEXT PRIMARY KEY, seq INTEGER UNIQUE,
        kind TEXT NOT NULL, timestamp TEXT NOT NULL, status TEXT DEFAULT 'pending',
        process_after TEXT, recurrence TEXT, series_id TEXT, tries INTEGER DEFAULT 0,
        trigger INTEGER NOT NULL DEFAULT 1, platform_id TEXT, channel_type TEXT, thread_id TEXT,
        content TEXT NOT NULL, source_session_id TEXT, on_wake INTEGER NOT NULL DEFAULT 0);";

const OUTBOUND: &str = "
    CREATE TABLE IF NOT EXISTS messages_out (id TEXT PRIMARY KEY, seq INTEGER UNIQUE,
        in_reply_to TEXT, timestamp TEXT NOT NULL, deliver_after TEXT, recurrence TEXT,
        kind TEXT NOT NULL, platform_id TEXT, channel_type TEXT, thread_id TEXT,
        content TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL,
        status_changed TEXT NOT NULL);";

/// A message that a group was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// NanoClaw's id of the group.
    pub(crate) group: String,
    /// The message's id.
    pub(crate) id: String,
    /// Its text.
    pub(crate) text: String,
}

/// What is on disk.
#[derive(Debug)]
pub(crate) struct NanoClaw2 {
    directory: PathBuf,
    socket: Option<UnixListener>,
    received: u32,
}

impl NanoClaw2 {
    pub(crate) fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("data/v2-sessions")).unwrap();
        let nanoclaw = Self { directory: directory.into(), socket: None, received: 0 };
        nanoclaw.main().execute_batch(MAIN).unwrap();
        nanoclaw
    }

    /// Its main database.
    pub(crate) fn main(&self) -> Connection {
        Connection::open(self.directory.join("data/v2.db")).unwrap()
    }

    /// It can be spoken to. What an older life has left of its socket goes.
    pub(crate) fn starts(&mut self) {
        let path = self.directory.join("data/cli.sock");
        let _ = fs::remove_file(&path);
        let socket = UnixListener::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.socket = Some(socket);
    }

    /// It is killed: what it has not received is lost, and its socket is left.
    pub(crate) fn is_killed(&mut self) {
        self.socket = None;
    }

    /// It takes what has come by its socket, for each group that is wired to the chat and answers.
    pub(crate) fn receives(&mut self) -> Vec<Taken> {
        let mut lines = String::new();
        loop {
            match self.socket.as_ref().expect("it runs").accept() {
                Ok((mut stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.read_to_string(&mut lines).unwrap();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let mut taken = Vec::new();
        for line in lines.lines() {
            let message: Value = serde_json::from_str(line).expect("a line of JSON");
            let text = message["text"].as_str().expect("a text");
            let to = |key: &str| message["to"][key].as_str().expect("where to").to_owned();
            assert!(message["senderId"].is_string(), "nobody sent it: {line}");
            for group in self.engaged(&to("channelType"), &to("platformId")) {
                self.received += 1;
                let id = format!("cli-{}:{group}", self.received);
                self.takes(&group, &id, text);
                taken.push(Taken { group, id, text: text.to_owned() });
            }
        }
        taken
    }

    /// The groups that a message of a stranger reaches in a chat.
    fn engaged(&self, channel: &str, chat: &str) -> Vec<String> {
        let main = self.main();
        let sql = "SELECT agent_group_id FROM messaging_group_agents AS wires \
                   JOIN messaging_groups AS chats ON chats.id = wires.messaging_group_id \
                   WHERE chats.channel_type = ?1 AND chats.platform_id = ?2 \
                   AND chats.unknown_sender_policy = 'public' AND wires.sender_scope = 'all' \
                   AND wires.engage_mode = 'pattern' AND coalesce(wires.engage_pattern, '.') = '.'";
        let mut statement = main.prepare(sql).unwrap();
        let rows = statement.query_map([channel, chat], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Makes a group that answers to everybody in one chat. Its session is made by its first message.
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
            "INSERT INTO messaging_group_agents (id, messaging_group_id, agent_group_id, created_at, \
             engage_mode, engage_pattern, sender_scope) VALUES (?1, ?2, ?3, '', 'pattern', '.', 'all')",
            [&format!("w-{group}"), &format!("mg-{group}"), group],
        )
        .unwrap();
        fs::create_dir_all(self.directory.join("groups").join(folder)).unwrap();
    }

    /// It takes what came by its socket.
    pub(crate) fn takes(&self, group: &str, id: &str, text: &str) {
        let session = self.session(group);
        fs::create_dir_all(&session).unwrap();
        let inbound = Connection::open(session.join("inbound.db")).unwrap();
        inbound.execute_batch(INBOUND).unwrap();
        Connection::open(session.join("outbound.db")).unwrap().execute_batch(OUTBOUND).unwrap();
        let content = json!({ "text": text, "sender": "gateway" }).to_string();
        inbound
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

    /// What the container has noted of a message was noted ten seconds earlier.
    pub(crate) fn earlier(&self, group: &str, id: &str) {
        let sql = "UPDATE processing_ack SET status_changed = datetime('now', '-10 seconds') \
                   WHERE message_id = ?1";
        let outbound = Connection::open(self.session(group).join("outbound.db")).unwrap();
        outbound.execute(sql, [id]).unwrap();
    }

    /// Its agent reads a text.
    pub(crate) fn agent_reads(&self, group: &str, text: &str) {
        self.transcribes(group, &json!({"type": "user", "message": {"content": text}}));
    }

    /// Its agent ends its turn.
    pub(crate) fn agent_ends_its_turn(&self, group: &str) {
        let message = json!({"role": "assistant", "stop_reason": "end_turn"});
        self.transcribes(group, &json!({"type": "assistant", "message": message}));
    }

    fn transcribes(&self, group: &str, record: &Value) {
        let shared = self.directory.join("data/v2-sessions").join(group).join(".claude-shared");
        let folder = shared.join("projects/-workspace-agent");
        fs::create_dir_all(&folder).unwrap();
        let file = File::options().create(true).append(true).open(folder.join("one.jsonl"));
        writeln!(file.unwrap(), "{record}").unwrap();
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
