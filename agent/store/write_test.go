package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"modernc.org/sqlite"
)

// blocked makes the writer busy with a write until the returned function is called; that returns the write's outcome.
func blocked(t *testing.T, s *Store) (release func() error) {
	t.Helper()
	begun, hold, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- s.Write(t.Context(), Fast, func(tx *Tx) error {
			close(begun)
			<-hold
			return tx.PutSession(Session{Key: "blocker"})
		})
	}()
	<-begun
	return func() error { close(hold); return <-result }
}

// later starts a write that must wait, and returns when it does.
func later(ctx context.Context, s *Store, d Durability, do func(*Tx) error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.Write(ctx, d, do) }()
	synctest.Wait()
	return result
}

func put(key string) func(*Tx) error {
	return func(tx *Tx) error { return tx.PutSession(Session{Key: key}) }
}

func stored(t *testing.T, s *Store, key string) bool {
	t.Helper()
	_, ok, err := s.Session(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestWritesThatWaitShareATransaction(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		release := blocked(t, s)
		var mu sync.Mutex
		shared := map[*Tx]int{}
		var waiting []<-chan error
		for i := range 20 {
			d := Fast
			if i == 7 {
				d = Safe
			}
			waiting = append(waiting, later(t.Context(), s, d, func(tx *Tx) error {
				mu.Lock()
				defer mu.Unlock()
				shared[tx]++
				if tx.w.synchronous != Safe {
					t.Error("a Safe write is in the batch, but it is not committed safely")
				}
				return tx.PutSession(Session{Key: fmt.Sprint("k", i)})
			}))
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		for i, result := range waiting {
			if err := <-result; err != nil || !stored(t, s, fmt.Sprint("k", i)) {
				t.Errorf("write %d: %v", i, err)
			}
		}
		if len(shared) != 1 {
			t.Errorf("20 writes took %d transactions, want 1", len(shared))
		}
		write(t, s, Fast, func(tx *Tx) error {
			if tx.w.synchronous != Fast {
				t.Error("a Fast write after a Safe one is committed safely")
			}
			return nil
		})
	})
}

func TestABadWriteSpoilsNoOther(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		release := blocked(t, s)
		bad := errors.New("bad")
		first := later(t.Context(), s, Fast, put("first"))
		refused := later(t.Context(), s, Fast, func(tx *Tx) error { return errors.Join(tx.PutSession(Session{Key: "bad"}), bad) })
		broken := later(t.Context(), s, Fast, func(tx *Tx) error { return tx.SetTurn("a", Turn{ID: "none", Status: TurnDone}) })
		last := later(t.Context(), s, Safe, put("last"))
		if err := release(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-first, <-last); err != nil {
			t.Errorf("the good writes: %v", err)
		}
		if err := <-refused; !errors.Is(err, bad) {
			t.Errorf("the write that refused: %v", err)
		}
		if err := <-broken; !errors.Is(err, ErrNoTurn) {
			t.Errorf("the write that broke: %v", err)
		}
		for key, want := range map[string]bool{"blocker": true, "first": true, "bad": false, "last": true} {
			if stored(t, s, key) != want {
				t.Errorf("%s stored: %v, want %v", key, !want, want)
			}
		}
	})
}

func TestACommitThatFailsSpoilsNoOther(t *testing.T) {
	dir := t.TempDir()
	refuse := int32(2) // the batch's commit, then that of its first write alone
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		release := blocked(t, s)
		first, second := later(t.Context(), s, Fast, put("first")), later(t.Context(), s, Fast, put("second"))
		armed := false
		err := s.writer.conn.Raw(func(conn any) error {
			conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
				if !armed { // the blocker's
					armed = true
					return 0
				}
				refuse--
				return max(refuse+1, 0)
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err == nil || stored(t, s, "first") {
			t.Errorf("the refused commit: %v", err)
		}
		if err := <-second; err != nil || !stored(t, s, "second") {
			t.Errorf("the write beside it: %v", err)
		}
		write(t, s, Safe, put("after"))
	})
}

