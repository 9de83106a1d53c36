package store

import (
	"context"
	"database/sql"
	"time"
)

// A Deadline is when the calls of a session that wait for a decision are denied.
type Deadline struct {
	Session string // its name
	At      time.Time
}

// Deadlines returns the deadlines that a host of the provider looks after, the first first. With "" all are the host's.
func (s *Store) Deadlines(ctx context.Context, provider string) ([]Deadline, error) {
	scan := func(rows *sql.Rows) (d Deadline, err error) {
		var at int64
		err = rows.Scan(&d.Session, &at)
		d.At = fromNanos(at)
		return d, err
	}
	return readRows(ctx, s, "looking which decisions are late", scan, `
		SELECT name, waiting + deny_after FROM sessions
		WHERE waiting > 0 AND deny_after IS NOT NULL AND status <> ?1 AND (?2 = '' OR provider IN ('', ?2))
		ORDER BY waiting + deny_after, key`, removed, provider)
}
