-- Prompts for later. One that has fired for the last time is deleted in the commit that appends its prompt; one that
-- failed for good stays, with due = 0, until somebody cancels it.
CREATE TABLE schedules (
    id      TEXT    PRIMARY KEY,
    session TEXT    NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind IN ('once', 'cron', 'every')),
    spec    TEXT    NOT NULL, -- the cron line, or the interval as Go writes a duration
    zone    TEXT    NOT NULL, -- IANA name, or '' for the host's own
    prompt  TEXT    NOT NULL,
    message TEXT    NOT NULL, -- id of the user message of its last firing
    created INTEGER NOT NULL,
    due     INTEGER NOT NULL,
    fired   INTEGER NOT NULL, -- when it last did
    runs    INTEGER NOT NULL, -- how often it did
    skipped INTEGER NOT NULL, -- times since then at which its last firing was still at work
    error   TEXT    NOT NULL  -- why it could not fire when it was due last
);
CREATE INDEX schedules_due ON schedules (due) WHERE due > 0;
CREATE INDEX schedules_session ON schedules (session, due);
