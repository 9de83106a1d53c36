package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/server/client"
)

// TestFullDisk fills the disk of the data dir while a turn runs, with a little more room left each time, so that every
// commit of the turn from the middle of the answer to its end is the one that fails once. The user must be told what
// happened and what to do, the model must not be asked again until there is a new prompt, and with room the session goes
// on with everything that anybody was shown.
func TestFullDisk(t *testing.T) {
	agenttest.OnSmallDisk(t, 4<<20, func(disk *agenttest.Disk) {
		inAnswer, atEnd, whole := 0, 0, 0
		for leave := 0; whole == 0; leave++ {
			if leave > 60 {
				t.Fatal("the turn never ended well, however much room there was")
			}
			f := newFull(t, disk, leave)
			lines := f.fill(leave)
			switch last := kinds(lines); {
			case slices.Contains(last, "coder-turn-finished") && f.code == 0:
				whole++
			case slices.Contains(last, "coder-answered"):
				atEnd++
			default:
				inAnswer++
			}
			f.goOn(lines)
			f.stop()
		}
		t.Logf("the disk was full in the answer %d times, at the end %d times", inAnswer, atEnd)
		if inAnswer == 0 || atEnd == 0 {
			t.Error("the disk was not full at each of the places")
		}
	})
}

// A full is a host on a disk that gets full.
type full struct {
	t      *testing.T
	disk   *agenttest.Disk
	data   string
	repo   string
	model  *openroutertest.Server
	gate   *openroutertest.Gate
	host   *exec.Cmd
	code   int
	stderr string
}

func newFull(t *testing.T, disk *agenttest.Disk, n int) *full {
	t.Helper()
	f := &full{t: t, disk: disk, data: filepath.Join(disk.Dir, fmt.Sprint("data", n)), repo: t.TempDir(), gate: openroutertest.NewGate(2)}
	f.model = openroutertest.New(
		openroutertest.Response{Text: "one two three", Gate: f.gate}, openroutertest.Response{Text: "going on", When: "again"},
	)
	if err := f.model.Start(); err != nil {
		t.Fatal(err)
	}
	f.host = f.coder(t.Context(), "serve")
	out, err := f.host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.host.Process.Kill() }) // a test that has failed
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "listening on ") {
		t.Fatalf("the host said %q, %v", line, err)
	}
	return f
}

func (f *full) coder(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "coder", append(args, "--data-dir", f.data)...)
	cmd.Dir = f.repo
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.repo, "OPENROUTER_BASE_URL=" + f.model.URL(), "CODER_MODEL=test/model"}
	return cmd
}

// fill runs a turn whose disk gets full in mid-answer but for so many pages, and returns the lines of its JSONL.
func (f *full) fill(leave int) []map[string]any {
	f.t.Helper()
	run := f.coder(f.t.Context(), "run", "--session", "s", "--output", "jsonl", "first")
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		f.t.Fatal(err)
	}
	var lines []map[string]any
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		var line map[string]any
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			f.t.Fatalf("%v: %s", err, sc.Text())
		}
		lines = append(lines, line)
		if line["type"] == "text-delta" && len(told(lines)) == len("one two ") {
			f.disk.Fill(f.t, leave)
			f.gate.Release()
		}
	}
	_ = run.Wait() // the exit code says it
	f.code, f.stderr = run.ProcessState.ExitCode(), stderr.String()
	f.checkTold(leave, lines)
	return lines
}

// checkTold checks what the user of the failed run sees.
func (f *full) checkTold(leave int, lines []map[string]any) {
	f.t.Helper()
	last := lines[len(lines)-1]
	switch {
	case f.code == 0 && last["type"] == "coder-turn-finished" && last["reason"] == "stop":
	case f.code != 1, !strings.Contains(f.stderr, "coder: error: recording the"), !strings.Contains(f.stderr, "no space left"),
		!strings.Contains(f.stderr, "coder: hint: make room on the disk"):
		f.t.Errorf("with %d pages left run exits with %d and says\n%s", leave, f.code, f.stderr)
	case last["type"] == "coder-turn-finished" && strings.Contains(fmt.Sprint(last["error"]), "no space left"):
	case last["type"] == "error" && strings.Contains(fmt.Sprint(last["errorText"]), "no space left") && strings.HasPrefix(fmt.Sprint(last["hint"]), "make room on the disk"):
	default:
		f.t.Errorf("with %d pages left the last line is %v", leave, last)
	}
}

// goOn looks at the session, makes room and prompts again.
func (f *full) goOn(lines []map[string]any) {
	f.t.Helper()
	before := f.messages()
	if n := len(f.model.Requests()); n != 1 {
		f.t.Errorf("looking at the session made %d requests, want the one there was", n)
	}
	f.disk.Free(f.t)
	again := f.coder(f.t.Context(), "run", "--session", "s", "again")
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "going on") {
		f.t.Errorf("with room again: %v\n%s", err, out)
	}
	if n := len(f.model.Requests()); n != 2 {
		f.t.Errorf("the model was asked %d times, want twice", n)
	}
	after := f.messages()
	if len(before) != 2 || len(after) != 4 {
		f.t.Fatalf("%d messages became %d, want 2 and 4", len(before), len(after))
	}
	for _, m := range [][]chat.Message{before, after} {
		if m[0].Text() != "first" || !strings.HasPrefix(m[1].Text(), told(lines)) {
			f.t.Errorf("shown was %q, and the transcript has %q", told(lines), m[1].Text())
		}
	}
}

// messages asks the host for the transcript, as a page does.
func (f *full) messages() (messages []chat.Message) {
	f.t.Helper()
	find := func(context.Context) (client.Address, error) {
		h, ok, err := readHostFile(f.data)
		if err != nil || !ok {
			return client.Address{}, fmt.Errorf("no host: %w", err)
		}
		return client.Address{Addr: h.Addr, Token: h.Token}, nil
	}
	s, err := client.Dial(f.t.Context(), client.Options{Host: find, Name: "s"})
	if err != nil {
		f.t.Fatal(err)
	}
	defer s.Close()
	if err := s.Call(f.t.Context(), "getMessages", &messages); err != nil {
		f.t.Fatal(err)
	}
	return messages
}

// stop ends the host in good order.
func (f *full) stop() {
	f.t.Helper()
	if err := f.host.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Error(err)
	}
	if err := f.host.Wait(); err != nil {
		f.t.Errorf("the host: %v", err)
	}
	if report, err := audit.Verify(f.t.Context(), audit.Dir(f.data)); err != nil || report.Break != nil || report.Lines == 0 {
		f.t.Errorf("the audit log: %+v, %v", report, err)
	}
	if err := os.RemoveAll(f.data); err != nil {
		f.t.Error(err)
	}
	if err := f.model.Close(); err != nil {
		f.t.Error(err)
	}
}

// told is the text that the lines show.
func told(lines []map[string]any) string {
	var b strings.Builder
	for _, line := range lines {
		if line["type"] == "text-delta" {
			fmt.Fprint(&b, line["delta"])
		}
	}
	return b.String()
}

func kinds(lines []map[string]any) []string {
	var list []string
	for _, line := range lines {
		list = append(list, fmt.Sprint(line["type"]))
	}
	return list
}
