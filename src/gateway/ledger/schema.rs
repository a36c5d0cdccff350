//! The tables, and how an older ledger becomes one of ours: a step for each version, counted in the
//! file's `user_version`. A step that was released is never changed; what is needed later is a new
//! one at the end of `STEPS`, and `tests/saved/` keeps a ledger of every version.

use rusqlite::{Connection, TransactionBehavior};

/// The version that this release reads and writes.
#[expect(clippy::cast_possible_wrap, reason = "a few steps")]
pub const VERSION: i64 = STEPS.len() as i64;

/// What brings a ledger from version N to N+1.
const STEPS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3];

/// Times are milliseconds since 1970. Words of `letters.state`: see `State`.
const VERSION_1: &str = "
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,            -- the order of arrival
        id TEXT NOT NULL UNIQUE,            -- what people and agents call it
        source TEXT NOT NULL,               -- azure-devops, github, relay, …
        kind TEXT NOT NULL,                 -- as the source calls it
        received INTEGER NOT NULL,
        title TEXT NOT NULL DEFAULT '',
        build TEXT,
        branch TEXT,
        link TEXT,
        thread TEXT,                        -- of a relay's message
        test INTEGER NOT NULL DEFAULT 0,    -- made by a Test button or by the verb
        repeats INTEGER NOT NULL DEFAULT 0, -- how often it came again
        body BLOB                           -- as it came; NULL once retention took it
    );
    CREATE INDEX events_by_time ON events (received);
    CREATE INDEX events_by_thread ON events (thread) WHERE thread IS NOT NULL;

    CREATE TABLE event_keys (
        key TEXT PRIMARY KEY,
        event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE
    ) WITHOUT ROWID;
    CREATE INDEX event_keys_by_event ON event_keys (event);

    CREATE TABLE letters (
        id INTEGER PRIMARY KEY,
        event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
        addressee TEXT NOT NULL,            -- the name of a group in our configuration
        subject TEXT NOT NULL,              -- the short form, for the chat
        text TEXT NOT NULL,
        state TEXT NOT NULL,
        since INTEGER NOT NULL,             -- of the state
        due INTEGER NOT NULL,               -- not before
        deliveries INTEGER NOT NULL DEFAULT 0,
        why TEXT NOT NULL DEFAULT ''        -- why it waits, or how it ended
    );
    CREATE INDEX letters_by_event ON letters (event);
    CREATE INDEX letters_by_state ON letters (state, event, addressee);
    CREATE INDEX letters_open ON letters (addressee, state, id)
        WHERE state IN ('queued', 'delivered', 'taken');
    CREATE INDEX letters_ended ON letters (since) WHERE state IN ('done', 'dead', 'dropped');

    CREATE TABLE attachments (
        id INTEGER PRIMARY KEY,
        letter INTEGER NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        bytes BLOB NOT NULL
    );
    CREATE INDEX attachments_by_letter ON attachments (letter);

    CREATE TABLE deliveries (
        letter INTEGER NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,            -- 1 is the first
        row TEXT NOT NULL,                  -- its id in NanoClaw
        chat TEXT NOT NULL,                 -- NanoClaw's id of the chat
        row_time TEXT NOT NULL,             -- its date in NanoClaw, which cursors are compared with
        host TEXT NOT NULL,                 -- which life of NanoClaw it was given to
        at INTEGER NOT NULL,
        taken INTEGER,
        wakes INTEGER NOT NULL DEFAULT 0,   -- how often NanoClaw was woken again for it
        woken INTEGER,                      -- the last time
        PRIMARY KEY (letter, number)
    ) WITHOUT ROWID;

    CREATE TABLE waits (
        id INTEGER PRIMARY KEY,
        branch TEXT NOT NULL,
        addressee TEXT NOT NULL,
        event INTEGER REFERENCES events (seq) ON DELETE SET NULL,  -- who asked for it
        until INTEGER NOT NULL
    );
    CREATE INDEX waits_by_branch ON waits (branch);

    CREATE TABLE troubles (
        addressee TEXT PRIMARY KEY,
        why TEXT NOT NULL,                  -- what keeps its letters from being delivered
        since INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// What is kept of messages between agents (see `relay::book`), and dates of our own by name.
const VERSION_2: &str = "
    CREATE TABLE messages (
        event INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
        sender TEXT NOT NULL,
        addressee TEXT NOT NULL,
        thread TEXT NOT NULL,
        digest BLOB NOT NULL,               -- of its words, to know them again
        hop INTEGER NOT NULL,               -- how far it is from something from outside
        at INTEGER NOT NULL
    );
    CREATE INDEX messages_by_path ON messages (sender, addressee, at);
    CREATE INDEX messages_by_thread ON messages (thread, at);
    CREATE INDEX messages_by_digest ON messages (digest, at);
    CREATE INDEX letters_handed_over ON letters (addressee, id) WHERE deliveries > 0;

    CREATE TABLE threads (
        thread TEXT PRIMARY KEY,
        held INTEGER NOT NULL,
        why TEXT NOT NULL DEFAULT '',
        counted_from INTEGER NOT NULL       -- its messages before this do not count
    ) WITHOUT ROWID;

    CREATE TABLE dates (
        name TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// What the courier asks in each round is found at once, however many letters wait. SQLite uses such
/// an index only for the condition that it was made with: `letters_open` was good for nothing.
const VERSION_3: &str = "
    DROP INDEX letters_open;
    CREATE INDEX letters_queued ON letters (addressee, id) WHERE state = 'queued';
    CREATE INDEX letters_due ON letters (addressee, due) WHERE state = 'queued';
    CREATE INDEX letters_under_way ON letters (addressee, id) WHERE state IN ('delivered', 'taken');
";

/// How a migration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Migrated {
    /// The ledger has our version.
    Done,
    /// It has a later one, and nothing was done to it.
    Later(i64),
}

/// Brings a ledger to our version, all or nothing: two processes may try it at once.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<Migrated> {
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    if version(connection)? == VERSION {
        // A file whose first page alone is sound is found out here and not at the first event.
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        return Ok(Migrated::Done);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > VERSION {
        return Ok(Migrated::Later(found));
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(Migrated::Done)
}
