package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// mostMemory is what neither process may need at its peak, in MiB, however big the repository is.
const mostMemory = 96

// TestABigRepository lets a turn search a repository of 100,000 files, with the whole program (see TestMain): it ends well, finds the one
// file that matters, and needs no more memory than in a small one.
func TestABigRepository(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skipf("a hundred thousand files take minutes on %s", runtime.GOOS)
	}
	folders := 1000
	if testing.Short() || underRace() {
		folders = 50
	}
	home, repo := t.TempDir(), t.TempDir()
	fillRepository(t, repo, folders)
	gate := openroutertest.NewGate(0)
	model := openroutertest.New()
	model.Reply(func(r *openroutertest.Request) openroutertest.Response { return searchScript(r, gate) })
	if err := model.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = model.Close() })

	cmd := exec.CommandContext(t.Context(), "coder", "run", "-C", repo, "--data-dir", home, "find the needle")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "OPENROUTER_BASE_URL=" + model.URL()}
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-gate.Reached():
	case err := <-ended:
		t.Fatalf("the run ended early: %v\n%s", err, progress.String())
	}
	took := time.Since(begun)
	host, ok, err := readHostFile(home)
	if err != nil || !ok {
		t.Fatalf("the host file: %t, %v", ok, err)
	}
	peaks := map[string]int{"host": peakMemory(t, host.PID), "run": peakMemory(t, cmd.Process.Pid)}
	gate.Release()
	if err := <-ended; err != nil || out.String() != "Found.\n" {
		t.Errorf("the run ended with %v and %q\n%s", err, out.String(), progress.String())
	}
	if err := waitGone(t.Context(), host.PID); err != nil {
		t.Error(err)
	}
	t.Logf("%d files: five searches and all around them in %s, peak memory in MiB %v", folders*100, took.Round(time.Millisecond), peaks)
	for who, mib := range peaks {
		if mib > mostMemory && !underRace() {
			t.Errorf("the %s needed %d MiB, want at most %d", who, mib, mostMemory)
		}
	}
	results := toolResults(model.Requests())
	for i, want := range []string{"pkg0042/file_07.go", "needle_here", "func Word() string { return \"needle_here\" }", "no match in", "narrow the pattern"} {
		if i >= len(results) || !strings.Contains(results[i], want) {
			t.Errorf("result %d lacks %q: %.300q", i, want, slices.Concat(results, make([]string, 5))[i])
		}
	}
}

// fillRepository puts 100 files into each of the folders: links of one file, which are made ten times as fast and opened
// and read like others. One file of its own holds the needle.
func fillRepository(t *testing.T, repo string, folders int) {
	t.Helper()
	write := func(path, word string) {
		text := fmt.Sprintf("package p\n\nfunc Word() string { return %q }\n", word)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range folders {
		dir := filepath.Join(repo, fmt.Sprintf("pkg%04d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		first := filepath.Join(dir, "file_00.go")
		write(first, "hay")
		for j := 1; j < 100; j++ {
			path := filepath.Join(dir, fmt.Sprintf("file_%02d.go", j))
			if i == 42 && j == 50 {
				write(path, "needle_here")
			} else if err := os.Link(first, path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// searchScript searches in ever wider circles; its last answer waits at the gate.
func searchScript(r *openroutertest.Request, gate *openroutertest.Gate) openroutertest.Response {
	calls := []openroutertest.Call{
		{ID: "c0", Name: "glob", Args: json.RawMessage(`{"pattern":"pkg0042/*_07.go"}`)},
		{ID: "c1", Name: "grep", Args: json.RawMessage(`{"pattern":"needle_\\w+"}`)},
		{ID: "c2", Name: "read", Args: json.RawMessage(`{"path":"pkg0042/file_50.go"}`)},
		{ID: "c3", Name: "grep", Args: json.RawMessage(`{"pattern":"nowhere at all"}`)},
		{ID: "c4", Name: "glob", Args: json.RawMessage(`{"pattern":"**/*.go"}`)},
	}
	if n := len(toolResults([]*openroutertest.Request{r})); n < len(calls) {
		return openroutertest.Response{Calls: calls[n : n+1]}
	}
	return openroutertest.Response{Text: "Found.", Gate: gate}
}

// toolResults are the texts of the tool messages of the last request.
func toolResults(requests []*openroutertest.Request) (texts []string) {
	if len(requests) == 0 {
		return nil
	}
	for _, m := range requests[len(requests)-1].Messages {
		if m.Role == "tool" {
			texts = append(texts, m.Text())
		}
	}
	return texts
}

// peakMemory is the most memory that a process has had resident so far, in MiB; 0 where only Linux could tell.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatalf("process %d has no VmHWM", pid)
	return 0
}

// underRace reports whether the tests run with the race detector, which makes everything slow and large.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}
