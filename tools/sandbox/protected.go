package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
