-- What a child is for that a call has given a task: explore or general; '' for all other sessions.
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
