-- A ledger as version 2 wrote it; never changed.
PRAGMA journal_mode = WAL;
BEGIN;
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

INSERT INTO events (seq, id, source, kind, received, title, build, branch, link, thread, test, repeats, body) VALUES
    (1, '00000001', 'azure-devops', 'build.complete', 1800000000000, 'CI 41 failed', '41', 'main', 'https://dev.azure.com/o/p/_build/results?buildId=41', NULL, 0, 0, NULL),
    (2, '00000002', 'azure-devops', 'build.complete', 1800000060000, 'CI 42 failed', '42', 'main', NULL, NULL, 0, 3, X'7B7D'),
    (3, '00000003', 'relay', 'handoff', 1800000120000, 'ryan to cody', NULL, 'fix/one', NULL, 't-1', 0, 0, X'6C6F6F6B'),
    (4, '00000004', 'github', 'workflow_run', 1800000180000, 'CI succeeded', '9', 'main', NULL, NULL, 1, 0, X'7B7D');
INSERT INTO event_keys (key, event) VALUES
    ('azure-devops/notification/7', 2), ('azure-devops/build/o/p/42/failed', 2), ('relay/ryan/a', 3);
INSERT INTO letters (id, event, addressee, subject, text, state, since, due, deliveries, why) VALUES
    (1, 1, 'ryan', 'Build 41 failed', 'Look at it.', 'done', 1800000010000, 1800000000000, 1, 'acknowledged'),
    (2, 2, 'ryan', 'Build 42 failed', 'Look at it.', 'taken', 1800000090000, 1800000080000, 2, ''),
    (3, 3, 'cody', 'From ryan', 'Look at the log.', 'held', 1800000120000, 1800000120000, 0, 'a loop');
INSERT INTO attachments (id, letter, name, bytes) VALUES (1, 3, 'step.log', X'6C6F670A');
INSERT INTO deliveries (letter, number, row, chat, row_time, host, at, taken, wakes, woken) VALUES
    (1, 1, 'gw-00000001-1', '1@g.us', '2027-01-15T08:00:00.001Z', 'boot 10 20', 1800000001000, 1800000002000, 0, NULL),
    (2, 1, 'gw-00000002-1', '1@g.us', '2027-01-15T08:01:00.001Z', 'boot 10 20', 1800000061000, 1800000062000, 1, 1800000070000),
    (2, 2, 'gw-00000002-2', '1@g.us', '2027-01-15T08:01:20.001Z', 'boot 30 40', 1800000081000, 1800000090000, 0, NULL);
INSERT INTO waits (id, branch, addressee, event, until) VALUES (1, 'fix/one', 'ryan', 3, 1800086400000);
INSERT INTO troubles (addressee, why, since) VALUES ('cody', 'the group is not registered', 1800000120000);
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
UPDATE events SET thread = 'INC-7' WHERE seq = 3;
INSERT INTO messages (event, sender, addressee, thread, digest, hop, at) VALUES
    (3, 'ryan', 'cody', 'INC-7', X'00', 9, 1800000120000);
INSERT INTO threads (thread, held, why, counted_from) VALUES ('INC-7', 1, 'a loop', 1800000000000);
INSERT INTO dates (name, at) VALUES ('reconciled', 1800000000000);
PRAGMA user_version = 2;
COMMIT;
