package store

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/coder-agent/coder/agent/chat"
)

// ErrNoTurn says that the session has no turn with the id.
var ErrNoTurn = errors.New("no such turn")

// AddTurn writes a new turn and sets t.Seq. It adds nothing, without an error, if the session has a turn with the id
// already: so the same request id twice has one effect.
func (tx *Tx) AddTurn(key string, t *Turn) (added bool, err error) {
	ids, prompt, err := t.lists()
	if err != nil {
		return false, tx.fail("storing turn", t.ID, err)
	}
	res, err := tx.exec("storing turn", t.ID, `
		INSERT INTO turns (session, id, status, continuation, client, messages, prompt, tools, reason, error, finished)
		VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?) ON CONFLICT (session, id) DO NOTHING`,
		key, t.ID, string(t.Status), t.Continuation, t.Client, ids, prompt, t.Tools, string(t.Reason), t.Error, nanos(t.Finished))
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	t.Seq, err = res.LastInsertId()
	return true, err
}

// SetTurn writes the row of a turn anew; its Seq stays. Without such a turn the error is ErrNoTurn.
func (tx *Tx) SetTurn(key string, t Turn) error {
	ids, prompt, err := t.lists()
	if err != nil {
		return tx.fail("storing turn", t.ID, err)
	}
	return tx.execTurn("storing turn", t.ID, `
		UPDATE turns SET status = ?, continuation = ?, client = ?, messages = ?, prompt = ?, tools = NULLIF(?, ''), reason = ?, error = ?, finished = ?
		WHERE session = ? AND id = ?`,
		string(t.Status), t.Continuation, t.Client, ids, prompt, t.Tools, string(t.Reason), t.Error, nanos(t.Finished), key, t.ID)
}

// DeleteTurn removes the turn and its events, if it is there.
func (tx *Tx) DeleteTurn(key, id string) error {
	if err := tx.DropEvents(key, id); err != nil {
		return err
	}
	_, err := tx.exec("deleting turn", id, "DELETE FROM turns WHERE session = ? AND id = ?", key, id)
	return err
}

// AppendEvents adds the turn's events n, n+1 and so on. A body is JSON without line breaks, as chat.EncodeEvent makes
// it. Without such a turn the error is ErrNoTurn.
func (tx *Tx) AppendEvents(key, turnID string, n int, bodies [][]byte) error {
	if len(bodies) == 0 {
		return nil
	}
	for _, body := range bodies {
		if len(body) == 0 || bytes.IndexByte(body, '\n') >= 0 {
			return tx.fail("storing events of turn", turnID, errors.New("an event is empty or has a line break"))
		}
	}
	return tx.execTurn("storing events of turn", turnID,
		"INSERT INTO events (turn, n, bodies) SELECT seq, ?, ? FROM turns WHERE session = ? AND id = ?",
		n, bytes.Join(bodies, []byte("\n")), key, turnID)
}

// DropEvents removes the events of a turn.
func (tx *Tx) DropEvents(key, turnID string) error {
	_, err := tx.exec("dropping events of turn", turnID,
		"DELETE FROM events WHERE turn = (SELECT seq FROM turns WHERE session = ? AND id = ?)", key, turnID)
	return err
}

// execTurn runs a statement that must change one row.
func (tx *Tx) execTurn(deed, turnID, query string, args ...any) error {
	res, err := tx.exec(deed, turnID, query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNoTurn
	}
	if err != nil {
		return tx.fail(deed, turnID, err)
	}
	return nil
}

// lists encodes the turn's two lists; nil is NULL.
func (t *Turn) lists() (ids, prompt any, err error) {
	if len(t.MessageIDs) > 0 {
		data, err := json.Marshal(t.MessageIDs)
		if err != nil {
			return nil, nil, err
		}
		ids = string(data)
	}
	if len(t.Prompt) > 0 {
		if prompt, err = marshal(t.Prompt); err != nil {
			return nil, nil, err
		}
	}
	return ids, prompt, nil
}

func (t *Turn) setLists(ids, prompt []byte) error {
	if len(ids) > 0 {
		if err := json.Unmarshal(ids, &t.MessageIDs); err != nil {
			return err
		}
	}
	if len(prompt) > 0 {
		var messages []chat.Message
		if err := json.Unmarshal(prompt, &messages); err != nil {
			return err
		}
		t.Prompt = messages
	}
	return nil
}
