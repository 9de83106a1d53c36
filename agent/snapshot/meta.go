package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A meta is what a git tree cannot say: permissions beyond the executable bit, folders in which nothing is, and files that
// the snapshot does not hold. It is a list of records, each closed by a NUL: "base FILE EXEC DIR", "perm MODE PATH",
// "empty PATH", "over MARK WHY\tPATH", and "partial" when it holds only what was asked for: then "empty" names each folder
// that counts, whatever is in it. A file or folder without a perm record has the base's.
type meta struct{ bytes.Buffer }

func (m *meta) base(b usual) {
	fmt.Fprintf(m, "base %o %o %o\x00", b.file, b.exec, b.dir)
}

func (m *meta) perm(path string, perm fs.FileMode) {
	fmt.Fprintf(m, "perm %o %s\x00", perm.Perm(), path)
}
func (m *meta) empty(path string) { fmt.Fprintf(m, "empty %s\x00", path) }
func (m *meta) partial()          { m.WriteString("partial\x00") }
func (m *meta) over(u Uncovered) {
	fmt.Fprintf(m, "over %s %s\t%s\x00", strings.ReplaceAll(u.mark, " ", "."), u.Why, u.Path)
}

// A usual is what most files, executable files and folders have for permissions. It is that of the folder's first
// snapshot, so that later ones need no record for each file.
type usual struct{ file, exec, dir fs.FileMode }

func (u usual) of(e Entry) fs.FileMode {
	switch {
	case e.Kind == Dir:
		return u.dir
	case e.exec:
		return u.exec
	}
	return u.file
}

// usual returns what the folder's snapshots have in common; before the first it is a guess, and not known.
func (f *Folder) usual() (u usual, known bool, err error) {
	text, err := os.ReadFile(filepath.Join(f.repo, "usual"))
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%o %o %o", &u.file, &u.exec, &u.dir)
		if err == nil {
			return u, true, nil
		}
		err = nil // it was cut short: any other will do
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return u, false, fmt.Errorf("snapshot: reading what is usual in %s: %w", f.path, err)
	}
	return usual{0o644, 0o755, 0o755}, false, nil
}

// keepUsual keeps what most files and folders of a scan have.
func (f *Folder) keepUsual(s *scan) (usual, error) {
	dirs := map[fs.FileMode]int{}
	for _, mode := range s.dirs {
		dirs[mode.Perm()]++
	}
	u := usual{most(s.count[0], 0o644), most(s.count[1], 0o755), most(dirs, 0o755)}
	if err := os.WriteFile(filepath.Join(f.repo, "usual"), fmt.Appendf(nil, "%o %o %o\n", u.file, u.exec, u.dir), 0o600); err != nil {
		return u, fmt.Errorf("snapshot: keeping what is usual in %s: %w", f.path, err)
	}
	return u, nil
}

func most(count map[fs.FileMode]int, otherwise fs.FileMode) fs.FileMode {
	n := 0
	for mode, times := range count {
		if times > n || times == n && mode < otherwise {
			otherwise, n = mode, times
		}
	}
	return otherwise
}

// describe writes the meta of a scan, in an order that depends on nothing else.
func describe(s *scan) []byte {
	var m meta
	m.base(s.base)
	var lines []string
	for path, perm := range s.odd {
		lines = append(lines, fmt.Sprintf("%s\x00%o", path, perm))
	}
	for path, mode := range s.dirs {
		if mode.Perm() != s.base.dir {
			lines = append(lines, fmt.Sprintf("%s\x00%o", path, mode.Perm()))
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		path, perm, _ := strings.Cut(line, "\x00")
		fmt.Fprintf(&m, "perm %s %s\x00", perm, path)
	}
	for _, path := range s.empty {
		m.empty(path)
	}
	slices.SortFunc(s.over, func(a, b Uncovered) int { return strings.Compare(a.Path, b.Path) })
	for _, u := range s.over {
		m.over(u)
	}
	return m.Bytes()
}

// An about is a meta that was read.
type about struct {
	usual   usual
	partial bool
	perms   map[string]fs.FileMode
	empty   map[string]bool
	over    map[string]Uncovered
}

// perm returns the permissions of an entry at a path.
func (a about) perm(path string, e Entry) fs.FileMode {
	if p, ok := a.perms[path]; ok {
		return p
	}
	return a.usual.of(e)
}

// about reads the meta of a snapshot.
func (f *Folder) about(ctx context.Context, t Tree) (about, error) {
	a := about{usual: usual{0o644, 0o755, 0o755}, perms: map[string]fs.FileMode{}, empty: map[string]bool{}, over: map[string]Uncovered{}}
	out, err := f.git(ctx, nil, "cat-file", "blob", string(t)+":meta")
	if err != nil {
		return a, err
	}
	for _, record := range split(out) {
		kind, rest, _ := strings.Cut(record, " ")
		first, path, _ := strings.Cut(rest, " ")
		switch kind {
		case "base":
			if _, err := fmt.Sscanf(rest, "%o %o %o", &a.usual.file, &a.usual.exec, &a.usual.dir); err != nil {
				return a, fmt.Errorf("snapshot: reading %s: %w", t, err)
			}
		case "partial":
			a.partial = true
		case "perm":
			perm, err := strconv.ParseUint(first, 8, 32)
			if err != nil {
				return a, fmt.Errorf("snapshot: reading %s: %w", t, err)
			}
			a.perms[path] = fs.FileMode(perm).Perm()
		case "empty":
			a.empty[rest] = true
		case "over":
			why, path, _ := strings.Cut(path, "\t")
			a.over[path] = Uncovered{Path: path, Why: why, mark: first}
		}
	}
	return a, nil
}
