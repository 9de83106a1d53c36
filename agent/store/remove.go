package store

import (
	"context"
	"database/sql"
)

// removed is the status of a session that is being deleted: it is in no list, and what is left of it goes.
const removed = "removed"

// removeRows bounds the rows of one commit of Remove: some 5 ms on a quiet disk, for which other writes have to wait.
const removeRows = 128

// HideSession begins the deletion of a session: from now on it is in no list, and its schedules are gone. Remove
// must follow; Removed lists the sessions of which a crash, or an error, has left something.
func (tx *Tx) HideSession(key string) error {
	if _, err := tx.exec("deleting the schedules of", key, "DELETE FROM schedules WHERE session = ?", key); err != nil {
		return err
	}
	_, err := tx.exec("deleting session", key, "UPDATE sessions SET status = ? WHERE key = ?", removed, key)
	return err
}

// Remove deletes everything of a session that was hidden before. A long one takes many commits, so that it holds up
// nobody.
func (s *Store) Remove(ctx context.Context, key string) (err error) {
	for left := int64(1); err == nil && left > 0; {
		err = s.Write(ctx, Fast, func(tx *Tx) (err error) {
			left, err = tx.thin(key)
			return err
		})
	}
	if err != nil {
		return err
	}
	return s.Write(ctx, Safe, func(tx *Tx) error { return tx.DeleteSession(key) })
}

// thin deletes some of the session's rows and returns how many.
func (tx *Tx) thin(key string) (gone int64, err error) {
	for _, query := range []string{
		`DELETE FROM events WHERE (turn, n) IN (
			SELECT turn, n FROM events WHERE turn IN (SELECT seq FROM turns WHERE session = ?) LIMIT ?)`,
		"DELETE FROM messages WHERE rowid IN (SELECT rowid FROM messages WHERE session = ? LIMIT ?)",
	} {
		res, err := tx.exec("deleting session", key, query, key, removeRows)
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, tx.fail("deleting session", key, err)
		}
		gone += n
	}
	return gone, nil
}

// Removed returns the keys of the sessions whose deletion has begun and not ended.
func (s *Store) Removed(ctx context.Context) ([]string, error) {
	scan := func(rows *sql.Rows) (key string, err error) { return key, rows.Scan(&key) }
	return readRows(ctx, s, "listing half-deleted sessions", scan,
		"SELECT key FROM sessions WHERE status = ? ORDER BY key", removed)
}
