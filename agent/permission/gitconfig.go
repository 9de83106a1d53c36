package permission

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/coder-agent/coder/agent/gitindex"
)

// gitPrograms asks about reading with git in a repository whose own configuration names programs that git would run, or
// other places that it would read. What can be switched off from outside (core.fsmonitor, hooks, the pager) is, in the
// environment that every command gets; drivers for diffs and filters have names that nobody knows before.
func (r *reading) gitPrograms(s *simple, name string) {
	if s.in.lost {
		s.add(finding{unknown, bounded, false, false, "runs git in a folder that is only known when it runs"})
		return
	}
	for _, dir := range s.in.list {
		files, problem := gitConfigs(dir)
		switch {
		case problem != "":
			s.add(finding{class: unknown, why: "runs git, and " + problem})
			return
		case len(files) == 0 && name == "git diff":
			s.add(finding{class: unknown, why: "runs `git diff` outside of a repository, where it compares any two folders"})
		}
		for _, file := range files {
			if key := programIn(file.path, file.foreign); key != "" {
				s.add(finding{class: unknown, why: fmt.Sprintf("the configuration of this repository sets %s, which lets git run programs", key)})
				return
			}
		}
	}
}

// A gitFile is a configuration file of a repository. A foreign one is that of a submodule: what we switch off for the
// outer repository, git does not pass on.
type gitFile struct {
	path    string
	foreign bool
}

// gitConfigs lists the configuration files that git would read in a folder. The problem, if any, is why that is not certain.
func gitConfigs(dir string) (files []gitFile, problem string) {
	for {
		if gitDir := gitDirOf(dir); gitDir != "" {
			g := gitTree{left: maxRepositories}
			g.add(dir, gitDir, false)
			return g.files, g.problem
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, ""
		}
		dir = parent
	}
}

// gitDirOf is the git folder of a working tree that begins at top, "" if none does. git passes over a .git that has no
// HEAD, and looks further up.
func gitDirOf(top string) string {
	gitDir := filepath.Join(top, ".git")
	info, err := os.Stat(gitDir)
	if err != nil {
		return ""
	}
	if !info.IsDir() {
		return pointed(gitDir, "gitdir: ")
	}
	if _, err := os.Lstat(filepath.Join(gitDir, "HEAD")); err != nil {
		return ""
	}
	return gitDir
}

// maxRepositories bounds the submodules that are looked at, with theirs.
const maxRepositories = 256

// A gitTree is a repository with its submodules, in the making.
type gitTree struct {
	files   []gitFile
	problem string
	left    int
}

// add lists a repository, and those that git would look into from there: a submodule is what the index calls one, whether
// .gitmodules has it or not.
func (g *gitTree) add(top, gitDir string, foreign bool) {
	if g.left--; g.left < 0 {
		g.problem = fmt.Sprintf("this repository has more than %d submodules", maxRepositories)
		return
	}
	common := gitDir
	if shared := pointed(filepath.Join(gitDir, "commondir"), ""); shared != "" {
		common = shared
	}
	g.files = append(g.files, gitFile{filepath.Join(common, "config"), foreign}, gitFile{filepath.Join(gitDir, "config.worktree"), foreign})
	links, err := gitindex.Links(gitDir)
	if err != nil {
		g.problem = err.Error()
		return
	}
	for _, link := range links {
		sub := filepath.Join(top, filepath.FromSlash(link))
		if gitDir := gitDirOf(sub); gitDir != "" {
			g.add(sub, gitDir, true)
		}
	}
}

// pointed reads a file that holds a path, relative to where the file is.
func pointed(file, prefix string) string {
	data, err := os.ReadFile(file)
	line, _, _ := strings.Cut(string(data), "\n")
	rest, ok := strings.CutPrefix(line, prefix)
	if err != nil || !ok {
		return ""
	}
	if rest = strings.TrimSpace(rest); !filepath.IsAbs(rest) {
		rest = filepath.Join(filepath.Dir(file), rest)
	}
	return rest
}

var (
	gitSection = regexp.MustCompile(`^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]`)
	gitKey     = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*?))?\s*$`)
	gitReach   = regexp.MustCompile(`^(diff\.external|diff\..*\.?(command|textconv)|filter\..*(clean|smudge|process)|gpg\..*program|merge\..*driver|lfs\.(extension|customtransfer)\..*|` +
		`core\.(alternaterefscommand|worktree|attributesfile|excludesfile|sshcommand|gitproxy)|include\.path|includeif\..*|` +
		`extensions\.partialclone|remote\..*(promisor|partialclonefilter|uploadpack|vcs)|pager\..*|log\.showsignature|blame\.ignorerevsfile|mailmap\.file|diff\.orderfile|textconv.*)$`)
	gitForeign = regexp.MustCompile(`^core\.(fsmonitor|hookspath)$`)
)

// programIn finds the first key of a configuration file that makes git run a program or read elsewhere.
func programIn(file string, foreign bool) string {
	f, err := os.Open(file)
	if err != nil {
		return "" // git has nothing to read either
	}
	defer f.Close()
	section := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "\ufeff")
		for m := gitSection.FindStringSubmatch(line); m != nil; m = gitSection.FindStringSubmatch(line) { // a line may have several
			section = strings.ToLower(m[1])
			if m[2] != "" {
				section += "." + m[2]
			}
			line = line[len(m[0]):]
		}
		m := gitKey.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		key := section + "." + strings.ToLower(m[1])
		if strings.HasPrefix(key, "filter.lfs.") && strings.HasPrefix(m[2], "git-lfs ") && !strings.ContainsAny(m[2], ";|&$`<>") {
			continue
		}
		off := m[2] == "false" || m[2] == ""
		if gitReach.MatchString(key) || foreign && gitForeign.MatchString(key) && !off {
			return key
		}
	}
	if lines.Err() != nil {
		return "something that cannot be read"
	}
	return ""
}
