package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coder-agent/coder/agent/chat"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("Open(%s): %v", dir, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func write(t testing.TB, s *Store, d Durability, do func(*Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), d, do); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// read returns what a read of a test's store gives.
func read[T any](t testing.TB, f func(context.Context, string) (T, error), key string) T {
	t.Helper()
	got, err := f(t.Context(), key)
	if err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	return got
}

func user(id, text string) chat.Message {
	return chat.Message{ID: id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSessionsComeBackWholeAndNewestFirst(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	at := time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)
	fix := Session{
		Name: "Fix 'it' 100%", Key: "fix 'it' 100%", Workdir: `C:\src\"x"`, Model: "m", Mode: "ask", Title: "<é>", Status: "idle",
		MaxSteps: 7, MaxCost: 0.125, Usage: chat.Usage{Input: 3, Output: 4, Cost: 0.25}, Messages: 2, Created: at, Updated: at,
	}
	old := Session{Name: "old", Key: "old", Updated: at.Add(-time.Hour)}
	write(t, s, Fast, func(tx *Tx) error { return errors.Join(tx.PutSession(old), tx.PutSession(Session{Key: fix.Key})) })
	write(t, s, Safe, func(tx *Tx) error { return tx.PutSession(fix) })

	s = reopen(t, s, dir)
	got, ok, err := s.Session(t.Context(), fix.Key)
	if !ok || err != nil {
		t.Fatalf("Session: %v %v", ok, err)
	}
	want(t, "session", got, fix)
	all, err := s.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "sessions", all, []Session{fix, old})
	if _, ok, err := s.Session(t.Context(), "none"); ok || err != nil {
		t.Errorf("Session(none) = %v, %v; want false, nil", ok, err)
	}
}

func reopen(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := os.Stat(Path(dir) + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after a clean Close the log is still there (%v)", err)
	}
	return open(t, dir)
}

func TestMessagesComeBackInOrderWithTheirSteps(t *testing.T) {
	s := open(t, t.TempDir())
	answer := reply("a1")
	odd := chat.Message{
		ID: "x", Role: chat.User, Metadata: []byte(`{"k":[1,"<&>"]}`),
		Parts: []chat.Part{chat.Unknown{Raw: []byte(`{"type":"new-kind","data":{"z":1}}`)}},
	}
	write(t, s, Fast, func(tx *Tx) error {
		return errors.Join(tx.PutMessage("a", 1, user("draft", "x")), tx.PutMessage("a", 0, user("u1", "a < b && c\x00\n")),
			tx.PutMessage("a", 5, odd), tx.PutMessage("b", 0, user("other", "x")))
	})
	write(t, s, Fast, func(tx *Tx) error { return tx.PutMessage("a", 1, answer) })
	want(t, "messages", read(t, s.Messages, "a"), []chat.Message{user("u1", "a < b && c\x00\n"), answer, odd})
	want(t, "messages of nobody", read(t, s.Messages, "none"), []chat.Message(nil))

	write(t, s, Fast, func(tx *Tx) error { return tx.DeleteMessages("a", "a1", "nobody") })
	want(t, "after DeleteMessages", ids(read(t, s.Messages, "a")), []string{"u1", "x"})
	write(t, s, Fast, func(tx *Tx) error { return tx.DeleteMessagesFrom("a", 1) })
	want(t, "after DeleteMessagesFrom", ids(read(t, s.Messages, "a")), []string{"u1"})
	write(t, s, Fast, func(tx *Tx) error { return tx.ClearMessages("a") })
	want(t, "after ClearMessages", ids(read(t, s.Messages, "a")), []string(nil))
	want(t, "the other session", ids(read(t, s.Messages, "b")), []string{"other"})
}

func ids(messages []chat.Message) (list []string) {
	for _, m := range messages {
		list = append(list, m.ID)
	}
	return list
}

