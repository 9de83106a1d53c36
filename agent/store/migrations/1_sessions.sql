-- Times are Unix nanoseconds, 0 for none. A session is named by its key everywhere: lists and deletes need no join.
CREATE TABLE sessions (
    key      TEXT    PRIMARY KEY, -- the name in lower case
    name     TEXT    NOT NULL,    -- as it was first spelled
    workdir  TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    mode     TEXT    NOT NULL,
    title    TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    steps    INTEGER NOT NULL,    -- the step limit, 0 for none of its own
    usage    TEXT    NOT NULL,    -- JSON
    messages INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) WITHOUT ROWID;

-- Bodies are kept out of the primary key's tree: they may be megabytes.
CREATE TABLE messages (
    session TEXT    NOT NULL,
    pos     INTEGER NOT NULL,
    id      TEXT    NOT NULL,
    body    BLOB    NOT NULL, -- JSON of the UI message
    steps   BLOB,             -- JSON of what only the agent needs
    PRIMARY KEY (session, pos)
);

CREATE TABLE turns (
    seq          INTEGER PRIMARY KEY, -- order of arrival
    session      TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('queued', 'open', 'done')),
    continuation INTEGER NOT NULL,
    client       TEXT    NOT NULL,
    messages     TEXT,                -- JSON array of message ids
    prompt       BLOB,                -- JSON array of messages, while queued
    reason       TEXT    NOT NULL,
    error        TEXT    NOT NULL,
    finished     INTEGER NOT NULL,
    UNIQUE (session, id)              -- the same request twice has one effect
);
CREATE INDEX turns_status ON turns (status, session, finished);

-- One row holds the events of one commit: n is the number of the first, bodies are JSON texts joined by newlines. A row
-- for each event would make a fast stream pay an insert for every token.
CREATE TABLE events (
    turn   INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    bodies BLOB    NOT NULL,
    PRIMARY KEY (turn, n)
) WITHOUT ROWID;
