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

// Shell returns the program and the arguments that run command, byte for byte, without any start-up file of the
// user's: bash, else sh; on Windows PowerShell.
func Shell(env []string, command string) ([]string, error) {
	if runtime.GOOS == "windows" {
		return powershell(env, command)
	}
	if p, err := LookPath(env, "bash"); err == nil {
		return []string{p, "--noprofile", "--norc", "-c", command}, nil
	}
	for _, p := range []string{"/bin/bash", "/usr/bin/bash"} {
		if executable(p) {
			return []string{p, "--noprofile", "--norc", "-c", command}, nil
		}
	}
	if executable("/bin/sh") {
		return []string{"/bin/sh", "-c", command}, nil
	}
	return nil, &ShellError{Tried: []string{"bash", "/bin/bash", "/bin/sh"}}
}

func powershell(env []string, command string) ([]string, error) {
	for _, name := range []string{"pwsh.exe", "powershell.exe"} {
		if p, err := LookPath(env, name); err == nil {
			// Windows PowerShell 5.1 would write the console's code page and break every other alphabet.
			utf8 := "[Console]::OutputEncoding=[System.Text.Encoding]::UTF8;"
			return []string{p, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", utf8 + command}, nil
		}
	}
	return nil, &ShellError{Tried: []string{"pwsh.exe", "powershell.exe"}}
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
func Getenv(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		k, v, _ := strings.Cut(kv, "=")
		if k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}
