package store

import (
	"context"
	"database/sql"
)

// ClientTools returns the tools that the session's clients run, as JSON, or "" when there are none.
func (s *Store) ClientTools(ctx context.Context, key string) (string, error) {
	scan := func(rows *sql.Rows) (tools string, err error) { return tools, rows.Scan(&tools) }
	tools, _, err := first(readRows(ctx, s, "reading the client tools of "+key, scan,
		"SELECT tools FROM client_tools WHERE session = ?", key))
	return tools, err
}

// PutClientTools keeps the tools that the session's clients run, in place of what it had; "" for none.
func (tx *Tx) PutClientTools(key, tools string) error {
	if tools == "" {
		_, err := tx.exec("dropping the client tools of", key, "DELETE FROM client_tools WHERE session = ?", key)
		return err
	}
	_, err := tx.exec("storing the client tools of", key,
		"INSERT OR REPLACE INTO client_tools (session, tools) VALUES (?, ?)", key, tools)
	return err
}
