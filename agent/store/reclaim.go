package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What is deleted leaves free pages in the file: room that the disk does not get back, with the text still in it. The
// list of free pages is what Reclaim owes: it moves the file's last pages into them and shortens it, step by step, each
// a transaction of its own between the writes of others. A crash loses nothing of that but the rest of the steps, and
// the next Reclaim does them. Two settings belong to it: auto_vacuum of the file, which lets pages move, and
// secure_delete=FAST of the writer's connection, which blanks what is deleted on a page that stays. (ON would also write zeros over pages that
// are about to go, twice the bytes; OFF leaves pieces of text on pages of other sessions.)

const (
	stepTime  = 10 * time.Millisecond // what a step should take: so long a write may have to wait for it
	firstStep = 32                    // pages; the next steps are as long as the time allows
	leastStep = 8
	mostStep  = 2048

	busyWait  = 20 * time.Millisecond // between attempts to empty the log, while somebody reads
	busyTries = 100
)

// errLogInUse says that somebody has read the log all the time.
var errLogInUse = errors.New("another program reads it; it will be tried again")

// Reclaim gives the room of what was deleted back to the disk and returns how many bytes that are. Afterwards no text
// that was deleted before the call is left in the file or its log. Writes that come meanwhile wait for one step at most.
func (s *Store) Reclaim(ctx context.Context) (freed int64, err error) {
	if s.writer == nil {
		return 0, ErrReadOnly
	}
	for pages := 0; ; {
		var step vacuumed
		err := s.between(ctx, func(w *writer) (err error) {
			step, err = w.vacuum(pages)
			return err
		})
		if err != nil {
			return freed, s.reclaimFailed(err)
		}
		freed += step.freed
		if step.left == 0 {
			break
		}
		pages = step.next(pages)
	}
	return freed, s.reclaimFailed(s.emptyLog(ctx))
}

func (s *Store) reclaimFailed(err error) error {
	if err == nil || errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) {
		return err
	}
	return s.failed("giving back the free room of", err)
}

// A vacuumed is what a step did.
type vacuumed struct {
	freed int64 // bytes
	left  int   // free pages
	took  time.Duration
}

// next is how many pages the next step should free.
func (v vacuumed) next(pages int) int {
	if pages == 0 {
		return firstStep
	}
	fit := float64(pages) * float64(stepTime) / float64(max(v.took, time.Microsecond))
	return int(min(max(fit, leastStep), min(mostStep, 2*float64(pages))))
}

// vacuum frees up to so many pages, 0 for none, and looks how many are left.
func (w *writer) vacuum(pages int) (v vacuumed, err error) {
	before, _, err := w.freePages()
	if err != nil || before == 0 {
		return v, err
	}
	start := time.Now()
	if pages > 0 {
		if err := w.each(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", pages)); err != nil {
			return v, err
		}
	}
	v.took = time.Since(start)
	left, size, err := w.freePages()
	if pages > 0 && left >= before && err == nil {
		err = fmt.Errorf("%d free pages do not become fewer", left)
	}
	v.left, v.freed = left, int64(before-left)*size
	return v, err
}

func (w *writer) freePages() (n int, size int64, err error) {
	const query = "SELECT freelist_count, page_size FROM pragma_freelist_count, pragma_page_size"
	return n, size, w.conn.QueryRowContext(w.ctx, query).Scan(&n, &size)
}

// each runs a pragma that does its work row by row.
func (w *writer) each(pragma string) error {
	rows, err := w.conn.QueryContext(w.ctx, pragma)
	if err != nil {
		return err
	}
	for rows.Next() { // a row stands for a page
	}
	return errors.Join(rows.Err(), rows.Close())
}

// emptyLog moves the log into the file and makes it empty: what was deleted is in its older frames. That needs a moment
// in which nobody reads from it, and the writer does not wait for one: it is asked again.
func (s *Store) emptyLog(ctx context.Context) error {
	for range busyTries {
		var busy bool
		err := s.between(ctx, func(w *writer) (err error) {
			busy, err = w.truncateLog()
			return err
		})
		if err != nil || !busy {
			return err
		}
		wait := time.NewTimer(busyWait)
		select {
		case <-wait.C:
		case <-s.closing:
			wait.Stop()
			return ErrClosed
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		}
	}
	return errLogInUse
}

func (w *writer) truncateLog() (busy bool, err error) {
	if _, err := w.conn.ExecContext(w.ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return false, err
	}
	var frames, moved int
	err = w.conn.QueryRowContext(w.ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	_, restored := w.conn.ExecContext(w.ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout))
	return busy, errors.Join(err, restored)
}

// between runs do on the writer's goroutine between two transactions, when no write waits, and waits for it.
func (s *Store) between(ctx context.Context, do func(*writer) error) error {
	c := &chore{do: do, result: make(chan error, 1)}
	select {
	case s.writer.chores <- c:
		return <-c.result
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A chore is work on the writer's connection outside of transactions.
type chore struct {
	do     func(*writer) error
	result chan error
}
