//go:build unix

package tools

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNothingIsWrittenThroughALinkThatHasComeSince: a job may put one into the way between the judging of a call and its end.
func TestNothingIsWrittenThroughALinkThatHasComeSince(t *testing.T) {
	for name, change := range map[string]func(*place) error{
		"a new file": func(p *place) error { _, err := create(p, writeArgs{Content: "evil"}); return err },
		"a file":     func(p *place) error { return p.save([]byte("evil"), version{}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			s.put(t, ".git/hooks/other", "stays")
			s.put(t, "d/keep", "stays")
			p, err := locate(t.Context(), s, "d/pre-commit")
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			dir := filepath.Join(s.dir, "d")
			if err := os.Rename(dir, dir+".moved"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(".git/hooks", dir); err != nil {
				t.Fatal(err)
			}
			if err := change(p); err == nil {
				t.Error("no error")
			}
			if _, err := os.Lstat(filepath.Join(s.dir, ".git", "hooks", "pre-commit")); err == nil {
				t.Error("a hook was written")
			}
		})
	}
}
