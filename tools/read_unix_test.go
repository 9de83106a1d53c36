//go:build unix

package tools

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAPipeIsNeverOpenedForReadingOrWriting(t *testing.T) {
	s := newSession(t)
	if err := syscall.Mkfifo(filepath.Join(s.dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := "pipe is a named pipe, not a file that can be read or written"
	contains(t, refused(t, s, read, `{"path":"pipe"}`), want)
	contains(t, refused(t, s, write, `{"path":"pipe","content":"x"}`), want)
	contains(t, refused(t, s, edit, `{"path":"pipe","old":"x","new":"y"}`), want)
	contains(t, refused(t, s, read, `{"path":"/dev/null"}`), "is a device")
	contains(t, must(t, s, grep, `{"pattern":"x"}`), "no match")
}

func TestALinkPutInTheWayLeadsNowhere(t *testing.T) {
	s := newSession(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "a/f", "x")
	p, err := locate(t.Context(), s, "a/f")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := os.Remove(filepath.Join(s.dir, "a/f")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(s.dir, "a/f")); err != nil {
		t.Fatal(err)
	}
	if c, err := p.load(); err == nil {
		t.Errorf("a link made after the path was judged led to %q", c.data)
	}
}
