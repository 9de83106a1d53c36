package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Moved is a protected file that a command made or changed. It was put aside, and what was there before is there
// again.
type Moved struct {
	Path string `json:"path"`
	To   string `json:"to"`
}

// A stock is the protected files as they were before a command.
type stock struct {
	policy  policy
	files   map[string]item
	crowded []string // folders with more files than are looked at
}

type item struct {
	size    int64
	mode    fs.FileMode
	changed time.Time
	data    []byte // of a link, and where no mount holds the file
}

// maxItem bounds what is kept of a file to put it back, in bytes.
const maxItem = 1 << 20

// takeStock looks at the protected files. Where mounts hold them, it is enough to know which there are.
func takeStock(p policy) stock {
	s := stock{policy: p}
	s.files, s.crowded = s.look(p.watched)
	return s
}

func (s stock) look(watched []string) (files map[string]item, crowded []string) {
	files = map[string]item{}
	for _, top := range watched {
		n := 0
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if n++; n > maxFiles {
				crowded = append(crowded, top)
				return fs.SkipAll
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			it := item{size: info.Size(), mode: info.Mode(), changed: info.ModTime()}
			if info.Mode()&fs.ModeSymlink != 0 {
				target, _ := os.Readlink(path)
				it.data = []byte(target)
			} else if s.policy.Level == LevelLandlock && info.Mode().IsRegular() && info.Size() <= maxItem {
				it.data, _ = os.ReadFile(path) // unreadable: it can be told that it changed, not put back
			}
			files[path] = it
			return nil
		})
	}
	return files, crowded
}

// held reports whether a mount or the system kept the file as it was: then a change is somebody else's.
func (s stock) held(path string, it item) bool {
	return it.mode&fs.ModeSymlink == 0 && s.policy.Level != LevelLandlock && slices.ContainsFunc(s.policy.Protected, func(p string) bool { return within(p, path) })
}

// settle compares, and moves what the command made or changed to the folder aside, but not what the host itself has written.
func (s stock) settle(aside string, granted func(path string) bool) (moved []Moved, err error) {
	now, _, _ := guard(s.policy.guarded, s.policy.home)
	files, crowded := s.look(now)
	for _, top := range crowded { // one that the command filled, so that not all of it would be looked at, goes as a whole
		if s.held(top, item{}) || slices.Contains(s.crowded, top) {
			continue
		}
		to, moveErr := s.move(top, aside)
		if moveErr != nil {
			err = errors.Join(err, fmt.Errorf("sandbox: putting %s aside, which a command may not fill: %w", top, moveErr))
			continue
		}
		moved = append(moved, Moved{Path: top, To: to})
		maps.DeleteFunc(files, func(path string, _ item) bool { return within(top, path) })
	}
	for path, it := range files {
		was, had := s.files[path]
		if s.held(path, it) || had && was.same(it) || !had && harmless(path) {
			continue
		}
		if granted(path) {
			delete(s.files, path) // nor is it put back as it was
			continue
		}
		to, moveErr := s.move(path, aside)
		if moveErr != nil {
			err = errors.Join(err, fmt.Errorf("sandbox: putting %s aside, which a command may not write: %w", path, moveErr))
			continue
		}
		moved = append(moved, Moved{Path: path, To: to})
	}
	slices.SortFunc(moved, func(a, b Moved) int { return strings.Compare(a.Path, b.Path) })
	return moved, errors.Join(err, s.restore(files))
}

func (i item) same(j item) bool {
	if i.data != nil && j.data != nil {
		return i.mode == j.mode && bytes.Equal(i.data, j.data)
	}
	return i.size == j.size && i.mode == j.mode && i.changed.Equal(j.changed)
}

// move puts a file aside under a name of its own.
func (s stock) move(path, aside string) (string, error) {
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(aside, time.Now().Format("150405-"))
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(path))
	if err := os.Rename(path, to); err == nil {
		return to, nil
	}
	return to, moveAcross(path, to) // another file system
}

