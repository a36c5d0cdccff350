//! What comes in: an event with its letters and the waits that it asks for, stored once however
//! often it is sent. Not here: what becomes of the letters.

use std::fmt;
use std::time::{Duration, SystemTime};

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::state::State;
use crate::world::random;

/// The short name of an event, by which people, agents and NanoClaw's rows name it. It is drawn by
/// lot: a ledger that begins anew must not use the names of the old one, whose rows are still in
/// NanoClaw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(String);

/// Five bits a digit; without the letters that are read as digits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Forty bits: a million events kept, and one in a million draws a name that is in use.
const ID_LENGTH: usize = 8;

impl EventId {
    fn draw() -> Self {
        let mut bits = random::number();
        let digits = (0..ID_LENGTH).map(|_| {
            let digit = DIGITS[(bits & 31) as usize];
            bits >>= 5;
            char::from(digit)
        });
        Self(digits.collect())
    }

    /// Reads what [`fmt::Display`] writes; `None` for what cannot be an id.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == ID_LENGTH && text.bytes().all(|byte| DIGITS.contains(&byte));
        is_id.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ToSql for EventId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for EventId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self)
    }
}

/// An event that is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// Where it comes from: `azure-devops`, `github`, `relay`, `test`, …
    pub source: String,
    /// What the source calls it: `build.complete`, `handoff`, …
    pub kind: String,
    /// What makes it the same as another one: ids of notifications, and keys of its meaning. Each
    /// begins with the source, so that two sources never meet.
    pub keys: Vec<String>,
    /// What it is, in a few words.
    pub title: String,
    /// The build's number or id.
    pub build: Option<String>,
    /// The branch, without `refs/heads/`.
    pub branch: Option<String>,
    /// Where a person reads more.
    pub link: Option<String>,
    /// The thread of a relay's message.
    pub thread: Option<String>,
    /// Made by a Test button or by our verb: it never hides a real one.
    pub test: bool,
    /// As it came.
    pub body: Vec<u8>,
    /// Who must read what.
    pub letters: Vec<NewLetter>,
    /// Who is to be woken by the next build of a branch.
    pub waits: Vec<NewWait>,
}

/// A letter that is to be stored with its event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLetter {
    /// A name in `[gateway.groups]`.
    pub group: String,
    /// The short form, a line, which is shown in the group's chat.
    pub subject: String,
    /// What the agent reads.
    pub text: String,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
    /// Not to be delivered before it is released.
    pub held: bool,
}

/// A file that goes with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name; what does not belong into a name is replaced when it is written.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Somebody waits for the next build of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWait {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// A name in `[gateway.groups]`.
    pub group: String,
    /// How long.
    pub lasts: Duration,
}

/// A wait that has come to its end, because what was waited for is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// A name in `[gateway.groups]`.
    pub group: String,
    /// The event that asked for it, if it is still known.
    pub asked_by: Option<EventId>,
}

/// How an event was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name; that of the first one, if this is a repetition.
    pub event: EventId,
    /// It was there already: nothing was added but its keys.
    pub duplicate: bool,
}

