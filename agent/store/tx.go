package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// doneTurnsKept is how long the rows of finished turns are kept: as long as a client may repeat a request id.
const doneTurnsKept = 30 * 24 * time.Hour

// A Tx writes inside Store.Write. It is good only while do runs, on its goroutine. After an error the transaction
// cannot be committed any more: every further call returns that error.
type Tx struct {
	w   *writer
	err error
}

// exec runs one statement; deed and object say what for.
func (tx *Tx) exec(deed, object, query string, args ...any) (sql.Result, error) {
	if tx.err != nil {
		return nil, tx.err
	}
	res, err := tx.w.exec(query, args...)
	if err != nil {
		return nil, tx.fail(deed, object, err)
	}
	return res, nil
}

func (tx *Tx) fail(deed, object string, err error) error {
	tx.err = fmt.Errorf("%s %s: %w", deed, object, err)
	return tx.err
}

// PutSession writes the session's row, new or not.
func (tx *Tx) PutSession(s Session) error {
	usage, err := json.Marshal(s.Usage)
	if err != nil {
		return tx.fail("storing session", s.Key, err)
	}
	_, err = tx.exec("storing session", s.Key, `
		INSERT OR REPLACE INTO sessions (key, name, workdir, model, mode, title, titled, status, steps, usage, messages, created, updated,
			project, forked_from, forked_at, route, pinned, provider, cost, deny_after, waiting, agent)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Key, s.Name, s.Workdir, s.Model, s.Mode, s.Title, s.Titled, s.Status, s.MaxSteps, string(usage), s.Messages,
		nanos(s.Created), nanos(s.Updated), s.Project, s.ForkedFrom, s.ForkedAt, s.Route, s.Pinned, s.Provider, s.MaxCost,
		duration(s.DenyAfter), nanos(s.Waiting), s.Agent)
	return err
}

// DeleteSession removes the session and everything of it.
func (tx *Tx) DeleteSession(key string) error {
	for _, query := range []string{
		"DELETE FROM events WHERE turn IN (SELECT seq FROM turns WHERE session = ?)",
		"DELETE FROM turns WHERE session = ?",
		"DELETE FROM messages WHERE session = ?",
		"DELETE FROM systems WHERE session = ?",
		"DELETE FROM schedules WHERE session = ?",
		"DELETE FROM client_tools WHERE session = ?",
		"DELETE FROM cleared WHERE session = ?",
		"DELETE FROM rules WHERE session = ?",
		"DELETE FROM snapshots WHERE session = ?",
		"DELETE FROM sessions WHERE key = ?",
	} {
		if _, err := tx.exec("deleting session", key, query, key); err != nil {
			return err
		}
	}
	return nil
}

// PutSystem keeps the session's system prompt, in place of what it had.
func (tx *Tx) PutSystem(key string, p System) error {
	_, err := tx.exec("storing the system prompt of", key,
		"INSERT OR REPLACE INTO systems (session, text, project) VALUES (?, ?, ?)", key, p.Text, p.Project)
	return err
}

// DropSystem forgets the session's system prompt.
func (tx *Tx) DropSystem(key string) error {
	_, err := tx.exec("dropping the system prompt of", key, "DELETE FROM systems WHERE session = ?", key)
	return err
}

// PutMessage writes the message at a position of the session, new or not. ToolCall.Started is not kept: the open turn's
// events have it.
func (tx *Tx) PutMessage(key string, pos int, m chat.Message) error {
	body, err := m.MarshalJSON() // not json.Marshal, which would escape <, > and &
	if err != nil {
		return tx.fail("storing a message of", key, err)
	}
	var steps []byte
	if len(m.Steps) > 0 {
		if steps, err = marshal(m.Steps); err != nil {
			return tx.fail("storing the steps of a message of", key, err)
		}
	}
	_, err = tx.exec("storing a message of", key, `
		INSERT INTO messages (session, pos, id, body, steps) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (session, pos) DO UPDATE SET id = ?3, body = ?4, steps = ?5`,
		key, pos, m.ID, body, blob(steps))
	return err
}

// DeleteMessages removes the messages with the ids. The positions of the others stay as they are.
func (tx *Tx) DeleteMessages(key string, ids ...string) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return tx.fail("deleting messages of", key, err)
	}
	_, err = tx.exec("deleting messages of", key,
		"DELETE FROM messages WHERE session = ? AND id IN (SELECT value FROM json_each(?))", key, string(list))
	return err
}

// DeleteMessagesFrom removes the messages at pos and after it.
func (tx *Tx) DeleteMessagesFrom(key string, pos int) error {
	_, err := tx.exec("deleting messages of", key, "DELETE FROM messages WHERE session = ? AND pos >= ?", key, pos)
	return err
}

// ClearMessages removes all messages of the session.
func (tx *Tx) ClearMessages(key string) error {
	_, err := tx.exec("deleting messages of", key, "DELETE FROM messages WHERE session = ?", key)
	return err
}

// Sweep drops the events of turns that finished before a time, and the rows of turns that finished 30 days before it.
func (tx *Tx) Sweep(before time.Time) error {
	const events = `DELETE FROM events WHERE turn IN
		(SELECT seq FROM turns WHERE status = 'done' AND finished < ?)`
	if _, err := tx.exec("sweeping", "events", events, nanos(before)); err != nil {
		return err
	}
	const turns = "DELETE FROM turns WHERE status = 'done' AND finished < ?"
	_, err := tx.exec("sweeping", "turns", turns, nanos(before.Add(-doneTurnsKept)))
	return err
}

// duration makes no duration NULL.
func duration(d *time.Duration) any {
	if d == nil {
		return nil
	}
	return int64(*d)
}

// blob makes an empty value NULL.
func blob(data []byte) any {
	if len(data) == 0 {
		return nil
	}
	return data
}

// marshal is json.Marshal without the escaping of <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
