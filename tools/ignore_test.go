package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIgnoreRules(t *testing.T) {
	tests := []struct {
		name, rules, path string
		dir, want         bool
	}{
		{"a name matches at any depth", "x", "a/b/x", false, true},
		{"a leading slash anchors", "/x", "a/x", false, false},
		{"a slash inside anchors", "a/x", "b/a/x", false, false},
		{"a trailing slash wants a folder", "x/", "x", false, false},
		{"a trailing slash takes a folder", "x/", "a/x", true, true},
		{"the last match wins", "*.go\n!a.go", "a.go", false, false},
		{"a star stops at a slash", "a/*.c", "a/b/x.c", false, false},
		{"stars in front", "**/x", "a/b/x", false, true},
		{"stars in front match no folder too", "**/x", "x", false, true},
		{"stars in the middle", "a/**/x", "a/b/c/x", false, true},
		{"stars in the middle match no folder too", "a/**/x", "a/x", false, true},
		{"stars at the end take what is inside", "a/**", "a/b/c", false, true},
		{"stars at the end do not take the folder", "a/**", "a", true, false},
		{"stars beside text are one star", "a**b/c", "axxb/c", false, true},
		{"a question mark is one byte", "a?c", "abc", false, true},
		{"a class", "[a-c]x", "bx", false, true},
		{"a negated class", "[!a-c]x", "bx", false, false},
		{"a named class", "[[:digit:]]x", "7x", false, true},
		{"a bracket first in a class", "[]x]", "]", false, true},
		{"a class that is not closed matches nothing", "[ab", "[ab", false, false},
		{"a comment", "#x", "#x", false, false},
		{"an escaped comment sign", `\#x`, "#x", false, true},
		{"an escaped exclamation mark", `\!x`, "!x", false, true},
		{"trailing blanks go", "x  ", "x", false, true},
		{"an escaped trailing blank stays", `x\ `, "x ", false, true},
		{"CR LF", "x\r\ny\r\n", "x", false, true},
		{"a byte order mark", "\uFEFFx", "x", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := parseIgnore([]byte(tt.rules)).ignored(tt.path, tt.dir, false); got != tt.want {
				t.Errorf("%q ignores %q (folder: %v) = %v, want %v", tt.rules, tt.path, tt.dir, got, tt.want)
			}
		})
	}
}

// repo makes an empty repository in the workdir: the least that git takes for one.
func repo(t testing.TB, s *fakeSession, dir string) {
	t.Helper()
	for _, d := range []string{"objects", "refs"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir, ".git", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.put(t, dir+"/.git/HEAD", "ref: refs/heads/main\n")
}

func needGit(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed, and CI must not pass over this test")
		}
		t.Skip("git is not installed: there is nothing to compare with")
	}
}

