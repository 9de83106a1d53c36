package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Conflict is a path at which there is something else than a change says.
type Conflict struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Check returns where the folder is such that the changes cannot be made without losing what somebody else has done there
// since. What already is as it shall be is no conflict.
func (f *Folder) Check(ctx context.Context, changes []Change) (conflicts []Conflict, err error) {
	err = f.aside(ctx, func() error {
		root, err := os.OpenRoot(f.path)
		if err != nil {
			return fmt.Errorf("snapshot: opening %s: %w", f.path, err)
		}
		defer root.Close()
		goes := make(map[string]bool) // what is there now, unless it is a folder
		for _, c := range changes {
			goes[c.Path] = c.After.Kind == None || c.After.Kind == Dir
		}
		for _, c := range changes {
			now, _, err := look(root, c.Path)
			if err != nil {
				return err
			}
			why := c.conflict(now)
			if why == "" && c.After.Kind != None && now.Kind == None {
				if at := wayOf(root, c.Path); at != "" && !goes[at] {
					why = notReal
				}
			}
			if why != "" {
				conflicts = append(conflicts, Conflict{c.Path, why})
			}
		}
		return nil
	})
	return conflicts, err
}

const notReal = "a link or a file is now where its folder was"

// wayOf is the first path on the way to another at which something else than a folder is, or "".
func wayOf(root *os.Root, path string) string {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		info, err := root.Lstat(filepath.FromSlash(path[:i]))
		if err != nil {
			return ""
		}
		if !info.IsDir() {
			return path[:i]
		}
	}
	return ""
}

// conflict says why a change cannot be made where there is now something, or "".
func (c Change) conflict(now Entry) string {
	switch {
	case now.same(c.Before), now.same(c.After):
		return ""
	case now.Kind == Dir && (c.Before.Kind == Dir || c.After.Kind == Dir):
		return "" // its files have changes of their own; it goes only when nothing is left in it
	case now.Kind == None && (c.Before.Kind == Dir || c.After.Kind == Dir):
		return ""
	case now.Kind == None:
		return "was deleted"
	case c.Before.Kind == None:
		return "was made"
	case now.Kind == c.Before.Kind && now.OID == c.Before.OID:
		return "has other permissions"
	}
	return "was changed"
}

// A Step is told of each step of Apply just before it is taken: tests end the process there.
type Step func(deed, path string)

// Apply makes the changes. It may be called again with the same changes after it was cut short, at any point: what has been
// done already is seen, and what somebody else has changed meanwhile is left alone and returned. mark is the same for all
// calls with the same changes and for no others.
func (f *Folder) Apply(ctx context.Context, changes []Change, mark string, step Step) (left []Conflict, err error) {
	if step == nil {
		step = func(string, string) {}
	}
	err = f.aside(ctx, func() error {
		root, err := os.OpenRoot(f.path)
		if err != nil {
			return fmt.Errorf("snapshot: opening %s: %w", f.path, err)
		}
		defer root.Close()
		w := &work{ctx: ctx, folder: f, root: root, mark: mark, step: step, touched: make(map[string]bool)}
		w.all(changes)
		left = w.left
		return errors.Join(w.err, w.sync())
	})
	return left, err
}

// A work is one run of Apply.
type work struct {
	ctx     context.Context
	folder  *Folder
	root    *os.Root
	mark    string
	step    Step
	left    []Conflict
	err     error
	touched map[string]bool // folders to sync
}

