-- What a turn may have changed in its folder: the snapshots before and after, by git's name of their trees. kind is whole, or
-- files when only the named ones are held. ended is 0 while the turn is at work. An undo or a redo is a row of its own: before is what it
-- finds, after what it leaves, and ended is 0 until all of that is done. message names the answer that the row belongs to; of an
-- undo, the one that it takes back.
CREATE TABLE snapshots (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, turn TEXT NOT NULL, message TEXT NOT NULL, title TEXT NOT NULL,
	workdir TEXT NOT NULL, kind TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
	named BLOB,                -- paths, each closed by a NUL; of an undo, what it puts back
	told INTEGER NOT NULL,     -- of an undo: the model knows
	began INTEGER NOT NULL, ended INTEGER NOT NULL
);
CREATE INDEX snapshots_session ON snapshots (session);
CREATE INDEX snapshots_workdir ON snapshots (workdir);
