//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// baselineSource links the three packages that coder must use and nothing else: what any such program costs to start.
const baselineSource = `package main

import (
	"fmt"
	"os"

	"github.com/coder/websocket"
	"github.com/sashabaranov/go-openai"
	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "baseline"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(cmd *cobra.Command, _ []string) { fmt.Println("baseline") }})
	root.AddCommand(&cobra.Command{Use: "dial", RunE: func(cmd *cobra.Command, args []string) error {
		client := openai.NewClient("")
		if _, err := client.ListModels(cmd.Context()); err != nil {
			return err
		}
		_, _, err := websocket.Dial(cmd.Context(), args[0], nil)
		return err
	}})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
`

// buildCoder builds the program under test as a release does.
func buildCoder(ctx context.Context, work string) (string, error) {
	path := filepath.Join(work, "coder")
	_, err := run(ctx, ".", os.Environ(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/coder")
	return path, err
}

// buildBaseline builds baselineSource in a module of its own, with the versions of this one.
func buildBaseline(ctx context.Context, work string) (string, error) {
	dir := filepath.Join(work, "baseline")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		text := strings.Replace(string(data), "module github.com/coder-agent/coder\n", "module baseline\n", 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(baselineSource), 0o644); err != nil {
		return "", err
	}
	path := filepath.Join(work, "baseline.exe")
	_, err := run(ctx, dir, os.Environ(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	return path, err
}
