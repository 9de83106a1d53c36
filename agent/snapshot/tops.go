package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxNested bounds the repositories inside a folder whose files are taken in.
const maxNested = 256

// A top is a work tree with ignore rules of its own: the repository in which the folder lies, the folder, or one inside it.
type top struct {
	dir    string // absolute
	prefix string // of the folder in it, with a slash behind; ""
	inside string // of it in the folder, with a slash behind; ""
}

// list gives the files that are not ignored to add, those that are followed all the same to addNamed, and returns the work trees in
// which they were found.
func (f *Folder) list(ctx context.Context, add, addNamed func(context.Context, string) error) ([]top, error) {
	tops := []top{f.top(ctx)}
	for i := 0; i < len(tops); i++ {
		if len(tops) > maxNested {
			return nil, &LimitError{f.path, fmt.Sprintf("%d repositories inside it", maxNested)}
		}
		t := tops[i]
		err := f.listTop(ctx, t, func(name string, found bool) error {
			path := t.inside + strings.TrimPrefix(name, t.prefix)
			switch nested, isDir := strings.CutSuffix(path, "/"); {
			case isDir && local(nested): // a repository, whose rules are its own
				tops = append(tops, top{dir: filepath.Join(f.path, filepath.FromSlash(nested)), inside: path})
			case !isDir && local(path) && !f.store.owns(f.path, path):
				if !found {
					return addNamed(ctx, path)
				}
				return add(ctx, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return tops, nil
}

// owns reports whether a path leads into the data dir, which no snapshot holds.
func (s *Store) owns(workdir, path string) bool {
	rel, err := filepath.Rel(workdir, filepath.Dir(s.dir))
	if err != nil || !filepath.IsLocal(rel) {
		return false
	}
	rel = filepath.ToSlash(rel)
	return rel == "." || path == rel || strings.HasPrefix(path, rel+"/")
}

// listTop lists a work tree without an index, so that all of it is new, and what git follows though it is ignored: that is not found,
// and need not be there.
func (f *Folder) listTop(ctx context.Context, t top, each func(name string, found bool) error) error {
	args := []string{"-c", exclude(t), "ls-files", "-z", "--others", "--exclude-standard", "--"}
	if t.prefix != "" {
		args = append(args, t.prefix)
	}
	found := func(name string) error { return each(name, true) }
	if err := f.stream(ctx, t.dir, filepath.Join(f.repo, "no-index"), found, args...); err != nil {
		return err
	}
	for _, name := range f.followed(ctx, t) {
		if err := each(name, false); err != nil {
			return err
		}
	}
	return nil
}

// exclude is the setting that has git read the ignore rules that the user's own repository keeps beside its files.
func exclude(t top) string {
	if private, ok := gitDir(t.dir); ok {
		path := filepath.Join(commonDir(private), "info", "exclude")
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() <= maxSmall {
			return "core.excludesFile=" + path
		}
	}
	return "core.excludesFile=" + os.DevNull
}

// tracked are the files that the user's git follows though a rule ignores them, as of an index.
type tracked map[string]struct {
	stamp string
	names []string
}

// followed lists files that the user's git follows though a rule ignores them. Its index is read and never written. One
// that git cannot read here adds none: the files that no rule ignores are covered without it.
func (f *Folder) followed(ctx context.Context, t top) []string {
	private, ok := gitDir(t.dir)
	if !ok {
		return nil
	}
	index := filepath.Join(private, "index")
	info, err := os.Lstat(index)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if f.kept[t.dir].stamp != stamp {
		args := []string{"-c", exclude(t), "ls-files", "-z", "--cached", "--ignored", "--exclude-standard", "--"}
		if t.prefix != "" {
			args = append(args, t.prefix)
		}
		out, err := f.gitIn(ctx, t.dir, index, nil, args...)
		if err != nil {
			return nil
		}
		if f.kept == nil {
			f.kept = make(tracked)
		}
		entry := f.kept[t.dir]
		entry.stamp, entry.names = stamp, split(out)
		f.kept[t.dir] = entry
	}
	return f.kept[t.dir].names
}

// top finds the work tree of the repository in which the folder lies, whose ignore rules hold in it. When they ignore the
// folder itself, or there is none, the folder stands for itself.
func (f *Folder) top(ctx context.Context) top {
	alone := top{dir: f.path}
	for dir := f.path; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			if dir == f.path {
				return alone
			}
			rel, err := filepath.Rel(dir, f.path)
			if err != nil {
				return alone
			}
			t := top{dir: dir, prefix: filepath.ToSlash(rel) + "/"}
			f.mu.Lock()
			own, known := f.own[dir]
			f.mu.Unlock()
			if known && own || !known && f.ignores(ctx, t) {
				return alone
			}
			return t
		}
		if filepath.Dir(dir) == dir {
			return alone
		}
	}
}

// ignores reports whether the folder is ignored in a work tree, and remembers it.
func (f *Folder) ignores(ctx context.Context, t top) bool {
	ignored, err := f.ignored(ctx, t, []string{strings.TrimSuffix(t.prefix, "/")})
	own := err == nil && len(ignored) > 0
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.own == nil {
			f.own = make(map[string]bool)
		}
		f.own[t.dir] = own
	}
	return own
}

// ignored returns those of the paths, relative to the work tree, that its rules ignore.
func (f *Folder) ignored(ctx context.Context, t top, paths []string) (map[string]bool, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	plain := make([]string, len(paths))
	for i, path := range paths {
		plain[i] = "./" + path // or a colon at its beginning would mean something
	}
	out, err := f.gitIn(ctx, t.dir, filepath.Join(f.repo, "no-index"), zlist(plain), "-c", exclude(t), "check-ignore", "-z", "--no-index", "--stdin")
	if failed, ok := errors.AsType[*gitError](err); ok && failed.Said == "" { // none is ignored: exit code 1
		err = nil
	}
	if err != nil {
		return nil, err
	}
	set := make(map[string]bool)
	for _, path := range split(out) {
		set[strings.TrimPrefix(path, "./")] = true
	}
	return set, nil
}
