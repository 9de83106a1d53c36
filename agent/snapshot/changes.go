package snapshot

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// A Change is what is different at a path between two snapshots.
type Change struct {
	Path          string // relative to the folder, with slashes
	Before, After Entry
}

// Reverse returns the changes that lead back.
func Reverse(changes []Change) []Change {
	back := make([]Change, len(changes))
	for i, c := range changes {
		back[i] = Change{c.Path, c.After, c.Before}
	}
	return back
}

// Then joins the changes of one stretch of time with those of a later one. Between the two others may have changed a file
// that both have: its path is returned in between.
func Then(first, later []Change) (joined []Change, between []string) {
	at := make(map[string]int, len(first))
	for i, c := range first {
		at[c.Path] = i
	}
	joined = slices.Clone(first)
	for _, c := range later {
		i, both := at[c.Path]
		if !both {
			joined = append(joined, c)
			continue
		}
		if !joined[i].After.same(c.Before) && joined[i].After.Kind != Dir {
			between = append(between, c.Path)
		}
		joined[i].After = c.After
	}
	joined = slices.DeleteFunc(joined, func(c Change) bool { return c.Before.same(c.After) })
	slices.SortFunc(joined, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return joined, between
}

// Changes returns what is different between two snapshots, ordered by path, and the files that have changed and are held by
// neither.
func (f *Folder) Changes(ctx context.Context, before, after Tree) (changes []Change, over []Uncovered, err error) {
	err = f.aside(ctx, func() error {
		changes, over, err = f.changes(ctx, before, after)
		return err
	})
	return changes, over, err
}

func (f *Folder) changes(ctx context.Context, before, after Tree) ([]Change, []Uncovered, error) {
	was, err := f.about(ctx, before)
	if err != nil {
		return nil, nil, err
	}
	is, err := f.about(ctx, after)
	if err != nil {
		return nil, nil, err
	}
	out, err := f.git(ctx, nil, "diff-tree", "-r", "-t", "-z", "--no-renames", string(before)+":files", string(after)+":files")
	if err != nil {
		return nil, nil, err
	}
	set := make(map[string]Change)
	fields := split(out)
	for i := 0; i+1 < len(fields); i += 2 {
		c, err := rawChange(fields[i], fields[i+1])
		if err != nil {
			return nil, nil, err
		}
		if have, twice := set[c.Path]; twice { // a file in the place of a folder is a file that came and a folder that went
			if c.Before.Kind == None {
				c.Before = have.Before
			}
			if c.After.Kind == None {
				c.After = have.After
			}
		}
		if was.partial || is.partial { // of folders only those count that are named
			c.Before, c.After = c.Before.noDir(), c.After.noDir()
		}
		if c.Before.Kind != None || c.After.Kind != None {
			set[c.Path] = c
		}
	}
	for path := range was.empty {
		if c, ok := set[path]; !ok && !is.empty[path] || ok && c.Before.Kind == None && c.After.Kind != Dir {
			c.Path, c.Before = path, Entry{Kind: Dir}
			set[path] = c
		} else if ok && c.Before.Kind == None { // it is no longer empty
			delete(set, path)
		}
	}
	for path := range is.empty {
		if c, ok := set[path]; !ok && !was.empty[path] || ok && c.After.Kind == None && c.Before.Kind != Dir {
			c.Path, c.After = path, Entry{Kind: Dir}
			set[path] = c
		} else if ok && c.After.Kind == None { // it has become empty
			delete(set, path)
		}
	}
	if err := f.permChanges(ctx, after, was, is, set); err != nil {
		return nil, nil, err
	}
	changes := make([]Change, 0, len(set))
	for _, c := range set {
		c.Before.Perm, c.After.Perm = permOf(was, c.Path, c.Before), permOf(is, c.Path, c.After)
		if !c.Before.same(c.After) && local(c.Path) {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, overChanges(was, is), nil
}

func (e Entry) noDir() Entry {
	if e.Kind == Dir {
		return Entry{}
	}
	return e
}

func permOf(a about, path string, e Entry) fs.FileMode {
	if e.Kind != File && e.Kind != Dir {
		return 0
	}
	return a.perm(path, e)
}

// permChanges adds the paths that are not in the set, and so in both snapshots the same but for their permissions.
func (f *Folder) permChanges(ctx context.Context, after Tree, was, is about, set map[string]Change) error {
	var paths []string
	for path, perm := range was.perms {
		if _, known := set[path]; !known && is.perms[path] != perm {
			paths = append(paths, path)
		}
	}
	for path := range is.perms {
		if _, both := was.perms[path]; !both {
			if _, known := set[path]; !known {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		return nil
	}
	held, err := f.entries(ctx, after, is)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if e, ok := held[path]; ok && e.Kind != Link {
			set[path] = Change{path, e, e}
		}
	}
	return nil
}

func overChanges(was, is about) (list []Uncovered) {
	for path, u := range is.over {
		if was.over[path].mark != u.mark {
			list = append(list, u)
		}
	}
	for path, u := range was.over {
		if _, still := is.over[path]; !still {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b Uncovered) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// rawChange reads a record of git's raw diff: ":OLDMODE NEWMODE OLDID NEWID STATUS" and the path.
func rawChange(about, path string) (Change, error) {
	parts := strings.Fields(strings.TrimPrefix(about, ":"))
	if len(parts) != 5 {
		return Change{}, fmt.Errorf("snapshot: git says %q of a change", about)
	}
	before, err := gitEntry(parts[0], parts[2])
	if err != nil {
		return Change{}, err
	}
	after, err := gitEntry(parts[1], parts[3])
	return Change{path, before, after}, err
}

// gitEntry reads a mode and an object id of git's. Of a folder the id is no part of what it is.
func gitEntry(mode, oid string) (Entry, error) {
	n, err := strconv.ParseUint(mode, 8, 32)
	switch {
	case err != nil:
		return Entry{}, fmt.Errorf("snapshot: git says %q of a mode", mode)
	case n == 0:
		return Entry{}, nil
	case n == 0o040000:
		return Entry{Kind: Dir}, nil
	case n == 0o120000:
		return Entry{Kind: Link, OID: oid}, nil
	case n&0o170000 == 0o100000:
		return Entry{Kind: File, OID: oid, exec: n&0o100 != 0}, nil
	}
	return Entry{}, fmt.Errorf("snapshot: git says %q of a mode", mode)
}

// entries lists all of a snapshot.
func (f *Folder) entries(ctx context.Context, t Tree, a about) (map[string]Entry, error) {
	out, err := f.git(ctx, nil, "ls-tree", "-r", "-t", "-z", "--full-tree", string(t)+":files")
	if err != nil {
		return nil, err
	}
	held := make(map[string]Entry)
	for _, line := range split(out) {
		about, path, _ := strings.Cut(line, "\t")
		parts := strings.Fields(about)
		if len(parts) != 3 {
			return nil, fmt.Errorf("snapshot: git says %q of a tree", line)
		}
		e, err := gitEntry(parts[0], parts[2])
		if err != nil {
			return nil, err
		}
		if e.Kind == Dir && a.partial {
			continue
		}
		e.Perm = permOf(a, path, e)
		held[path] = e
	}
	for path := range a.empty {
		held[path] = Entry{Kind: Dir, Perm: a.perm(path, Entry{Kind: Dir})}
	}
	return held, nil
}
