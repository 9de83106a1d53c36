// Package snapshot keeps what a folder held at a time, so that what was done to it can be seen and taken back. Each
// folder has a private git repository of its own under the data dir: the user's repository, its index and its refs are
// never touched, and none is needed.
//
// A folder may be hostile, and git runs outside of any sandbox. So only plumbing runs that reads bytes: no hook, no
// filter, no conversion, no configuration but ours (see git.go). What is written back is written by us, through a
// folder that cannot be left, and never by git.
package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Bounds of what a snapshot takes up. A file that a tool names may be twice as large.
const (
	MaxFile  = 10 << 20 // bytes of a file; a larger one is named as not covered
	MaxTotal = 2 << 30  // bytes of all files; more is a *LimitError
	MaxFiles = 500_000
)

// A Tree names a snapshot: the object id of its tree in the folder's repository. "" is none.
type Tree string

// A Store has the repositories of all folders of a data dir. A nil Store keeps nothing.
type Store struct {
	dir string // of the repositories
	git string // the program

	mu      sync.Mutex
	folders map[string]*Folder
}

// New returns the store of a data dir. git is the path of the program.
func New(dataDir, git string) *Store {
	return &Store{dir: filepath.Join(dataDir, "snapshots"), git: git, folders: make(map[string]*Folder)}
}

// Folder returns the folder with the path, which is absolute and has its links resolved.
func (s *Store) Folder(workdir string) *Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.folders[workdir]
	if !ok {
		sum := sha256.Sum256([]byte(workdir))
		f = &Folder{store: s, path: workdir, repo: filepath.Join(s.dir, hex.EncodeToString(sum[:8])), free: make(chan struct{}, 1), side: make(chan struct{}, 1)}
		f.free <- struct{}{}
		f.side <- struct{}{}
		s.folders[workdir] = f
	}
	return f
}

// A Folder is a work tree with its repository. One deed at a time looks at the whole folder, and one at its files by name or
// at what is kept; the others wait, as long as their context lets them.
type Folder struct {
	store *Store
	path  string
	repo  string
	free  chan struct{} // holds a value while nobody looks at the whole
	side  chan struct{} // likewise, for the other deeds

	mu    sync.Mutex
	ready bool            // the repository is there and fit for use
	own   map[string]bool // by top: whether the folder counts as its own, because git ignores it in that
	warm  bool            // a whole snapshot was taken since the start: the next one is quick

	// Of whoever has taken free.
	have map[uint64]uint64 // marks of the files in the index as they were looked at, by marks of their paths; nil: not known
	kept tracked
}

// Path returns the folder.
func (f *Folder) Path() string { return f.path }

// alone runs do while nobody else looks at the whole folder, with the repository made.
func (f *Folder) alone(ctx context.Context, do func() error) error { return f.with(ctx, f.free, do) }

// aside runs do beside whoever looks at the whole folder, with the repository made.
func (f *Folder) aside(ctx context.Context, do func() error) error { return f.with(ctx, f.side, do) }

func (f *Folder) with(ctx context.Context, free chan struct{}, do func() error) error {
	select {
	case <-free:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { free <- struct{}{} }()
	if err := f.open(ctx); err != nil {
		return err
	}
	return do()
}

// open makes the repository, or cleans up behind a process that died while it worked on it.
func (f *Folder) open(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready {
		return nil
	}
	if err := os.MkdirAll(f.repo, 0o700); err != nil {
		return fmt.Errorf("snapshot: making the repository of %s: %w", f.path, err)
	}
	if _, err := os.Stat(filepath.Join(f.repo, "HEAD")); errors.Is(err, fs.ErrNotExist) {
		if _, err := f.git(ctx, nil, "init", "--quiet", "--bare", "--shared=0600", "--template="); err != nil {
			return err
		}
	}
	files := map[string]string{
		"workdir": f.path,
		// Over what any .gitattributes says: bytes go in as they are.
		filepath.Join("info", "attributes"): "* -text !eol !ident !filter !working-tree-encoding\n",
	}
	for name, text := range files {
		path := filepath.Join(f.repo, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("snapshot: making the repository of %s: %w", f.path, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("snapshot: making the repository of %s: %w", f.path, err)
		}
	}
	if err := f.unlock(ctx); err != nil {
		return err
	}
	f.ready = true
	return nil
}

// A LimitError says that a folder is too large for snapshots of the whole.
type LimitError struct {
	Workdir string
	What    string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s has more than %s", e.Workdir, e.What)
}

// local reports whether a path from git, a tree or a store stays inside the folder and outside of git's own files.
func local(path string) bool {
	if path == "" || !filepath.IsLocal(filepath.FromSlash(path)) {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.EqualFold(part, ".git") {
			return false
		}
	}
	return true
}
