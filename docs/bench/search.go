//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A lookup is one thing to find in the tree, by one of coder's tools and by ripgrep.
type lookup struct {
	name  string
	call  reply
	rg    []string
	times float64 // at most this multiple of ripgrep's time is on target
}

// lookups are what the targets speak of. Each of coder's answers counts the lines that match, so that it must look at every file
// as ripgrep does, and so that both can be compared.
func lookups() []lookup {
	count := func(pattern string, fold bool) reply {
		return use("grep", map[string]any{"pattern": pattern, "mode": "count", "limit": 2000, "ignore_case": fold})
	}
	return []lookup{
		{"list all files", use("glob", map[string]any{"pattern": "**/*"}), []string{"--files"}, 1.5},
		{"list by name", use("glob", map[string]any{"pattern": "*7.toml", "limit": 2000}), []string{"--files", "-g", "*7.toml"}, 1.5},
		{"literal", count("frobnicate", false), []string{"frobnicate"}, 1.5},
		{"literal, any case", count("FROBnicate", true), []string{"-i", "FROBnicate"}, 1.5},
		{"regexp with a literal", count(`func \w+frob[a-z]+\(`, false), []string{`func \w+frob[a-z]+\(`}, 1.5},
		{"regexp without one", count(`[0-9]{9,}`, false), []string{`[0-9]{9,}`}, 5},
		{"literal, no hit", count("zyxwvutsrq", false), []string{"zyxwvutsrq"}, 1.5},
	}
}

// search compares a host's glob and grep with ripgrep on one tree. A search of coder's takes from the end of the model's
// answer to the arrival of its next request, and so counts what it costs to run and record a tool call.
func (b *bench) search(ctx context.Context) error {
	rg, err := exec.LookPath("rg")
	if err != nil {
		return fmt.Errorf("nothing to compare with: %w; install ripgrep", err)
	}
	dir := filepath.Join(b.work, "tree")
	size, err := makeTree(ctx, dir, b.files)
	if err != nil {
		return err
	}
	fmt.Printf("%d files, %d MiB\n", b.files, size/mib)
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return err
	}
	host, err := startServer(ctx, b.work, b.env(dataDir), b.coder, "serve")
	if err != nil {
		return err
	}
	err = b.searchOn(ctx, host, dataDir, dir, rg)
	return errors.Join(err, host.stop())
}

func (b *bench) searchOn(ctx context.Context, host *server, dataDir, dir, rg string) error {
	all := lookups()
	s := story{name: "search", prompt: "find things"}
	for _, l := range all {
		s.replies = append(s.replies, l.call)
	}
	s.replies = append(s.replies, say("Found."))
	ours, theirs := make([][]time.Duration, len(all)), make([][]time.Duration, len(all))
	for range min(b.rounds, 5) {
		t, err := b.timeIn(ctx, s, dir, b.env(dataDir), b.coder, "run", "--max-steps", "1000", s.prompt)
		if err != nil {
			return err
		}
		answers := t.requests[len(t.requests)-1].Body
		for i, l := range all {
			took, out, err := ripgrep(ctx, rg, dir, l.rg)
			if err != nil {
				return err
			}
			if want := l.answer(out); !bytes.Contains(answers, []byte(want)) {
				return fmt.Errorf("%s: ripgrep says %q, and coder does not", l.name, want)
			}
			ours[i], theirs[i] = append(ours[i], t.gaps()[i]), append(theirs[i], took)
		}
	}
	for i, l := range all {
		b.add(figure{what: l.name, unit: "ms", times: l.times, coder: median(ours[i]), bare: median(theirs[i])})
	}
	most, err := memory(host.cmd.Process.Pid, "VmHWM")
	b.add(figure{what: "peak memory of the host", unit: "MiB", limit: 100, coder: float64(most) / mib})
	return err
}

// ripgrep runs rg by the rules that coder has: ignore files count outside a repository too, and no others than git's.
func ripgrep(ctx context.Context, rg, dir string, args []string) (time.Duration, []byte, error) {
	cmd := exec.CommandContext(ctx, rg, append([]string{"--no-config", "--no-require-git", "--no-ignore-dot", "--no-heading", "-n"}, append(args, "./")...)...)
	cmd.Dir = dir
	begin := time.Now()
	out, err := cmd.Output()
	took := time.Since(begin)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 { // no match
		err = nil
	}
	return took, out, err
}

// answer says what must stand in coder's results if it found what ripgrep found.
func (l lookup) answer(out []byte) string {
	lines := bytes.Count(out, []byte{'\n'})
	switch {
	case l.call.Tool == "glob" && lines > 2000:
		return fmt.Sprintf("of %s files", thousands(lines))
	case l.call.Tool == "glob":
		first, _, _ := strings.Cut(string(out), "\n")
		return strings.TrimPrefix(first, "./")
	case lines == 0:
		return "no match in"
	}
	files := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, ":")
		files[name] = true
	}
	return fmt.Sprintf("%s lines in %s files", thousands(lines), thousands(len(files)))
}

// thousands writes a number as coder does.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
