package tools

import (
	"bytes"
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/tools/sandbox"
)

// A listing is the files of a folder that are worth searching.
type listing struct {
	files  []string // relative to the folder, with slashes, sorted
	held   []string // what the rules held back, folders with a slash at their end; only if walked
	walked bool     // by us: git does not say what it holds back
	all    bool     // the folder itself is ignored, so that nothing in it was held back
	hidden []string // those of files that a search sets apart
	one    bool     // a file was named
	cut    bool     // there were more than maxWalk
}

// list lists the files at and below dir, without those that ignore rules name. Inside a repository git says which
// those are; where there is none, or git cannot be had, our own reading of .gitignore files does.
func list(ctx context.Context, s session, dir string) (listing, error) {
	if repository(dir) != "" {
		l, ok, err := listGit(ctx, s, dir)
		if ok || err != nil {
			return l, err
		}
	}
	return listWalk(ctx, s, dir)
}

func listWalk(ctx context.Context, s session, dir string) (listing, error) {
	g, err := newIgnores(ctx, s, dir)
	if err != nil {
		return listing{}, err
	}
	if g.covers(dir) {
		return listAll(ctx, dir)
	}
	w, err := walk(ctx, dir, g, maxWalk)
	if err != nil {
		return listing{}, err
	}
	return listing{files: w.files, held: w.held, walked: true, cut: w.cut}, nil
}

// listAll lists a folder that is ignored itself: who names it wants to see into it.
func listAll(ctx context.Context, dir string) (listing, error) {
	w, err := walk(ctx, dir, nil, maxWalk)
	return listing{files: w.files, all: true, cut: w.cut}, err
}

// listGit asks git. ok is false when git cannot answer.
func listGit(ctx context.Context, s session, dir string) (l listing, ok bool, err error) {
	out, ok, err := git(ctx, s, dir, "ls-files", "-co", "--exclude-standard", "-z")
	if err != nil || !ok {
		return listing{}, false, err
	}
	if len(out) == 0 && repository(dir) != dir { // nothing here, or all of it ignored
		_, ignored, err := git(ctx, s, dir, "check-ignore", "-q", ".")
		if err != nil {
			return listing{}, false, err
		}
		if ignored {
			l, err := listAll(ctx, dir)
			return l, true, err
		}
	}
	if len(out) == 0 {
		return listing{}, true, nil
	}
	l.files = strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.IsSorted(l.files) {
		slices.Sort(l.files)
	}
	l.files = slices.Compact(l.files) // a path in conflict is there once for each side
	return l, true, l.descend(ctx, s, dir)
}

// descend replaces repositories inside the repository, which git names without entering them, by their files.
func (l *listing) descend(ctx context.Context, s session, dir string) error {
	modules := submodules(dir)
	var inner []string
	kept := l.files[:0]
	for _, f := range l.files {
		name := strings.TrimSuffix(f, "/")
		if name == f && !modules[f] {
			kept = append(kept, f)
			continue
		}
		sub, err := list(ctx, s, filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, g := range sub.files {
			inner = append(inner, path.Join(name, g))
		}
	}
	if l.files = kept; len(inner) > 0 {
		l.files = append(l.files, inner...)
		slices.Sort(l.files)
	}
	return nil
}

// submodules returns the paths, relative to dir, at which the repository says it has other repositories, those that
// are there.
func submodules(dir string) map[string]bool {
	top := repository(dir)
	file := filepath.Join(top, ".gitmodules")
	if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() || info.Size() > maxModules {
		return nil // most repositories have none
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) != "path" {
			continue
		}
		abs := filepath.Join(top, filepath.FromSlash(strings.TrimSpace(value)))
		_, err := os.Lstat(filepath.Join(abs, ".git"))
		rel, relErr := filepath.Rel(dir, abs)
		if err == nil && linkless(top, abs) && relErr == nil && rel != "." && filepath.IsLocal(rel) {
			found[filepath.ToSlash(rel)] = true
		}
	}
	return found
}

// maxModules bounds what is read of a .gitmodules file, in bytes.
const maxModules = 1 << 20

// linkless reports whether no link is on the way from top to a folder in it: one could lead back, so that the folder would hold itself.
func linkless(top, dir string) bool {
	if !within(top, dir) {
		return false
	}
	for ; dir != top; dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// gitConfig keeps a repository from running programs of its own choice when git looks at it, and git from waiting for
// somebody to type. It goes through the environment, so that the bytes of a command that was judged stay as they are.
var gitConfig = [][2]string{
	{"core.fsmonitor", "false"},
	{"core.hooksPath", os.DevNull},
	{"core.pager", "cat"},
	{"protocol.ext.allow", "never"},
	{"safe.bareRepository", "explicit"},
}

// git runs git in dir and returns what it prints. ok is false when it is not there or fails.
func git(ctx context.Context, s session, dir string, args ...string) (out []byte, ok bool, err error) {
	environ, err := s.Environ(ctx)
	if err != nil {
		return nil, false, err
	}
	name := "git"
	if os.PathSeparator == '\\' {
		name = "git.exe"
	}
	program, err := sandbox.LookPath(environ, name)
	if err != nil {
		return nil, false, nil // no git is an answer here
	}
	var b bytes.Buffer
	done, err := sandbox.Run(ctx, sandbox.Command{
		Argv: append([]string{program}, args...), Dir: dir, Env: commandEnv(environ), Stdout: &b, Quiet: true, Timeout: 30 * time.Second,
	})
	if err != nil {
		return nil, false, err
	}
	return b.Bytes(), done.Code == 0 && !done.TimedOut, nil
}
