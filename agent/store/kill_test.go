package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// victimDir tells the test binary to be the process that TestKill kills: it writes to the store of that dir for ever.
const victimDir = "STORE_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const victimSessions = 4

// victim writes message after message to four sessions at once, each with an event, and says "session position" on
// stdout once a write has returned. Every 16th is so large that the log soon has to be moved into the file.
func victim(ctx context.Context, dir string) error {
	fmt.Println("opening")
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for i := range victimSessions {
		go func() { errs <- writeForever(ctx, s, fmt.Sprint("k", i)) }()
	}
	return <-errs
}

func writeForever(ctx context.Context, s *Store, key string) error {
	err := s.Write(ctx, Fast, func(tx *Tx) error {
		_, err := tx.AddTurn(key, &Turn{ID: "r1", Status: TurnOpen})
		return err
	})
	if err != nil {
		return err
	}
	before, err := s.Messages(ctx, key)
	if err != nil {
		return err
	}
	for n := len(before); ; n++ {
		text := "short"
		if n%16 == 15 {
			text = strings.Repeat("long ", 50_000)
		}
		err := s.Write(ctx, Durability(n%2), func(tx *Tx) error {
			return errors.Join(
				tx.PutMessage(key, n, user(fmt.Sprint("m", n), text)),
				tx.AppendEvents(key, "r1", n, [][]byte{fmt.Appendf(nil, `{"n":%d}`, n)}))
		})
		if err != nil {
			return err
		}
		fmt.Println(key, n)
	}
}

// TestKill kills a writing process at random points, its opening of a new store among them. Whatever it has reported
// as written must be there, and nothing may be there by halves.
func TestKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	dir := t.TempDir()
	for round := range 20 {
		lines := rng.IntN(300)
		if round%2 == 0 {
			dir, lines = t.TempDir(), rng.IntN(3)
		}
		reported := killAfter(t, dir, lines)
		s := open(t, dir)
		for i := range victimSessions {
			key := fmt.Sprint("k", i)
			checkSession(t, s, key, reported[key])
		}
		var report string
		if err := s.read.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&report); err != nil || report != "ok" {
			t.Fatalf("round %d: integrity check: %s, %v", round, report, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a victim, kills it once it has said so many lines after "opening", and returns how many messages of
// each session it has reported.
func killAfter(t *testing.T, dir string, lines int) map[string]int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reported := map[string]int{}
	killed := false
	scanner := bufio.NewScanner(out)
	for seen := 0; scanner.Scan(); seen++ { // goes on after the kill: what is in the pipe was reported
		if seen == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed = true
		}
		var key string
		var n int
		if _, err := fmt.Sscan(scanner.Text(), &key, &n); err == nil {
			reported[key] = n + 1
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the victim ended by itself: %v", err)
	}
	return reported
}

func checkSession(t *testing.T, s *Store, key string, reported int) {
	t.Helper()
	messages := read(t, s.Messages, key)
	events, err := s.Events(t.Context(), key, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) < reported || len(messages) != len(events) {
		t.Fatalf("%s: %d messages and %d events are left, %d were reported", key, len(messages), len(events), reported)
	}
	for n, m := range messages {
		if m.ID != fmt.Sprint("m", n) || string(events[n]) != fmt.Sprintf(`{"n":%d}`, n) {
			t.Fatalf("%s: message %d is %s, event %s", key, n, m.ID, events[n])
		}
	}
}
