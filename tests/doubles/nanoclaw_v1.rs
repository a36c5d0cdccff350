//! A double of NanoClaw 1.2, made from what was measured of the real one: its database, its two
//! cursors, the newest-N limit, its folders. It is strict: what the real one would lose, it loses,
//! and what the real one would trip over ends the test. It moves only when it is told to. Used by
//! the unit tests and by the integration tests; not a part of the product.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, params};
use serde_json::{Value, json};

/// As 1.2.53 makes it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS chats (jid TEXT PRIMARY KEY, name TEXT, last_message_time TEXT,
        channel TEXT, is_group INTEGER DEFAULT 0);
    CREATE TABLE IF NOT EXISTS messages (id TEXT, chat_jid TEXT, sender TEXT, sender_name TEXT,
        content TEXT, timestamp TEXT, is_from_me INTEGER, is_bot_message INTEGER DEFAULT 0,
        reply_to_message_id TEXT, reply_to_message_content TEXT, reply_to_sender_name TEXT,
        PRIMARY KEY (id, chat_jid), FOREIGN KEY (chat_jid) REFERENCES chats (jid));
    CREATE INDEX IF NOT EXISTS idx_timestamp ON messages (timestamp);
    CREATE TABLE IF NOT EXISTS router_state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS registered_groups (jid TEXT PRIMARY KEY, name TEXT NOT NULL,
        folder TEXT NOT NULL UNIQUE, trigger_pattern TEXT NOT NULL, added_at TEXT NOT NULL,
        container_config TEXT, requires_trigger INTEGER DEFAULT 1, is_main INTEGER DEFAULT 0);";

/// A message that an agent was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Its id in the database.
    pub(crate) id: String,
    /// Its text.
    pub(crate) content: String,
}

/// What is on disk; it outlives every life of NanoClaw.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
}

/// One life of NanoClaw.
#[derive(Debug)]
pub(crate) struct NanoClaw {
    directory: PathBuf,
    /// The newest so many messages of a chat are read at once.
    limit: usize,
    last_timestamp: String,
    last_agent: BTreeMap<String, String>,
    /// The groups that were registered when it started: chat and folder.
    groups: BTreeMap<String, String>,
    needs_trigger: BTreeSet<String>,
    /// The chats whose container lives, and where their cursor stood before.
    at_work: BTreeMap<String, String>,
    /// Chats that are to be looked at when their container has ended, or when there is room.
    pending: BTreeSet<String>,
    /// What was given to the agents, in order, by chat.
    pub(crate) heard: BTreeMap<String, Vec<Heard>>,
}

impl Disk {
    /// An empty installation.
    pub(crate) fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("store")).unwrap();
        let disk = Self { directory: directory.into() };
        disk.open().execute_batch(SCHEMA).unwrap();
        disk
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("store/messages.db")
    }

    /// The database as NanoClaw opens it.
    pub(crate) fn open(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection
    }

    /// Registers a group that answers to everything. It counts from the next start on.
    pub(crate) fn register(&self, jid: &str, folder: &str) {
        let connection = self.open();
        connection
            .execute("INSERT OR IGNORE INTO chats (jid, name) VALUES (?1, ?1)", [jid])
            .unwrap();
        connection
            .execute(
                "INSERT OR REPLACE INTO registered_groups \
                 (jid, name, folder, trigger_pattern, added_at, requires_trigger) \
                 VALUES (?1, ?2, ?2, '@Andy', '2026-01-01T00:00:00.000Z', 0)",
                [jid, folder],
            )
            .unwrap();
        fs::create_dir_all(self.directory.join("groups").join(folder).join("logs")).unwrap();
    }

    /// A person writes; the channel stores it with the date that it bears.
    pub(crate) fn person_writes(&self, jid: &str, id: &str, text: &str, date: &str) {
        self.stores(jid, id, text, date, false);
    }

    /// The agent's own answer comes back from the channel.
    pub(crate) fn agent_is_shown(&self, jid: &str, id: &str, text: &str, date: &str) {
        self.stores(jid, id, text, date, true);
    }

    fn stores(&self, jid: &str, id: &str, text: &str, date: &str, bot: bool) {
        self.open()
            .execute(
                "INSERT OR REPLACE INTO messages (id, chat_jid, sender, sender_name, content, \
                 timestamp, is_from_me, is_bot_message) VALUES (?1, ?2, 'p', 'P', ?3, ?4, 0, ?5)",
                params![id, jid, text, date, bot],
            )
            .unwrap();
    }

    /// Its rows that came from us: ids and dates, in the order of their dates.
    pub(crate) fn rows_of_ours(&self) -> Vec<(String, String)> {
        let connection = self.open();
        let mut statement = connection
            .prepare("SELECT id, timestamp FROM messages WHERE id LIKE 'gw-%' ORDER BY timestamp")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The note that NanoClaw leaves of a container that has ended.
    pub(crate) fn notes_run(&self, folder: &str, code: i32, output: bool, ended: SystemTime) {
        let ended = jiff::Timestamp::try_from(ended).unwrap();
        let date = ended.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let mut note = format!(
            "=== Container Run Log ===\nTimestamp: {date}\nGroup: {folder}\nIsMain: false\n\
             Duration: 100ms\nExit Code: {code}\nStdout Truncated: false\n"
        );
        if output {
            note.push_str("\n=== Stdout ===\n---NANOCLAW_OUTPUT_START---\n");
        }
        let name = format!("container-{}.log", date.replace([':', '.'], "-"));
        fs::write(self.directory.join("groups").join(folder).join("logs").join(name), note)
            .unwrap();
    }
}

