package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// text is n bytes or somewhat more that hold a word at every step.
func text(word string, n int) string { return strings.Repeat(word+" ", n/(len(word)+1)+1) }

// crowd fills a store with sessions k0, k1 and so on whose rows lie mixed on the file's pages. Every text holds the word
// of its session. Messages are written anew and deleted meanwhile, so that pages are split and joined.
func crowd(t testing.TB, s *Store, sessions, messages int, sizes ...int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 5))
	for i := range sessions {
		write(t, s, Fast, openTurn(fmt.Sprint("k", i)))
	}
	for n := range messages {
		i := rng.IntN(sessions)
		key, body := fmt.Sprint("k", i), text(word(i), sizes[rng.IntN(len(sizes))])
		write(t, s, Fast, func(tx *Tx) error {
			errs := []error{
				tx.PutMessage(key, n, user(fmt.Sprint("m", n), body)),
				tx.AppendEvents(key, "r1", n, [][]byte{fmt.Appendf(nil, `{"%s":%d}`, word(i), n)}),
				tx.PutSession(Session{Key: key, Name: key, Title: text(word(i), 40), Updated: time.Unix(int64(n), 0)}),
			}
			if n%3 == 0 {
				errs = append(errs, tx.PutMessage(key, n, user(fmt.Sprint("m", n), body[:len(body)/2])))
			}
			if n%7 == 0 {
				errs = append(errs, tx.DeleteMessages(key, fmt.Sprint("m", n)))
			}
			return errors.Join(errs...)
		})
	}
}

// word is long enough not to be cut by chance, and in no other word.
func word(session int) string { return fmt.Sprintf("[word-%d-of-session]", session) }

// traces counts a word in all files of the store.
func traces(t testing.TB, dir, word string) (n int) {
	t.Helper()
	files, err := filepath.Glob(Path(dir) + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(data), word)
	}
	return n
}

func sound(t testing.TB, s *Store) {
	t.Helper()
	var report string
	if err := s.read.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&report); err != nil || report != "ok" {
		t.Fatalf("integrity check: %s, %v", report, err)
	}
}

func fileSize(t testing.TB, dir string) int64 {
	t.Helper()
	info, err := os.Stat(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func reclaim(t testing.TB, s *Store) int64 {
	t.Helper()
	freed, err := s.Reclaim(t.Context())
	if err != nil {
		t.Fatalf("Reclaim: %v", err)
	}
	return freed
}

func remove(t testing.TB, s *Store, key string) {
	t.Helper()
	write(t, s, Safe, func(tx *Tx) error { return tx.HideSession(key) })
	if err := s.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsDeletedLeavesNoTrace: neither in the file nor in its log, while the store is open and after it is closed;
// the rest is as it was, and the file is shorter.
func TestWhatIsDeletedLeavesNoTrace(t *testing.T) {
	for name, sizes := range map[string][]int{
		"short messages":               {10, 200, 900},
		"long messages":                {20_000, 300_000},
		"messages of every size mixed": {10, 900, 3000, 5000, 20_000, 200_000},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			crowd(t, s, 4, 250, sizes...)
			before := read(t, s.Messages, "k1")
			if traces(t, dir, word(0)) == 0 {
				t.Fatal("the word of the session is nowhere: this test sees nothing")
			}
			remove(t, s, "k0")
			reclaim(t, s)
			size := fileSize(t, dir)
			if n := traces(t, dir, word(0)); n > 0 {
				t.Errorf("%d traces are left while the store is open", n)
			}
			want(t, "the messages of another session", read(t, s.Messages, "k1"), before)
			sound(t, s)

			crowd(t, s, 1, 80, sizes...) // room is needed again
			remove(t, s, "k0")
			if freed := reclaim(t, s); freed == 0 || fileSize(t, dir) > size {
				t.Errorf("%d bytes were freed, the file has %d; it had %d", freed, fileSize(t, dir), size)
			}
			s = reopen(t, s, dir)
			if n := traces(t, dir, word(0)); n > 0 {
				t.Errorf("%d traces are left after closing", n)
			}
			sound(t, s)
		})
	}
}

// TestClearedMessagesLeaveNoTrace: what a user deletes of a session that stays must go as well.
func TestClearedMessagesLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	write(t, s, Safe, func(tx *Tx) error {
		return errors.Join(openTurn("a")(tx), tx.PutMessage("a", 0, user("m0", text(word(1), 9000))), tx.PutMessage("a", 1, user("m1", word(2))))
	})
	write(t, s, Safe, func(tx *Tx) error { return tx.ClearMessages("a") })
	reclaim(t, s)
	if n, m := traces(t, dir, word(1)), traces(t, dir, word(2)); n+m > 0 {
		t.Errorf("%d and %d traces are left", n, m)
	}
}

