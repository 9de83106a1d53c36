package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A scan looks at a folder to be snapshot: paths are relative to it, with slashes. Of files it remembers no more than it must:
// there may be half a million.
type scan struct {
	folder *Folder
	base   usual
	have   map[uint64]uint64 // of the scan before

	marks map[uint64]uint64 // of the files, by marks of their paths
	batch []string          // to be looked at
	root  *os.Root
	real  map[string]bool // folders of files that are named: no link leads to them
	fresh []string        // that may have changed, for git to look at
	most  int64           // bytes that a file may have
	total int64
	count [2]map[fs.FileMode]int // permissions of files, and of those that can be run

	odd   map[string]fs.FileMode // permissions of files that are not the base's
	dirs  map[string]fs.FileMode // all that are not ignored; "." is not among them
	empty []string               // of them, those in which nothing is covered
	over  []Uncovered
}

// A found file is as long the same as what is at its path is. It is sure when that was not written just before it was looked
// at: then it could be written again within the same tick of the file system's clock.
type found struct {
	size, mtime, ctime int64
	ino                uint64
	mode               fs.FileMode
	sure               bool
}

// tick is longer than that of any file system's clock.
const tick = 2 * time.Second

func foundAt(info fs.FileInfo, now time.Time) found {
	f := found{size: info.Size(), mtime: info.ModTime().UnixNano(), mode: info.Mode()}
	f.ctime, f.ino = identity(info)
	f.sure = max(f.mtime, f.ctime) < now.Add(-tick).UnixNano()
	return f
}

// An Uncovered is a file that a snapshot does not hold.
type Uncovered struct {
	Path string `json:"path"`
	Why  string `json:"why"`
	mark string // changes when the file does
}

// scan looks at the folder, and has git take in what may have changed. named are paths that are taken in though they be
// ignored or larger than others may be.
func (f *Folder) scan(ctx context.Context, named []string, base usual) (*scan, error) {
	s := &scan{
		folder: f, base: base, have: f.have, marks: make(map[uint64]uint64, len(f.have)), most: MaxFile, odd: make(map[string]fs.FileMode),
		dirs: make(map[string]fs.FileMode), real: make(map[string]bool), count: [2]map[fs.FileMode]int{{}, {}},
	}
	f.have = nil // until all is done
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("snapshot: opening %s: %w", f.path, err)
	}
	defer root.Close()
	s.root = root
	tops, err := f.list(ctx, s.add, s.addNamed)
	if err != nil {
		return nil, err
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	s.most = 2 * MaxFile
	for _, path := range named {
		if local(path) && !f.store.owns(f.path, path) {
			if err := s.addNamed(ctx, path); err != nil {
				return nil, err
			}
		}
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	if err := s.feed(ctx); err != nil {
		return nil, err
	}
	if err := f.folders(ctx, s, tops); err != nil {
		return nil, err
	}
	return s, nil
}

// batchSize is how many files are looked at before git hears of them.
const batchSize = 2048

func (s *scan) add(ctx context.Context, path string) error {
	if s.batch = append(s.batch, path); len(s.batch) < batchSize {
		return nil
	}
	return s.flush(ctx)
}

// addNamed adds a path that was not found by looking into its folder. One that leads through a link is not of this folder's tree: git
// takes none, and would take no other for it.
func (s *scan) addNamed(ctx context.Context, path string) error {
	dir := parent(path)
	real, known := s.real[dir]
	if !known {
		var err error
		if real, err = realDir(s.root, dir); err != nil {
			return err
		}
		s.real[dir] = real
	}
	if !real {
		return nil
	}
	return s.add(ctx, path)
}

// A seen is what was found at a path: a file to take in, one that is not covered, or neither.
type seen struct {
	found
	over *Uncovered
	ok   bool
}

// flush looks at the files of the batch side by side.
func (s *scan) flush(ctx context.Context) error {
	all, now := make([]seen, len(s.batch)), time.Now()
	var group errgroup.Group
	part := max(64, (len(s.batch)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	for from := 0; from < len(s.batch); from += part {
		group.Go(func() error {
			for i := from; i < min(from+part, len(s.batch)); i++ {
				all[i] = s.look(s.batch[i], now)
			}
			return nil
		})
	}
	if err := errors.Join(group.Wait(), context.Cause(ctx)); err != nil {
		return err
	}
	for i, path := range s.batch {
		switch {
		case all[i].ok:
			if err := s.take(path, all[i].found); err != nil {
				return err
			}
		case all[i].over != nil:
			s.over = append(s.over, *all[i].over)
		}
	}
	s.batch = s.batch[:0]
	if len(s.fresh) < chunk {
		return nil
	}
	return s.feed(ctx)
}

// look says what is at a path.
func (s *scan) look(path string, now time.Time) (r seen) {
	name := filepath.Join(s.folder.path, filepath.FromSlash(path))
	info, err := os.Lstat(name)
	if err != nil {
		return r // it has just gone, or cannot be seen
	}
	r.found = foundAt(info, now)
	mark := fmt.Sprint(r.size, ".", r.mtime)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		r.ok = true
	case !info.Mode().IsRegular():
	case info.Size() > s.most:
		r.over = &Uncovered{path, fmt.Sprintf("larger than %d MB", s.most>>20), mark}
	case info.Mode().Perm()&0o444 != 0o444 && !readable(name):
		r.over = &Uncovered{path, "not readable", mark}
	default:
		r.ok = true
	}
	return r
}

// take notes a file that the snapshot holds.
func (s *scan) take(path string, file found) error {
	at, is := markOf(path), file.mark()
	if _, twice := s.marks[at]; twice {
		return nil // it is named, and was found besides
	}
	s.marks[at] = is
	if was, ok := s.have[at]; !ok || was == 0 || was != is {
		s.fresh = append(s.fresh, path)
	}
	if s.total += file.size; s.total > MaxTotal {
		return &LimitError{s.folder.path, fmt.Sprintf("%d MB of files", MaxTotal>>20)}
	}
	if len(s.marks) > MaxFiles {
		return &LimitError{s.folder.path, fmt.Sprintf("%d files", MaxFiles)}
	}
	if e := entryOf(file.mode); e.Kind == File {
		class := 0
		if e.exec {
			class = 1
		}
		s.count[class][e.Perm]++
		if e.Perm != s.base.of(e) {
			s.odd[path] = e.Perm
		}
	}
	for dir := parent(path); dir != "." && s.dirs[dir] == 0; dir = parent(dir) {
		s.dirs[dir] = fs.ModeDir
	}
	return nil
}

// feed has git look at the files that may have changed, and take in those that have.
func (s *scan) feed(ctx context.Context) error {
	if len(s.fresh) == 0 {
		return nil
	}
	_, err := s.folder.git(ctx, zlist(s.fresh), "update-index", "-z", "--add", "--remove", "--replace", "--stdin")
	s.fresh = s.fresh[:0]
	return err
}

func readable(path string) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return false
	}
	return file.Close() == nil
}

