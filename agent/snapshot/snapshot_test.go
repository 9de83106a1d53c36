package snapshot

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func newFolder(t testing.TB) *Folder {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed: snapshots are not tested")
		}
		t.Skip("git is not installed")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return New(filepath.Join(t.TempDir(), "data"), git).Folder(dir)
}

func (f *Folder) put(t testing.TB, path, text string) {
	t.Helper()
	name := filepath.Join(f.path, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func take(t testing.TB, f *Folder, named ...string) Tree {
	t.Helper()
	tree, err := f.Take(t.Context(), named)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTakeApply(t *testing.T) {
	f := newFolder(t)
	f.put(t, "a.txt", "one\r\n")
	f.put(t, "sub/b.txt", "b")
	f.put(t, ".gitignore", "*.log\n")
	f.put(t, ".gitattributes", "* text eol=lf ident\n")
	f.put(t, "x.log", "ignored")
	before := take(t, f)
	f.put(t, "a.txt", "two")
	if err := os.RemoveAll(filepath.Join(f.path, "sub")); err != nil {
		t.Fatal(err)
	}
	f.put(t, "new/c.txt", "c")
	after := take(t, f)
	changes, over, err := f.Changes(t.Context(), before, after)
	if err != nil || len(over) > 0 {
		t.Fatal(over, err)
	}
	back := Reverse(changes)
	if c, err := f.Check(t.Context(), back); err != nil || len(c) > 0 {
		t.Fatal(c, err)
	}
	left, err := f.Apply(t.Context(), back, "x", nil)
	if err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	if again := take(t, f); again != before {
		t.Errorf("the tree is %s, want %s", again, before)
	}
	if data, _ := os.ReadFile(filepath.Join(f.path, "a.txt")); string(data) != "one\r\n" {
		t.Errorf("a.txt is %q", data)
	}
}
