package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// The kinds of a Snapshot.
const (
	KindWhole = "whole" // of the whole folder
	KindFiles = "files" // of the named files only
	KindUndo  = "undo"
	KindRedo  = "redo"
)

// A Snapshot is the row of a stretch of time in which a turn, or an undo, may have changed files.
type Snapshot struct {
	Seq     int64 // AddSnapshot assigns it
	Session string
	Turn    string // the request id
	Message string // the id of the turn's answer; of an undo, of the one that it takes back
	Title   string // the beginning of the turn's prompt
	Workdir string
	Kind    string
	Before  string
	After   string // "": not known
	Named   []string
	Told    bool // of an undo: the model knows
	Began   time.Time
	Ended   time.Time // zero: it goes on
}

// Undoes reports whether the row is of an undo or a redo.
func (s Snapshot) Undoes() bool { return s.Kind == KindUndo || s.Kind == KindRedo }

// AddSnapshot writes a new row.
func (tx *Tx) AddSnapshot(s *Snapshot) error {
	res, err := tx.exec("storing a snapshot of", s.Session, `
		INSERT INTO snapshots (session, turn, message, title, workdir, kind, before, after, named, told, began, ended)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Session, s.Turn, s.Message, s.Title, s.Workdir, s.Kind, s.Before, s.After, joined(s.Named), s.Told, nanos(s.Began), nanos(s.Ended))
	if err != nil {
		return err
	}
	if s.Seq, err = res.LastInsertId(); err != nil {
		return tx.fail("storing a snapshot of", s.Session, err)
	}
	return nil
}

// SetSnapshot writes what changes of a row: its snapshots, what it names, and that it has ended. One that is gone with its
// session stays gone.
func (tx *Tx) SetSnapshot(s Snapshot) error {
	_, err := tx.exec("storing a snapshot of", s.Session,
		"UPDATE snapshots SET before = ?, after = ?, named = ?, ended = ? WHERE seq = ?", s.Before, s.After, joined(s.Named), nanos(s.Ended), s.Seq)
	return err
}

// TellSnapshots notes that the model knows of the session's undos.
func (tx *Tx) TellSnapshots(key string) error {
	_, err := tx.exec("storing what is told of", key, "UPDATE snapshots SET told = 1 WHERE session = ? AND kind IN ('undo', 'redo') AND told = 0", key)
	return err
}

// DropSnapshot removes a row.
func (tx *Tx) DropSnapshot(seq int64) error {
	_, err := tx.exec("dropping a snapshot", "", "DELETE FROM snapshots WHERE seq = ?", seq)
	return err
}

const selectSnapshots = "SELECT seq, session, turn, message, title, workdir, kind, before, after, named, told, began, ended FROM snapshots "

// Snapshots returns the session's rows in the order in which they came.
func (s *Store) Snapshots(ctx context.Context, key string) ([]Snapshot, error) {
	return readRows(ctx, s, "reading the snapshots of "+key, scanSnapshot, selectSnapshots+"WHERE session = ? ORDER BY seq", key)
}

// FolderSnapshots returns the rows of all sessions that work in a folder, the oldest first.
func (s *Store) FolderSnapshots(ctx context.Context, workdir string) ([]Snapshot, error) {
	return readRows(ctx, s, "reading the snapshots of "+workdir, scanSnapshot, selectSnapshots+"WHERE workdir = ? ORDER BY seq", workdir)
}

// OpenUndos returns the rows of undos that have begun and not ended.
func (s *Store) OpenUndos(ctx context.Context) ([]Snapshot, error) {
	return readRows(ctx, s, "looking for undos that were cut short", scanSnapshot,
		selectSnapshots+"WHERE ended = 0 AND kind IN ('undo', 'redo') ORDER BY seq")
}

func scanSnapshot(rows *sql.Rows) (s Snapshot, err error) {
	var named sql.RawBytes
	var began, ended int64
	err = rows.Scan(&s.Seq, &s.Session, &s.Turn, &s.Message, &s.Title, &s.Workdir, &s.Kind, &s.Before, &s.After, &named, &s.Told, &began, &ended)
	if len(named) > 0 {
		s.Named = strings.Split(strings.TrimSuffix(string(named), "\x00"), "\x00")
	}
	s.Began, s.Ended = fromNanos(began), fromNanos(ended)
	return s, err
}

// joined is a list of paths as it is stored; nil is NULL.
func joined(paths []string) any {
	if len(paths) == 0 {
		return nil
	}
	return []byte(strings.Join(paths, "\x00") + "\x00")
}
