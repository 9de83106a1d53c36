package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"github.com/coder-agent/coder/agent/audit"
)

func open(t *testing.T, dir string, opts audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing the log: %v", err)
		}
	})
	return l
}

func record(t *testing.T, l *audit.Log, entries ...audit.Entry) {
	t.Helper()
	if err := l.Record(entries...); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, dir string) (list []audit.Line) {
	t.Helper()
	r := audit.Reader{Dir: audit.Dir(dir)}
	if err := r.Next(func(l audit.Line) { list = append(list, l) }); err != nil {
		t.Fatal(err)
	}
	return list
}

func verify(t *testing.T, dir string) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), audit.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func holds(t *testing.T, dir string) audit.Report {
	t.Helper()
	report := verify(t, dir)
	if report.Break != nil {
		t.Fatalf("the chain breaks: %v (%s)", report.Break, report.Break.Hint)
	}
	return report
}

func TestALineSaysWhatHappened(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{Redact: func(s string) string { return strings.ReplaceAll(s, "sk-or-secret", "[redacted]") }})
	exit, ms := 3, int64(17)
	record(t, l, audit.Entry{
		What: audit.Ended, Session: "fix", Turn: "turn_1", Call: "c1", Client: "run-1", Tool: "bash",
		Input: "echo sk-or-secret " + strings.Repeat("x", 5000), Why: "a\x1b[31m\u202eb\U000e0041", Exit: &exit, MS: &ms,
	})
	got := lines(t, dir)
	if len(got) != 2 || got[0].What != audit.Begun || got[1].N != 2 {
		t.Fatalf("got %+v, want the line that begins the log, and ours", got)
	}
	e := got[1]
	if e.Session != "fix" || *e.Exit != 3 || *e.MS != 17 || e.Time.IsZero() {
		t.Errorf("got %+v", e)
	}
	if strings.Contains(e.Input, "secret") || !strings.HasPrefix(e.Input, "echo [redacted] xx") || !strings.HasSuffix(e.Input, "bytes more)") || len(e.Input) > 2200 {
		t.Errorf("the input is kept as %q", e.Input)
	}
	data, err := os.ReadFile(filepath.Join(audit.Dir(dir), "audit-000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(data, "\x1b\u202e\U000e0041") || e.Why != "a\x1b[31m\u202eb\U000e0041" {
		t.Errorf("the file holds what a terminal obeys, or has lost it: %q, %q", data, e.Why)
	}
}

// A secret is found even where the bound cuts through it, and in every field.
func TestNoFieldKeepsASecret(t *testing.T) {
	dir := t.TempDir()
	const secret = "sk-or-canary"
	l := open(t, dir, audit.Options{Redact: func(s string) string { return strings.ReplaceAll(s, secret, "***") }})
	text := strings.Repeat("a", 2<<10-5) + secret
	record(t, l, audit.Entry{
		What: audit.Judged, Session: text, Turn: text, Call: text, Client: text, Kind: text, Origin: text, Tool: text, Input: text,
		InputHash: text, Decision: text, By: text, Why: text, Sandbox: text, Failed: text, From: text, To: text, Lost: text,
	})
	data, err := os.ReadFile(filepath.Join(audit.Dir(dir), "audit-000001.jsonl"))
	if err != nil || bytes.Contains(data, []byte("sk-or")) {
		t.Errorf("the secret, or a piece of it, is in the file: %v", err)
	}
}

// What comes before a secret may shrink, so that its beginning is kept although it stood far behind the bound.
func TestNoCutComesBeforeTheSecretsAreOut(t *testing.T) {
	dir := t.TempDir()
	secret := "sk-or-" + strings.Repeat("canary", 600)
	l := open(t, dir, audit.Options{Redact: func(s string) string { return strings.ReplaceAll(s, secret, "***") }})
	record(t, l, audit.Entry{What: audit.Judged, Input: strings.Repeat(secret, 40)})
	if got := lines(t, dir)[1].Input; got != strings.Repeat("***", 40) {
		t.Errorf("kept %.200q", got)
	}
}

func TestTheFolderIsForTheUserAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(audit.Dir(dir), 0o755); err != nil { //nolint:gosec // too open, to be mended
		t.Fatal(err)
	}
	record(t, open(t, dir, audit.Options{}), audit.Entry{What: audit.HostStarted})
	err := filepath.Walk(audit.Dir(dir), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.Symlink(dir, audit.Dir(other)); err != nil {
		t.Skipf("no links can be made here: %v", err)
	}
	if _, err := audit.Open(other, audit.Options{}); err == nil {
		t.Error("a link in place of the folder is followed")
	}
}

func TestANilLogDoesNothing(t *testing.T) {
	var l *audit.Log
	for _, err := range []error{l.Record(audit.Entry{}), l.Refuse("x", audit.Entry{}), l.Settle(), l.Close()} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestTheChainGoesOnOverHosts(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		l := open(t, dir, audit.Options{})
		record(t, l, audit.Entry{What: audit.HostStarted}, audit.Entry{What: audit.HostStopped})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if report := holds(t, dir); report.Lines != 7 || len(report.Notes) > 0 {
		t.Errorf("got %+v, want 7 lines and no word", report)
	}
	if report, err := audit.Verify(t.Context(), audit.Dir(t.TempDir())); err != nil || report.Break != nil || report.Lines != 0 {
		t.Errorf("a log that is not there: %+v, %v", report, err)
	}
}

func TestOldFilesMakeRoom(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{MaxSize: 2000, Keep: 3})
	for i := range 100 {
		record(t, l, audit.Entry{What: audit.Judged, Call: fmt.Sprint("c", i), Why: strings.Repeat("why ", 50)})
		if report := holds(t, dir); report.Files > 3 {
			t.Fatalf("there are %d files, want 3 at most", report.Files)
		}
	}
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	got := lines(t, dir)
	if last := got[len(got)-1]; last.Call != "c99" || last.N != 101 || len(got) > 20 || len(got) < 10 {
		t.Errorf("%d lines are left, the last is %+v", len(got), last)
	}
}

// Agents of one host, and commands beside it, write at the same time: nothing is lost, and each keeps its order.
func TestManyWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 8, 50
	logs := []*audit.Log{open(t, dir, audit.Options{MaxSize: 10_000, Keep: 1000}), open(t, dir, audit.Options{MaxSize: 10_000, Keep: 1000})}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				l := logs[w%len(logs)]
				if err := l.Record(audit.Entry{What: audit.Judged, Session: fmt.Sprint(w), Count: i}); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if err := l.Settle(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if report := holds(t, dir); report.Lines != writers*each+1 || report.Files < 5 {
		t.Errorf("got %+v, want %d lines", report, writers*each+1)
	}
	next := map[string]int{}
	for _, l := range lines(t, dir)[1:] {
		if l.Count != next[l.Session] {
			t.Fatalf("line %d of writer %s comes as its %dth", l.Count, l.Session, next[l.Session])
		}
		next[l.Session]++
	}
}

// Two hundred wrong tokens in a window are one line, and what comes after it one more.
func TestRefusalsOfAKindAreOneLineAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, dir, audit.Options{})
		for i := range 200 {
			if err := l.Refuse("token", audit.Entry{Why: fmt.Sprint("wrong token ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := counts(t, dir); !slices.Equal(got, []int{1}) {
			t.Errorf("at once there are lines for %v refusals, want one line", got)
		}
		if err := l.Refuse("origin", audit.Entry{Why: "another kind"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute + time.Second)
		if got := counts(t, dir); !slices.Equal(got, []int{1, 1, 199}) {
			t.Errorf("after the window there are lines for %v refusals", got)
		}
		<-time.After(2 * time.Minute)
		for range 3 {
			if err := l.Refuse("token", audit.Entry{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := counts(t, dir); !slices.Equal(got, []int{1, 1, 199, 1, 2}) {
			t.Errorf("in the end there are lines for %v refusals", got)
		}
	})
}

func counts(t *testing.T, dir string) (list []int) {
	t.Helper()
	for _, l := range lines(t, dir) {
		if l.What == audit.Refused {
			list = append(list, l.Count)
		}
	}
	return list
}

func BenchmarkRecord(b *testing.B) {
	l, err := audit.Open(b.TempDir(), audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := l.Record(audit.Entry{What: audit.Judged, Session: "s", Call: "c", Tool: "bash", Input: `{"command":"go test ./..."}`}); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// A process that holds the lock and does nothing costs a writer two seconds once, not at each line.
func TestAHeldLockIsNotWaitedForAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	record(t, l, audit.Entry{What: audit.HostStarted})
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	other := flock.New(filepath.Join(audit.Dir(dir), "lock"))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 100 {
		if err := l.Record(audit.Entry{What: audit.Judged}); err == nil {
			t.Fatal("a line was written under a lock of another")
		}
	}
	if took := time.Since(began); took < time.Second || took > 10*time.Second {
		t.Errorf("100 lines waited for %v, want some 2s", took)
	}
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	record(t, l, audit.Entry{What: audit.Judged})
	if got := lines(t, dir); got[2].What != audit.Missed || got[2].Count != 100 {
		t.Errorf("the log goes on with %+v", got[2:])
	}
}
