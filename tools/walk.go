package tools

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/charlievieth/fastwalk"
)

// maxWalk is the number of files after which a walk outside of any repository stops.
const maxWalk = 300_000

var errEnough = errors.New("enough files")

// ignores knows the ignore rules of a tree of folders. Its methods may be called from several goroutines.
type ignores struct {
	top     string      // absolute; rules above it do not count
	environ []string    // says where the user's own rules are
	files   sync.Map    // absolute folder → folderRules
	folding atomic.Bool // in some repository case does not count
}

// A folderRules is what a folder says about the paths in it.
type folderRules struct {
	ignoreFile
	fold   bool // of a border: case does not count below it
	border bool // a repository begins here: what is said further up does not hold
}

// newIgnores reads the rules that hold in dir: those of its repository, or of the workdir, down to itself.
func newIgnores(ctx context.Context, s session, dir string) (*ignores, error) {
	top, err := s.Workdir(ctx)
	if err != nil {
		return nil, err
	}
	environ, err := s.Environ(ctx)
	if err != nil {
		return nil, err
	}
	if repo := repository(dir); repo != "" {
		top = repo
	}
	if !within(top, dir) {
		top = dir
	}
	g := &ignores{top: top, environ: environ}
	for d := dir; ; d = filepath.Dir(d) {
		g.enter(d)
		if d == top || d == filepath.Dir(d) {
			return g, nil
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
	var f folderRules
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		whole := readGitRules(g.environ, dir)
		f = folderRules{ignoreFile: whole.rules, fold: whole.fold, border: true}
		if whole.fold {
			g.folding.Store(true)
		}
	}
	file := filepath.Join(dir, ".gitignore")
	if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() { // git reads none through a link
		f.ignoreFile = append(f.ignoreFile, readRules(file)...) // later ones win
	}
	if len(f.ignoreFile) > 0 || f.border {
		g.files.Store(dir, f)
	}
}

// match reports whether a path in an entered folder is ignored. The folders above it are taken not to be.
func (g *ignores) match(abs string, dir bool) bool {
	d := above(abs)
	fold := g.folding.Load() && g.folds(d)
	for {
		if f, ok := g.files.Load(d); ok {
			f := f.(folderRules)
			if ignored, decided := f.ignored(below(d, abs), dir, fold); decided {
				return ignored
			}
			if f.border {
				return false
			}
		}
		up := above(d)
		if d == g.top || d == up {
			return false
		}
		d = up
	}
}

// above is filepath.Dir of a path that is clean and absolute, without looking through all of it: it is asked for each file of a
// tree several times.
func above(abs string) string {
	if os.PathSeparator != '/' {
		return filepath.Dir(abs)
	}
	return abs[:max(1, strings.LastIndexByte(abs, '/'))]
}

// below is a path below a folder, relative and with slashes.
func below(dir, abs string) string {
	rel := abs[len(dir):]
	for rel != "" && os.IsPathSeparator(rel[0]) {
		rel = rel[1:]
	}
	return filepath.ToSlash(rel)
}

// folds reports whether case does not count in a folder: its repository says so.
func (g *ignores) folds(dir string) bool {
	for d := dir; ; d = above(d) {
		if f, ok := g.files.Load(d); ok && f.(folderRules).border {
			return f.(folderRules).fold
		}
		if d == g.top || d == above(d) {
			return false
		}
	}
}

// covers reports whether dir or a folder above it is ignored.
func (g *ignores) covers(dir string) bool {
	for d := dir; d != g.top && d != filepath.Dir(d); d = filepath.Dir(d) {
		if g.match(d, true) {
			return true
		}
	}
	return false
}

// A walker collects the files below a folder.
type walker struct {
	root string
	g    *ignores // nil: no rule holds
	most int      // files

	mu    sync.Mutex
	files []string
	held  []string // what rules hold back: files, and folders with a slash at their end
	cut   bool     // there were more than most
}

// maxHeld bounds how much of what was held back is remembered.
const maxHeld = 10_000

// walk lists the files below root that no rule ignores, relative and with slashes, sorted. With g nil no rule holds. .git
// is never entered, and no link.
func walk(ctx context.Context, root string, g *ignores, most int) (*walker, error) {
	w := &walker{root: root, g: g, most: most}
	conf := fastwalk.Config{NumWorkers: fastwalk.DefaultNumWorkers()}
	err := fastwalk.Walk(&conf, root, func(abs string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || abs == root {
			return nil // a folder that cannot be read holds nothing to find
		}
		return w.visit(abs, d)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	slices.Sort(w.files)
	slices.Sort(w.held)
	return w, err
}

// visit decides what to do with one entry of a folder.
func (w *walker) visit(abs string, d fs.DirEntry) error {
	if d.IsDir() {
		if d.Name() == ".git" {
			return fs.SkipDir
		}
		if w.g != nil && w.g.match(abs, true) {
			w.hold(abs, "/")
			return fs.SkipDir
		}
		if w.g != nil {
			w.g.enter(abs)
		}
		return nil
	}
	if !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0 || d.Name() == ".git" {
		return nil
	}
	if w.g != nil && w.g.match(abs, false) {
		w.hold(abs, "")
		return nil
	}
	return w.add(below(w.root, abs))
}

func (w *walker) add(rel string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.files) >= w.most {
		w.cut = true
		return errEnough
	}
	w.files = append(w.files, rel)
	return nil
}

func (w *walker) hold(abs, slash string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) < maxHeld {
		w.held = append(w.held, below(w.root, abs)+slash)
	}
}

// hidden reports whether a name in the path begins with a dot.
func hidden(rel string) bool {
	return strings.HasPrefix(rel, ".") || strings.Contains(rel, "/.")
}

// base is the last name of a path with slashes.
func base(rel string) string { return path.Base(rel) }

// keepIf returns the names for which keep is true, in their order. Of many, it asks for several at a time.
func keepIf(names []string, keep func(string) bool) []string {
	const piece = 2048
	parts := make([][]string, (len(names)+piece-1)/piece)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(parts)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) {
					return
				}
				for _, name := range names[i*piece : min((i+1)*piece, len(names))] {
					if keep(name) {
						parts[i] = append(parts[i], name)
					}
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(parts...)
}
