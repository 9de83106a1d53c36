package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// chunk is how many files one run of git takes in: what it has done is kept when the next one is cut short.
const chunk = 5000

// Take snapshots the folder: all files that are not ignored, and those that are named. It is on the disk when Take returns.
func (f *Folder) Take(ctx context.Context, named []string) (t Tree, err error) {
	err = f.alone(ctx, func() error {
		s, err := f.scanAll(ctx, named)
		if err != nil {
			return err
		}
		files, err := oneLine(f.git(ctx, nil, "write-tree"))
		if err != nil {
			return err
		}
		if t, err = f.wrap(ctx, files, describe(s)); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.warm = true
		return nil
	})
	return t, err
}

// scanAll brings the repository's index to what is in the folder.
func (f *Folder) scanAll(ctx context.Context, named []string) (*scan, error) {
	base, known, err := f.usual()
	if err != nil {
		return nil, err
	}
	first := f.have == nil
	s, err := f.scan(ctx, named, base)
	if _, failed := errors.AsType[*gitError](err); failed && first { // a power cut may have broken the index, which is only a cache
		if err := os.Remove(filepath.Join(f.repo, "index")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("snapshot: removing an index: %w", err)
		}
		s, err = f.scan(ctx, named, base)
	}
	if err == nil && !known {
		if base, err = f.keepUsual(s); err == nil && base != s.base { // once
			f.have = s.marks
			s, err = f.scan(ctx, named, base)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := f.dropGone(ctx, s); err != nil {
		return nil, err
	}
	f.have = s.marks
	return s, nil
}

// Warm reports whether a snapshot of the whole was taken since the host started: then the next one is quick.
func (f *Folder) Warm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.warm
}

// dropGone takes out of the index what the scan has not found. Unless something that was there has gone it need not be read.
func (f *Folder) dropGone(ctx context.Context, s *scan) error {
	if s.have != nil {
		gone := false
		for at := range s.have {
			if _, still := s.marks[at]; !still {
				gone = true
				break
			}
		}
		if !gone {
			return nil
		}
	}
	out, err := f.git(ctx, nil, "ls-files", "-z", "--cached")
	if err != nil {
		return err
	}
	var gone bytes.Buffer
	for _, path := range split(out) {
		if _, ok := s.marks[markOf(path)]; !ok {
			fmt.Fprintf(&gone, "0 %s\t%s\x00", strings.Repeat("0", 40), path)
		}
	}
	if gone.Len() == 0 {
		return nil
	}
	_, err = f.git(ctx, &gone, "update-index", "-z", "--index-info")
	return err
}

// seed makes the marks of this process.
var seed = maphash.MakeSeed()

// markOf stands for a path: to remember half a million of them would take tens of megabytes.
func markOf(path string) uint64 { return maphash.String(seed, path) }

// mark stands for a file as it was found; 0 for one that is not sure.
func (f found) mark() uint64 {
	if !f.sure {
		return 0
	}
	return max(1, maphash.Comparable(seed, f))
}

// TakeFiles snapshots the paths only: what is at each of them, if anything is.
func (f *Folder) TakeFiles(ctx context.Context, paths []string) (t Tree, err error) {
	err = f.aside(ctx, func() error {
		states, err := f.states(paths)
		if err != nil {
			return err
		}
		t, err = f.build(ctx, states, nil)
		return err
	})
	return t, err
}

// Add returns a snapshot with what is at the paths now beside what it holds.
func (f *Folder) Add(ctx context.Context, t Tree, paths []string) (with Tree, err error) {
	err = f.aside(ctx, func() error {
		a, err := f.about(ctx, t)
		if err != nil {
			return err
		}
		held, err := f.entries(ctx, t, a)
		if err != nil {
			return err
		}
		states, err := f.states(paths)
		if err != nil {
			return err
		}
		for path, e := range states {
			if e.Kind != None {
				held[path] = e
			}
		}
		with, err = f.build(ctx, held, &a)
		return err
	})
	return with, err
}

// Build makes the two snapshots between which the changes lie, holding nothing else.
func (f *Folder) Build(ctx context.Context, changes []Change) (before, after Tree, err error) {
	err = f.aside(ctx, func() error {
		was, is := make(map[string]Entry), make(map[string]Entry)
		for _, c := range changes {
			was[c.Path], is[c.Path] = c.Before, c.After
		}
		if before, err = f.build(ctx, was, nil); err != nil {
			return err
		}
		after, err = f.build(ctx, is, nil)
		return err
	})
	return before, after, err
}

// Holds reports whether there is a file at a path in a snapshot.
func (f *Folder) Holds(ctx context.Context, t Tree, path string) (held bool, err error) {
	err = f.aside(ctx, func() error {
		out, err := f.git(ctx, nil, "ls-tree", "-z", "--full-tree", string(t)+":files", "--", path)
		held = len(out) > 0
		return err
	})
	return held, err
}

// Ignored reports whether git ignores a path.
func (f *Folder) Ignored(ctx context.Context, path string) (ignored bool, err error) {
	err = f.aside(ctx, func() error {
		t := f.top(ctx)
		set, err := f.ignored(ctx, t, []string{t.prefix + path})
		ignored = len(set) > 0
		return err
	})
	return ignored, err
}

// states says what is at paths now, with the content of files in the repository.
func (f *Folder) states(paths []string) (map[string]Entry, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("snapshot: opening %s: %w", f.path, err)
	}
	defer root.Close()
	states := make(map[string]Entry, len(paths))
	for _, path := range paths {
		if !local(path) || f.store.owns(f.path, path) {
			continue
		}
		e, data, err := look(root, path)
		if err != nil {
			return nil, err
		}
		e.data = data
		states[path] = e
	}
	return states, nil
}

