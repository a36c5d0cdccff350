//! How long what has come to its end is kept. What is under way is kept for ever.

use std::time::{Duration, SystemTime};

use rusqlite::{Transaction, params};

use super::events::millis;

/// How long bodies and attachments are kept: the large things.
pub const BODIES: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long events are kept. As long as one is, its repetition is recognised.
pub const EVENTS: Duration = Duration::from_secs(90 * 24 * 3600);

/// How many events are worked on by one call, so that it holds nobody up.
const AT_ONCE: i64 = 200;

/// Takes away what is too old, a little at a time; `true` if there may be more.
///
/// # Errors
/// As SQLite has them.
pub fn sweep(transaction: &Transaction<'_>, now: SystemTime) -> rusqlite::Result<bool> {
    let before = |keep: Duration| now.checked_sub(keep).map_or(0, millis);
    let gone = transaction
        .prepare_cached(&format!(
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE received < ?1 AND {ENDED} \
             ORDER BY received LIMIT ?2)"
        ))?
        .execute(params![before(EVENTS), AT_ONCE])?;
    let emptied = transaction
        .prepare_cached(&format!(
            "UPDATE events SET body = NULL WHERE seq IN (SELECT seq FROM events \
             WHERE received < ?1 AND body IS NOT NULL AND {ENDED} ORDER BY received LIMIT ?2)"
        ))?
        .execute(params![before(BODIES), AT_ONCE])?;
    let detached = transaction
        .prepare_cached(
            "DELETE FROM attachments WHERE id IN (SELECT attachments.id FROM letters \
             JOIN attachments ON attachments.letter = letters.id \
             WHERE letters.state IN ('done', 'dead', 'dropped') AND letters.since < ?1 LIMIT ?2)",
        )?
        .execute(params![before(BODIES), AT_ONCE])?;
    transaction.prepare_cached("DELETE FROM waits WHERE until < ?1")?.execute([millis(now)])?;
    Ok([gone, emptied, detached].iter().any(|count| i64::try_from(*count) == Ok(AT_ONCE)))
}

/// No letter of it is under way.
const ENDED: &str = "NOT EXISTS (SELECT 1 FROM letters WHERE letters.event = events.seq \
    AND letters.state NOT IN ('done', 'dead', 'dropped'))";
