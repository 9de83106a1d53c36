package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// MaxRepo is how large the repository of a folder may become; then the oldest snapshots go.
	MaxRepo = 4 << 30

	// young is for how long an object stays that nothing names: a snapshot is made before it is recorded.
	young = "10.minutes.ago"

	packFrom = 2000 // loose objects are packed when there are so many
)

// Folders lists the folders of which there is something in the store.
func (s *Store) Folders() ([]*Folder, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: looking what is kept: %w", err)
	}
	var list []*Folder
	for _, e := range entries {
		workdir := string(readSmall(filepath.Join(s.dir, e.Name(), "workdir")))
		if !filepath.IsAbs(workdir) {
			continue
		}
		if f := s.Folder(workdir); filepath.Base(f.repo) == e.Name() {
			list = append(list, f)
		}
	}
	return list, nil
}

// Sweep forgets all snapshots of the folder but those to keep. With none to keep the whole repository goes, unless the
// folder is in use. Others may work on the folder meanwhile: git's own files bear that.
func (f *Folder) Sweep(ctx context.Context, keep []Tree, used bool) error {
	if len(keep) == 0 && !used {
		return f.alone(ctx, func() error { return f.aside(ctx, f.forget) })
	}
	if err := f.open(ctx); err != nil {
		return err
	}
	changed, err := f.name(ctx, keep)
	if err != nil {
		return err
	}
	if f.loose() >= packFrom {
		if err := f.tidy(ctx, "repack", "-A", "-d", "-q", "--window=0", "--unpack-unreachable="+young); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return f.tidy(ctx, "prune", "--expire="+young)
}

// forget deletes the repository.
func (f *Folder) forget() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready, f.have, f.warm, f.kept = false, nil, false, nil
	if err := os.RemoveAll(f.repo); err != nil {
		return fmt.Errorf("snapshot: deleting what is kept of %s: %w", f.path, err)
	}
	return nil
}

// tidy runs a deed of git's on its own files, for which it needs no work tree.
func (f *Folder) tidy(ctx context.Context, args ...string) error {
	_, err := f.gitIn(ctx, f.repo, "", nil, args...)
	return err
}

// name gives a ref to each snapshot that is kept, so that git keeps its objects, and takes those of others away.
func (f *Folder) name(ctx context.Context, keep []Tree) (changed bool, err error) {
	out, err := f.git(ctx, nil, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/keep/")
	if err != nil {
		return false, err
	}
	have := make(map[string]bool)
	for name := range strings.FieldsSeq(string(out)) {
		have[name] = true
	}
	var orders bytes.Buffer
	for _, t := range keep {
		if !have[string(t)] && t != "" {
			fmt.Fprintf(&orders, "update refs/keep/%s %s\n", t, t)
		}
		delete(have, string(t))
	}
	for name := range have {
		fmt.Fprintf(&orders, "delete refs/keep/%s\n", name)
		changed = true
	}
	if orders.Len() > 0 {
		_, err = f.git(ctx, &orders, "update-ref", "--stdin")
	}
	return changed, err
}

// loose counts the objects that are files of their own, about: git spreads them evenly over 256 folders.
func (f *Folder) loose() int {
	n := 0
	for _, first := range []string{"00", "55", "aa", "ff"} {
		if entries, err := os.ReadDir(filepath.Join(f.repo, "objects", first)); err == nil {
			n += len(entries)
		}
	}
	return n * 64
}

// Size is what the repository takes up, in bytes.
func (f *Folder) Size() (size int64) {
	_ = filepath.WalkDir(f.repo, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // what goes meanwhile has no size
	})
	return size
}
