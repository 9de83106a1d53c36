// Package store keeps sessions on disk: one SQLite file that holds the rows of all sessions of a data dir. Nothing else
// imports the driver.
//
// There is one writer connection with a goroutine of its own, which commits the writes that wait together, and a small
// pool of connections that read. In WAL mode readers and the writer do not wait for each other, and a read sees every
// write that has returned before it began.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"modernc.org/sqlite"
)

// ErrClosed says that the store is closed or closing.
var ErrClosed = errors.New("store: closed")

// maxReaders bounds the read connections: two cores rarely want more.
const maxReaders = 4

// Pragmas of every connection of a kind. A busy_timeout in ms is waited out only beside another program that writes, or
// while one recovers the log. Readers read each page once, so they get little cache: 500 KB in place of 2 MB. The limit
// of the log's size, in bytes, makes it shrink again after a large commit. Without fullfsync a sync on macOS leaves the
// data in the disk's own cache, and Safe would not survive a power cut. What secure_delete does is told in
// reclaim.go.
var (
	readPragmas = []string{waitPragma, "query_only(1)", "cache_size(-500)"}
	// With an exclusive lock the index is in memory: another program that has the store open keeps us out, as we keep it.
	// The driver sorts pragmas, and cache_size would open the log before the mode is set.
	alonePragmas = []string{"busy_timeout(1000)", "locking_mode(EXCLUSIVE)", "query_only(1)"}
	writePragmas = []string{
		waitPragma, "secure_delete(FAST)", "synchronous(NORMAL)", "journal_size_limit(16777216)", "fullfsync(1)",
	}
)

const busyTimeout = 5000 // ms

var waitPragma = fmt.Sprintf("busy_timeout(%d)", busyTimeout)

// A Store is the open file. Its methods may be called from any goroutine.
type Store struct {
	path    string
	readers *statements
	read    *sql.DB
	write   *sql.DB // nil when read-only
	writer  *writer // nil when read-only

	closing   chan struct{} // closed when Close begins
	closeOnce sync.Once
	closeErr  error
}

// Open opens the store of a data dir, which must exist, and creates it there if it is new. One process at a time may do
// so: the host's lock on the dir sees to it. The error is a *CorruptError when the file is not a sound database of
// ours, and a *NewerError when a newer version of the program has written it.
//
// Open does not check the whole file: SQLite recovers by itself from a process or a machine that died, so an unclean
// shutdown does not make damage likelier, and a check reads every page. What Open reads finds a file that is garbage,
// empty, truncated or foreign; damage further in is reported as a *CorruptError by the read or write that meets it.
func Open(ctx context.Context, dir string) (*Store, error) {
	path := Path(dir)
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	s, err := newStore(path, maxReaders, readPragmas)
	if err != nil {
		return nil, err
	}
	if err := s.openWriter(ctx); err != nil {
		return nil, errors.Join(s.failed("opening", err), s.Close())
	}
	return s, nil
}

// OpenReadOnly opens the store of a data dir for reading, whether or not a host has it open. Without a store the error
// is fs.ErrNotExist. Write returns ErrReadOnly. A full disk has no room for the log's index that readers share: then the
// store is read alone if no host has it open, and until Close none can open it.
func OpenReadOnly(ctx context.Context, dir string) (*Store, error) {
	path := Path(dir)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("store: opening %s: %w", path, err)
	}
	s, err := openToRead(ctx, path, maxReaders, readPragmas)
	if full, ok := errors.AsType[*FullError](err); ok {
		if s, err = openToRead(ctx, path, 1, alonePragmas); err != nil {
			return nil, full
		}
	}
	return s, err
}

func openToRead(ctx context.Context, path string, readers int, pragmas []string) (*Store, error) {
	s, err := newStore(path, readers, pragmas)
	if err != nil {
		return nil, err
	}
	if err := s.checkReadable(ctx, len(migrations())); err != nil {
		return nil, errors.Join(s.failed("opening", err), s.Close())
	}
	return s, nil
}

func newStore(path string, readers int, pragmas []string) (*Store, error) {
	read, err := openDB(path, pragmas...)
	if err != nil {
		return nil, fmt.Errorf("store: opening %s: %w", path, err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &Store{path: path, read: read, readers: newStatements(read), closing: make(chan struct{})}, nil
}

// openWriter connects, brings the schema up to date and starts the writer.
func (s *Store) openWriter(ctx context.Context) error {
	db, err := openDB(s.path, writePragmas...)
	if err != nil {
		return err
	}
	s.write = db
	db.SetMaxOpenConns(1)
	ctx = context.WithoutCancel(ctx) // the driver starts a goroutine per statement for a context that can end
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := migrate(ctx, conn, s.path, migrations()); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.writer = newWriter(ctx, s, conn)
	go s.writer.run()
	return nil
}

// checkReadable makes sure that the schema is the one that the reads know.
func (s *Store) checkReadable(ctx context.Context, know int) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	have, err := schemaVersion(ctx, conn, s.path)
	switch {
	case err != nil:
	case have == 0:
		err = fmt.Errorf("%w: nothing was ever stored there", os.ErrNotExist)
	case have > know:
		err = &NewerError{Path: s.path, Have: have, Know: know}
	case have < know:
		err = &OlderError{Path: s.path, Have: have, Know: know}
	}
	return errors.Join(err, conn.Close())
}

// Close ends the store. A write that has begun is finished; one that still waits returns ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		var errs []error
		if s.writer != nil {
			<-s.writer.done
			errs = append(errs, s.writer.close())
		}
		errs = append(errs, s.readers.close(), s.read.Close())
		if s.write != nil {
			errs = append(errs, s.write.Close()) // last: it moves the log into the file and removes it
		}
		if err := errors.Join(errs...); err != nil {
			s.closeErr = s.failed("closing", err)
		}
	})
	return s.closeErr
}

func openDB(path string, pragmas ...string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(dsn(path, pragmas...))
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