impl NanoClaw {
    /// Starts: what it knows of groups and cursors it reads now and never again. All containers of
    /// an earlier life are dead. What is unread is looked at.
    pub(crate) fn start(disk: &Disk, limit: usize) -> Self {
        fs::create_dir_all(disk.directory.join("data/ipc")).unwrap();
        let connection = disk.open();
        let state = |key: &str| {
            let sql = "SELECT value FROM router_state WHERE key = ?1";
            connection.query_row(sql, [key], |row| row.get::<_, String>(0)).unwrap_or_default()
        };
        let mut groups = BTreeMap::new();
        let mut needs_trigger = BTreeSet::new();
        let mut statement = connection
            .prepare(
                "SELECT jid, folder, requires_trigger, container_config FROM registered_groups",
            )
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (jid, folder): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            if row.get::<_, Option<i64>>(2).unwrap() != Some(0) {
                needs_trigger.insert(jid.clone());
            }
            if let Some(config) = row.get::<_, Option<String>>(3).unwrap() {
                serde_json::from_str::<Value>(&config)
                    .expect("exit 1: the container_config is no JSON");
            }
            groups.insert(jid, folder);
        }
        let mut nanoclaw = Self {
            directory: disk.directory.clone(),
            limit,
            last_timestamp: state("last_timestamp"),
            last_agent: serde_json::from_str(&state("last_agent_timestamp")).unwrap_or_default(),
            groups,
            needs_trigger,
            at_work: BTreeMap::new(),
            pending: BTreeSet::new(),
            heard: BTreeMap::new(),
        };
        for jid in nanoclaw.groups.keys().cloned().collect::<Vec<_>>() {
            if !nanoclaw.unread(&jid).is_empty() {
                nanoclaw.enqueue(&jid);
            }
        }
        nanoclaw
    }

    fn open(&self) -> Connection {
        Disk { directory: self.directory.clone() }.open()
    }

    /// One turn of its loop.
    pub(crate) fn polls(&mut self) {
        let new = self.messages("1", &self.last_timestamp.clone(), 200);
        let new: Vec<_> = new.into_iter().filter(|it| self.groups.contains_key(&it.1)).collect();
        let Some(latest) = new.iter().map(|it| it.2.clone()).max() else { return };
        self.last_timestamp = latest;
        self.saves();
        let chats: BTreeSet<String> = new.into_iter().map(|it| it.1).collect();
        for jid in chats {
            if self.needs_trigger.contains(&jid) {
                continue;
            }
            if self.at_work.contains_key(&jid) {
                self.pipes(&jid);
            } else {
                self.enqueue(&jid);
            }
        }
    }

    /// The container of a chat ends. Before any answer, the cursor goes back.
    pub(crate) fn container_ends(&mut self, jid: &str, code: i32, answered: bool) {
        let before = self.at_work.remove(jid).expect("it has a container");
        let disk = Disk { directory: self.directory.clone() };
        disk.notes_run(&self.groups[jid], code, answered, SystemTime::now());
        if code != 0 && !answered {
            self.last_agent.insert(jid.into(), before);
            self.saves();
        }
        if self.pending.remove(jid) {
            self.enqueue(jid);
        }
    }

    /// Whether a chat's container lives.
    pub(crate) fn is_at_work(&self, jid: &str) -> bool {
        self.at_work.contains_key(jid)
    }

    /// One turn of its other loop: what is shown in chats, by chat. Half a file would be moved away
    /// as an error, and nobody may write into another group's chat.
    pub(crate) fn shows(&mut self) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        let ipc = self.directory.join("data/ipc");
        for folder in fs::read_dir(&ipc).into_iter().flatten().flatten() {
            let messages = folder.path().join("messages");
            let mut files: Vec<_> = fs::read_dir(messages)
                .into_iter()
                .flatten()
                .flatten()
                .map(|it| it.path())
                .collect();
            files.sort();
            for path in files.iter().filter(|it| it.extension().is_some_and(|it| it == "json")) {
                let data: Value = serde_json::from_slice(&fs::read(path).unwrap())
                    .expect("half a file: NanoClaw would move it to errors");
                assert_eq!(data["type"], "message");
                let jid = data["chatJid"].as_str().unwrap().to_owned();
                assert_eq!(
                    self.groups.get(&jid).map(String::as_str),
                    folder.file_name().to_str(),
                    "unauthorized IPC message attempt"
                );
                shown.push((jid, data["text"].as_str().unwrap().to_owned()));
                fs::remove_file(path).unwrap();
            }
        }
        shown
    }

    fn input_of(&self, jid: &str) -> PathBuf {
        self.directory.join("data/ipc").join(&self.groups[jid]).join("input")
    }

    fn enqueue(&mut self, jid: &str) {
        if self.at_work.contains_key(jid) {
            self.pending.insert(jid.into());
            return;
        }
        let batch = self.unread(jid);
        let Some(last) = batch.last() else { return };
        let before = self.last_agent.get(jid).cloned().unwrap_or_default();
        self.last_agent.insert(jid.into(), last.2.clone());
        self.saves();
        fs::create_dir_all(self.input_of(jid)).unwrap();
        for (id, _, _, content) in &batch {
            self.hears(jid, id, content);
        }
        self.at_work.insert(jid.into(), before);
    }

    fn pipes(&mut self, jid: &str) {
        let batch = self.unread(jid);
        let Some(last) = batch.last() else { return };
        self.last_agent.insert(jid.into(), last.2.clone());
        self.saves();
        for (id, _, _, content) in &batch {
            self.hears(jid, id, content);
        }
    }

    fn hears(&mut self, jid: &str, id: &str, content: &str) {
        let heard = self.heard.entry(jid.into()).or_default();
        heard.push(Heard { id: id.into(), content: content.into() });
    }

    /// The newest messages of a chat that are later than its cursor.
    fn unread(&self, jid: &str) -> Vec<(String, String, String, String)> {
        let cursor = self.last_agent.get(jid).cloned().unwrap_or_default();
        let condition = format!("chat_jid = '{jid}'");
        self.messages(&condition, &cursor, self.limit)
    }

    /// Id, chat, date and text, as its two queries have them.
    fn messages(
        &self,
        condition: &str,
        after: &str,
        limit: usize,
    ) -> Vec<(String, String, String, String)> {
        let connection = self.open();
        let sql = format!(
            "SELECT * FROM (SELECT id, chat_jid, timestamp, content FROM messages \
             WHERE {condition} AND timestamp > ?1 AND is_bot_message = 0 \
             AND content NOT LIKE 'Andy:%' AND content != '' AND content IS NOT NULL \
             ORDER BY timestamp DESC LIMIT {limit}) ORDER BY timestamp"
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement
            .query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn saves(&self) {
        let connection = self.open();
        for (key, value) in [
            ("last_timestamp", self.last_timestamp.clone()),
            ("last_agent_timestamp", json!(self.last_agent).to_string()),
        ] {
            connection
                .execute(
                    "INSERT OR REPLACE INTO router_state (key, value) VALUES (?1, ?2)",
                    [key, &value],
                )
                .unwrap();
        }
    }
}