/// Stores an event, its letters and its waits, unless one of its keys is known already.
///
/// # Errors
/// As SQLite has them.
pub fn store(
    transaction: &Transaction<'_>,
    event: &NewEvent,
    now: SystemTime,
) -> rusqlite::Result<Stored> {
    let now = millis(now);
    if let Some((seq, id)) = known(transaction, &event.keys)? {
        transaction
            .prepare_cached("UPDATE events SET repeats = repeats + 1 WHERE seq = ?1")?
            .execute([seq])?;
        add_keys(transaction, seq, &event.keys)?;
        return Ok(Stored { event: id, duplicate: true });
    }
    let (seq, id) = insert(transaction, event, now)?;
    add_keys(transaction, seq, &event.keys)?;
    for letter in &event.letters {
        add_letter(transaction, seq, letter, now)?;
    }
    for wait in &event.waits {
        transaction
            .prepare_cached(
                "INSERT INTO waits (branch, addressee, event, until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![wait.branch, wait.group, seq, now.saturating_add(span(wait.lasts))])?;
    }
    Ok(Stored { event: id, duplicate: false })
}

/// The event that has one of these keys.
///
/// # Errors
/// As SQLite has them.
pub fn with_key(connection: &Connection, keys: &[String]) -> rusqlite::Result<Option<EventId>> {
    Ok(known(connection, keys)?.map(|(_, id)| id))
}

/// Adds a letter to an event that is stored already: `false` if there is no such event.
///
/// # Errors
/// As SQLite has them.
pub fn add_letter_to(
    transaction: &Transaction<'_>,
    event: &EventId,
    letter: &NewLetter,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let Some(seq) = seq_of(transaction, event)? else { return Ok(false) };
    add_letter(transaction, seq, letter, millis(now))?;
    Ok(true)
}

/// Adds a file to every letter of an event that is not taken yet; `false` if there is none.
///
/// # Errors
/// As SQLite has them.
pub fn attach(
    transaction: &Transaction<'_>,
    event: &EventId,
    attachment: &Attachment,
) -> rusqlite::Result<bool> {
    let added = transaction
        .prepare_cached(
            "INSERT INTO attachments (letter, name, bytes) SELECT letters.id, ?2, ?3 FROM letters \
             JOIN events ON events.seq = letters.event \
             WHERE events.id = ?1 AND letters.state IN ('queued', 'held')",
        )?
        .execute(params![event, attachment.name, attachment.bytes])?;
    Ok(added > 0)
}

/// Ends the waits for a build of `branch`, and says whose they were. Those that are too old are
/// forgotten.
///
/// # Errors
/// As SQLite has them.
pub fn take_waits(
    transaction: &Transaction<'_>,
    branch: &str,
    now: SystemTime,
) -> rusqlite::Result<Vec<Waited>> {
    transaction
        .prepare_cached("DELETE FROM waits WHERE branch = ?1 AND until < ?2")?
        .execute(params![branch, millis(now)])?;
    let mut statement = transaction.prepare_cached(
        "SELECT waits.addressee, events.id FROM waits LEFT JOIN events ON events.seq = waits.event \
         WHERE waits.branch = ?1 GROUP BY waits.addressee ORDER BY waits.id",
    )?;
    let waited = statement
        .query_map([branch], |row| Ok(Waited { group: row.get(0)?, asked_by: row.get(1)? }))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.prepare_cached("DELETE FROM waits WHERE branch = ?1")?.execute([branch])?;
    Ok(waited)
}

fn known(connection: &Connection, keys: &[String]) -> rusqlite::Result<Option<(i64, EventId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT events.seq, events.id FROM event_keys JOIN events ON events.seq = event_keys.event \
         WHERE event_keys.key = ?1",
    )?;
    for key in keys {
        let found = statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn insert(
    transaction: &Transaction<'_>,
    event: &NewEvent,
    now: i64,
) -> rusqlite::Result<(i64, EventId)> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR IGNORE INTO events \
         (id, source, kind, received, title, build, branch, link, thread, test, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    loop {
        let id = EventId::draw();
        let inserted = statement.execute(params![
            id,
            event.source,
            event.kind,
            now,
            event.title,
            event.build,
            event.branch,
            event.link,
            event.thread,
            event.test,
            event.body
        ])?;
        // Nothing is inserted if the name is in use: no other constraint can be broken.
        if inserted == 1 {
            return Ok((transaction.last_insert_rowid(), id));
        }
    }
}

fn add_keys(transaction: &Transaction<'_>, seq: i64, keys: &[String]) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("INSERT OR IGNORE INTO event_keys (key, event) VALUES (?1, ?2)")?;
    for key in keys {
        statement.execute(params![key, seq])?;
    }
    Ok(())
}

fn add_letter(
    transaction: &Transaction<'_>,
    seq: i64,
    letter: &NewLetter,
    now: i64,
) -> rusqlite::Result<()> {
    let state = if letter.held { State::Held } else { State::Queued };
    transaction
        .prepare_cached(
            "INSERT INTO letters (event, addressee, subject, text, state, since, due) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        )?
        .execute(params![seq, letter.group, letter.subject, letter.text, state, now])?;
    let id = transaction.last_insert_rowid();
    for attachment in &letter.attachments {
        transaction
            .prepare_cached("INSERT INTO attachments (letter, name, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![id, attachment.name, attachment.bytes])?;
    }
    Ok(())
}

pub(super) fn seq_of(connection: &Connection, event: &EventId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT seq FROM events WHERE id = ?1")?
        .query_row([event], |row| row.get(0))
        .optional()
}

/// Milliseconds since 1970. A clock before that reads as 1970.
pub(in crate::gateway) fn millis(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, span)
}

/// The time that such a number means.
pub(in crate::gateway) fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