func moveAcross(path, to string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.Join(os.WriteFile(to, fmt.Appendf(nil, "a folder with more than %d files, not kept\n", maxFiles), 0o600), os.RemoveAll(path))
	}
	if !info.Mode().IsRegular() { // a link, a pipe: there is nothing in it to keep
		return errors.Join(os.WriteFile(to, []byte(info.Mode().String()+"\n"), 0o600), os.Remove(path))
	}
	if info.Size() > maxMoved {
		return errors.Join(os.WriteFile(to, fmt.Appendf(nil, "%d bytes, not kept\n", info.Size()), 0o600), os.Remove(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(to, data, 0o600), os.Remove(path))
}

// maxMoved bounds a file that is copied when it is put aside, in bytes.
const maxMoved = 16 << 20

// restore puts back what the command changed or removed, where nothing held it.
func (s stock) restore(now map[string]item) (err error) {
	for path, was := range s.files {
		if is, there := now[path]; was.data == nil || there && was.same(is) {
			continue
		}
		for _, root := range s.policy.guarded {
			if within(root, path) {
				err = errors.Join(err, was.putBack(root, path))
				break
			}
		}
	}
	return err
}

// putBack writes the item to its path, which does not leave root: the command may have left links in the way.
func (i item) putBack(root, path string) error {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.MkdirAll(filepath.Dir(rel), 0o755); err != nil {
		return fmt.Errorf("sandbox: putting %s back: %w", path, err)
	}
	if i.mode&fs.ModeSymlink != 0 {
		err = r.Symlink(string(i.data), rel)
	} else {
		err = r.WriteFile(rel, i.data, i.mode.Perm())
	}
	if err != nil {
		return fmt.Errorf("sandbox: putting %s back: %w", path, err)
	}
	return nil
}

// harmless reports whether a file that is new is what git makes of itself: samples of hooks, and a config that says
// nothing but what the repository is.
func harmless(path string) bool {
	dir, name := filepath.Split(path)
	inGit := strings.Contains(strings.ToLower(filepath.ToSlash(dir)), "/.git/")
	switch {
	case !inGit:
		return false
	case filepath.Base(dir) == "hooks":
		return strings.HasSuffix(name, ".sample")
	case name == "config":
		return plainConfig(path)
	case name == "commondir": // of a working tree: the repository that it stands in
		data, err := os.ReadFile(path)
		return err == nil && strings.TrimSpace(string(data)) == "../.." && filepath.Base(filepath.Dir(filepath.Dir(path))) == "worktrees"
	}
	return !slices.Contains([]string{"config.worktree", "attributes"}, name)
}

// plainKeys are the settings of a git config that name no program. The name of a part (a branch, a remote) is left out.
var plainKeys = []string{
	"core.repositoryformatversion", "core.filemode", "core.bare", "core.logallrefupdates", "core.ignorecase", "core.precomposeunicode", "core.symlinks",
	"core.autocrlf", "core.eol", "extensions.objectformat", "extensions.refstorage", "user.name", "user.email", "init.defaultbranch",
	"branch.remote", "branch.merge", "branch.rebase", "remote.url", "remote.fetch", "commit.gpgsign", "tag.gpgsign", "pull.rebase", "submodule.active", "submodule.url",
}

// plainConfig reports whether a git config has plain settings only. What it cannot read is not plain.
func plainConfig(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	section := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			head, rest, closed := strings.Cut(line[1:], "]")
			if !closed || strings.TrimSpace(rest) != "" {
				return false
			}
			section, _, _ = strings.Cut(strings.TrimSpace(head), " ")
			if strings.Contains(section, ".") {
				return false
			}
		default:
			key, value, _ := strings.Cut(line, "=")
			name := strings.ToLower(section + "." + strings.TrimSpace(key))
			if !slices.Contains(plainKeys, name) || strings.Contains(value, "::") || strings.HasSuffix(value, `\`) {
				return false
			}
		}
	}
	return true
}
