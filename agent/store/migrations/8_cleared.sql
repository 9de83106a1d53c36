-- The ids of user messages that a clear has removed: a page that has not heard of it sends them back with its next prompt.
CREATE TABLE cleared (
    session TEXT NOT NULL UNIQUE,
    ids     TEXT NOT NULL -- JSON array, the oldest first
);
