package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestInstructionsStayInTheFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"no file gives none", func(string) error { return nil }, ""},
		{"a file is read", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "AGENTS.md"), []byte("be kind\n"), 0o600)
		}, "be kind"},
		{"a link that leaves the folder is named, not followed", func(dir string) error {
			return os.Symlink(secret, filepath.Join(dir, "AGENTS.md"))
		}, "(AGENTS.md was not read: "},
		{"a folder is named", func(dir string) error { return os.Mkdir(filepath.Join(dir, "AGENTS.md"), 0o700) }, "(AGENTS.md was not read: it is not a regular file)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			got, err := readInstructions(dir)
			if err != nil || !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" || strings.Contains(got, "outside\n") || got == "outside" {
				t.Errorf("readInstructions = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
