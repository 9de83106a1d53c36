package store

import (
	"context"
	"database/sql"
	"errors"

	sqlite3 "modernc.org/sqlite/lib"
)

// Durability says what a committed write survives.
type Durability int

const (
	Fast Durability = iota // survives kill -9; a power cut may take the last seconds (synchronous=NORMAL)
	Safe                   // survives a power cut (synchronous=FULL)
)

// Write runs do in the writer's next transaction, together with the other writes that wait then, and returns nil once
// it is committed. If one of them is Safe, all are.
//
// If a do or the commit fails, everything is rolled back and each do runs again in a transaction of its own, so that a
// bad write spoils no other: do may run twice and must touch nothing but tx. It must not call Write. When ctx ends
// while the write still waits, Write returns its cause; after that it waits for the outcome.
func (s *Store) Write(ctx context.Context, d Durability, do func(tx *Tx) error) error {
	if s.writer == nil {
		return ErrReadOnly
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w := &pendingWrite{durability: d, do: do, result: make(chan error, 1)}
	select {
	case s.writer.pending <- w: // unbuffered: once sent, it is answered
		return <-w.result
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type pendingWrite struct {
	durability Durability
	do         func(*Tx) error
	result     chan error
}

// A writer is the goroutine that owns the write connection.
type writer struct {
	store   *Store
	conn    *sql.Conn
	stmts   *statements
	ctx     context.Context // of the statements: it never ends, so that what has begun is finished
	pending chan *pendingWrite
	chores  chan *chore
	done    chan struct{} // closed when run has returned

	synchronous Durability // what the connection is set to
}

func newWriter(ctx context.Context, s *Store, conn *sql.Conn) *writer {
	return &writer{
		store: s, conn: conn, stmts: newStatements(conn), ctx: ctx,
		pending: make(chan *pendingWrite), chores: make(chan *chore), done: make(chan struct{}), synchronous: Fast,
	}
}

// run commits batch after batch until the store closes. A chore comes only when no write waits.
func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case first := <-w.pending:
			w.commitAll(w.gather(first))
			continue
		default:
		}
		select {
		case first := <-w.pending:
			w.commitAll(w.gather(first))
		case c := <-w.chores:
			c.result <- c.do(w)
		case <-w.store.closing:
			return
		}
	}
}

// gather adds the writes that wait now. Each caller waits for one write, so the batch is bounded by their number.
func (w *writer) gather(first *pendingWrite) []*pendingWrite {
	batch := []*pendingWrite{first}
	for {
		select {
		case next := <-w.pending:
			batch = append(batch, next)
		default:
			return batch
		}
	}
}

func (w *writer) commitAll(batch []*pendingWrite) {
	err := w.transaction(batch...)
	if err != nil && len(batch) > 1 {
		for _, p := range batch {
			p.result <- w.transaction(p)
		}
		return
	}
	for _, p := range batch {
		p.result <- err
	}
}

// transaction runs the writes in one transaction: all are committed or none.
func (w *writer) transaction(batch ...*pendingWrite) error {
	if err := w.setDurability(batch); err != nil {
		return w.store.failed("writing", err)
	}
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return errors.Join(w.store.failed("writing", err), w.rollback()) // of one that could not be rolled back before
	}
	tx := &Tx{w: w}
	for _, p := range batch {
		err := p.do(tx)
		if tx.err != nil { // even if do has ignored it: SQLite may have rolled back already
			err = w.store.failed("writing", tx.err)
		}
		if err != nil {
			return errors.Join(err, w.rollback())
		}
	}
	if _, err := w.exec("COMMIT"); err != nil {
		return errors.Join(w.store.failed("writing", err), w.rollback())
	}
	return nil
}

// setDurability changes the connection's synchronous setting if the batch needs another: FULL syncs the log at each
// commit, and with it what was committed before.
func (w *writer) setDurability(batch []*pendingWrite) error {
	want := Fast
	for _, p := range batch {
		want = max(want, p.durability)
	}
	if want == w.synchronous {
		return nil
	}
	pragma := "PRAGMA synchronous = NORMAL"
	if want == Safe {
		pragma = "PRAGMA synchronous = FULL"
	}
	if _, err := w.conn.ExecContext(w.ctx, pragma); err != nil {
		return err
	}
	w.synchronous = want
	return nil
}

// rollback ends the open transaction. Some errors, a full disk among them, make SQLite end it by itself; then there is
// nothing to do, and the answer is its general error code.
func (w *writer) rollback() error {
	_, err := w.exec("ROLLBACK")
	if code(err) == sqlite3.SQLITE_ERROR {
		return nil
	}
	return err
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := w.stmts.get(w.ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(w.ctx, args...)
}

func (w *writer) close() error { return errors.Join(w.stmts.close(), w.conn.Close()) }
