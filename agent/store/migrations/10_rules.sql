-- Rules of a session ("always"): text as permission.ParseRule reads it, and the connection that made it. The number of one
-- that was removed comes to no other.
CREATE TABLE rules (
	id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, rule TEXT NOT NULL, created INTEGER NOT NULL, by TEXT NOT NULL
);
CREATE INDEX rules_session ON rules (session);

-- How long calls wait for a decision before they are denied, in nanoseconds (NULL is for ever, 0 not at all), and since when
-- those of the parked turn wait (0: none does).
ALTER TABLE sessions ADD COLUMN deny_after INTEGER;
ALTER TABLE sessions ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_waiting ON sessions (waiting) WHERE waiting > 0 AND deny_after IS NOT NULL;
