package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/tools/sandbox"
)

//go:embed system.md
var systemText string

// systemPrompt returns what makes the system prompt of a session; the agent adds the instructions of a trusted folder. It holds
// nothing that changes while the session lives, such as the date: providers bill what is repeated byte for byte at a tenth.
func systemPrompt(environ []string) func(workdir string) (string, error) {
	shell := "sh"
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, "SHELL="); ok && value != "" {
			shell = filepath.Base(value)
		}
	}
	return func(workdir string) (string, error) {
		repository := "no"
		if _, err := os.Lstat(filepath.Join(workdir, ".git")); err == nil {
			repository = "yes"
		}
		var b strings.Builder
		b.WriteString(systemText)
		fmt.Fprintf(&b, "\nWhere you work:\n- folder: %s\n- system: %s/%s\n- the user's shell: %s\n- git repository: %s\n",
			oneLine(workdir), runtime.GOOS, runtime.GOARCH, shell, repository)
		if kind, _, err := sandbox.ShellOf(environ); err == nil && kind != sandbox.Bash {
			fmt.Fprintf(&b, "- commands run in: %s; write them for it\n", kind)
		}
		return b.String(), nil
	}
}

// oneLine quotes a path whose name holds a line break, or what cannot be seen: somebody else may have given it.
func oneLine(path string) string {
	if plain.Visible(path) != path || strings.ContainsAny(path, "\n\t") {
		return strconv.Quote(path)
	}
	return path
}
