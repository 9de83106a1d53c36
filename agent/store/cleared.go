package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// Cleared returns the ids of user messages that clears of the session have removed, the oldest first.
func (s *Store) Cleared(ctx context.Context, key string) ([]string, error) {
	scan := func(rows *sql.Rows) (ids []string, err error) {
		var list sql.RawBytes
		if err := rows.Scan(&list); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(list, &ids); err != nil {
			return nil, fmt.Errorf("the cleared messages of %s: %w", key, err)
		}
		return ids, nil
	}
	ids, _, err := first(readRows(ctx, s, "reading what was cleared of "+key, scan, "SELECT ids FROM cleared WHERE session = ?", key))
	return ids, err
}

// PutCleared keeps the ids in place of what there were.
func (tx *Tx) PutCleared(key string, ids []string) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return tx.fail("storing what was cleared of", key, err)
	}
	_, err = tx.exec("storing what was cleared of", key,
		"INSERT OR REPLACE INTO cleared (session, ids) VALUES (?, ?)", key, string(list))
	return err
}
