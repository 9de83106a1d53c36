package tools

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/charlievieth/fastwalk"
)

// maxWalk is the number of files after which a walk outside of any repository stops.
const maxWalk = 300_000

var errEnough = errors.New("enough files")

// ignores knows the ignore rules of a tree of folders. Its methods may be called from several goroutines.
type ignores struct {
	top   string   // absolute; rules above it do not count
	files sync.Map // absolute folder → ignoreFile
}

// newIgnores reads the rules that hold in dir: those of its repository, or of top, down to itself.
func newIgnores(top, dir string) *ignores {
	if repo := repository(dir); repo != "" {
		top = repo
	}
	if !within(top, dir) {
		top = dir
	}
	g := &ignores{top: top}
	for d := dir; ; d = filepath.Dir(d) {
		g.enter(d)
		if d == top || d == filepath.Dir(d) {
			return g
		}
	}
}

// repository returns the folder at or above dir that holds a .git, or "".
func repository(dir string) string {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// enter reads the rules of one folder.
func (g *ignores) enter(dir string) {
	var rules ignoreFile
	if dir == g.top {
		rules = readRules(filepath.Join(dir, ".git", "info", "exclude"))
	}
	rules = append(rules, readRules(filepath.Join(dir, ".gitignore"))...) // later ones win
	if len(rules) > 0 {
		g.files.Store(dir, rules)
	}
}

func readRules(file string) ignoreFile {
	const most = 1 << 20 // bytes; git has no limit, but nobody writes that
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil // rules that cannot be read do not hold, as with git
	}
	return parseIgnore(data)
}

// match reports whether a path in an entered folder is ignored. The folders above it are taken not to be.
func (g *ignores) match(abs string, dir bool) bool {
	rel := filepath.Base(abs)
	for d := filepath.Dir(abs); ; d = filepath.Dir(d) {
		if rules, ok := g.files.Load(d); ok {
			if ignored, decided := rules.(ignoreFile).ignored(rel, dir); decided {
				return ignored
			}
		}
		if d == g.top || d == filepath.Dir(d) {
			return false
		}
		rel = filepath.Base(d) + "/" + rel
	}
}

// walk lists the files below root that no rule ignores, relative and with slashes, in no order. With g nil no rule
// holds. .git is never entered. cut reports that there were more than most.
func walk(ctx context.Context, root string, g *ignores, most int) (files []string, cut bool, err error) {
	var mu sync.Mutex
	conf := fastwalk.Config{NumWorkers: fastwalk.DefaultNumWorkers()}
	err = fastwalk.Walk(&conf, root, func(abs string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || abs == root {
			return nil // a folder that cannot be read holds nothing to find
		}
		if d.IsDir() {
			if d.Name() == ".git" || g != nil && g.match(abs, true) {
				return fs.SkipDir
			}
			if g != nil {
				g.enter(abs)
			}
			return nil
		}
		if !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0 || g != nil && g.match(abs, false) {
			return nil
		}
		rel, err := filepath.Rel(root, abs)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if len(files) >= most {
			cut = true
			return errEnough
		}
		files = append(files, filepath.ToSlash(rel))
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return files, cut, err
}

// hidden reports whether a name in the path begins with a dot.
func hidden(rel string) bool {
	return strings.HasPrefix(rel, ".") || strings.Contains(rel, "/.")
}

// base is the last name of a path with slashes.
func base(rel string) string { return path.Base(rel) }
