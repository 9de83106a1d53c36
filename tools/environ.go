package tools

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// fixedEnv is what every command gets: no pager, no colour, no editor, no question on a terminal.
var fixedEnv = []string{
	"PAGER=cat", "GIT_PAGER=cat", "MANPAGER=cat", "TERM=dumb", "NO_COLOR=1",
	"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_EDITOR=true",
}

// dropped are variables that would run code in a shell that reads no start-up files or in the programs that it starts, change
// what its words mean, or carry secrets: by their names, or by how those begin or end. coder run sends none; other clients may.
var (
	dropped = []string{
		"BASH_ENV", "ENV", "PROMPT_COMMAND", "IFS", "SHELLOPTS", "BASHOPTS", "CDPATH", "GLOBIGNORE",
		"NODE_OPTIONS", "PYTHONSTARTUP", "SSH_AUTH_SOCK",
	}
	droppedBegin = []string{"GIT_", "BASH_FUNC_", "LD_", "DYLD_"}
	droppedEnd   = []string{"_TOKEN", "_KEY", "_SECRET"}
)

// drops reports whether no command gets the variable. Case does not count, as on Windows.
func drops(name string) bool {
	name = strings.ToUpper(name)
	return slices.Contains(dropped, name) ||
		slices.ContainsFunc(droppedBegin, func(s string) bool { return strings.HasPrefix(name, s) }) ||
		slices.ContainsFunc(droppedEnd, func(s string) bool { return strings.HasSuffix(name, s) })
}

// commandEnv makes the environment of a command from the session's. CI stays as the user has it: set, it changes what
// programs do; unset, so does setting it.
func commandEnv(environ []string) []string {
	env := make([]string, 0, len(environ)+len(fixedEnv)+2*len(gitConfig)+1)
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if drops(name) || slices.ContainsFunc(fixedEnv, func(f string) bool { return strings.HasPrefix(f, name+"=") }) {
			continue
		}
		if name == "PATH" {
			kv = "PATH=" + absolute(strings.TrimPrefix(kv, "PATH="))
		}
		env = append(env, kv)
	}
	env = append(env, fixedEnv...)
	env = append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(gitConfig)))
	for i, kv := range gitConfig {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, kv[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, kv[1]))
	}
	return env
}

// absolute takes the folders out of a PATH that are relative: they would let a repository bring its own ls, which is judged
// as the machine's.
func absolute(path string) string {
	dirs := slices.DeleteFunc(filepath.SplitList(path), func(dir string) bool { return !filepath.IsAbs(dir) })
	return strings.Join(dirs, string(filepath.ListSeparator))
}
