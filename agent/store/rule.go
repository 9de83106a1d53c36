package store

import (
	"context"
	"database/sql"
	"time"
)

// A Rule is the row of a rule that holds for one session.
type Rule struct {
	ID      int64 // AddRule assigns it
	Text    string
	Created time.Time
	By      string // the connection that made it
}

// AddRule keeps a rule of the session, behind those it has.
func (tx *Tx) AddRule(key string, r *Rule) error {
	res, err := tx.exec("storing a rule of", key,
		"INSERT INTO rules (session, rule, created, by) VALUES (?, ?, ?, ?)", key, r.Text, nanos(r.Created), r.By)
	if err != nil {
		return err
	}
	if r.ID, err = res.LastInsertId(); err != nil {
		return tx.fail("storing a rule of", key, err)
	}
	return nil
}

// DeleteRule removes a rule of the session, if it is there.
func (tx *Tx) DeleteRule(key string, id int64) error {
	_, err := tx.exec("removing a rule of", key, "DELETE FROM rules WHERE session = ? AND id = ?", key, id)
	return err
}

// DropRules removes all rules of the session.
func (tx *Tx) DropRules(key string) error {
	_, err := tx.exec("removing the rules of", key, "DELETE FROM rules WHERE session = ?", key)
	return err
}

// Rules returns the session's rules in the order in which they came.
func (s *Store) Rules(ctx context.Context, key string) ([]Rule, error) {
	scan := func(rows *sql.Rows) (r Rule, err error) {
		var created int64
		err = rows.Scan(&r.ID, &r.Text, &created, &r.By)
		r.Created = fromNanos(created)
		return r, err
	}
	return readRows(ctx, s, "reading the rules of "+key, scan,
		"SELECT id, rule, created, by FROM rules WHERE session = ? ORDER BY id", key)
}
