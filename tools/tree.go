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

	"github.com/coder-agent/coder/agent/plain"
)

const (
	treeDepth   = 2
	treeEntries = 300
)

// tree lists a folder and what is in its folders: folders end in "/", and stand with the number of their entries where
// these are not shown. Ignored entries and .git are left out, other hidden ones are not.
func tree(ctx context.Context, s session, p *place) (string, error) {
	g, err := newIgnores(ctx, s, p.abs)
	if err != nil {
		return "", err
	}
	t := &treeText{ctx: ctx, root: p.root, g: g, left: treeEntries}
	if t.g.covers(p.abs) {
		t.g = nil
	}
	top := &treeFolder{name: p.name, abs: p.abs}
	if err := t.look(top); err != nil {
		return "", p.explain("listing", err)
	}
	if err := t.open(top, 1); err != nil {
		return "", err
	}
	if len(top.entries) == 0 && top.ignored > 0 {
		return fmt.Sprintf("(nothing but %s that ignore rules name)", many(top.ignored, "entry")), nil
	}
	if len(top.entries) == 0 {
		return "(empty folder)", nil
	}
	t.write(top, "")
	if top.cut > 0 {
		t.lines = append(t.lines, fmt.Sprintf("(%s more; read a folder further down, or use glob)", many(top.cut, "entry")))
	}
	return strings.Join(t.lines, "\n"), nil
}

type treeText struct {
	ctx   context.Context // of the one call
	root  *os.Root
	g     *ignores // nil: nothing is ignored
	lines []string
	left  int // entries that may still be shown
}

// A treeFolder is one folder of the tree, as far as it was looked at.
type treeFolder struct {
	name, abs string // in the root; absolute
	entries   []fs.DirEntry
	ignored   int
	cut       int // entries at the end of the list that are not shown
	err       error
	shown     bool // its entries are
	inner     map[string]*treeFolder
}

// look reads a folder, without what is ignored: folders first, then by name.
func (t *treeText) look(d *treeFolder) error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	dir, err := t.root.Open(d.name)
	if err != nil {
		return err
	}
	defer dir.Close()
	all, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	if t.g != nil {
		t.g.enter(d.abs)
	}
	d.entries = slices.DeleteFunc(all, func(e fs.DirEntry) bool {
		if e.Name() == ".git" {
			return true
		}
		ignored := t.g != nil && t.g.match(filepath.Join(d.abs, e.Name()), e.IsDir())
		if ignored {
			d.ignored++
		}
		return ignored
	})
	slices.SortFunc(d.entries, func(a, b fs.DirEntry) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name(), b.Name())
	})
	return nil
}

// open shows a folder's entries, and those of its folders: the smallest first and each whole or not at all, so that a large
// folder does not take the room of all others.
func (t *treeText) open(d *treeFolder, depth int) error {
	d.shown, d.inner = true, make(map[string]*treeFolder)
	if n := len(d.entries); n > t.left {
		d.entries, d.cut = d.entries[:t.left], n-t.left
	}
	t.left -= len(d.entries)
	var folders []*treeFolder
	for _, e := range d.entries {
		if !e.IsDir() {
			continue
		}
		in := &treeFolder{name: filepath.Join(d.name, e.Name()), abs: filepath.Join(d.abs, e.Name())}
		if in.err = t.look(in); t.ctx.Err() != nil {
			return in.err
		}
		d.inner[e.Name()] = in
		folders = append(folders, in)
	}
	slices.SortStableFunc(folders, func(a, b *treeFolder) int { return cmp.Compare(len(a.entries), len(b.entries)) })
	for _, in := range folders {
		if in.err == nil && depth < treeDepth && len(in.entries) <= t.left {
			if err := t.open(in, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *treeText) write(d *treeFolder, indent string) {
	for _, e := range d.entries {
		name := indent + visibleName(e.Name())
		in := d.inner[e.Name()]
		switch {
		case in == nil && e.Type()&fs.ModeSymlink != 0:
			target, _ := t.root.Readlink(filepath.Join(d.name, e.Name())) // a link that cannot be read is shown without its target
			name += " -> " + visibleName(filepath.ToSlash(target))
		case in == nil:
		case in.err != nil:
			name += "/ (cannot be read)"
		case in.shown && len(in.entries) > 0:
			name += "/"
		default:
			name += fmt.Sprintf("/ (%s)", many(len(in.entries), "entry"))
		}
		t.lines = append(t.lines, name)
		if in != nil && in.shown {
			t.write(in, indent+"  ")
		}
	}
}

// visibleName is a file's name in one line, with nothing hidden in it.
func visibleName(name string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(plain.Visible(name))
}
