package tools

import (
	"os"
	"path/filepath"
	"strings"
)

// This file reads what git keeps about ignoring outside of the work tree: info/exclude, core.excludesFile and
// core.ignoreCase. It is for where git itself cannot be asked. Configurations that another includes are not read.

// A gitRules is what holds in a whole repository.
type gitRules struct {
	rules ignoreFile // weaker than any .gitignore
	fold  bool       // case does not count
}

// readGitRules reads the rules of the repository with its work tree at top. environ says where the user's own are.
func readGitRules(environ []string, top string) gitRules {
	dir := gitDir(top)
	if dir == "" {
		return gitRules{}
	}
	home, xdg := variable(environ, "HOME"), variable(environ, "XDG_CONFIG_HOME")
	if xdg == "" && home != "" {
		xdg = filepath.Join(home, ".config")
	}
	conf := gitConf{}
	if os.PathSeparator == '/' {
		conf.read("/etc/gitconfig")
	}
	excludes := ""
	if xdg != "" {
		conf.read(filepath.Join(xdg, "git", "config"))
		excludes = filepath.Join(xdg, "git", "ignore")
	}
	if home != "" {
		conf.read(filepath.Join(home, ".gitconfig"))
	}
	conf.read(filepath.Join(dir, "config"))
	if file, ok := conf["core.excludesfile"]; ok {
		excludes = file
		if rest, ok := strings.CutPrefix(file, "~/"); ok && home != "" {
			excludes = filepath.Join(home, rest)
		} else if file != "" && !filepath.IsAbs(file) {
			excludes = filepath.Join(top, file)
		}
	}
	g := gitRules{fold: conf.isTrue("core.ignorecase")}
	if excludes != "" {
		g.rules = readRules(excludes)
	}
	g.rules = append(g.rules, readRules(filepath.Join(dir, "info", "exclude"))...) // later ones win
	return g
}

// gitDir returns the folder in which the repository of a work tree keeps what all its work trees share, "" if there is none.
func gitDir(top string) string {
	dir := filepath.Join(top, ".git")
	if info, err := os.Lstat(dir); err != nil || info.IsDir() {
		if err != nil {
			return ""
		}
		return dir
	}
	link, ok := strings.CutPrefix(string(readSmall(dir)), "gitdir:") // a work tree of its own, or a submodule
	if !ok {
		return ""
	}
	if dir = strings.TrimSpace(link); !filepath.IsAbs(dir) {
		dir = filepath.Join(top, dir)
	}
	common := strings.TrimSpace(string(readSmall(filepath.Join(dir, "commondir"))))
	switch {
	case common == "":
		return dir
	case filepath.IsAbs(common):
		return common
	}
	return filepath.Join(dir, common)
}

// readSmall reads a regular file of at most 1 MiB; nil if it is anything else. git has no limit, but nobody writes longer
// rules.
func readSmall(file string) []byte {
	const most = 1 << 20
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil // rules that cannot be read do not hold, as with git
	}
	return data
}

// readRules reads a file of rules.
func readRules(file string) ignoreFile { return parseIgnore(readSmall(file)) }

// variable returns the last value of an environment variable, "" if it is not set.
func variable(environ []string, name string) (value string) {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// A gitConf is the variables of git's configuration without a subsection, as section.name in lower case.
type gitConf map[string]string

func (c gitConf) isTrue(name string) bool {
	switch strings.ToLower(c[name]) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// read adds the variables of a file, which win over those before.
func (c gitConf) read(file string) {
	section := ""
	text := strings.ReplaceAll(string(readSmall(file)), "\r\n", "\n")
	text = strings.TrimPrefix(text, string(bom))
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			head, rest, ok := strings.Cut(line[1:], "]")
			if !ok {
				continue
			}
			section, line = strings.ToLower(strings.TrimSpace(head)), strings.TrimSpace(rest)
		}
		if line == "" || line[0] == '#' || line[0] == ';' || strings.ContainsAny(section, `" `) {
			continue
		}
		name, value, assigned := strings.Cut(line, "=")
		if !assigned {
			name, _, _ = strings.Cut(name, "#")
			value = "true" // as git: a name alone
		}
		c[section+"."+strings.ToLower(strings.TrimSpace(name))] = confValue(value)
	}
}

// confValue takes quotes, escapes and a comment out of a value.
func confValue(text string) string {
	var b strings.Builder
	text = strings.TrimSpace(text)
	quoted, end := false, 0 // of what must stay
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '"':
			quoted = !quoted
			end = b.Len()
			continue
		case (ch == '#' || ch == ';') && !quoted:
			return b.String()[:end]
		case ch == '\\' && i+1 < len(text):
			i++
			b.WriteByte(unescape(text[i]))
		default:
			b.WriteByte(ch)
			if !quoted && (ch == ' ' || ch == '\t') {
				continue
			}
		}
		end = b.Len()
	}
	return b.String()[:end]
}

func unescape(ch byte) byte {
	switch ch {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	}
	return ch
}
