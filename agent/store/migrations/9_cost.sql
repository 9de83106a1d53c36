-- What a turn of the session may cost, in US dollars; 0 for no limit.
ALTER TABLE sessions ADD COLUMN cost REAL NOT NULL DEFAULT 0;