// TestAStoreThatDiesWhileItReclaimsLosesNothing: what is on disk after any step is a sound store, and the next one ends
// the work.
func TestAStoreThatDiesWhileItReclaimsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	crowd(t, s, 3, 200, 900, 20_000, 100_000)
	before := read(t, s.Messages, "k2")
	remove(t, s, "k0")
	for n := range 8 {
		err := s.between(t.Context(), func(w *writer) error {
			step, err := w.vacuum(50 << n % 4)
			if err == nil && step.left == 0 {
				err = errors.New("nothing is left to do: make the crowd larger")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		crash := t.TempDir()
		for _, suffix := range []string{"", "-wal"} { // what kill -9 would leave; nobody writes now
			data, err := os.ReadFile(Path(dir) + suffix)
			if err == nil {
				err = os.WriteFile(Path(crash)+suffix, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		next := open(t, crash)
		sound(t, next)
		want(t, "messages after a crash", read(t, next.Messages, "k2"), before)
		reclaim(t, next)
		sound(t, next)
		if n := traces(t, crash, word(0)); n > 0 {
			t.Errorf("%d traces are left", n)
		}
	}
}

// TestWritesGoOnWhileTheLogIsRead: emptying the log needs a moment without readers; who writes does not wait for it.
func TestWritesGoOnWhileTheLogIsRead(t *testing.T) {
	s := open(t, t.TempDir())
	crowd(t, s, 2, 50, 5000)
	reader, err := s.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM messages").Scan(&n); err != nil {
		t.Fatal(err)
	}
	remove(t, s, "k0")
	done := make(chan error, 1)
	go func() {
		_, err := s.Reclaim(t.Context())
		done <- err
	}()
	start := time.Now()
	for n := range 50 {
		write(t, s, Safe, func(tx *Tx) error { return tx.PutMessage("k1", 1000+n, user("later", "x")) })
	}
	if took := time.Since(start); took > busyTimeout*time.Millisecond {
		t.Errorf("50 writes took %s: they have waited for the reader", took)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Reclaim: %v", err)
	}
}

// TestAFileFromBeforeReclaimIsMadeFit: it gets shorter like a new one.
func TestAFileFromBeforeReclaimIsMadeFit(t *testing.T) {
	dir := t.TempDir()
	if err := createFile(Path(dir)); err != nil {
		t.Fatal(err)
	}
	db, err := openDB(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		err = errors.Join(useWAL(t.Context(), conn), runScripts(t.Context(), conn, 0, migrations()[:1]))
	}
	for _, row := range []string{
		"INSERT INTO sessions VALUES ('a', 'A', '/w', 'm', 'auto', 't', 'idle', 0, '{}', 1, 1, 2)",
		"INSERT INTO messages VALUES ('a', 0, 'u1', '{\"id\":\"u1\",\"role\":\"user\",\"parts\":[]}', NULL)",
		"INSERT INTO messages VALUES ('b', 0, 'u1', zeroblob(1000000), NULL)",
		"INSERT INTO messages VALUES ('c', 0, 'u1', '" + text(word(1), 9000) + "', NULL)",
		"DELETE FROM messages WHERE session = 'c'",
	} {
		if err == nil {
			_, err = conn.ExecContext(t.Context(), row)
		}
	}
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if traces(t, dir, word(1)) == 0 {
		t.Fatal("the older file holds nothing that was deleted: this test sees nothing")
	}

	s := open(t, dir)
	if session, ok, err := s.Session(t.Context(), "a"); err != nil || !ok || session.Pinned || session.Bytes != 36 {
		t.Errorf("Session = %+v, %v, %v", session, ok, err)
	}
	write(t, s, Safe, func(tx *Tx) error { return tx.ClearMessages("b") })
	if freed := reclaim(t, s); freed < 900_000 {
		t.Errorf("%d bytes were freed of a million", freed)
	}
	if n := traces(t, dir, word(1)); n > 0 {
		t.Errorf("%d traces of what was deleted long ago are left", n)
	}
	sound(t, s)
}

// TestAHalfDeletedSessionIsInNoListAndGoesInTheEnd: a host that dies while it deletes a long session shows no half of it.
func TestAHalfDeletedSessionIsInNoListAndGoesInTheEnd(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	crowd(t, s, 2, 20, 100)
	want(t, "the sessions half deleted", readAll(t, s), []string(nil))
	write(t, s, Safe, func(tx *Tx) error { return tx.HideSession("k0") }) // then the process dies in the middle of Remove
	write(t, s, Fast, func(tx *Tx) error { return tx.DeleteMessagesFrom("k0", 10) })

	s = reopen(t, s, dir)
	want(t, "the sessions half deleted", readAll(t, s), []string{"k0"})
	all, err := s.Sessions(t.Context())
	if err != nil || len(all) != 1 || all[0].Key != "k1" {
		t.Errorf("Sessions = %+v, %v", all, err)
	}
	if _, ok, err := s.Session(t.Context(), "k0"); ok || err != nil {
		t.Errorf("Session(k0) = %v, %v", ok, err)
	}
	remove(t, s, "k0")
	want(t, "the sessions half deleted", readAll(t, s), []string(nil))
	want(t, "its messages", read(t, s.Messages, "k0"), []chat.Message(nil))
}

func readAll(t *testing.T, s *Store) []string {
	t.Helper()
	keys, err := s.Removed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestBytesAreThoseOfTheMessages(t *testing.T) {
	s := open(t, t.TempDir())
	body := func(m string) int64 { data, _ := user("m", m).MarshalJSON(); return int64(len(data)) }
	size := func() int64 {
		t.Helper()
		session, ok, err := s.Session(t.Context(), "a")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return session.Bytes
	}
	write(t, s, Fast, openTurn("a"))
	want(t, "bytes of an empty session", size(), int64(0))
	write(t, s, Fast, func(tx *Tx) error {
		return errors.Join(tx.PutMessage("a", 0, user("m", "one")), tx.PutMessage("a", 1, user("m", text("x", 100_000))), tx.PutMessage("b", 0, user("m", "not mine")))
	})
	want(t, "bytes of two messages", size(), body("one")+body(text("x", 100_000)))
	write(t, s, Fast, func(tx *Tx) error { return tx.PutMessage("a", 1, user("m", "short now")) })
	want(t, "bytes after a change", size(), body("one")+body("short now"))
	write(t, s, Fast, func(tx *Tx) error { return tx.DeleteMessagesFrom("a", 1) })
	want(t, "bytes after a delete", size(), body("one"))

	var plan []string
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT "+sessionColumns+" FROM sessions")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var n int
		var step string
		if err := rows.Scan(&n, &n, &n, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil || !slices.ContainsFunc(plan, func(s string) bool { return strings.Contains(s, "COVERING INDEX message_sizes") }) {
		t.Errorf("listing sessions reads their messages: %q, %v", plan, err)
	}
}

// BenchmarkWriteWhileReclaiming tells how long the writes of other sessions wait while a session of 100 MB is deleted
// from a file of 200 MB and its room is given back.
func BenchmarkWriteWhileReclaiming(b *testing.B) {
	for name, sizes := range map[string][]int{"short": {2000}, "mixed": {300, 2000, 30_000, 1_000_000}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open(b, b.TempDir())
				write(b, s, Fast, openTurn("a"))
				fill(b, s, 200<<20, sizes)
				b.StartTimer()
				start := time.Now()
				done := make(chan error, 1)
				go func() {
					err := s.Write(b.Context(), Safe, func(tx *Tx) error { return tx.HideSession("k0") })
					if err == nil {
						err = s.Remove(b.Context(), "k0")
					}
					if err == nil {
						_, err = s.Reclaim(b.Context())
					}
					done <- err
				}()
				var waits []time.Duration
				for n, over := 0, false; !over; n++ {
					at := time.Now()
					write(b, s, Durability(n%2), func(tx *Tx) error { return tx.AppendEvents("a", "r1", n*len(delta), delta) })
					waits = append(waits, time.Since(at))
					select {
					case err := <-done:
						if over = true; err != nil {
							b.Fatal(err)
						}
					case <-time.After(5 * time.Millisecond): // a client that streams
					}
				}
				slices.Sort(waits)
				ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
				b.ReportMetric(ms(time.Since(start)), "all-ms")
				b.ReportMetric(ms(waits[len(waits)/2]), "p50-ms")
				b.ReportMetric(ms(waits[len(waits)*99/100]), "p99-ms")
				b.ReportMetric(ms(waits[len(waits)-1]), "max-ms")
			}
		})
	}
}

// fill stores bytes of messages in the sessions k0 and k1, mixed.
func fill(b testing.TB, s *Store, bytes int, sizes []int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	write(b, s, Fast, openTurn("k0"))
	write(b, s, Fast, openTurn("k1"))
	for n := 0; bytes > 0; n += 50 {
		write(b, s, Fast, func(tx *Tx) error {
			for i := range 50 {
				size := sizes[rng.IntN(len(sizes))]
				bytes -= size
				if err := tx.PutMessage(fmt.Sprint("k", i%2), n+i, user(fmt.Sprint("m", n+i), text("word", size))); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
