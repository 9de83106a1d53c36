package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrReadOnly says that the store was opened for reading.
var ErrReadOnly = errors.New("store: opened read-only")

// A NewerError says that a newer version of the program has written the file.
type NewerError struct {
	Path       string
	Have, Know int // schema versions: the file's, and the newest this program knows
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("store: %s was written by a newer coder (schema %d, this one knows %d)", e.Path, e.Have, e.Know)
}

// Hint says what the user can do.
func (e *NewerError) Hint() string { return "update coder, or use another --data-dir" }

// An OlderError says that the file must be brought up to date, which reading alone cannot do.
type OlderError struct {
	Path       string
	Have, Know int
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("store: %s was written by an older coder (schema %d, this one wants %d)", e.Path, e.Have, e.Know)
}

// Hint says what the user can do.
func (e *OlderError) Hint() string {
	return "stop the older host with: coder stop; then start any session with this version once"
}

// A CorruptError says that the file is damaged or not a store.
type CorruptError struct {
	Path string
	Err  error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("store: %s is damaged: %v", e.Path, e.Err) }
func (e *CorruptError) Unwrap() error { return e.Err }

// Hint says what the user can do.
func (e *CorruptError) Hint() string {
	return "put a backup in its place, or move it and its -wal file away to begin with an empty store"
}

// A FullError says that there is no room for the data: nothing of the write was stored.
type FullError struct {
	Path string
	Err  error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("store: no space left for %s: %v", e.Path, e.Err)
}
func (e *FullError) Unwrap() error { return e.Err }

// Room is how much room on its disk lets a host begin and delete sessions, in bytes: the index of the log, and a log of the
// pages that change.
const Room = 1 << 20

// Hint says what the user can do.
func (e *FullError) Hint() string {
	return fmt.Sprintf("make room on the disk of %s and try again; %d MiB is enough to delete sessions", e.Path, Room>>20)
}

// A fileError is an error that no user can mend: what SQLite said of the file.
type fileError struct {
	Deed, Path string
	Err        error
}

func (e *fileError) Error() string { return fmt.Sprintf("store: %s %s: %v", e.Deed, e.Path, e.Err) }
func (e *fileError) Unwrap() error { return e.Err }

// Failed reports whether an error comes from the store's file: its text then names the file.
func Failed(err error) bool {
	var file *fileError
	var newer *NewerError
	var older *OlderError
	var corrupt *CorruptError
	var full *FullError
	return errors.As(err, &file) || errors.As(err, &newer) || errors.As(err, &older) || errors.As(err, &corrupt) || errors.As(err, &full)
}

// failed tells what was done and gives the errors that a user can mend their types.
func (s *Store) failed(deed string, err error) error {
	var newer *NewerError
	var older *OlderError
	var corrupt *CorruptError
	if errors.As(err, &newer) || errors.As(err, &older) || errors.As(err, &corrupt) {
		return err
	}
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return &CorruptError{Path: s.path, Err: err}
	case sqlite3.SQLITE_FULL:
		return &FullError{Path: s.path, Err: err}
	case sqlite3.SQLITE_IOERR:
		if extendedCode(err) == sqlite3.SQLITE_IOERR_SHMSIZE { // no room for the log's index, which an open begins with
			return &FullError{Path: s.path, Err: err}
		}
	}
	return &fileError{Deed: deed, Path: s.path, Err: err}
}

// code returns SQLite's primary result code, or 0.
func code(err error) int { return extendedCode(err) & 0xff }

func extendedCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}
