//go:build unix

package tools

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The tests of this file are the rows F-1 to F-3 and F-8 of the threat model.

// A steadySession gives paths as they were judged: in the workdir, whatever is put in the way later.
type steadySession struct{ *fakeSession }

func (s *steadySession) Path(_ context.Context, path string) (string, error) {
	return filepath.Join(s.dir, path), nil
}

func TestF2AnAbsoluteLinkSaysWhatToDo(t *testing.T) {
	s := newSession(t)
	target := s.put(t, "real.txt", "x\n")
	if err := os.Symlink(target, filepath.Join(s.dir, "abs")); err != nil {
		t.Fatal(err)
	}
	if got := must(t, s, read, `{"path":"abs"}`); !strings.Contains(got, "x") {
		t.Errorf("an absolute link that points back inside shows %q", got)
	}
	_, err := read(t.Context(), &steadySession{s}, readArgs{Path: "abs"})
	if err == nil {
		t.Fatal("a link that was put in the way is followed")
	}
	contains(t, err.Error(), "name the file that it leads to")
}

func TestF3OnlyPlainFilesAreOpened(t *testing.T) {
	s := newSession(t)
	short, err := os.MkdirTemp("", "s") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	l, err := net.Listen("unix", filepath.Join(short, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	contains(t, refused(t, s, read, fmt.Sprintf(`{"path":%q}`, filepath.Join(short, "sock"))), "is a socket")
	for _, device := range []string{"/dev/zero", "/dev/null"} {
		contains(t, refused(t, s, read, fmt.Sprintf(`{"path":%q}`, device)), "is a device")
		contains(t, refused(t, s, write, fmt.Sprintf(`{"path":%q,"content":"x"}`, device)), "is a device")
	}
}

func TestF3AHugeFileIsNotTakenIntoMemory(t *testing.T) {
	s := newSession(t)
	path := s.put(t, "huge", "")
	if err := os.Truncate(path, 2<<30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	refused(t, s, read, `{"path":"huge"}`)
	refused(t, s, read, `{"path":"huge","offset":1,"limit":5}`)
	refused(t, s, write, `{"path":"huge","content":"x"}`)
	refused(t, s, edit, `{"path":"huge","edits":[{"old":"x","new":"y"}]}`)
	runtime.ReadMemStats(&after)
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 8 {
		t.Errorf("a file of 2 GB took %d MiB", grown)
	}
}

func TestF3AHardLinkKeepsWhatItHad(t *testing.T) {
	s := newSession(t)
	other := filepath.Join(t.TempDir(), "other")
	path := s.put(t, "one", "a\n")
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"one"}`)
	contains(t, must(t, s, edit, `{"path":"one","edits":[{"old":"a","new":"b"}]}`), "the file had 1 other name: hard links, which keep the old content")
	if data, err := os.ReadFile(other); err != nil || string(data) != "a\n" {
		t.Errorf("the other name is now %q, %v", data, err)
	}
	contains(t, must(t, s, write, `{"path":"one","content":"c\n"}`), "wrote one")
}

func TestF3ANewFileHasTheModeThatTheUserWants(t *testing.T) {
	s := newSession(t)
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	must(t, s, write, `{"path":"dir/new","content":"x"}`)
	for name, want := range map[string]os.FileMode{"dir": 0o750, "dir/new": 0o640} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %o (%v)", name, info.Mode(), want, err)
		}
	}
	path := s.put(t, "run.sh", "a\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"run.sh"}`)
	must(t, s, write, `{"path":"run.sh","content":"b\n"}`)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a replaced file has mode %v, want 755 (%v)", info.Mode(), err)
	}
}

func TestF8SearchesShowNoSecrets(t *testing.T) {
	s := newSession(t)
	for _, name := range []string{".env", ".env.local", "sub/server.pem", "id_ed25519", "deploy/.aws/credentials", "a.key"} {
		s.put(t, name, "NEEDLE=1\n")
	}
	s.put(t, "main.go", "NEEDLE in the code\n")
	for _, input := range []string{`{"pattern":"NEEDLE"}`, `{"pattern":"NEEDLE","glob":".env*"}`, `{"pattern":"NEEDLE","mode":"files","glob":"**/*.pem"}`, `{"pattern":"NEEDLE=1"}`} {
		got := must(t, s, grep, input)
		for _, leak := range []string{"1:NEEDLE=1", ".env:", ".env\n", "server.pem\n", "match: "} {
			if strings.Contains(got, leak) {
				t.Errorf("grep %s shows %q", input, got)
			}
		}
	}
	contains(t, must(t, s, grep, `{"pattern":"NEEDLE"}`), "3 files that may hold secrets, or that a rule is about, not searched; name one as path to be asked for it")
	contains(t, must(t, s, grep, `{"pattern":"NEEDLE","path":".env"}`), "NEEDLE=1")
}