func TestContextOfAWrite(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		cause := errors.New("the user left")
		ended, end := context.WithCancelCause(t.Context())
		end(cause)
		if err := s.Write(ended, Fast, put("never")); !errors.Is(err, cause) {
			t.Errorf("Write with an ended context: %v", err)
		}

		release := blocked(t, s)
		ctx, cancel := context.WithCancelCause(t.Context())
		waits := later(ctx, s, Fast, put("waits"))
		cancel(cause)
		if err := <-waits; !errors.Is(err, cause) {
			t.Errorf("a waiting write whose context ends: %v", err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}

		ctx, cancel = context.WithCancelCause(t.Context())
		err := s.Write(ctx, Fast, func(tx *Tx) error {
			cancel(cause)
			return tx.PutSession(Session{Key: "begun"})
		})
		if err != nil || !stored(t, s, "begun") || stored(t, s, "waits") || stored(t, s, "never") {
			t.Errorf("a write whose context ends after it has begun: %v", err)
		}
		if _, err := s.Sessions(ctx); !errors.Is(err, cause) {
			t.Errorf("a read with an ended context: %v", err)
		}
	})
}

func TestCloseWhileWritesWait(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		release := blocked(t, s)
		waits := later(t.Context(), s, Safe, put("waits"))
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- s.Close() }()
		}
		if err := <-waits; !errors.Is(err, ErrClosed) {
			t.Errorf("a write that waits at Close: %v, want ErrClosed", err)
		}
		if err := release(); err != nil {
			t.Errorf("the write that ran at Close: %v", err)
		}
		if err := errors.Join(<-closed, <-closed); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := s.Write(t.Context(), Fast, put("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("Write after Close: %v, want ErrClosed", err)
		}
		if _, err := s.Sessions(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Sessions after Close: %v, want ErrClosed", err)
		}
		s = open(t, dir)
		if !stored(t, s, "blocker") || stored(t, s, "waits") {
			t.Error("what was committed is gone, or what was refused is there")
		}
	})
}

func TestDiskFull(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, Safe, openTurn("a"))
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(100)
	big := user("big", strings.Repeat("x", 1<<20))
	for range 2 {
		err := s.Write(t.Context(), Safe, func(tx *Tx) error {
			return errors.Join(tx.PutSession(Session{Key: "half"}), tx.PutMessage("a", 0, big), tx.PutSession(Session{Key: "other half"}))
		})
		var full *FullError
		if !errors.As(err, &full) || hinted(full).Hint() == "" {
			t.Fatalf("Write = %v, want a *FullError", err)
		}
	}
	write(t, s, Safe, func(tx *Tx) error { return tx.PutMessage("a", 0, user("small", "fits")) })
	limit(1 << 20)
	if stored(t, s, "half") || stored(t, s, "other half") {
		t.Error("half of the write was stored")
	}
	write(t, s, Safe, func(tx *Tx) error { return tx.PutMessage("a", 1, big) })
	want(t, "messages", ids(read(t, s.Messages, "a")), []string{"small", "big"})
}

// TestManySessionsAtOnce writes from 200 sessions while others read: each reads what it has written, and nobody sees
// half of a write.
func TestManySessionsAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 200 {
		key := fmt.Sprint("k", i)
		wg.Go(func() {
			for n := range 5 {
				err := s.Write(t.Context(), Durability(n%2), func(tx *Tx) error {
					return errors.Join(tx.PutMessage(key, 2*n, user("q", "?")), tx.PutMessage(key, 2*n+1, reply("r")))
				})
				if err != nil {
					t.Error(err)
					return
				}
				own, err := s.Messages(t.Context(), key)
				if err != nil || len(own) != 2*n+2 {
					t.Errorf("%s reads %d messages, %v; it has written %d", key, len(own), err, 2*n+2)
				}
				others, err := s.Messages(t.Context(), fmt.Sprint("k", (i+1)%200))
				if err != nil || len(others)%2 != 0 {
					t.Errorf("half a write was seen: %d messages, %v", len(others), err)
				}
			}
		})
	}
	wg.Wait()
}
