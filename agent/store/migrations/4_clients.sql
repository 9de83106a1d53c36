-- The tools that the session's clients run, as the last request declared them: a continuation needs them, also after a
-- crash. They have a table of their own, as system prompts do.
CREATE TABLE client_tools (
    session TEXT NOT NULL UNIQUE,
    tools   TEXT NOT NULL -- JSON
);

-- What a request that waits has declared; NULL leaves things as they are.
ALTER TABLE turns ADD COLUMN tools TEXT;
