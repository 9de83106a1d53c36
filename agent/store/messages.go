package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/coder-agent/coder/agent/chat"
)

// Messages returns the session's messages in order, with their Steps.
func (s *Store) Messages(ctx context.Context, key string) ([]chat.Message, error) {
	rows, err := readRows(ctx, s, "reading the messages of "+key, scanMessage,
		"SELECT pos, body, steps FROM messages WHERE session = ? ORDER BY pos", key)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	messages := make([]chat.Message, len(rows))
	if err := decodeAll(messages, rows); err != nil {
		return nil, s.failed("reading the messages of "+key+" in", err)
	}
	return messages, nil
}

type messageRow struct {
	pos         int
	body, steps []byte
}

func scanMessage(rows *sql.Rows) (m messageRow, err error) {
	return m, rows.Scan(&m.pos, &m.body, &m.steps)
}

// decodeAll decodes the rows on all cores: for a long session decoding takes ten times as long as reading.
func decodeAll(messages []chat.Message, rows []messageRow) error {
	share := max(64, len(rows)/(4*runtime.GOMAXPROCS(0))) // small enough that one with long messages holds up nobody
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	first := 0
	for some := range slices.Chunk(rows, share) {
		into := messages[first : first+len(some)]
		first += len(some)
		group.Go(func() error {
			for i, row := range some {
				if err := row.decode(&into[i]); err != nil {
					return fmt.Errorf("message at %d: %w", row.pos, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (r messageRow) decode(m *chat.Message) error {
	if err := m.UnmarshalJSON(r.body); err != nil {
		return err
	}
	if len(r.steps) == 0 {
		return nil
	}
	return json.Unmarshal(r.steps, &m.Steps)
}
