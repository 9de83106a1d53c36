//go:build unix

package snapshot

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// held lists the files of a snapshot.
func held(t *testing.T, f *Folder, tree Tree) []string {
	t.Helper()
	out, err := f.git(t.Context(), nil, "ls-tree", "-r", "-z", "--name-only", "--full-tree", string(tree)+":files")
	if err != nil {
		t.Fatal(err)
	}
	return split(out)
}

// run runs git as the user does.
func (f *Folder) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(f.store.git, append([]string{"-C", f.path, "-c", "user.name=u", "-c", "user.email=u@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestWhatASnapshotHolds(t *testing.T) {
	f := newFolder(t)
	f.run(t, "init", "-q")
	f.put(t, ".gitignore", "*.log\n/out/\n")
	f.put(t, ".git/info/exclude", "*.mine\n")
	f.put(t, "a.txt", "a")
	f.put(t, "b.log", "ignored")
	f.put(t, "kept.log", "ignored, but git follows it")
	f.run(t, "add", "-f", "kept.log")
	f.put(t, "c.mine", "ignored by the user's own rules")
	f.put(t, "out/d.txt", "in an ignored folder")
	f.put(t, "named.log", "ignored, but a tool names it")
	f.put(t, "inner/.gitignore", "*.tmp\n")
	f.put(t, "inner/e.txt", "in a repository inside")
	f.put(t, "inner/f.tmp", "which ignores this")
	f.put(t, "inner/g.log", "and not this")
	f.run(t, "init", "-q", "inner")
	f.put(t, "bare/h.txt", "in a repository without a commit")
	f.run(t, "init", "-q", "bare/deep")
	f.put(t, "bare/deep/i.txt", "likewise, deeper")
	f.put(t, "work/j.txt", "in a work tree")
	f.run(t, "commit", "-q", "--allow-empty", "-m", "c")
	f.run(t, "worktree", "add", "-q", "--detach", "tree")
	f.put(t, "tree/k.txt", "of a work tree inside")
	f.put(t, "big.bin", strings.Repeat("x", MaxFile+1))
	if err := syscall.Mkfifo(filepath.Join(f.path, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(f.path, "etc")); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(f.path, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with what the first has left
		tree := take(t, f, "named.log")
		want := []string{
			".gitignore", "a.txt", "bare/deep/i.txt", "bare/h.txt", "etc", "inner/.gitignore", "inner/e.txt", "inner/g.log", "kept.log", "named.log",
			"tree/k.txt", "tree/kept.log", "work/j.txt",
		}
		got := held(t, f, tree)
		got = slices.DeleteFunc(got, func(p string) bool { return p == "tree/kept.log" })
		want = slices.DeleteFunc(want, func(p string) bool { return p == "tree/kept.log" })
		if !slices.Equal(got, want) {
			t.Errorf("the snapshot holds\n%q, want\n%q", got, want)
		}
		a, err := f.about(t.Context(), tree)
		if _, ok := a.over["big.bin"]; err != nil || !ok || len(a.over) != 1 {
			t.Errorf("not covered are %v, %v", a.over, err)
		}
	}
	if now, err := os.ReadFile(filepath.Join(f.path, ".git", "index")); err != nil || !bytes.Equal(now, index) {
		t.Errorf("the user's index has changed, %v", err)
	}
}

// TestWhatLiesBehindALinkIsNotHeld, and does not keep the rest from being: a command may have put a link where the folder of a file
// was that a tool names, or git follows.
func TestWhatLiesBehindALinkIsNotHeld(t *testing.T) {
	f := newFolder(t)
	f.run(t, "init", "-q")
	f.put(t, ".gitignore", "/followed/\n")
	f.put(t, "followed/a.txt", "a")
	f.put(t, "named/b.txt", "b")
	f.run(t, "add", "-f", "followed")
	if got := held(t, f, take(t, f, "named/b.txt")); !slices.Equal(got, []string{".gitignore", "followed/a.txt", "named/b.txt"}) {
		t.Fatalf("the snapshot holds %q", got)
	}
	for _, name := range []string{"followed", "named"} {
		path := filepath.Join(f.path, name)
		if err := os.Rename(path, path+".moved"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name+".moved", path); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{".gitignore", "followed", "followed.moved/a.txt", "named", "named.moved/b.txt"}
	if got := held(t, f, take(t, f, "named/b.txt")); !slices.Equal(got, want) {
		t.Errorf("the snapshot holds %q, want %q", got, want)
	}
}

// TestNothingIsPutBackThroughALink that has come into the place of a folder since: it could lead to git's hooks, which no change names.
func TestNothingIsPutBackThroughALink(t *testing.T) {
	f := newFolder(t)
	f.run(t, "init", "-q")
	f.put(t, "d/keep", "stays")
	f.put(t, "d/pre-commit", "evil")
	before := take(t, f)
	path := filepath.Join(f.path, "d")
	if err := os.Remove(filepath.Join(path, "pre-commit")); err != nil {
		t.Fatal(err)
	}
	changes, _, err := f.Changes(t.Context(), take(t, f), before)
	if err != nil || len(changes) != 1 {
		t.Fatalf("the changes are %v, %v", changes, err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".git/hooks", path); err != nil {
		t.Fatal(err)
	}
	conflicts, err := f.Check(t.Context(), changes)
	if err != nil || len(conflicts) != 1 || conflicts[0].Path != "d/pre-commit" {
		t.Errorf("Check = %v, %v", conflicts, err)
	}
	left, err := f.Apply(t.Context(), changes, "undo-1", nil)
	if err != nil || len(left) != 1 {
		t.Errorf("Apply leaves %v, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(f.path, ".git", "hooks", "pre-commit")); err == nil {
		t.Error("a hook was written")
	}
}

// TestAFolderOfARepository: the rules of the repository hold in it, and what lies beside it is none of its business.
func TestAFolderOfARepository(t *testing.T) {
	whole := newFolder(t)
	whole.run(t, "init", "-q")
	whole.put(t, ".gitignore", "*.log\n/gone/\n")
	whole.put(t, "beside.txt", "beside")
	whole.put(t, "part/a.txt", "a")
	whole.put(t, "part/b.log", "ignored above")
	whole.put(t, "gone/c.txt", "c")
	whole.put(t, "gone/d.log", "d")
	part := whole.store.Folder(filepath.Join(whole.path, "part"))
	if got := held(t, part, take(t, part)); !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("the part holds %q", got)
	}
	// Whoever works in an ignored folder wants its files.
	gone := whole.store.Folder(filepath.Join(whole.path, "gone"))
	if got := held(t, gone, take(t, gone)); !slices.Equal(got, []string{"c.txt", "d.log"}) {
		t.Errorf("the ignored folder holds %q", got)
	}
}

// TestABrokenIndexIsMadeAnew: it is only a cache.
func TestABrokenIndexIsMadeAnew(t *testing.T) {
	f := newFolder(t)
	f.put(t, "a.txt", "a")
	tree := take(t, f)
	if err := os.WriteFile(filepath.Join(f.repo, "index"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	f = New(filepath.Dir(f.store.dir), f.store.git).Folder(f.path) // as the next process has it
	if again := take(t, f); again != tree {
		t.Errorf("the tree is %s, want %s", again, tree)
	}
}

// TestOthersSeeNothingOfIt: the repository holds copies of files that may be for their owner alone.
func TestOthersSeeNothingOfIt(t *testing.T) {
	f := newFolder(t)
	f.put(t, "a.txt", "a")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	tree := take(t, f)
	if err := f.Sweep(t.Context(), []Tree{tree}, true); err != nil {
		t.Fatal(err)
	}
	if err := f.tidy(t.Context(), "repack", "-a", "-d", "-q"); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(f.repo, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheDataDirIsInNoSnapshot: it holds the token, all sessions and the snapshots themselves.
func TestTheDataDirIsInNoSnapshot(t *testing.T) {
	f := newFolder(t)
	f = New(filepath.Join(f.path, "home", "data"), f.store.git).Folder(f.path)
	f.put(t, "a.txt", "a")
	f.put(t, "home/data/run/host.json", "token")
	if got := held(t, f, take(t, f, "home/data/run/host.json")); !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("the snapshot holds %q", got)
	}
	if got := held(t, f, take(t, f)); !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("the snapshot holds %q", got)
	}
}

// TestNothingOfTheFolderRuns: a repository can name programs that git runs in it. None of them does here, and no byte is converted.
func TestNothingOfTheFolderRuns(t *testing.T) {
	f := newFolder(t)
	trap := filepath.Join(t.TempDir(), "trap")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$0 $*\" >> "+trap+"\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.run(t, "init", "-q")
	for _, setting := range []string{
		"core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.x.command", "diff.external", "core.pager", "core.editor",
		"core.sshCommand", "gc.recentObjectsHook",
	} {
		f.run(t, "config", setting, script)
	}
	f.run(t, "config", "core.hooksPath", filepath.Dir(script))
	f.run(t, "config", "core.autocrlf", "input")
	f.put(t, ".gitattributes", "* filter=x diff=x text eol=lf ident working-tree-encoding=UTF-16\n")
	f.put(t, "a.txt", "one\r\n$Id$\r\n")
	before := take(t, f)
	f.put(t, "a.txt", "two\r\n")
	after := take(t, f)
	if text, _, err := f.Diff(t.Context(), before, after); err != nil || !strings.Contains(text, "-one\r\n") {
		t.Errorf("the diff is %q, %v", text, err)
	}
	changes, _, err := f.Changes(t.Context(), after, before)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := f.Apply(t.Context(), changes, "x", nil); err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	if data, err := os.ReadFile(filepath.Join(f.path, "a.txt")); err != nil || string(data) != "one\r\n$Id$\r\n" {
		t.Errorf("a.txt holds %q, %v", data, err)
	}
	if said, err := os.ReadFile(trap); err == nil {
		t.Errorf("programs of the folder ran: %s", said)
	}
}

// TestNoLinkLeadsOut: an undo that finds a link where there was a folder follows it nowhere.
func TestNoLinkLeadsOut(t *testing.T) {
	f := newFolder(t)
	outside := t.TempDir()
	f.put(t, "dir/a.txt", "one")
	before := take(t, f)
	f.put(t, "dir/a.txt", "two")
	after := take(t, f)
	changes, _, err := f.Changes(t.Context(), after, before)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "a.txt"), []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(f.path, "dir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(f.path, "dir")); err != nil {
		t.Fatal(err)
	}
	if conflicts, err := f.Check(t.Context(), changes); err != nil || len(conflicts) != 1 {
		t.Errorf("conflicts: %v, %v", conflicts, err)
	}
	if left, err := f.Apply(t.Context(), changes, "x", nil); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "a.txt")); err != nil || string(data) != "two" {
		t.Errorf("the file outside holds %q, %v", data, err)
	}
}

// TestSweepKeepsWhatIsNamed and nothing else; packing loses nothing.
func TestSweepKeepsWhatIsNamed(t *testing.T) {
	f := newFolder(t)
	f.put(t, "a.txt", "one")
	first := take(t, f)
	f.put(t, "a.txt", "two")
	second := take(t, f)
	if err := f.Sweep(t.Context(), []Tree{first, second}, true); err != nil {
		t.Fatal(err)
	}
	if err := f.tidy(t.Context(), "repack", "-a", "-d", "-q", "--window=0"); err != nil {
		t.Fatal(err)
	}
	if err := f.Sweep(t.Context(), []Tree{second}, true); err != nil {
		t.Fatal(err)
	}
	if err := f.tidy(t.Context(), "repack", "-a", "-d", "-q", "--window=0"); err != nil {
		t.Fatal(err)
	}
	if err := f.tidy(t.Context(), "prune", "--expire=now"); err != nil {
		t.Fatal(err)
	}
	if got := held(t, f, second); !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("the second snapshot holds %q", got)
	}
	if _, err := f.about(t.Context(), first); err == nil {
		t.Error("the first snapshot is still there")
	}
	if err := f.Sweep(t.Context(), nil, false); err != nil {
		t.Fatal(err)
	}
	if f.Size() != 0 {
		t.Error("the repository is still there")
	}
	if take(t, f) != second {
		t.Error("a new repository gives another tree")
	}
}
