package audit_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/audit"
)

// victimDir tells the test binary to be the process that TestKill kills: it writes to the log of that dir for ever.
const victimDir = "AUDIT_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim writes lines, long ones too, and says on stdout which it has written.
func victim(dir string) error {
	l, err := audit.Open(dir, audit.Options{MaxSize: 200_000, Keep: 1000})
	if err != nil {
		return err
	}
	for n := len(lastCounts(dir)); ; n++ {
		e := audit.Entry{What: audit.Judged, Count: n + 1, Why: strings.Repeat("why \u202e", n%400), Input: strings.Repeat("x", n%3000)}
		if err := l.Record(e); err != nil {
			return err
		}
		fmt.Println(n + 1)
	}
}

// lastCounts are the counts of the victim's lines.
func lastCounts(dir string) (list []int) {
	r := audit.Reader{Dir: audit.Dir(dir)}
	_ = r.Next(func(l audit.Line) { // what cannot be read is missed below
		if l.What == audit.Judged {
			list = append(list, l.Count)
		}
	})
	return list
}

// TestKill kills a writing process at random moments. Whatever it has reported as written is there, in its order, and the
// chain holds: a line that was cut off is not taken for tampering.
func TestKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	dir := t.TempDir()
	for round := range 10 {
		reported := killAfter(t, dir, rng.IntN(400))
		report := holds(t, dir)
		got := lastCounts(dir)
		if len(got) < reported {
			t.Fatalf("round %d: %d lines are left, %d were reported", round, len(got), reported)
		}
		for i, count := range got {
			if count != i+1 {
				t.Fatalf("round %d: line %d is the %dth", round, count, i+1)
			}
		}
		t.Logf("round %d: %d lines in %d files, notes %q", round, report.Lines, report.Files, report.Notes)
	}
}

// killAfter starts a victim, kills it once it has said so many lines and returns the last.
func killAfter(t *testing.T, dir string, after int) (reported int) {
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
	scanner := bufio.NewScanner(out)
	for seen := 0; scanner.Scan(); seen++ {
		if seen == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fmt.Sscan(scanner.Text(), &reported); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the victim ended by itself")
	}
	return reported
}

// A line that the end of the process has cut off anywhere is taken away, and said; one whose end is there counts.
func TestATornLineIsMended(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	record(t, l, audit.Entry{What: audit.HostStarted})
	name := filepath.Join(audit.Dir(dir), "audit-000001.jsonl")
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(audit.Dir(dir), "head"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	record(t, l, audit.Entry{What: audit.Started, Call: "c1"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(before) + 1; size <= len(after); size++ {
		for path, data := range map[string][]byte{name: after[:size], filepath.Join(audit.Dir(dir), "head"): head} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if report := holds(t, dir); len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "a host was killed") {
			t.Errorf("with %d of %d bytes of the line: notes %q", size-len(before), len(after)-len(before), report.Notes)
		}
		next := open(t, dir, audit.Options{})
		record(t, next, audit.Entry{What: audit.HostStarted})
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		holds(t, dir)
		got := lines(t, dir)
		whole := size == len(after)
		if said := got[2].What == audit.Mended && got[2].Count == size-len(before); said == whole || whole && got[2].Call != "c1" {
			t.Errorf("with %d bytes of the line the log goes on with %+v", size-len(before), got[2:])
		}
	}
}
