package tools

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	treeDepth   = 2
	treeEntries = 300
)

// tree lists a folder: folders end in "/", those below the depth with the number of their entries. Ignored entries and
// .git are left out, other hidden ones are not.
func tree(ctx context.Context, s session, p *place) (string, error) {
	workdir, err := s.Workdir(ctx)
	if err != nil {
		return "", err
	}
	t := &treeText{g: newIgnores(workdir, p.abs)}
	if t.g.covers(p.abs) {
		t.g = nil
	}
	if err := t.list(p.root, p.name, p.abs, 1); err != nil {
		return "", p.explain("listing", err)
	}
	if len(t.lines) == 0 {
		return "(empty folder)", nil
	}
	if t.left > 0 {
		t.lines = append(t.lines, fmt.Sprintf("(%s more; read a folder further down, or use glob)", many(t.left, "entry")))
	}
	return strings.Join(t.lines, "\n"), nil
}

type treeText struct {
	g     *ignores // nil: nothing is ignored
	lines []string
	left  int // entries beyond treeEntries
}

func (t *treeText) list(root *os.Root, name, abs string, depth int) error {
	entries, err := t.entries(root, name, abs)
	if err != nil {
		return err
	}
	indent := strings.Repeat("  ", depth-1)
	for _, e := range entries {
		if len(t.lines) >= treeEntries {
			t.left++
			continue
		}
		path, at := filepath.Join(name, e.Name()), filepath.Join(abs, e.Name())
		switch {
		case e.IsDir() && depth < treeDepth:
			t.lines = append(t.lines, indent+e.Name()+"/")
			if err := t.list(root, path, at, depth+1); err != nil {
				t.lines[len(t.lines)-1] += " (cannot be read)"
			}
		case e.IsDir():
			inner, err := t.entries(root, path, at)
			if err != nil {
				t.lines = append(t.lines, indent+e.Name()+"/ (cannot be read)")
				continue
			}
			t.lines = append(t.lines, fmt.Sprintf("%s%s/ (%s)", indent, e.Name(), many(len(inner), "entry")))
		case e.Type()&fs.ModeSymlink != 0:
			target, _ := root.Readlink(path) // a link that cannot be read is shown without its target
			t.lines = append(t.lines, indent+e.Name()+" -> "+filepath.ToSlash(target))
		default:
			t.lines = append(t.lines, indent+e.Name())
		}
	}
	return nil
}

// entries reads one folder, without what is ignored: folders first, then by name.
func (t *treeText) entries(root *os.Root, name, abs string) ([]fs.DirEntry, error) {
	dir, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	all, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	if t.g != nil {
		t.g.enter(abs)
	}
	shown := slices.DeleteFunc(all, func(e fs.DirEntry) bool {
		return e.Name() == ".git" || t.g != nil && t.g.match(filepath.Join(abs, e.Name()), e.IsDir())
	})
	slices.SortFunc(shown, func(a, b fs.DirEntry) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name(), b.Name())
	})
	return shown, nil
}
