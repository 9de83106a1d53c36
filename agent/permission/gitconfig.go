package permission

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// gitPrograms asks about reading with git in a repository whose own configuration names programs that git would run, or
// other places that it would read. What can be switched off from outside (core.fsmonitor, hooks, the pager) is, in the
// environment that every command gets; drivers for diffs and filters have names that nobody knows before.
func (r *reading) gitPrograms(s *simple) {
	if s.in.lost {
		s.add(finding{unknown, bounded, false, false, "runs git in a folder that is only known when it runs"})
		return
	}
	for _, dir := range s.in.list {
		for _, file := range gitConfigs(dir) {
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

func gitConfigs(dir string) (files []gitFile) {
	for {
		if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return configsOf(dir, info.IsDir())
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

func configsOf(top string, isDir bool) (files []gitFile) {
	gitDir := filepath.Join(top, ".git")
	if !isDir {
		gitDir = pointed(gitDir, "gitdir: ")
	}
	common := gitDir
	if shared := pointed(filepath.Join(gitDir, "commondir"), ""); shared != "" {
		common = shared
	}
	files = []gitFile{{filepath.Join(common, "config"), false}, {filepath.Join(gitDir, "config.worktree"), false}}
	for _, sub := range submodules(top) {
		git := filepath.Join(top, sub, ".git")
		if info, err := os.Stat(git); err == nil && !info.IsDir() {
			git = pointed(git, "gitdir: ")
		}
		files = append(files, gitFile{filepath.Join(git, "config"), true})
	}
	return files
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

var submodulePath = regexp.MustCompile(`(?m)^\s*path\s*=\s*(.+?)\s*$`)

func submodules(top string) (paths []string) {
	data, err := os.ReadFile(filepath.Join(top, ".gitmodules"))
	if err != nil {
		return nil
	}
	for _, m := range submodulePath.FindAllSubmatch(data, 256) {
		paths = append(paths, string(m[1]))
	}
	return paths
}

var (
	gitSection = regexp.MustCompile(`^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]`)
	gitKey     = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*?))?\s*$`)
	gitReach   = regexp.MustCompile(`^(diff\.external|diff\..*\.?(command|textconv)|filter\..*(clean|smudge|process)|gpg\..*program|` +
		`core\.(alternaterefscommand|worktree|attributesfile|sshcommand|gitproxy)|include\.path|includeif\..*|` +
		`extensions\.partialclone|remote\..*(promisor|partialclonefilter|uploadpack|vcs)|pager\..*|log\.showsignature|textconv.*)$`)
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
		line := lines.Text()
		if m := gitSection.FindStringSubmatch(line); m != nil {
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
