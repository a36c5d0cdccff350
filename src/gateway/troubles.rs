//! What a person should look at, for as long as it lasts, from the ledger. Not here: who is told, and
//! that it is told once.

use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::json;

use super::ledger::events::{EventId, millis, time};
use super::relay::book;
use crate::protocol::gateway::{
    HOOK_SILENCED, LEDGER_FAILS, LETTER_DEAD, LETTERS_WAIT, THREAD_HELD, Trouble,
};
use crate::world::clock::rfc3339;

/// What keeps letters from a group for less than this mends itself: a restart, an upgrade, a lock.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// A letter that has been queued for longer than this is stuck: NanoClaw takes one in seconds, and
/// the one before it in the minutes that an agent works.
pub const STUCK: Duration = Duration::from_secs(60 * 60);

/// A letter that was given up longer ago than this is no news.
const DEAD_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// No more dead letters are named than these, the newest ones.
const DEAD_MAX: u32 = 50;

/// By which a date is known as that of a silenced subscription.
const SILENCED: &str = "silenced ";

/// A subscription that Azure DevOps does not send as it should.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silenced {
    /// Its id there.
    pub id: String,
    /// The kind of event that it is for.
    pub event: String,
    /// Its state, as it is called there.
    pub state: String,
}

/// All that the ledger knows of.
///
/// # Errors
/// As SQLite has them.
pub fn read(connection: &Connection, now: SystemTime) -> rusqlite::Result<Vec<Trouble>> {
    let mut troubles = held(connection)?;
    troubles.extend(waiting(connection, now)?);
    troubles.extend(dead(connection, now)?);
    troubles.extend(silenced(connection)?);
    Ok(troubles)
}

/// The ledger takes nothing: `why`, as it says itself.
pub fn ledger_fails(why: &str) -> Trouble {
    trouble(
        LEDGER_FAILS,
        "gateway.db",
        String::new(),
        format!(
            "{why}: webhooks are answered with 503, and given up by Azure DevOps after 3 minutes"
        ),
        "see the disk, the owner of the file, and the gateway's log".to_owned(),
    )
}

fn trouble(kind: &str, name: &str, mark: String, why: String, remedy: String) -> Trouble {
    Trouble { kind: kind.to_owned(), name: name.to_owned(), mark, why, remedy }
}

fn held(connection: &Connection) -> rusqlite::Result<Vec<Trouble>> {
    let held = book::held(connection)?.into_iter().map(|it| {
        let book::Held { thread, why, letters, counted_from } = it;
        let why = format!("{why}; {letters} of its letters wait");
        let remedy = format!(
            "read them with `supervisor gateway list`, then `supervisor relay release {thread}` or \
             `supervisor relay drop {thread}`"
        );
        trouble(THREAD_HELD, &thread, counted_from.to_string(), why, remedy)
    });
    Ok(held.collect())
}

/// One for each group: what keeps its letters, or that they wait and nothing is known of it.
fn waiting(connection: &Connection, now: SystemTime) -> rusqlite::Result<Vec<Trouble>> {
    let before = |span: Duration| now.checked_sub(span).map_or(0, millis);
    let mut troubles: Vec<Trouble> = connection
        .prepare_cached(
            "SELECT addressee, why, since FROM troubles WHERE since <= ?1 ORDER BY addressee",
        )?
        .query_map([before(LASTS)], |row| {
            let (group, why, since): (String, String, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let why = format!("{why} (since {})", rfc3339(time(since)));
            let remedy = "letters are kept until then; `supervisor doctor` looks at the whole way";
            Ok(trouble(LETTERS_WAIT, &group, since.to_string(), why, remedy.to_owned()))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let stuck: Vec<(String, u32)> = connection
        .prepare_cached(
            "SELECT addressee, count(*) FROM letters WHERE state = 'queued' AND since <= ?1 \
             AND due <= ?2 GROUP BY addressee ORDER BY addressee",
        )?
        .query_map(params![before(STUCK), millis(now)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (group, letters) in stuck {
        if !troubles.iter().any(|it| it.name == group) {
            let why = format!(
                "{letters} have waited for more than an hour: its agent works on the one before, or \
                 does not say that it is done"
            );
            let remedy = "see `supervisor gateway list`; `supervisor ack EVENT` says it by hand";
            troubles.push(trouble(LETTERS_WAIT, &group, String::new(), why, remedy.to_owned()));
        }
    }
    Ok(troubles)
}

fn dead(connection: &Connection, now: SystemTime) -> rusqlite::Result<Vec<Trouble>> {
    let since = now.checked_sub(DEAD_FOR).map_or(0, millis);
    connection
        .prepare_cached(
            "SELECT events.id, letters.addressee, events.title, letters.why, letters.since \
             FROM letters JOIN events ON events.seq = letters.event \
             WHERE letters.state = 'dead' AND letters.since >= ?1 \
             ORDER BY letters.since DESC LIMIT ?2",
        )?
        .query_map(params![since, DEAD_MAX], |row| {
            let event: EventId = row.get(0)?;
            let (group, title, why): (String, String, String) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            let at: i64 = row.get(4)?;
            let why = format!("the letter to {group}, {title:?}: {why}");
            let remedy = format!("`supervisor gateway replay {event}` gives it once more");
            Ok(trouble(LETTER_DEAD, &format!("{event} {group}"), at.to_string(), why, remedy))
        })?
        .collect()
}

fn silenced(connection: &Connection) -> rusqlite::Result<Vec<Trouble>> {
    let troubles = noted(connection)?.into_iter().map(|(it, since)| {
        let Silenced { id, event, state } = it;
        let since = rfc3339(since);
        let why = format!("the subscription for {event} is {state} (since {since} or before)");
        let remedy = "enable it again in Project Settings, Service hooks; builds are found by asking \
                      meanwhile";
        trouble(HOOK_SILENCED, &id, state, why, remedy.to_owned())
    });
    Ok(troubles.collect())
}

/// Notes which subscriptions are silenced; one that was so before keeps its date.
///
/// # Errors
/// As SQLite has them.
pub fn note_silenced(
    transaction: &Transaction<'_>,
    all: &[Silenced],
    now: SystemTime,
) -> rusqlite::Result<()> {
    let names: Vec<String> = all.iter().map(name).collect();
    for (old, _) in noted(transaction)? {
        let old = name(&old);
        if !names.contains(&old) {
            transaction.prepare_cached("DELETE FROM dates WHERE name = ?1")?.execute([&old])?;
        }
    }
    for name in &names {
        let known: Option<i64> = transaction
            .prepare_cached("SELECT at FROM dates WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        if known.is_none() {
            book::mark(transaction, name, now)?;
        }
    }
    Ok(())
}

fn noted(connection: &Connection) -> rusqlite::Result<Vec<(Silenced, SystemTime)>> {
    let rows: Vec<(String, i64)> = connection
        .prepare_cached("SELECT name, at FROM dates WHERE name GLOB ?1 ORDER BY name")?
        .query_map([format!("{SILENCED}*")], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let read = |(name, at): (String, i64)| {
        let fields = serde_json::from_str(name.strip_prefix(SILENCED)?);
        let (id, event, state) = fields.ok()?;
        Some((Silenced { id, event, state }, time(at)))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

fn name(it: &Silenced) -> String {
    format!("{SILENCED}{}", json!([it.id, it.event, it.state]))
}

#[cfg(test)]
mod tests;