// all takes away first, the deepest first, then makes folders, then files, and sets the permissions of folders at last.
func (w *work) all(changes []Change) {
	sorted := slices.SortedFunc(slices.Values(changes), func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	for _, c := range sorted {
		w.err = errors.Join(w.err, w.cleanUp(c.Path))
	}
	for _, c := range slices.Backward(sorted) {
		if c.Before.Kind != None && (c.After.Kind == None || (c.Before.Kind == Dir) != (c.After.Kind == Dir)) {
			w.each(c, w.remove)
		}
	}
	for _, c := range sorted {
		if c.After.Kind == Dir {
			w.each(c, w.mkdir)
		}
	}
	for _, c := range sorted {
		if c.After.Kind == File || c.After.Kind == Link {
			w.each(c, w.put)
		}
	}
	for _, c := range slices.Backward(sorted) {
		if c.After.Kind == Dir {
			w.each(c, w.settle)
		}
	}
}

// each does something for a change unless the folder is not as the change says. An error ends the work: it is begun anew
// when its cause is gone.
func (w *work) each(c Change, do func(Change, Entry) error) {
	if w.err != nil {
		return
	}
	if w.err = context.Cause(w.ctx); w.err != nil {
		return
	}
	now, _, err := look(w.root, c.Path)
	if err == nil {
		if why := c.conflict(now); why != "" {
			w.leave(c.Path, why)
			return
		}
		err = do(c, now)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		w.leave(c.Path, "permission denied")
	case err != nil:
		w.err = fmt.Errorf("snapshot: putting back %s: %w", c.Path, err)
	}
}

func (w *work) leave(path, why string) {
	if !slices.ContainsFunc(w.left, func(c Conflict) bool { return c.Path == path }) {
		w.left = append(w.left, Conflict{path, why})
	}
}

// remove takes away what is there, if it is what the change says. A folder goes only when it is empty.
func (w *work) remove(c Change, now Entry) error {
	if now.Kind == None || now.Kind != c.Before.Kind || now.same(c.After) {
		return nil
	}
	in, ok, err := openReal(w.root, parent(c.Path), false)
	if err != nil || !ok { // its folder has just gone
		return err
	}
	defer in.Close()
	w.step("remove", c.Path)
	w.touch(c.Path)
	err = in.Remove(path.Base(c.Path))
	if now.Kind == Dir && err != nil && !errors.Is(err, fs.ErrPermission) {
		if c.After.Kind != None {
			w.leave(c.Path, "other files are in it")
		}
		return nil // what is in it is somebody else's, or ignored
	}
	return err
}

func (w *work) mkdir(c Change, now Entry) error {
	in, ok, err := openReal(w.root, parent(c.Path), true)
	switch {
	case err != nil:
		return err
	case !ok:
		w.leave(c.Path, notReal)
		return nil
	}
	defer in.Close()
	name := path.Base(c.Path)
	if now.Kind == Dir {
		if now.Perm&0o700 != 0o700 && now.same(c.Before) { // files go into it before it gets its own
			return in.Chmod(name, now.Perm|0o700)
		}
		return nil
	}
	if now.Kind != None {
		return nil // it was left by remove, which has said so
	}
	w.step("mkdir", c.Path)
	w.touch(c.Path)
	return in.MkdirAll(name, c.After.Perm|0o700)
}

// settle gives a folder its permissions once all is in it.
func (w *work) settle(c Change, now Entry) error {
	if now.Kind != Dir || now.Perm == c.After.Perm {
		return nil
	}
	in, ok, err := openReal(w.root, parent(c.Path), false)
	if err != nil || !ok {
		return err
	}
	defer in.Close()
	w.step("chmod", c.Path)
	return in.Chmod(path.Base(c.Path), c.After.Perm)
}

// put writes a file or a link beside its place and renames it over what is there. It works in the folder that it has opened: a
// command that runs may put a link into its place meanwhile, which could lead to git's hooks.
func (w *work) put(c Change, now Entry) error {
	switch {
	case now.same(c.After):
		return nil
	case now.Kind == Dir:
		w.leave(c.Path, "a folder is there")
		return nil
	}
	in, ok, err := openReal(w.root, parent(c.Path), true) // git knows some folders only by their files
	switch {
	case err != nil:
		return err
	case !ok:
		w.leave(c.Path, notReal)
		return nil
	}
	defer in.Close()
	name := path.Base(c.Path)
	if now.Kind == File && c.After.Kind == File && now.OID == c.After.OID {
		w.step("chmod", c.Path)
		return in.Chmod(name, c.After.Perm)
	}
	data, err := w.folder.content(w.ctx, c.After.OID)
	if err != nil {
		return err
	}
	tmp := w.beside()
	w.step("write", c.Path)
	if err := fill(in, tmp, c.After, data); err != nil {
		return errors.Join(err, ignoreAbsent(in.Remove(tmp)))
	}
	again, _, err := look(in, name)
	if err == nil && !again.same(now) {
		w.leave(c.Path, "was changed at this moment")
		return ignoreAbsent(in.Remove(tmp))
	}
	w.step("rename", c.Path)
	w.touch(c.Path)
	if err == nil {
		err = in.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, ignoreAbsent(in.Remove(tmp)))
	}
	return nil
}

// beside is the name that files have in their folder before they get their own.
func (w *work) beside() string { return ".coder-" + w.mark + ".tmp" }

// cleanUp takes away what a run that was cut short has written beside a file.
func (w *work) cleanUp(path string) error {
	in, ok, err := openReal(w.root, parent(path), false)
	if err != nil || !ok {
		return err
	}
	defer in.Close()
	return ignoreAbsent(in.Remove(w.beside()))
}

func fill(in *os.Root, tmp string, e Entry, data []byte) error {
	if e.Kind == Link {
		return in.Symlink(string(data), tmp)
	}
	file, err := in.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Chmod(e.Perm)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// touch notes that the folder of a path must be on the disk before the work is done.
func (w *work) touch(path string) { w.touched[parent(path)] = true }

func (w *work) sync() error {
	var errs []error
	for dir := range w.touched {
		if real, err := realDir(w.root, dir); err == nil && real { // what is gone needs none
			errs = append(errs, syncDir(w.root, filepath.FromSlash(dir)))
		}
	}
	return errors.Join(errs...)
}

// content returns what is kept under git's name.
func (f *Folder) content(ctx context.Context, oid string) ([]byte, error) {
	data, err := f.git(ctx, nil, "cat-file", "blob", oid)
	if err != nil {
		return nil, err
	}
	if hashOf(data) != oid {
		return nil, fmt.Errorf("snapshot: what is kept as %s in %s is damaged", oid, f.repo)
	}
	return data, nil
}
