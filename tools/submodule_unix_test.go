//go:build unix

package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestASubmoduleBehindALinkIsNotEntered: two that lead back to the repository would be entered a million times.
func TestASubmoduleBehindALinkIsNotEntered(t *testing.T) {
	s := newSession(t)
	s.put(t, ".gitmodules", "[submodule \"a\"]\n\tpath = a\n[submodule \"b\"]\n\tpath = b\n")
	s.put(t, "x.txt", "hello")
	for link, to := range map[string]string{"a": "c", "b": "c", "c": "."} {
		if err := os.Symlink(to, filepath.Join(s.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = s.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	l, err := list(t.Context(), s, s.dir)
	if want := []string{".gitmodules", "a", "b", "c", "x.txt"}; err != nil || len(l.files) != len(want) {
		t.Errorf("list = %q, %v; want %q", l.files, err, want)
	}
}
