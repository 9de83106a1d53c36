//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A bench holds what all measurements share.
type bench struct {
	work   string // scratch folder
	coder  string // the program under test
	self   string // this program, for the bare client
	like   string // file with coder's first request, whose system prompt and tools the bare client sends
	rounds int
	model  *model

	seconds  int    // how long the load is measured
	files    int    // of the tree that is searched
	profiles string // folder for the profiles of a probed host; "" keeps none

	figures []figure
}

func (b *bench) add(f figure) { b.figures = append(b.figures, f) }

// measure takes the measurements that are asked for and prints the table.
func (b *bench) measure(ctx context.Context, measurements ...func(context.Context) error) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.coder == "" {
		if b.coder, err = buildCoder(ctx, b.work); err != nil {
			return err
		}
	} else if b.coder, err = filepath.Abs(b.coder); err != nil {
		return err
	}
	if b.model, err = startModel(ctx, b.work, b.self); err != nil {
		return err
	}
	for _, measure := range measurements {
		if err = measure(ctx); err != nil {
			break
		}
	}
	if err = errors.Join(err, b.model.stop()); err != nil {
		return err
	}
	return print(b.figures)
}

// env is the environment of a user who keeps nothing anywhere.
func (b *bench) env(dataDir string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.work, "LANG=C.UTF-8", "TMPDIR=" + b.work,
		"OPENROUTER_BASE_URL=" + b.model.base, "CODER_DATA_DIR=" + dataDir, "CODER_MODEL=bench/model",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN"} { // the fix runs go test
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	if home, err := os.UserCacheDir(); err == nil && os.Getenv("GOCACHE") == "" {
		env = append(env, "GOCACHE="+filepath.Join(home, "go-build"))
	}
	return env
}

// version compares the CPU that coder version takes with that of a program that links the same three packages.
func (b *bench) version(ctx context.Context) error {
	baseline, err := buildBaseline(ctx, b.work)
	if err != nil {
		return err
	}
	var coder, bare []time.Duration
	for range 2*b.rounds + 1 {
		for program, cpu := range map[string]*[]time.Duration{b.coder: &coder, baseline: &bare} {
			r, err := run(ctx, b.work, b.env(b.work), program, "version")
			if err != nil {
				return err
			}
			*cpu = append(*cpu, r.cpu)
		}
	}
	b.add(figure{what: "coder version, CPU", unit: "ms", times: 3, coder: median(coder), bare: median(bare)})
	return nil
}

// A timing is one run of a story.
type timing struct {
	ran
	requests []request
}

// first is the time from the start of the process to its first request.
func (t timing) first() time.Duration { return t.requests[0].Arrived.Sub(t.start) }

// whole is the time from the start of the process to its end.
func (t timing) whole() time.Duration { return t.end.Sub(t.start) }

// afterRequest is the time from the only request to the end of the process.
func (t timing) afterRequest() time.Duration { return t.end.Sub(t.requests[0].Arrived) }

// gaps are the times between the end of an answer and the arrival of the next request.
func (t timing) gaps() []time.Duration {
	var gaps []time.Duration
	for i := range t.requests[1:] {
		gaps = append(gaps, t.requests[i+1].Arrived.Sub(t.requests[i].Answered))
	}
	return gaps
}

// play runs a story with coder, in a new folder.
func (b *bench) play(ctx context.Context, s story, dataDir string) (timing, error) {
	return b.time(ctx, s, b.env(dataDir), b.coder, "run", "--max-steps", "1000", s.prompt)
}

// playBare runs a story with the bare client, in a new folder.
func (b *bench) playBare(ctx context.Context, s story) (timing, error) {
	return b.time(ctx, s, b.env(b.work), b.self, "-role", "bare", "-base", b.model.base, "-like", b.like, s.prompt)
}

func (b *bench) time(ctx context.Context, s story, env []string, program string, args ...string) (timing, error) {
	dir, err := s.make(b.work)
	if err != nil {
		return timing{}, err
	}
	return b.timeIn(ctx, s, dir, env, program, args...)
}

// timeIn plays a story in a folder that is there.
func (b *bench) timeIn(ctx context.Context, s story, dir string, env []string, program string, args ...string) (timing, error) {
	if err := b.model.play(ctx, s.replies); err != nil {
		return timing{}, err
	}
	r, err := run(ctx, dir, env, program, args...)
	if err != nil {
		return timing{}, err
	}
	requests, err := b.model.requests(ctx)
	if err == nil && len(requests) != len(s.replies) {
		err = fmt.Errorf("%s: %s made %d requests, not %d", s.name, program, len(requests), len(s.replies))
	}
	return timing{r, requests}, err
}

// cold measures runs that must start the host first.
func (b *bench) cold(ctx context.Context) error {
	var first, whole, bareFirst, bareWhole []time.Duration
	for i := range b.rounds {
		t, err := b.coldRun(ctx, hello)
		if err != nil {
			return err
		}
		if i == 0 {
			b.like = filepath.Join(b.work, "first.json")
			if err := os.WriteFile(b.like, t.requests[0].Body, 0o600); err != nil {
				return err
			}
			b.add(figure{what: "first request, body", unit: "KiB", limit: 24, coder: float64(len(t.requests[0].Body)) / 1024})
		}
		n, err := b.playBare(ctx, hello)
		if err != nil {
			return err
		}
		first, whole = append(first, t.first()), append(whole, t.whole())
		bareFirst, bareWhole = append(bareFirst, n.first()), append(bareWhole, n.whole())
	}
	b.add(figure{what: "cold: start to first request", unit: "ms", limit: 80, coder: median(first), bare: median(bareFirst)})
	b.add(figure{what: "cold: hello, whole", unit: "ms", limit: 120, coder: median(whole), bare: median(bareWhole)})
	return nil
}

