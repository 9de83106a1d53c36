-- The system prompt is made once and kept, so that the requests of a session extend each other byte for byte whichever
-- host sends them. It has a table of its own: a session's row is written twice in every turn and read for every list.
CREATE TABLE systems (
    session TEXT NOT NULL UNIQUE,
    text    TEXT NOT NULL
);

-- Whether a client has set the title: it then outlives a clear. Of older titles nobody knows.
ALTER TABLE sessions ADD COLUMN titled INTEGER NOT NULL DEFAULT 0;