// folders finds the folders of a scan: those above its files, and those in which there is nothing that is covered.
func (f *Folder) folders(ctx context.Context, s *scan, tops []top) error {
	look := []string{"."}
	for dir := range s.dirs {
		look = append(look, dir)
	}
	for len(look) > 0 {
		below, err := s.unknown(ctx, f.path, look)
		if err != nil {
			return err
		}
		if look, err = f.unignored(ctx, below, tops); err != nil {
			return err
		}
		for _, dir := range look {
			s.dirs[dir] = fs.ModeDir
		}
		s.empty = append(s.empty, look...)
	}
	slices.Sort(s.empty)
	return s.modes(f.path)
}

// unknown lists the folders right in those of a list that are not known yet.
func (s *scan) unknown(ctx context.Context, root string, look []string) ([]string, error) {
	lists := make([][]string, len(look))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) * 2)
	for i, dir := range look {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			folder, err := os.Open(filepath.Join(root, filepath.FromSlash(dir)))
			if err != nil {
				return nil // it has just gone, or may not be read: nothing of it is covered
			}
			defer folder.Close()
			entries, _ := folder.ReadDir(-1) // what can be read
			for _, e := range entries {
				path := e.Name()
				if dir != "." {
					path = dir + "/" + path
				}
				if e.IsDir() && s.dirs[path] == 0 && local(path) {
					lists[i] = append(lists[i], path)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return slices.Concat(lists...), err
}

// unignored leaves out folders that are ignored, and coder's own.
func (f *Folder) unignored(ctx context.Context, dirs []string, tops []top) ([]string, error) {
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return f.store.owns(f.path, dir) })
	asked := make(map[int][]string) // by top
	for _, dir := range dirs {
		at := 0
		for i, t := range tops[1:] {
			if strings.HasPrefix(dir+"/", t.inside) && len(t.inside) > len(tops[at].inside) {
				at = i + 1
			}
		}
		asked[at] = append(asked[at], dir)
	}
	var kept []string
	for i, list := range asked {
		t := tops[i]
		names := make([]string, len(list))
		for j, dir := range list {
			names[j] = t.prefix + strings.TrimPrefix(dir, t.inside)
			if dir+"/" == t.inside {
				names[j] = "." // the repository itself, in which nothing is
			}
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == "." })
		ignored, err := f.ignored(ctx, t, names)
		if err != nil {
			return nil, err
		}
		for _, dir := range list {
			if !ignored[t.prefix+strings.TrimPrefix(dir, t.inside)] {
				kept = append(kept, dir)
			}
		}
	}
	return kept, nil
}

// modes notes the permissions of the folders. One that has gone meanwhile is left out.
func (s *scan) modes(root string) error {
	for dir := range s.dirs {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(dir)))
		if err != nil || !info.IsDir() {
			delete(s.dirs, dir)
			continue
		}
		s.dirs[dir] = info.Mode()
	}
	s.empty = slices.DeleteFunc(s.empty, func(dir string) bool { return s.dirs[dir] == 0 })
	return nil
}

// parent is the folder of a path with slashes, "." at the top.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}
