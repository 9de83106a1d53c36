package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"
)

//go:embed system.md
var systemText string

// maxInstructions bounds what of AGENTS.md goes into each request, in bytes.
const maxInstructions = 16 << 10

// systemPrompt returns what makes the system prompt of a session. It holds nothing that changes while the session
// lives, such as the date: providers bill what is repeated byte for byte at a tenth.
func systemPrompt(environ []string) func(workdir string) (string, error) {
	shell := "sh"
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, "SHELL="); ok && value != "" {
			shell = filepath.Base(value)
		}
	}
	return func(workdir string) (string, error) {
		instructions, err := readInstructions(filepath.Join(workdir, "AGENTS.md"))
		if err != nil {
			return "", err
		}
		repository := "no"
		if _, err := os.Lstat(filepath.Join(workdir, ".git")); err == nil {
			repository = "yes"
		}
		var b strings.Builder
		b.WriteString(systemText)
		fmt.Fprintf(&b, "\nWhere you work:\n- folder: %s\n- system: %s/%s\n- the user's shell: %s\n- git repository: %s\n",
			workdir, runtime.GOOS, runtime.GOARCH, shell, repository)
		if instructions != "" {
			fmt.Fprintf(&b, "\nWhat the project's AGENTS.md says:\n\n%s\n", instructions)
		}
		return b.String(), nil
	}
}

// readInstructions reads the project's own instructions. No file, or one that is no text, gives none.
func readInstructions(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the project's instructions: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxInstructions+1))
	if err != nil {
		return "", fmt.Errorf("reading the project's instructions: %w", err)
	}
	text := string(data)
	if len(data) > maxInstructions {
		text = strings.ToValidUTF8(text[:maxInstructions], "") + "\n(cut here: read AGENTS.md for the rest)"
	}
	if !utf8.ValidString(text) {
		return "", nil
	}
	return strings.TrimSpace(text), nil
}