func TestLongSessionKeepsItsOrder(t *testing.T) {
	s := open(t, t.TempDir())
	var order []string
	write(t, s, Fast, func(tx *Tx) error {
		order = nil
		for i := range 1000 {
			order = append(order, fmt.Sprint("m", i))
			if err := tx.PutMessage("a", i, user(order[i], "text")); err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "order", ids(read(t, s.Messages, "a")), order)
}

func TestPromptOfMegabytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	big := user("big", strings.Repeat("0123456789abcde\n", 5<<20/16))
	turn := Turn{ID: "r1", Status: TurnQueued, MessageIDs: []string{"big"}, Prompt: []chat.Message{big}}
	write(t, s, Safe, func(tx *Tx) error {
		_, err := tx.AddTurn("a", &turn)
		return errors.Join(err, tx.PutMessage("a", 0, big))
	})
	s = reopen(t, s, dir)
	if got := read(t, s.Messages, "a"); len(got) != 1 || got[0].Text() != big.Text() {
		t.Error("the 5 MB message has changed")
	}
	turns := read(t, s.Turns, "a")
	if len(turns) != 1 || len(turns[0].Prompt) != 1 || turns[0].Prompt[0].Text() != big.Text() {
		t.Error("the 5 MB prompt has changed")
	}
}

func TestTurns(t *testing.T) {
	s := open(t, t.TempDir())
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	first := Turn{ID: "r1", Status: TurnOpen, Client: "c1", MessageIDs: []string{"m1", "m2"}}
	second := Turn{ID: "r2", Status: TurnQueued, Continuation: true, Prompt: []chat.Message{user("m3", "<hi>")}}
	third := Turn{ID: "r3", Status: TurnOpen, Reason: chat.FinishApproval, Finished: at}
	elsewhere := Turn{ID: "r1", Status: TurnDone}
	write(t, s, Safe, func(tx *Tx) error {
		for _, turn := range []*Turn{&first, &second, &third} {
			if added, err := tx.AddTurn("a", turn); !added || err != nil {
				return fmt.Errorf("AddTurn(%s) = %v, %w", turn.ID, added, err)
			}
		}
		added, err := tx.AddTurn("b", &elsewhere)
		if !added {
			return errors.New("the same id in another session was refused")
		}
		return err
	})
	write(t, s, Safe, func(tx *Tx) error {
		again := Turn{ID: "r2", Status: TurnOpen}
		if added, err := tx.AddTurn("a", &again); added || err != nil || again.Seq != 0 {
			return fmt.Errorf("AddTurn again = %v, %w; seq %d", added, err, again.Seq)
		}
		return nil
	})
	if first.Seq >= second.Seq || second.Seq >= third.Seq {
		t.Errorf("seqs %d, %d, %d do not rise", first.Seq, second.Seq, third.Seq)
	}
	want(t, "turns", read(t, s.Turns, "a"), []Turn{first, second, third})
	if _, ok, err := s.LastTurn(t.Context(), "a"); ok || err != nil {
		t.Errorf("LastTurn before any is done = %v, %v", ok, err)
	}
	open, err := s.OpenSessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "open sessions", open, []string{"a"})

	first.Status, first.Reason, first.Error, first.Finished = TurnDone, chat.FinishError, "broke", at.Add(time.Second)
	second.Status, second.Reason, second.Prompt, second.Finished = TurnDone, chat.FinishCancelled, nil, at
	write(t, s, Safe, func(tx *Tx) error {
		return errors.Join(tx.SetTurn("a", first), tx.SetTurn("a", second), tx.DeleteTurn("a", "r3"))
	})
	want(t, "turns", read(t, s.Turns, "a"), []Turn(nil))
	last, _, err := s.LastTurn(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "last turn", last, first)
	again, ok, err := s.Turn(t.Context(), "a", "r2")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	want(t, "turn r2", again, second)
	if err := s.Write(t.Context(), Fast, func(tx *Tx) error { return tx.SetTurn("a", Turn{ID: "r9", Status: TurnDone}) }); !errors.Is(err, ErrNoTurn) {
		t.Errorf("SetTurn of an unknown turn: %v, want ErrNoTurn", err)
	}
}

