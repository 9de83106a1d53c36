package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A ShellError says that there is no shell to run commands with.
type ShellError struct{ Tried []string }

func (e *ShellError) Error() string {
	return "there is no shell to run commands: looked for " + strings.Join(e.Tried, ", ")
}

// Hint says how to get one.
func (e *ShellError) Hint() string {
	return "install one of them and make sure that PATH names its folder"
}

// A ShellKind says which language commands are written in, and by what they are run.
type ShellKind string

// The kinds.
const (
	Bash              ShellKind = "bash"
	GitBash           ShellKind = "Git Bash"
	Sh                ShellKind = "sh"
	PowerShell        ShellKind = "PowerShell 7"
	WindowsPowerShell ShellKind = "Windows PowerShell"
)

// Shell returns the program and the arguments that run command, without any start-up file of the user's: bash, else sh. On
// Windows that is the bash of Git, else PowerShell: models write commands for bash, and it is bash by which they are judged.
func Shell(env []string, command string) ([]string, error) {
	kind, path, err := ShellOf(env)
	if err != nil {
		return nil, err
	}
	return kind.argv(path, command), nil
}

// ShellOf says which shell runs the commands, and where it is.
func ShellOf(env []string) (ShellKind, string, error) { return shellOf(runtime.GOOS, env, executable) }

func shellOf(system string, env []string, there func(string) bool) (ShellKind, string, error) {
	if system == "windows" {
		return windowsShell(env, there)
	}
	for _, dir := range append(filepath.SplitList(Getenv(env, "PATH")), "/bin", "/usr/bin") {
		if p := filepath.Join(dir, "bash"); filepath.IsAbs(dir) && there(p) {
			return Bash, p, nil
		}
	}
	if there("/bin/sh") {
		return Sh, "/bin/sh", nil
	}
	return "", "", &ShellError{Tried: []string{"bash", "/bin/bash", "/bin/sh"}}
}

// windowsShell looks for the bash that comes with Git, where its git is and where its installer puts it, and then for
// PowerShell. A bash.exe in PATH is not taken: the one that Windows brings starts a Linux, with other files.
func windowsShell(env []string, there func(string) bool) (ShellKind, string, error) {
	get := func(name string) string { return envOf(env, name, true) }
	path := strings.Split(get("PATH"), ";")
	var roots []string
	for _, dir := range path {
		dir = strings.TrimSuffix(dir, `\`)
		if !rooted(dir) || !there(dir+`\git.exe`) {
			continue
		}
		for _, sub := range []string{`\cmd`, `\bin`, `\mingw64\bin`, `\clangarm64\bin`} {
			if n := len(dir) - len(sub); n > 0 && strings.EqualFold(dir[n:], sub) {
				roots = append(roots, dir[:n])
			}
		}
	}
	for _, in := range [][2]string{{"ProgramFiles", `\Git`}, {"ProgramW6432", `\Git`}, {"LocalAppData", `\Programs\Git`}, {"ProgramFiles(x86)", `\Git`}} {
		if dir := get(in[0]); rooted(dir) {
			roots = append(roots, dir+in[1])
		}
	}
	for _, root := range roots {
		if p := root + `\bin\bash.exe`; there(p) {
			return GitBash, p, nil
		}
	}
	for _, shell := range []struct {
		kind ShellKind
		name string
	}{{PowerShell, "pwsh.exe"}, {WindowsPowerShell, "powershell.exe"}} {
		for _, dir := range path {
			if p := strings.TrimSuffix(dir, `\`) + `\` + shell.name; rooted(dir) && there(p) {
				return shell.kind, p, nil
			}
		}
	}
	return "", "", &ShellError{Tried: []string{"the bash of Git for Windows", "pwsh.exe", "powershell.exe"}}
}

// rooted reports whether a folder of Windows begins with a drive: a relative one would let a repository bring its own programs.
func rooted(dir string) bool { return len(dir) > 2 && dir[1] == ':' && dir[2] == '\\' }

// argv runs the command in the shell.
func (k ShellKind) argv(path, command string) []string {
	switch k {
	case Sh:
		return []string{path, "-c", command}
	case PowerShell, WindowsPowerShell:
		// Windows PowerShell 5.1 would write the console's code page, and files in UTF-16: that breaks every other alphabet.
		const before = "[Console]::OutputEncoding=$OutputEncoding=[System.Text.UTF8Encoding]::new($false);$PSDefaultParameterValues['*:Encoding']='utf8';"
		// The exit code is that of the last program, or 1 when the last command failed.
		const after = "\n$ok=$?;if($LASTEXITCODE){exit $LASTEXITCODE};if(-not $ok){exit 1}"
		return []string{path, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", before + command + after}
	}
	return []string{path, "--noprofile", "--norc", "-c", command}
}

// LookPath finds a program in the PATH of env. Entries that are not absolute are passed over: they would let a
// repository bring its own git.
func LookPath(env []string, name string) (string, error) {
	for _, dir := range filepath.SplitList(Getenv(env, "PATH")) {
		p := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && executable(p) {
			return p, nil
		}
	}
	return "", errors.New("no " + name + " in PATH")
}

// Getenv returns the value of a variable in env, "" when it is not there. As for a program, the last one counts.
func Getenv(env []string, name string) string { return envOf(env, name, runtime.GOOS == "windows") }

// envOf is Getenv; fold says that case does not count in names.
func envOf(env []string, name string, fold bool) string {
	for _, kv := range slices.Backward(env) {
		k, v, _ := strings.Cut(kv, "=")
		if k == name || fold && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}