// coldRun runs a story in a new data dir and waits until the host, which was started for it, has ended.
func (b *bench) coldRun(ctx context.Context, s story) (timing, error) {
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return timing{}, err
	}
	t, err := b.play(ctx, s, dataDir)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("the host stays after its only run"))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(dataDir, "run", "host.json")); errors.Is(err, fs.ErrNotExist) {
			return t, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return t, context.Cause(ctx)
		}
	}
}

// coldFix measures the bug fix as a user has it on the first call of the day.
func (b *bench) coldFix(ctx context.Context) error {
	var coder, bare []time.Duration
	for range max(3, b.rounds/3) {
		t, err := b.coldRun(ctx, bugFix())
		if err != nil {
			return err
		}
		n, err := b.playBare(ctx, bugFix())
		if err != nil {
			return err
		}
		coder, bare = append(coder, t.whole()), append(bare, n.whole())
	}
	b.add(figure{what: "cold: bug fix, 13 requests, whole", unit: "ms", times: 2, coder: median(coder), bare: median(bare)})
	return nil
}

// warm measures what a running host does.
func (b *bench) warm(ctx context.Context) error {
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return err
	}
	host, err := startServer(ctx, b.work, b.env(dataDir), b.coder, "serve")
	if err != nil {
		return err
	}
	err = b.onHost(ctx, host, dataDir)
	return errors.Join(err, host.stop())
}

func (b *bench) onHost(ctx context.Context, host *server, dataDir string) error {
	b.add(figure{what: "serve: start to ready", unit: "ms", coder: milliseconds(host.took)})
	if err := b.memory(ctx, host, dataDir); err != nil {
		return err
	}
	var first, whole []time.Duration
	for range b.rounds {
		t, err := b.play(ctx, hello, dataDir)
		if err != nil {
			return err
		}
		first, whole = append(first, t.first()), append(whole, t.whole())
	}
	b.add(figure{what: "warm: start to first request", unit: "ms", limit: 30, coder: median(first)})
	b.add(figure{what: "warm: hello, whole", unit: "ms", limit: 50, coder: median(whole)})
	if err := b.socket(ctx, host, dataDir); err != nil {
		return err
	}
	if err := b.long(ctx, dataDir); err != nil {
		return err
	}
	return b.stream(ctx, dataDir)
}

// memory measures a host that has done nothing yet, and then the peak of host and client over one hello.
func (b *bench) memory(ctx context.Context, host *server, dataDir string) error {
	idle, err := memory(host.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return err
	}
	dir, err := hello.make(b.work)
	if err != nil {
		return err
	}
	if err := b.model.play(ctx, hello.replies); err != nil {
		return err
	}
	client, err := peak(ctx, dir, b.env(dataDir), b.coder, "run", hello.prompt)
	if err != nil {
		return err
	}
	bare, err := peak(ctx, dir, b.env(dataDir), b.self, "-role", "bare", "-base", b.model.base, "-like", b.like, hello.prompt)
	if err != nil {
		return err
	}
	server, err := memory(host.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	b.add(figure{what: "idle host, memory", unit: "MiB", limit: 25, coder: float64(idle) / mib})
	b.add(figure{what: "hello: peak memory of client and host", unit: "MiB", limit: 45, coder: float64(client+server) / mib, bare: float64(bare) / mib})
	return nil
}

// long measures 200 turns of read and edit, and whether the last are as quick as the first.
func (b *bench) long(ctx context.Context, dataDir string) error {
	var coder, bare, gaps, bareGaps, early, late []time.Duration
	for range max(3, b.rounds/3) {
		t, err := b.play(ctx, longRun(), dataDir)
		if err != nil {
			return err
		}
		n, err := b.playBare(ctx, longRun())
		if err != nil {
			return err
		}
		coder, bare = append(coder, t.whole()), append(bare, n.whole())
		g := t.gaps()
		gaps, bareGaps = append(gaps, g...), append(bareGaps, n.gaps()...)
		early, late = append(early, g[:50]...), append(late, g[len(g)-50:]...)
	}
	b.add(figure{what: "200 turns of read and edit, whole", unit: "ms", times: 2.5, coder: median(coder), bare: median(bare)})
	b.add(figure{what: "gap between answer and next request", unit: "ms", limit: 6, coder: median(gaps), bare: median(bareGaps)})
	b.add(figure{what: "  of it the first 50", unit: "ms", coder: median(early)})
	b.add(figure{what: "  of it the last 50", unit: "ms", coder: median(late)})
	return nil
}

// stream measures one answer of 20,000 chunks, from its request to the end of the process.
func (b *bench) stream(ctx context.Context, dataDir string) error {
	var coder, bare []time.Duration
	for range max(3, b.rounds/3) {
		t, err := b.play(ctx, stream, dataDir)
		if err != nil {
			return err
		}
		if want := strings.Repeat(stream.replies[0].Text, stream.replies[0].Chunks); strings.TrimSpace(string(t.stdout)) != strings.TrimSpace(want) {
			return fmt.Errorf("stream: coder printed %d bytes, not the answer's %d", len(t.stdout), len(want))
		}
		n, err := b.playBare(ctx, stream)
		if err != nil {
			return err
		}
		coder, bare = append(coder, t.afterRequest()), append(bare, n.afterRequest())
	}
	b.add(figure{what: "20,000 chunks, request to end", unit: "ms", limit: 250, coder: median(coder), bare: median(bare)})
	return nil
}
