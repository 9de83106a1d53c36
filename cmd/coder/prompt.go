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
		instructions, err := readInstructions(workdir)
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

const instructionsFile = "AGENTS.md"

// readInstructions reads the project's own instructions. It follows no link out of the folder and waits for no pipe: what
// it passes over it names, for the model to tell. A file that is no text gives none.
func readInstructions(workdir string) (string, error) {
	root, err := os.OpenRoot(workdir)
	if err != nil {
		return "", fmt.Errorf("reading the project's instructions: %w", err)
	}
	defer root.Close()
	info, err := root.Stat(instructionsFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return fmt.Sprintf("(%s was not read: %v)", instructionsFile, err), nil
	case !info.Mode().IsRegular():
		return fmt.Sprintf("(%s was not read: it is not a regular file)", instructionsFile), nil
	}
	f, err := root.Open(instructionsFile)
	if err != nil {
		return fmt.Sprintf("(%s was not read: %v)", instructionsFile, err), nil
	}
	defer f.Close()
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
