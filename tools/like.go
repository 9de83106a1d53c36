package tools

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// missing says that there is no such file, and names up to three that may be meant.
func missing(ctx context.Context, s session, p *place) error {
	return noFile(p, likeNamed(ctx, s, p.abs, false))
}

// absent is missing for what may be a folder as well.
func absent(ctx context.Context, s session, p *place) error {
	return noFile(p, likeNamed(ctx, s, p.abs, true))
}

func noFile(p *place, like []string) error {
	if len(like) == 0 {
		return fmt.Errorf("there is no file %s; find it with glob", p.shown)
	}
	return fmt.Errorf("there is no file %s; is it one of these? %s", p.shown, strings.Join(like, ", "))
}

// likeNamed finds files of the workdir, and folders if they are wanted, whose name is that of abs or nearly so, the nearest
// first. A folder ends in a slash.
func likeNamed(ctx context.Context, s session, abs string, folders bool) []string {
	workdir, err := s.Workdir(ctx)
	if err != nil {
		return nil // without candidates the error says less
	}
	l, err := list(ctx, s, workdir)
	if err != nil {
		return nil
	}
	names := l.files
	if folders {
		names = append(slices.Clone(names), foldersOf(l.files)...)
	}
	type candidate struct {
		path string
		far  int
	}
	var found []candidate
	want, dir := strings.ToLower(filepath.Base(abs)), show(workdir, filepath.Dir(abs))
	for _, f := range names {
		name := strings.TrimSuffix(f, "/")
		far, ok := distance(want, strings.ToLower(base(name)))
		if !ok {
			continue
		}
		far *= 10
		if path.Dir(name) != dir {
			far += 5 // one in the same folder is likelier
		}
		found = append(found, candidate{f, far})
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(len(a.path), len(b.path)))
	})
	paths := make([]string, 0, 3)
	for _, c := range found[:min(len(found), 30)] {
		if _, err := os.Lstat(filepath.Join(workdir, filepath.FromSlash(c.path))); err == nil && len(paths) < 3 { // git also names what is deleted
			paths = append(paths, c.path)
		}
	}
	return paths
}

// foldersOf returns the folders in which sorted files lie, each once, with a slash at the end.
func foldersOf(files []string) (folders []string) {
	known := map[string]bool{".": true}
	for _, f := range files {
		for dir := path.Dir(f); !known[dir]; dir = path.Dir(dir) {
			known[dir] = true
			folders = append(folders, dir+"/")
		}
	}
	return folders
}

// distance says how far two names are apart: edits, or 1 for the same name with another extension. ok is false when
// they are not alike.
func distance(want, name string) (int, bool) {
	stem := func(s string) string { return strings.TrimSuffix(s, filepath.Ext(s)) }
	switch {
	case want == name:
		return 0, true
	case stem(want) != "" && stem(want) == stem(name):
		return 1, true
	}
	most := max(1, len(want)/4)
	if d := len(want) - len(name); d > most || -d > most {
		return 0, false
	}
	d := levenshtein.ComputeDistance(want, name)
	return d, d <= most
}
