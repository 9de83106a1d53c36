package tools

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// The corpus of testdata/ignore holds rules, and paths with what becomes of them. The files of a case are named
// NAME/ROLE; bytes are marked as in the corpus of edits:
//
//	rules PATH   a file with rules, or one of git's; home/ is the user's home
//	ignored      paths that are ignored, one in a line; a slash at the end makes a folder
//	kept         paths that are not
type ignoreCase struct {
	name          string
	rules         map[string]string
	ignored, kept []string
}

// leastPaths is how many there are together, at least.
const leastPaths = 250

// TestTheCorpusOfRulesIsReadAsGitReadsIt: the corpus, git and we are of one mind about every path.
func TestTheCorpusOfRulesIsReadAsGitReadsIt(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "ignore", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the corpus is not there: %v", err)
	}
	paths := 0
	for _, file := range files {
		for _, c := range readIgnoreCorpus(t, file) {
			paths += len(c.ignored) + len(c.kept)
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+c.name, c.run)
		}
	}
	t.Logf("%d paths", paths)
	if paths < leastPaths {
		t.Errorf("the corpus has %d paths, want at least %d", paths, leastPaths)
	}
}

func readIgnoreCorpus(t *testing.T, file string) (cases []*ignoreCase) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		name, role, ok := strings.Cut(f.Name, "/")
		data, err := unmarked(string(f.Data))
		if err != nil || !ok {
			t.Fatalf("%s: %s: %v", file, f.Name, err)
		}
		if len(cases) == 0 || cases[len(cases)-1].name != name {
			cases = append(cases, &ignoreCase{name: name, rules: map[string]string{}})
		}
		c := cases[len(cases)-1]
		switch path, isRules := strings.CutPrefix(role, "rules "); {
		case isRules:
			c.rules[path] = data
		case role == "ignored":
			c.ignored = strings.Split(strings.TrimSuffix(data, "\n"), "\n")
		case role == "kept":
			c.kept = strings.Split(strings.TrimSuffix(data, "\n"), "\n")
		default:
			t.Fatalf("%s: there is no role %s", file, f.Name)
		}
	}
	return cases
}

// run makes the case's tree, and asks git and us about each of its paths.
func (c *ignoreCase) run(t *testing.T) {
	s := newSession(t)
	home := t.TempDir()
	s.environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	repo(t, s, ".")
	for path, data := range c.rules {
		if rest, ok := strings.CutPrefix(path, "home/"); ok {
			writeUnder(t, home, rest, data)
		} else {
			writeUnder(t, s.dir, path, data)
		}
	}
	all := slices.Concat(c.ignored, c.kept)
	if os.PathSeparator == '\\' && strings.ContainsAny(strings.Join(all, ""), `\*?"`) {
		t.Skip("Windows has no such names")
	}
	for _, path := range all {
		dir, isDir := strings.CutSuffix(path, "/")
		full := filepath.Join(s.dir, filepath.FromSlash(dir))
		if isDir {
			if err := os.MkdirAll(full, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if _, err := os.Lstat(full); err != nil {
			writeUnder(t, s.dir, path, "x\n")
		}
	}
	git, asked := c.askGit(t, s, all)
	for _, path := range all {
		want := slices.Contains(c.ignored, path)
		if asked && git[strings.TrimSuffix(path, "/")] != want {
			t.Errorf("the corpus says that %q is ignored: %v; git says %v", path, want, !want)
		}
		if got := weIgnore(t, s, path); got != want {
			t.Errorf("%q is ignored: %v, want %v", path, got, want)
		}
	}
}

func writeUnder(t *testing.T, dir, path, data string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// askGit asks git check-ignore. asked is false where git is not installed.
func (c *ignoreCase) askGit(t *testing.T, s *fakeSession, paths []string) (ignored map[string]bool, asked bool) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed, and CI must not pass over this test")
		}
		t.Log("git is not installed: only the corpus says what is right")
		return nil, false
	}
	cmd := exec.CommandContext(t.Context(), "git", "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Dir, cmd.Env = s.dir, append(slices.Clone(s.environ), "GIT_CONFIG_NOSYSTEM=1")
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(path, "/")) // it would take an empty name for one inside
	}
	cmd.Stdin = strings.NewReader(strings.Join(names, "\x00"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: nothing is ignored
		t.Fatalf("git check-ignore: %v\n%s", err, stderr.Bytes())
	}
	ignored = map[string]bool{}
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		ignored[path] = true
	}
	return ignored, true
}

func weIgnore(t *testing.T, s *fakeSession, path string) bool {
	t.Helper()
	dir, isDir := strings.CutSuffix(path, "/")
	full := filepath.Join(s.dir, filepath.FromSlash(dir))
	g, err := newIgnores(t.Context(), s, filepath.Dir(full))
	if err != nil {
		t.Fatal(err)
	}
	return g.covers(filepath.Dir(full)) || g.match(full, isDir)
}
