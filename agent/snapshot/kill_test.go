//go:build unix

package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An order tells a process of its own what to put back, and before which step to die.
type order struct {
	Data, Git, Dir string
	Before, After  Tree
	Step           int
}

const orderVar = "SNAPSHOT_TEST_ORDER"

func TestMain(m *testing.M) {
	if text := os.Getenv(orderVar); text != "" {
		os.Exit(obey(text))
	}
	os.Exit(m.Run())
}

// obey applies changes and kills its own process, as kill -9 does, right before a step. 0 says that there was no such step.
func obey(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return 2
	}
	ctx := context.Background()
	f := New(o.Data, o.Git).Folder(o.Dir)
	changes, _, err := f.Changes(ctx, o.Before, o.After)
	if err != nil {
		return 3
	}
	n := 0
	_, err = f.Apply(ctx, changes, "kill", func(string, string) {
		if n++; n == o.Step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil {
		return 4
	}
	return 0
}

// TestApplyIsFinishedAfterKill kills an undo before each of its steps in turn. The next process finds out what is done and
// does the rest; nothing is left beside.
func TestApplyIsFinishedAfterKill(t *testing.T) {
	f := newFolder(t)
	f.put(t, "a.txt", "a\r\n")
	f.put(t, "sub/deep/b.txt", "b")
	f.put(t, "turns/into/folder", "was a file's folder")
	f.put(t, "plain", "was a file")
	if err := os.Symlink("a.txt", filepath.Join(f.path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(f.path, "hollow"), 0o700); err != nil {
		t.Fatal(err)
	}
	was, before := fingerprint(t, f.path), take(t, f)
	f.put(t, "a.txt", "changed")
	f.put(t, "made/c.txt", "c")
	for _, path := range []string{"sub", "turns", "plain", "link", "hollow"} {
		if err := os.RemoveAll(filepath.Join(f.path, path)); err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, "turns", "is a file")
	f.put(t, "plain/in", "is a folder")
	is, after := fingerprint(t, f.path), take(t, f)
	for step := 1; ; step++ {
		text, err := json.Marshal(order{filepath.Dir(f.store.dir), f.store.git, f.path, after, before, step})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), orderVar+"="+string(text))
		err = cmd.Run()
		if err == nil {
			if step < 10 {
				t.Errorf("there were %d steps only", step-1)
			}
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v", step, err)
		}
		changes, _, err := f.Changes(t.Context(), after, before)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := f.Apply(t.Context(), changes, "kill", nil); err != nil || len(left) > 0 {
			t.Fatalf("after a kill before step %d: %v, %v", step, left, err)
		}
		if got := fingerprint(t, f.path); got != was {
			t.Fatalf("after a kill before step %d the folder has\n%s\nwant\n%s", step, got, was)
		}
		if left, err := f.Apply(t.Context(), Reverse(changes), "back", nil); err != nil || len(left) > 0 {
			t.Fatal(left, err)
		}
		if got := fingerprint(t, f.path); got != is {
			t.Fatalf("undone in turn, the folder has\n%s\nwant\n%s", got, is)
		}
	}
	if got := fingerprint(t, f.path); got != was || strings.Contains(got, ".tmp") {
		t.Errorf("the folder has\n%s\nwant\n%s", got, was)
	}
}
