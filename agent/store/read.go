package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

const sessionColumns = `key, name, workdir, model, mode, title, titled, status, steps, usage, messages, created, updated,
	project, forked_from, forked_at, route, pinned, provider, cost, deny_after, waiting, agent,
	(SELECT ifnull(sum(length(body) + ifnull(length(steps), 0)), 0) FROM messages WHERE session = key),
	(SELECT count(*) FROM schedules WHERE session = key)`

// Session returns the session's row, or false.
func (s *Store) Session(ctx context.Context, key string) (Session, bool, error) {
	return first(readRows(ctx, s, "reading session "+key, scanSession,
		"SELECT "+sessionColumns+" FROM sessions WHERE key = ? AND status <> ?", key, removed))
}

// Sessions returns all sessions, the last updated first.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	return readRows(ctx, s, "listing sessions", scanSession,
		"SELECT "+sessionColumns+" FROM sessions WHERE status <> ? ORDER BY updated DESC, key", removed)
}

// A Page says which sessions a list holds, at most Limit of them.
type Page struct {
	Workdir string    // only those that work there; "": all
	Before  time.Time // only those after this one in the list; zero: from the beginning
	Key     string    // with Before: of two that were updated at once, the list goes by key
	Limit   int
}

// SessionsPage returns a part of the list of Sessions.
func (s *Store) SessionsPage(ctx context.Context, p Page) ([]Session, error) {
	return readRows(ctx, s, "listing sessions", scanSession, "SELECT "+sessionColumns+` FROM sessions
		WHERE (?1 = '' OR workdir = ?1) AND (?2 = 0 OR updated < ?2 OR updated = ?2 AND key > ?3) AND status <> ?5
		ORDER BY updated DESC, key LIMIT ?4`, p.Workdir, nanos(p.Before), p.Key, p.Limit, removed)
}

// System returns the session's system prompt, or false when it has none yet.
func (s *Store) System(ctx context.Context, key string) (System, bool, error) {
	scan := func(rows *sql.Rows) (p System, err error) { return p, rows.Scan(&p.Text, &p.Project) }
	return first(readRows(ctx, s, "reading the system prompt of "+key, scan, "SELECT text, project FROM systems WHERE session = ?", key))
}

// OpenSessions returns the keys of the sessions with a turn that is open or queued: those that a host must wake when it
// starts.
func (s *Store) OpenSessions(ctx context.Context) ([]string, error) {
	scan := func(rows *sql.Rows) (key string, err error) { return key, rows.Scan(&key) }
	return readRows(ctx, s, "listing open turns", scan,
		"SELECT DISTINCT session FROM turns WHERE status IN ('open', 'queued') ORDER BY session")
}

const turnColumns = "seq, id, status, continuation, client, messages, prompt, COALESCE(tools, ''), reason, error, finished"

// Turns returns the session's turns that are not done, in the order of their arrival.
func (s *Store) Turns(ctx context.Context, key string) ([]Turn, error) {
	return readRows(ctx, s, "reading the turns of "+key, scanTurn,
		"SELECT "+turnColumns+" FROM turns WHERE status IN ('queued', 'open') AND session = ? ORDER BY seq", key)
}

// LastTurn returns the turn of the session that was done last, or false.
func (s *Store) LastTurn(ctx context.Context, key string) (Turn, bool, error) {
	return first(readRows(ctx, s, "reading the last turn of "+key, scanTurn,
		"SELECT "+turnColumns+" FROM turns WHERE status = 'done' AND session = ? ORDER BY finished DESC, seq DESC LIMIT 1", key))
}

// Turn returns the session's turn with the id, or false.
func (s *Store) Turn(ctx context.Context, key, id string) (Turn, bool, error) {
	return first(readRows(ctx, s, "reading turn "+id, scanTurn,
		"SELECT "+turnColumns+" FROM turns WHERE session = ? AND id = ?", key, id))
}

// Events returns the bodies of the turn's events in order.
func (s *Store) Events(ctx context.Context, key, turnID string) ([][]byte, error) {
	scan := func(rows *sql.Rows) (bodies []byte, err error) { return bodies, rows.Scan(&bodies) }
	batches, err := readRows(ctx, s, "reading the events of turn "+turnID, scan, `
		SELECT bodies FROM events WHERE turn = (SELECT seq FROM turns WHERE session = ? AND id = ?) ORDER BY n`, key, turnID)
	if err != nil {
		return nil, err
	}
	var events [][]byte
	for _, bodies := range batches {
		events = append(events, bytes.Split(bodies, []byte("\n"))...)
	}
	return events, nil
}

// readRows runs a query and scans its rows.
func readRows[T any](ctx context.Context, s *Store, deed string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	list, err := queryRows(ctx, s, scan, query, args...)
	if err == nil {
		return list, nil
	}
	select {
	case <-s.closing: // what the driver says then is of no use
		return nil, ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, s.failed(deed+" in", err)
}

func queryRows[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) (list []T, err error) {
	stmt, err := s.readers.get(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			_ = rows.Close() // the scan's error is the one to tell
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

func first[T any](list []T, err error) (T, bool, error) {
	var none T
	if err != nil || len(list) == 0 {
		return none, false, err
	}
	return list[0], true, nil
}

func scanSession(rows *sql.Rows) (Session, error) {
	var s Session
	var usage sql.RawBytes
	var created, updated, waiting int64
	var denyAfter sql.NullInt64
	err := rows.Scan(&s.Key, &s.Name, &s.Workdir, &s.Model, &s.Mode, &s.Title, &s.Titled, &s.Status, &s.MaxSteps,
		&usage, &s.Messages, &created, &updated, &s.Project, &s.ForkedFrom, &s.ForkedAt, &s.Route, &s.Pinned, &s.Provider, &s.MaxCost,
		&denyAfter, &waiting, &s.Agent, &s.Bytes, &s.Schedules)
	if err != nil {
		return Session{}, err
	}
	if err := json.Unmarshal(usage, &s.Usage); err != nil {
		return Session{}, fmt.Errorf("the usage of session %s: %w", s.Key, err)
	}
	s.Created, s.Updated, s.Waiting = fromNanos(created), fromNanos(updated), fromNanos(waiting)
	if denyAfter.Valid {
		s.DenyAfter = new(time.Duration(denyAfter.Int64))
	}
	return s, nil
}

func scanTurn(rows *sql.Rows) (Turn, error) {
	var t Turn
	var ids, prompt sql.RawBytes
	var status, reason string
	var finished int64
	err := rows.Scan(&t.Seq, &t.ID, &status, &t.Continuation, &t.Client, &ids, &prompt, &t.Tools, &reason, &t.Error, &finished)
	if err != nil {
		return Turn{}, err
	}
	if err := t.setLists(ids, prompt); err != nil {
		return Turn{}, fmt.Errorf("turn %s: %w", t.ID, err)
	}
	t.Status, t.Reason, t.Finished = TurnStatus(status), chat.FinishReason(reason), fromNanos(finished)
	return t, nil
}
