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
	"slices"
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
// answer to the arrival of its next request, and so counts what it costs to run and record a tool call; its processor time is that of
// the host for the whole turn.
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

// searchOn measures pairs: each search of coder's is followed by ripgrep's.
func (b *bench) searchOn(ctx context.Context, host *server, dataDir, dir, rg string) error {
	for _, l := range lookups() {
		var ours, theirs, ourWork, theirWork []time.Duration
		s := story{name: "search", prompt: "find things", replies: []reply{l.call, say("Found.")}}
		for range b.rounds {
			before, err := cpuOf(host.cmd.Process.Pid)
			if err != nil {
				return err
			}
			t, err := b.timeIn(ctx, s, dir, b.env(dataDir), b.coder, "run", s.prompt)
			if err != nil {
				return err
			}
			after, err := cpuOf(host.cmd.Process.Pid)
			if err != nil {
				return err
			}
			took, work, out, err := ripgrep(ctx, rg, dir, l.rg)
			if err != nil {
				return err
			}
			if want := l.answer(out); !bytes.Contains(t.requests[1].Body, []byte(want)) {
				return fmt.Errorf("%s: ripgrep says %q, and coder does not", l.name, want)
			}
			ours, theirs = append(ours, t.gaps()[0]), append(theirs, took)
			ourWork, theirWork = append(ourWork, after-before), append(theirWork, work)
		}
		b.add(figure{what: l.name, unit: "ms", times: l.times, coder: median(ours), bare: median(theirs)})
		b.add(figure{what: "  the fastest", unit: "ms", coder: milliseconds(slices.Min(ours)), bare: milliseconds(slices.Min(theirs))})
		b.add(figure{what: "  processor time", unit: "ms", coder: median(ourWork), bare: median(theirWork)})
	}
	most, err := memory(host.cmd.Process.Pid, "VmHWM")
	b.add(figure{what: "peak memory of the host", unit: "MiB", limit: 100, coder: float64(most) / mib})
	return err
}

// ripgrep runs rg by the rules that coder has: ignore files count outside a repository too, and no others than git's.
func ripgrep(ctx context.Context, rg, dir string, args []string) (took, work time.Duration, out []byte, err error) {
	cmd := exec.CommandContext(ctx, rg, append([]string{"--no-config", "--no-require-git", "--no-ignore-dot", "--no-heading", "-n"}, append(args, "./")...)...)
	cmd.Dir = dir
	begin := time.Now()
	out, err = cmd.Output()
	took = time.Since(begin)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 { // no match
		err = nil
	}
	if cmd.ProcessState != nil {
		work = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return took, work, out, err
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