// build makes a snapshot that holds the entries and nothing else: a partial one, or one that is whole as another is. Its
// index is thrown away afterwards.
func (f *Folder) build(ctx context.Context, entries map[string]Entry, like *about) (Tree, error) {
	index := filepath.Join(f.repo, "index-build")
	if err := os.Remove(index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("snapshot: building one: %w", err)
	}
	paths := make([]string, 0, len(entries))
	for path := range entries {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	var list bytes.Buffer
	var m meta
	whole := like != nil && !like.partial
	if whole {
		m.base(like.usual)
	} else {
		m.partial()
	}
	for _, path := range paths {
		e := entries[path]
		switch e.Kind {
		case File, Link:
			if e.data != nil {
				oid, err := f.write(ctx, e.data)
				if err != nil {
					return "", err
				}
				e.OID = oid
			}
			fmt.Fprintf(&list, "%s %s\t%s\x00", e.gitMode(), e.OID, path)
			if e.Kind == File && !(whole && e.Perm == like.usual.of(e)) {
				m.perm(path, e.Perm)
			}
		case Dir:
			if !(whole && e.Perm == like.usual.of(e)) {
				m.perm(path, e.Perm)
			}
			if !whole || like.empty[path] {
				m.empty(path)
			}
		}
	}
	if whole {
		for _, path := range slices.Sorted(maps.Keys(like.over)) {
			m.over(like.over[path])
		}
	}
	if _, err := f.gitIn(ctx, f.path, index, &list, "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	files, err := oneLine(f.gitIn(ctx, f.path, index, nil, "write-tree"))
	if err != nil {
		return "", err
	}
	return f.wrap(ctx, files, m.Bytes())
}

// write puts bytes into the repository as they are.
func (f *Folder) write(ctx context.Context, data []byte) (string, error) {
	return oneLine(f.git(ctx, bytes.NewReader(data), "hash-object", "-w", "--no-filters", "--stdin"))
}

// wrap makes the tree of a snapshot: the files, and what git's own trees cannot say of them.
func (f *Folder) wrap(ctx context.Context, files string, about []byte) (Tree, error) {
	blob, err := f.write(ctx, about)
	if err != nil {
		return "", err
	}
	list := fmt.Sprintf("040000 tree %s\tfiles\x00100644 blob %s\tmeta\x00", files, blob)
	oid, err := oneLine(f.git(ctx, strings.NewReader(list), "mktree", "-z"))
	return Tree(oid), err
}
