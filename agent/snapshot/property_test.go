//go:build unix

package snapshot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fingerprint is all that a snapshot promises of a folder: what is where, with its permissions.
func fingerprint(t interface{ Fatal(...any) }, dir string) string {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%q %v", strings.TrimPrefix(path, dir), info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q", data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var (
	names    = rapid.SampledFrom([]string{"a", "b", "A", "new\nline", "\xff\xfe", "sp ace", "-rf", "ü", "back\\slash", ".hidden", ".gitattributes", "tab\t", "git~1", "\"q\"", "x.txt"})
	contents = rapid.SampledFrom([]string{"", "one\n", "one\r\ntwo\r\n", "\x00\x01\xff", "$Id$\n", "* text eol=crlf ident filter=lfs working-tree-encoding=UTF-16\n", "\xef\xbb\xbfbom"})
	perms    = rapid.SampledFrom([]fs.FileMode{0o644, 0o755, 0o600, 0o444, 0o640, 0o700})
)

// disturb does something somewhere in the folder. What cannot be done there is not.
func disturb(t *rapid.T, dir string) {
	path := dir
	for range rapid.IntRange(1, 3).Draw(t, "depth") {
		path = filepath.Join(path, names.Draw(t, "name"))
	}
	text, perm := contents.Draw(t, "text"), perms.Draw(t, "perm")
	switch rapid.SampledFrom([]string{"write", "write", "write", "mkdir", "remove", "link", "chmod", "move", "replace"}).Draw(t, "deed") {
	case "write":
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return // it may lead out
		}
		_ = os.WriteFile(path, []byte(text), perm)
	case "mkdir":
		_ = os.MkdirAll(path, 0o755)
	case "remove":
		_ = os.RemoveAll(path)
	case "link":
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		_ = os.Symlink(names.Draw(t, "to"), path)
	case "chmod":
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			_ = os.Chmod(path, perm)
		} else if err == nil && info.IsDir() {
			_ = os.Chmod(path, 0o750)
		}
	case "move":
		_ = os.Rename(path, filepath.Join(dir, names.Draw(t, "to")))
	case "replace":
		_ = os.RemoveAll(path)
		if rapid.Bool().Draw(t, "dir") {
			_ = os.MkdirAll(filepath.Join(path, "in"), 0o700)
		} else {
			_ = os.WriteFile(path, []byte(text), perm)
		}
	}
}

// TestUndoGivesTheSameTree changes a random folder at random, and takes it back: bit for bit, also permissions, links and
// empty folders. Then it takes that back in turn.
func TestUndoGivesTheSameTree(t *testing.T) {
	base := newFolder(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(base.path, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o755); err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f := base.store.Folder(dir)
		defer os.RemoveAll(f.repo)
		for range rapid.IntRange(0, 12).Draw(rt, "files") {
			disturb(rt, dir)
		}
		was := fingerprint(rt, dir)
		before := mustTake(rt, t, f)
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			disturb(rt, dir)
		}
		is := fingerprint(rt, dir)
		after := mustTake(rt, t, f)
		changes, _, err := f.Changes(t.Context(), before, after)
		if err != nil {
			rt.Fatal(err)
		}
		for _, way := range []struct {
			changes []Change
			want    string
		}{{Reverse(changes), was}, {changes, is}} {
			if conflicts, err := f.Check(t.Context(), way.changes); err != nil || len(conflicts) > 0 {
				rt.Fatal(conflicts, err)
			}
			// As an undo is recorded: two snapshots that hold the changes only.
			from, to, err := f.Build(t.Context(), way.changes)
			if err != nil {
				rt.Fatal(err)
			}
			again, _, err := f.Changes(t.Context(), from, to)
			if err != nil || len(again) != len(way.changes) {
				rt.Fatal(again, way.changes, err)
			}
			left, err := f.Apply(t.Context(), again, "test", nil)
			if err != nil || len(left) > 0 {
				rt.Fatal(left, err)
			}
			if got := fingerprint(rt, dir); got != way.want {
				rt.Fatalf("the folder has\n%s\nwant\n%s\nby %v", got, way.want, way.changes)
			}
		}
	})
}

func mustTake(rt *rapid.T, t *testing.T, f *Folder) Tree {
	tree, err := f.Take(t.Context(), nil)
	if err != nil {
		rt.Fatal(err)
	}
	return tree
}
