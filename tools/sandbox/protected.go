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

	"github.com/coder-agent/coder/agent/gitindex"
)

// protectedNames decide what runs later, or what an agent is told: files and folders anywhere in a workdir, in lower
// case. A name that ends in * stands for all that begin so.
var protectedNames = []string{
	".gitmodules", ".gitattributes", ".coder", ".mcp.json", "agents.md", "claude.md", "gemini.md", ".cursorrules", ".claude", ".cursor", ".codex",
	".gemini", ".vscode", ".idea", ".devcontainer", ".zed", ".envrc", ".env*", ".npmrc", ".yarnrc*", ".pypirc", ".husky", ".gitlab-ci.yml",
	".pre-commit-config.yaml", ".devcontainer.json", ".github/workflows", ".github/actions", ".github/copilot-instructions.md",
}

// protectedHome are protected where the workdir is the home itself.
var protectedHome = []string{
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout",
	".inputrc", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile", ".xinitrc", ".xsessionrc", ".gitconfig", ".ssh", ".config/git", ".config/coder",
	".config/systemd", ".config/autostart", ".config/fish", ".local/bin", "bin",
}

// protectedGit are the parts of a git folder that run programs, or name the folder that has those parts. The rest is git's
// own work.
var protectedGit = []string{"hooks", "config", "config.worktree", "info/attributes", "commondir"}

// How much of a workdir is searched for protected files, for each command: the folders at the top first, those deep in
// large trees are passed over.
const (
	maxDepth   = 3
	maxFolders = 1000
	maxFiles   = 2000 // in one protected folder
	maxLinks   = 256  // repositories that the index of another one names
)

// passedOver are folders of other people's code: what is in them is not of this project.
var passedOver = []string{"node_modules", "vendor", "target", "__pycache__", ".venv", "venv"}

func isProtected(rel string) bool {
	rel = strings.ToLower(filepath.ToSlash(rel))
	return slices.ContainsFunc(protectedNames, func(p string) bool {
		name := rel
		if !strings.Contains(p, "/") {
			name = rel[strings.LastIndexByte(rel, '/')+1:]
		} else if rel != p {
			name = rel[max(0, len(rel)-len(p)-1):]
			p = "/" + p
		}
		if stem, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(name, stem)
		}
		return name == p
	})
}

// guard lists what is protected in the writable folders (watched); of it what can be held in place (protected), with what
// its links lead to; and the folders that must stay where they are because something protected is in them (pinned).
func guard(writable []string, home string) (watched, protected, pinned []string) {
	for _, root := range writable {
		found := findProtected(root, home)
		watched = append(watched, found...)
		for _, path := range found {
			if path = landing(path, root); path == "" {
				continue
			}
			protected = append(protected, path)
			for dir := filepath.Dir(path); dir != root && within(root, dir); dir = filepath.Dir(dir) {
				if !slices.Contains(pinned, dir) {
					pinned = append(pinned, dir)
				}
			}
		}
	}
	return watched, protected, pinned
}

// landing is where a path leads if that is beneath root, else "": no command can change it there.
func landing(path, root string) string {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return path
	}
	if path, err := filepath.EvalSymlinks(path); err == nil && path != root && within(root, path) {
		return path
	}
	return ""
}

// findProtected lists the protected files and folders beneath root that exist.
func findProtected(root, home string) (found []string) {
	if root == home {
		for _, name := range protectedHome {
			path := filepath.Join(root, filepath.FromSlash(name))
			if _, err := os.Lstat(path); err == nil {
				found = append(found, path)
			}
		}
	}
	type folder struct {
		path, rel string
		depth     int
	}
	queue := []folder{{path: root}}
	for i := 0; i < len(queue) && i < maxFolders; i++ {
		in := queue[i]
		entries, err := os.ReadDir(in.path)
		if err != nil {
			continue // nor can the command, unless it makes it readable: then it is the command's own
		}
		for _, e := range entries {
			path, name := filepath.Join(in.path, e.Name()), filepath.Join(in.rel, e.Name())
			switch {
			case strings.EqualFold(e.Name(), ".git"):
				found = append(found, repository(path, e.IsDir(), root)...)
			case isProtected(name) && !(e.IsDir() && strings.HasPrefix(strings.ToLower(e.Name()), ".env")): // a folder of that name is Python's
				found = append(found, path)
			case e.IsDir() && strings.EqualFold(e.Name(), ".github"): // at once: however many folders there are, these count
				found = append(found, protectedIn(path, name)...)
			case e.IsDir() && in.depth < maxDepth && !slices.Contains(passedOver, e.Name()):
				queue = append(queue, folder{path, name, in.depth + 1})
			}
		}
	}
	for i, path := range found {
		found[i] = firstLink(root, path)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// firstLink is the first link on the way from root to path, or path: what lies behind a link is not the workdir's, and the
// host would move the files of somebody else aside.
func firstLink(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	at := root
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return at
		}
	}
	return path
}

// protectedIn lists what is protected in one folder.
func protectedIn(dir, rel string) (found []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // as above
	}
	for _, e := range entries {
		if isProtected(filepath.Join(rel, e.Name())) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found
}

// repository lists the protected parts of the repository with the git folder at path, and of those that its index names,
// however deep they are: git runs in them when it runs in the outer one.
func repository(path string, dir bool, root string) (found []string) {
	left := maxLinks
	var add func(path string, dir bool)
	add = func(path string, dir bool) {
		found = append(found, gitParts(path, dir)...)
		if !dir {
			target := pointed(path)
			if target == "" || !within(root, target) {
				return
			}
			found = append(found, gitParts(target, true)...)
		}
		gitDir := path
		if !dir {
			gitDir = pointed(path)
		}
		links, _ := gitindex.Links(gitDir) // one that cannot be read is of no use to git either
		for _, link := range links {
			sub := filepath.Join(filepath.Dir(path), filepath.FromSlash(link), ".git")
			info, err := os.Lstat(sub)
			if left--; left < 0 {
				return
			}
			if err == nil && within(root, sub) {
				add(sub, info.IsDir())
			}
		}
	}
	add(path, dir)
	return found
}

// pointed is the folder that a .git file names, "" if it is none.
func pointed(file string) string {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), "gitdir: ")
	if !ok {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	return filepath.Clean(target)
}

// gitParts are the protected parts of a git folder, and of those of its submodules. A file stands for a folder elsewhere.
func gitParts(path string, dir bool) (found []string) {
	if !dir {
		return []string{path}
	}
	for _, part := range protectedGit {
		p := filepath.Join(path, filepath.FromSlash(part))
		if _, err := os.Lstat(p); err == nil {
			found = append(found, p)
		}
	}
	for _, part := range []string{"commondir", "config.worktree"} { // of the working trees beside this one
		trees, _ := filepath.Glob(filepath.Join(literal.Replace(path), "worktrees", "*", part)) // the pattern is ours
		found = append(found, trees...)
	}
	return append(found, modules(filepath.Join(path, "modules"), 0)...)
}

// literal writes a path so that a pattern means it as it is.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// modules are the parts of submodules, whose names may have slashes.
func modules(dir string, depth int) (found []string) {
	entries, err := os.ReadDir(dir)
	if err != nil || depth > maxDepth {
		return nil // no submodules
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := os.Lstat(filepath.Join(path, "HEAD")); err == nil {
			found = append(found, gitParts(path, true)...)
		} else if e.IsDir() {
			found = append(found, modules(path, depth+1)...)
		}
	}
	return found
}

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

// settle compares, and moves what the command made or changed to the folder aside.
func (s stock) settle(aside string) (moved []Moved, err error) {
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
