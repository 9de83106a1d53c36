-- What a client has said the session works on: JSON of the fields that it set.
ALTER TABLE sessions ADD COLUMN project TEXT NOT NULL DEFAULT '';

-- Of a fork: the session it was made of, the last message it took over, and the name by which providers know both: their
-- cache is found by it.
ALTER TABLE sessions ADD COLUMN forked_from TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN forked_at TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN route TEXT NOT NULL DEFAULT '';

-- The project context that stands in the system prompt, as JSON: later changes are told by notes.
ALTER TABLE systems ADD COLUMN project TEXT NOT NULL DEFAULT '';