// TestTheWalkAgreesWithGit compares the files that our own reading of the rules finds with those of git, on trees and
// rules made at random.
func TestTheWalkAgreesWithGit(t *testing.T) {
	needGit(t)
	name := rapid.SampledFrom([]string{"a", "b", "ab", "a.c", "b.c", "x y", "[a]", "!a", "#b", "a*", `a\b`, "A", "1", "é", ".a", "ba "})
	pattern := rapid.SampledFrom([]string{
		"*", "/*", "!/*/", "!*/", "a", "/a", "a/", "!a", "b", "*.c", "!a.c", "/a/b", "a/b", "a/*", "!a/b", "**/a", "a/**", "a/**/b", "**/a/**", "!**/b/", "**", "***",
		"a**", "**b", "a**/b", "?", "a?", "[ab]", "[!a]", "[^a]*", "[a-b].c", "[[:alpha:]]", "[[:digit:]b]", "[[:nope:]]", "[]a]", "[a", `\!a`, `\#b`, "#b", `a\ `, "a ", `a\*`, `[\]a]`,
		"x y", `\a`, `a\`, "a//b", "/", "//", "!", "a/b/", "*/b", "*/*", "/**", "/**/b", "b/**/", `[a\-c]`, "[a-]", "[--0]", "é", "?é", "[é]", "A", ".a", ".*", "!.a", "a/.*", "[[a]]", `a\/b`, "[a/]b", "a/[b/c]", "ba ",
	})
	rapid.Check(t, func(rt *rapid.T) {
		s := newSession(t)
		repo(t, s, ".")
		dirs := []string{""}
		for range rapid.IntRange(1, 12).Draw(rt, "files") {
			dir := rapid.SampledFrom(dirs).Draw(rt, "dir")
			path := dir + name.Draw(rt, "name")
			full := filepath.Join(s.dir, path)
			if _, err := os.Lstat(full); err == nil {
				continue
			}
			if rapid.Bool().Draw(rt, "is a folder") {
				if err := os.Mkdir(full, 0o755); err != nil {
					rt.Fatal(err)
				}
				dirs = append(dirs, path+"/")
				continue
			}
			s.put(t, path, "x")
		}
		for _, dir := range dirs {
			if dir == "" || rapid.IntRange(0, 3).Draw(rt, "has rules") == 0 {
				rules := rapid.SliceOfN(pattern, 0, 5).Draw(rt, "rules of "+dir)
				s.put(t, dir+".gitignore", strings.Join(rules, "\n"))
			}
		}
		want, ok, err := listGit(t.Context(), s, s.dir)
		if err != nil || !ok {
			rt.Fatalf("git: %v, %v", ok, err)
		}
		got, err := listWalk(t.Context(), s, s.dir)
		if err != nil || !slices.Equal(got.files, want.files) {
			rt.Fatalf("we list %q, %v; git lists %q", got.files, err, want.files)
		}
	})
}

// TestTheWalkKeepsRepositoriesApart: outside of git, too, a repository inside another has its own rules only, and a work tree
// those of the repository it belongs to.
func TestTheWalkKeepsRepositoriesApart(t *testing.T) {
	s := newSession(t)
	repo(t, s, ".")
	s.put(t, ".gitignore", "*.x\n")
	s.put(t, ".git/info/exclude", "*.y\n")
	repo(t, s, "inner")
	s.put(t, "inner/.git/info/exclude", "*.z\n")
	s.put(t, ".git/worktrees/tree/commondir", "../..\n")
	s.put(t, ".git/worktrees/tree/HEAD", "ref: refs/heads/tree\n")
	s.put(t, ".git/worktrees/tree/gitdir", filepath.Join(s.dir, "tree", ".git")+"\n")
	s.put(t, "tree/.git", "gitdir: ../.git/worktrees/tree\n")
	for _, dir := range []string{"", "inner/", "tree/", "tree/below/"} {
		for _, name := range []string{"f.x", "f.y", "f.z"} {
			s.put(t, dir+name, "text\n")
		}
	}
	want := []string{".gitignore", "f.z", "inner/f.x", "inner/f.y", "tree/below/f.x", "tree/below/f.z", "tree/f.x", "tree/f.z"}
	l, err := listWalk(t.Context(), s, s.dir)
	if err != nil || !slices.Equal(l.files, want) {
		t.Errorf("we list %q, %v; want %q", l.files, err, want)
	}
	needGit(t)
	l, ok, err := listGit(t.Context(), s, s.dir)
	if err != nil || !ok || !slices.Equal(l.files, want) {
		t.Errorf("git lists %q, %v, %v; want %q", l.files, ok, err, want)
	}
}

func FuzzIgnore(f *testing.F) {
	for _, seed := range [][2]string{{"a/**/b", "a/x/b"}, {"[[:alpha:]", "a"}, {`a\`, "a"}, {"!x\n*", "x"}, {"[]-a]*", "]"}, {"**/**/**", "a/b/c"}, {"[!", "x"}, {"*a*a*a*b", "aaaaaaaa"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, rules, path string) {
		got, decided := parseIgnore([]byte(rules)).ignored(path, false, false)
		if got && !decided {
			t.Errorf("%q ignores %q without a rule", rules, path)
		}
	})
}
