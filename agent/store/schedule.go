package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Schedule is the row of a prompt for later.
type Schedule struct {
	ID      string
	Session string // its key
	Name    string // of the session, as it was first spelled; read only
	Kind    string // "once", "cron" or "every"
	Spec    string // the cron line, or the interval as Go writes a duration
	Zone    string // IANA name; "" is the host's own
	Prompt  string
	Message string // id of the user message of its last firing
	Created time.Time
	Due     time.Time // zero: it will not fire any more
	Fired   time.Time // last
	Runs    int
	Skipped int // times since Fired at which the last firing was still at work
	Error   string
}

// PutSchedule writes the row of a schedule, new or not.
func (tx *Tx) PutSchedule(s Schedule) error {
	_, err := tx.exec("storing schedule", s.ID, `
		INSERT OR REPLACE INTO schedules (id, session, kind, spec, zone, prompt, message, created, due, fired, runs, skipped, error)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Session, s.Kind, s.Spec, s.Zone, s.Prompt, s.Message, nanos(s.Created), nanos(s.Due), nanos(s.Fired),
		s.Runs, s.Skipped, s.Error)
	return err
}

// DeleteSchedule removes a schedule, if it is there.
func (tx *Tx) DeleteSchedule(id string) error {
	_, err := tx.exec("deleting schedule", id, "DELETE FROM schedules WHERE id = ?", id)
	return err
}

const selectSchedules = `
	SELECT id, session, COALESCE(name, session), kind, spec, zone, prompt, message, schedules.created, due, fired, runs, skipped, error
	FROM schedules LEFT JOIN sessions ON session = key `

// Schedules returns all schedules: the next due first, those that will not fire any more last.
func (s *Store) Schedules(ctx context.Context) ([]Schedule, error) {
	return readRows(ctx, s, "listing schedules", scanSchedule, selectSchedules+"ORDER BY due = 0, due, id")
}

// SessionSchedules returns the schedules of a session, in the order of Schedules.
func (s *Store) SessionSchedules(ctx context.Context, key string) ([]Schedule, error) {
	return readRows(ctx, s, "listing the schedules of "+key, scanSchedule,
		selectSchedules+"WHERE session = ? ORDER BY due = 0, due, id", key)
}

// DueSessions returns the names of the sessions that have a schedule due at a time, the longest due first.
func (s *Store) DueSessions(ctx context.Context, now time.Time) ([]string, error) {
	scan := func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }
	return readRows(ctx, s, "listing due schedules", scan, `
		SELECT COALESCE(name, session) FROM schedules LEFT JOIN sessions ON session = key
		WHERE due > 0 AND due <= ? GROUP BY session ORDER BY min(due), session`, nanos(now))
}

// NextDue returns when the first schedule that is due after a time is due, or zero.
func (s *Store) NextDue(ctx context.Context, now time.Time) (time.Time, error) {
	scan := func(rows *sql.Rows) (due int64, err error) { return due, rows.Scan(&due) }
	due, _, err := first(readRows(ctx, s, "looking for the next schedule", scan,
		"SELECT due FROM schedules WHERE due > ? AND due > 0 ORDER BY due LIMIT 1", nanos(now)))
	return fromNanos(due), err
}

// Planned returns how many schedules will fire under a host of the provider, when the first of them is due (zero when there is
// none), and how many wait for hosts of others. With "" all are the host's.
func (s *Store) Planned(ctx context.Context, provider string) (n int, earliest time.Time, elsewhere int, err error) {
	counts, err := readRows(ctx, s, "counting schedules", func(rows *sql.Rows) (due int64, err error) {
		return due, rows.Scan(&n, &due, &elsewhere)
	}, `SELECT ifnull(sum(ours), 0), ifnull(min(CASE WHEN ours THEN due END), 0), ifnull(sum(NOT ours), 0) FROM (
		SELECT due, ?1 = '' OR ifnull(provider, '') IN ('', ?1) AS ours
		FROM schedules LEFT JOIN sessions ON session = key WHERE due > 0)`, provider)
	if err != nil {
		return 0, time.Time{}, 0, err
	}
	return n, fromNanos(counts[0]), elsewhere, nil
}

func scanSchedule(rows *sql.Rows) (Schedule, error) {
	var s Schedule
	var created, due, fired int64
	err := rows.Scan(&s.ID, &s.Session, &s.Name, &s.Kind, &s.Spec, &s.Zone, &s.Prompt, &s.Message, &created, &due, &fired,
		&s.Runs, &s.Skipped, &s.Error)
	if err != nil {
		return Schedule{}, fmt.Errorf("a schedule: %w", err)
	}
	s.Created, s.Due, s.Fired = fromNanos(created), fromNanos(due), fromNanos(fired)
	return s, nil
}
