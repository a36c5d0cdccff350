//! What people are shown of the ledger: lists, one event whole, counts. Reading only.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::events::{EventId, time};
use super::state::State;

/// An event in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub event: EventId,
    /// Where it came from.
    pub source: String,
    /// What it is called there.
    pub kind: String,
    /// When it came in.
    pub received: SystemTime,
    /// In a few words.
    pub title: String,
    /// The first of its keys.
    pub key: Option<String>,
    /// The build.
    pub build: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Where to read more.
    pub link: Option<String>,
    /// The thread of a relay's message.
    pub thread: Option<String>,
    /// No real one.
    pub test: bool,
    /// How often it came again.
    pub repeats: u32,
    /// Its letters.
    pub letters: Vec<LetterLine>,
}

/// A letter in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterLine {
    /// A name in `[gateway.groups]`.
    pub group: String,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// How often it was given to NanoClaw.
    pub deliveries: u32,
    /// Why it waits, or how it ended.
    pub why: String,
}

impl Line {
    /// The state of the whole: that of its least advanced letter; `stored` if it has none.
    pub fn state(&self) -> &'static str {
        let order = |state: State| State::ALL.iter().position(|other| *other == state);
        let least = self.letters.iter().map(|letter| letter.state).min_by_key(|s| order(*s));
        least.map_or("stored", State::as_str)
    }

    /// How often a letter of it was given to NanoClaw, the most of them.
    pub fn deliveries(&self) -> u32 {
        self.letters.iter().map(|letter| letter.deliveries).max().unwrap_or(0)
    }
}

/// One event, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// As in a list.
    pub line: Line,
    /// All its keys.
    pub keys: Vec<String>,
    /// As it came; `None` once retention took it.
    pub body: Option<Vec<u8>>,
    /// Of each letter: the subject, the text and the names and sizes of its attachments.
    pub letters: Vec<LetterWhole>,
}

/// One letter, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterWhole {
    /// The short form.
    pub subject: String,
    /// What the agent reads.
    pub text: String,
    /// Names and sizes.
    pub attachments: Vec<(String, u32)>,
}

/// How full the ledger is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All events.
    pub events: u32,
    /// Letters by state.
    pub letters: BTreeMap<State, u32>,
    /// The oldest letter that is queued: its event, its group and when that came in.
    pub oldest: Option<(EventId, String, SystemTime)>,
    /// What keeps letters from being delivered: the group, why, since when.
    pub troubles: Vec<(String, String, SystemTime)>,
}

/// The newest events first, at most `limit` of them; those that came before `before`, to turn pages.
///
/// # Errors
/// As SQLite has them.
pub fn list(connection: &Connection, limit: Option<u32>) -> rusqlite::Result<Vec<Line>> {
    let limit = limit.map_or(-1, i64::from);
    let mut lines: Vec<(i64, Line)> = connection
        .prepare_cached(&format!("{LINE} ORDER BY events.seq DESC LIMIT ?1"))?
        .query_map([limit], line)?
        .collect::<rusqlite::Result<_>>()?;
    for (seq, line) in &mut lines {
        line.letters = letter_lines(connection, *seq)?;
    }
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// One event; `None` if there is none of that name.
///
/// # Errors
/// As SQLite has them.
pub fn show(connection: &Connection, event: &EventId) -> rusqlite::Result<Option<Whole>> {
    let found = connection
        .prepare_cached(&format!("{LINE} WHERE events.id = ?1"))?
        .query_row([event], line)
        .optional()?;
    let Some((seq, mut line)) = found else { return Ok(None) };
    line.letters = letter_lines(connection, seq)?;
    let keys = connection
        .prepare_cached("SELECT key FROM event_keys WHERE event = ?1 ORDER BY key")?
        .query_map([seq], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let body = connection
        .prepare_cached("SELECT body FROM events WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))?;
    let letters: Vec<(i64, LetterWhole)> = connection
        .prepare_cached("SELECT id, subject, text FROM letters WHERE event = ?1 ORDER BY id")?
        .query_map([seq], |row| {
            let (subject, text) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, LetterWhole { subject, text, attachments: Vec::new() }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut whole = Vec::new();
    for (id, mut letter) in letters {
        letter.attachments = connection
            .prepare_cached("SELECT name, length(bytes) FROM attachments WHERE letter = ?1")?
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        whole.push(letter);
    }
    Ok(Some(Whole { line, keys, body, letters: whole }))
}

/// How full the ledger is. Cheap: it looks at indices.
///
/// # Errors
/// As SQLite has them.
pub fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let events = connection
        .prepare_cached("SELECT count(*) FROM events")?
        .query_row([], |row| row.get(0))?;
    let letters = connection
        .prepare_cached("SELECT state, count(*) FROM letters GROUP BY state")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let oldest = connection
        .prepare_cached(
            "SELECT events.id, letters.addressee, events.received FROM letters \
             JOIN events ON events.seq = letters.event \
             WHERE letters.state = 'queued' ORDER BY letters.event LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, time(row.get(2)?))))
        .optional()?;
    let troubles = connection
        .prepare_cached("SELECT addressee, why, since FROM troubles ORDER BY addressee")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, time(row.get(2)?))))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Counts { events, letters, oldest, troubles })
}

/// The last event of which a letter was given to a group: what it says next may come of that.
///
/// # Errors
/// As SQLite has them.
pub fn last_delivered(connection: &Connection, group: &str) -> rusqlite::Result<Option<EventId>> {
    connection
        .prepare_cached(
            "SELECT events.id FROM letters JOIN events ON events.seq = letters.event \
             WHERE letters.addressee = ?1 AND letters.deliveries > 0 ORDER BY letters.id DESC LIMIT 1",
        )?
        .query_row(params![group], |row| row.get(0))
        .optional()
}

const LINE: &str = "SELECT events.seq, events.id, events.source, events.kind, events.received, \
    events.title, (SELECT key FROM event_keys WHERE event = events.seq ORDER BY key LIMIT 1), \
    events.build, events.branch, events.link, events.thread, events.test, events.repeats \
    FROM events ";

fn line(row: &Row<'_>) -> rusqlite::Result<(i64, Line)> {
    let line = Line {
        event: row.get(1)?,
        source: row.get(2)?,
        kind: row.get(3)?,
        received: time(row.get(4)?),
        title: row.get(5)?,
        key: row.get(6)?,
        build: row.get(7)?,
        branch: row.get(8)?,
        link: row.get(9)?,
        thread: row.get(10)?,
        test: row.get(11)?,
        repeats: row.get(12)?,
        letters: Vec::new(),
    };
    Ok((row.get(0)?, line))
}

fn letter_lines(connection: &Connection, seq: i64) -> rusqlite::Result<Vec<LetterLine>> {
    connection
        .prepare_cached(
            "SELECT addressee, state, since, deliveries, why FROM letters WHERE event = ?1 \
             ORDER BY id",
        )?
        .query_map([seq], |row| {
            Ok(LetterLine {
                group: row.get(0)?,
                state: row.get(1)?,
                since: time(row.get(2)?),
                deliveries: row.get(3)?,
                why: row.get(4)?,
            })
        })?
        .collect()
}
