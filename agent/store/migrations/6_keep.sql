-- A pinned session is never deleted to make room.
ALTER TABLE sessions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;

-- What a session's messages take, for lists: the index alone answers it, and the bodies stay unread.
CREATE INDEX message_sizes ON messages (session, (length(body) + ifnull(length(steps), 0)));
