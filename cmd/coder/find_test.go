package main

import (
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/coder-agent/coder/server/client"
)

// mostKeystroke is how long the completion of a name may take for one key: a frame of the screen.
const mostKeystroke = 16 * time.Millisecond

// TestFilesAreFoundAsTheyAreTyped asks the whole program for a file among 100,000, letter by letter. In the middle of the list of
// times, because the machine does other things too, an answer comes within a frame; the first one waits for the names to be read.
func TestFilesAreFoundAsTheyAreTyped(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skipf("a hundred thousand files take minutes on %s", runtime.GOOS)
	}
	folders := 1000
	if testing.Short() || underRace() {
		folders = 50
	}
	k := newKill(t, "coder", "ask")
	fillRepository(t, k.repo, folders)
	k.serve()
	host, ok, err := readHostFile(k.data)
	if err != nil || !ok {
		t.Fatalf("the host file: %t, %v", ok, err)
	}
	session, err := client.Dial(t.Context(), client.Options{
		Host: func(context.Context) (client.Address, error) {
			return client.Address{Addr: host.Addr, Token: host.Token}, nil
		},
		Name:  "s",
		Setup: &client.Call{Method: "setup", Args: []any{map[string]string{"workdir": k.repo}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	before := peakMemory(t, host.PID)
	const typed = "pkg42file07"
	var found struct {
		Files []struct {
			Path string `json:"path"`
		} `json:"files"`
		Cut bool `json:"cut"`
	}
	var times []time.Duration
	for i := range len(typed) + 1 {
		begun := time.Now()
		if err := session.Call(t.Context(), "findFiles", &found, typed[:i], 20); err != nil {
			t.Fatalf("finding %q: %v", typed[:i], err)
		}
		times = append(times, time.Since(begun))
		if i > 0 && len(found.Files) == 0 {
			t.Fatalf("for %q nothing is found", typed[:i])
		}
	}
	if got := found.Files[0].Path; got != "pkg0042/file_07.go" && folders > 42 {
		t.Errorf("for %q the best is %s, want pkg0042/file_07.go", typed, got)
	}
	first, rest := times[0], slices.Sorted(slices.Values(times[1:]))
	t.Logf("%d files: the first answer in %v, then %v in the middle and %v at most; memory in MiB %d, then %d",
		folders*100, first, rest[len(rest)/2], rest[len(rest)-1], before, peakMemory(t, host.PID))
	if got := rest[len(rest)/2]; got > mostKeystroke && !underRace() {
		t.Errorf("an answer takes %v, want at most %v", got, mostKeystroke)
	}
	if data, err := json.Marshal(found); err != nil || len(data) > 4096 {
		t.Errorf("an answer has %d bytes (%v)", len(data), err)
	}
}
