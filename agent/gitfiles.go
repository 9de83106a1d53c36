package agent

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxGitFile bounds what is read of a file of git's, in bytes.
const maxGitFile = 1 << 20

// readGit says which repository and branch a folder belongs to, as git's own files tell: those of a worktree or a
// submodule too. What they do not tell is left empty. It starts no program: a repository's configuration could name one.
func readGit(dir string) Project {
	private, ok := gitDir(dir)
	if !ok {
		return Project{}
	}
	p := Project{Branch: branchOf(private)}
	p.Owner, p.Repo = ownerAndRepo(originURL(filepath.Join(commonDir(private), "config")))
	if validProject(p) != nil {
		return Project{} // nothing that git would have written
	}
	return p
}

// gitDir finds the folder of git's files for the nearest repository at or above dir.
func gitDir(dir string) (string, bool) {
	for {
		path := filepath.Join(dir, ".git")
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return path, true
		case err == nil && info.Mode().IsRegular(): // of a worktree or a submodule
			link, ok := strings.CutPrefix(firstLine(path), "gitdir: ")
			if ok && !filepath.IsAbs(link) {
				link = filepath.Join(dir, link)
			}
			return link, ok
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// commonDir is where a worktree's repository has what all its worktrees share.
func commonDir(private string) string {
	common := firstLine(filepath.Join(private, "commondir"))
	switch {
	case common == "":
		return private
	case filepath.IsAbs(common):
		return common
	}
	return filepath.Join(private, common)
}

// branchOf returns the branch that is checked out, or "" when none is.
func branchOf(private string) string {
	branch, _ := strings.CutPrefix(firstLine(filepath.Join(private, "HEAD")), "ref: refs/heads/")
	if strings.HasPrefix(branch, "ref: ") || len(branch) >= 40 && strings.Trim(branch, "0123456789abcdef") == "" {
		return "" // another kind of ref, or a commit
	}
	return branch
}

// originURL reads the address of the remote "origin" from a config file of git's.
func originURL(path string) string {
	inside := false
	for line := range strings.Lines(readBounded(path)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == `[remote "origin"]`
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && inside && strings.EqualFold(strings.TrimSpace(key), "url") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// ownerAndRepo reads the address of a repository at a forge: the last part of its path is the repository, what stands
// before it the owner, which may have groups. A folder of this machine has neither.
func ownerAndRepo(address string) (owner, repo string) {
	_, path, isURL := strings.Cut(address, "://")
	if isURL {
		_, path, _ = strings.Cut(path, "/")
	} else { // user@host:path
		host, after, ok := strings.Cut(address, ":")
		if !ok || strings.ContainsAny(host, `/\`) || len(host) == 1 {
			return "", ""
		}
		path = after
	}
	if strings.HasPrefix(address, "file:") {
		return "", ""
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", ""
	}
	return path[:i], path[i+1:]
}

func firstLine(path string) string {
	line, _, _ := strings.Cut(readBounded(path), "\n")
	return strings.TrimSpace(line)
}

// readBounded reads a regular file; "" for what is none, or cannot be read.
func readBounded(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(f), maxGitFile))
	if err := errors.Join(err, f.Close()); err != nil {
		return ""
	}
	return string(text)
}