func TestEvents(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, Fast, openTurn("a"))
	write(t, s, Fast, func(tx *Tx) error { return tx.AppendEvents("a", "r1", 0, delta[:1]) })
	write(t, s, Fast, func(tx *Tx) error { return tx.AppendEvents("a", "r1", 1, delta[1:]) })
	write(t, s, Fast, func(tx *Tx) error { return tx.AppendEvents("a", "r1", 3, nil) })
	want(t, "events", eventsOfR1(t, s.Events), delta)

	for name, do := range map[string]func(*Tx) error{
		"a number twice":   func(tx *Tx) error { return tx.AppendEvents("a", "r1", 1, delta) },
		"an unknown turn":  func(tx *Tx) error { return tx.AppendEvents("a", "r9", 0, delta) },
		"a line break":     func(tx *Tx) error { return tx.AppendEvents("a", "r1", 3, [][]byte{[]byte("{\n}")}) },
		"an empty body":    func(tx *Tx) error { return tx.AppendEvents("a", "r1", 3, [][]byte{{}}) },
		"an error ignored": func(tx *Tx) error { _ = tx.AppendEvents("a", "r9", 0, delta); return nil },
	} {
		if err := s.Write(t.Context(), Fast, do); err == nil {
			t.Errorf("%s was stored", name)
		}
	}
	want(t, "events after refused ones", eventsOfR1(t, s.Events), delta)
	write(t, s, Fast, func(tx *Tx) error { return tx.DropEvents("a", "r1") })
	want(t, "dropped events", eventsOfR1(t, s.Events), [][]byte(nil))
}

// eventsOfR1 returns the events of turn r1 of session a.
func eventsOfR1(t *testing.T, f func(ctx context.Context, key, turnID string) ([][]byte, error)) [][]byte {
	return read(t, func(ctx context.Context, key string) ([][]byte, error) { return f(ctx, key, "r1") }, "a")
}

func TestSweep(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	finished := map[string]time.Time{
		"fresh": now.Add(time.Minute), "late": now.Add(-time.Minute), "ancient": now.Add(-31 * 24 * time.Hour),
	}
	write(t, s, Fast, func(tx *Tx) error {
		var errs []error
		for _, id := range []string{"fresh", "late", "ancient", "open", "queued"} {
			turn := Turn{ID: id, Status: TurnDone, Finished: finished[id]}
			if turn.Finished.IsZero() {
				turn.Status = TurnStatus(id)
			}
			_, err := tx.AddTurn("a", &turn)
			errs = append(errs, err, tx.AppendEvents("a", id, 0, delta))
		}
		return errors.Join(append(errs, tx.Sweep(now))...)
	})
	var rows, events []string
	for _, id := range []string{"fresh", "late", "ancient", "open", "queued"} {
		_, ok, err := s.Turn(t.Context(), "a", id)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			rows = append(rows, id)
		}
		if list, err := s.Events(t.Context(), "a", id); err != nil {
			t.Fatal(err)
		} else if len(list) > 0 {
			events = append(events, id)
		}
	}
	want(t, "rows kept", rows, []string{"fresh", "late", "open", "queued"})
	want(t, "events kept", events, []string{"fresh", "open", "queued"})
}

func TestDeleteSessionLeavesNothingOfIt(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"a", "b"} {
		write(t, s, Fast, openTurn(key))
		write(t, s, Fast, func(tx *Tx) error {
			return errors.Join(tx.PutMessage(key, 0, user("m1", "x")), tx.AppendEvents(key, "r1", 0, delta))
		})
	}
	write(t, s, Safe, func(tx *Tx) error { return tx.DeleteSession("a") })
	for _, table := range []string{"sessions", "messages", "turns", "events"} {
		var n int
		if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s has %d rows (%v), want the one of session b", table, n, err)
		}
	}
}

func TestAnyPathWorks(t *testing.T) {
	for _, name := range []string{"plain", "100%", "%41", "what?", "a#b", "it's", `say "hi"`, "a b&mode=memory", "ünï", "semi;colon", "+"} {
		if strings.ContainsAny(name, `?"`) && filepath.Separator == '\\' {
			continue // not a name there
		}
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		write(t, s, Fast, openTurn("a"))
		s = reopen(t, s, dir)
		if open, err := s.OpenSessions(t.Context()); err != nil || !slices.Equal(open, []string{"a"}) {
			t.Errorf("%s: OpenSessions = %v, %v", name, open, err)
		}
		if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 1 {
			t.Errorf("%s: files landed elsewhere: %v %v", name, list, err)
		}
	}
}

func TestDSNOfWindowsPaths(t *testing.T) {
	for path, start := range map[string]string{
		"C:/Users/a b/coder.db": "file:///C:/Users/a%20b/coder.db?",
		"//srv/share/coder.db":  "file:////srv/share/coder.db?",
		"/home/100%/coder.db":   "file:///home/100%25/coder.db?",
	} {
		if got := dsn(path); !strings.HasPrefix(got, start) {
			t.Errorf("dsn(%s) = %s, want %s...", path, got, start)
		}
	}
}
