package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
)

// A Child is what is asked of sessions below another most often.
type Child struct {
	Name, Key, Agent, Status, Title string
	Usage                           chat.Usage
}

// Below returns the sessions below the one with the key, by their keys. The address of each begins with the key and a slash.
func (s *Store) Below(ctx context.Context, key string) ([]Child, error) {
	scan := func(rows *sql.Rows) (c Child, err error) {
		var usage sql.RawBytes
		if err := rows.Scan(&c.Name, &c.Key, &c.Agent, &c.Status, &c.Title, &usage); err != nil {
			return c, err
		}
		if err := json.Unmarshal(usage, &c.Usage); err != nil {
			return c, fmt.Errorf("the usage of session %s: %w", c.Key, err)
		}
		return c, nil
	}
	return readRows(ctx, s, "listing what is below "+key, scan, // '0' comes right behind '/'
		"SELECT name, key, agent, status, title, usage FROM sessions WHERE key > ?1 || '/' AND key < ?1 || '0' AND status <> ?2 ORDER BY key",
		key, removed)
}

// WaitingAbove returns the keys of the sessions that wait and have others below them: perhaps they wait for these.
func (s *Store) WaitingAbove(ctx context.Context) ([]string, error) {
	scan := func(rows *sql.Rows) (key string, err error) { return key, rows.Scan(&key) }
	return readRows(ctx, s, "listing what waits", scan, `
		SELECT key FROM sessions AS above WHERE status = 'waiting'
		AND EXISTS (SELECT 1 FROM sessions WHERE key > above.key || '/' AND key < above.key || '0') ORDER BY key`)
}
