//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// What the load is: every agent streams the paced model's answer to each of its clients.
const (
	loadAgents  = 200
	loadClients = 2 // of each agent
	loadWarm    = 3 * time.Second
)

// load measures how old a delta is when a client has its frame, from the moment before the model wrote its line. The
// model and this program, which is all the clients, are processes of their own and share the machine's cores with the
// host: on two cores the figure holds what they wait for each other, and for whatever else runs there.
func (b *bench) load(ctx context.Context) (err error) {
	program := b.coder
	if b.profiles != "" {
		if program, err = buildProbed(ctx, b.work); err != nil {
			return err
		}
	}
	model, err := startServer(ctx, b.work, nil, b.self, "-role", "paced")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.stop()) }()
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return err
	}
	env := append(b.env(dataDir), "OPENROUTER_BASE_URL="+model.url+"/v1")
	if b.profiles != "" {
		env = append(env, "CODER_BENCH_PROBE="+dataDir)
	}
	host, err := startServer(ctx, b.work, env, program, "serve")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.stop()) }()
	return b.loadHost(ctx, host, model, dataDir)
}

// A usage is what the processes have used so far, and what all of the machine has.
type usage struct{ host, model, clients, all time.Duration }

func (u usage) others() time.Duration { return u.all - u.host - u.model - u.clients }

func usageOf(host, model *server) (u usage, err error) {
	if u.all, err = cpuOfAll(); err != nil {
		return u, err
	}
	for _, p := range []struct {
		pid int
		cpu *time.Duration
	}{{host.cmd.Process.Pid, &u.host}, {model.cmd.Process.Pid, &u.model}, {os.Getpid(), &u.clients}} {
		if *p.cpu, err = cpuOf(p.pid); err != nil {
			return u, err
		}
	}
	return u, nil
}

func (b *bench) loadHost(ctx context.Context, host, model *server, dataDir string) error {
	sockets, err := openSockets(ctx, host, dataDir, loadAgents, loadAgents*loadClients)
	defer func() {
		for _, ws := range sockets {
			_ = ws.CloseNow() // the host is about to end
		}
	}()
	if err != nil {
		return err
	}
	var watch stopwatch
	group, ctx := errgroup.WithContext(ctx)
	for _, ws := range sockets {
		group.Go(func() error { return watch.read(ctx, ws) })
	}
	group.Go(func() error {
		for i, ws := range sockets[:loadAgents] { // the first client of each
			if err := prompt(ctx, ws, fmt.Sprintf("q%d", i), b.work); err != nil {
				return err
			}
			if err := sleep(ctx, time.Second/loadAgents); err != nil { // streams are not in step
				return err
			}
		}
		if err := b.timeLoad(ctx, &watch, host, model, dataDir); err != nil {
			return err
		}
		return end(ctx, model)
	})
	return group.Wait()
}

// timeLoad measures while everything streams.
func (b *bench) timeLoad(ctx context.Context, watch *stopwatch, host, model *server, dataDir string) error {
	if err := sleep(ctx, loadWarm); err != nil {
		return err
	}
	if b.profiles != "" {
		if _, err := probe(ctx, host, dataDir, 0); err != nil {
			return err
		}
	}
	before, err := usageOf(host, model)
	if err != nil {
		return err
	}
	begin := time.Now()
	watch.start()
	if err := sleep(ctx, time.Duration(b.seconds)*time.Second); err != nil {
		return err
	}
	ages, frames := watch.stop()
	took := time.Since(begin)
	after, err := usageOf(host, model)
	if err != nil {
		return err
	}
	rss, err := memory(host.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	if b.profiles != "" {
		if _, err := probe(ctx, host, dataDir, 1); err != nil {
			return err
		}
		if err := b.keepProfiles(dataDir, "load", true); err != nil {
			return err
		}
	}
	cores := func(what string, before, after time.Duration) {
		b.add(figure{what: what, unit: "cores", coder: (after - before).Seconds() / took.Seconds()})
	}
	b.addAges(ages, took)
	b.add(figure{what: "  frames a second", coder: float64(frames) / took.Seconds()})
	cores("  host, CPU", before.host, after.host)
	cores("  model, CPU", before.model, after.model)
	cores("  clients, CPU", before.clients, after.clients)
	cores("  what else ran here, CPU", before.others(), after.others())
	b.add(figure{what: "  host, peak RSS", unit: "MiB", limit: 200, coder: float64(rss) / mib})
	return nil
}

func (b *bench) addAges(ages []time.Duration, took time.Duration) {
	slices.Sort(ages)
	at := func(p float64) float64 { return milliseconds(ages[int(p*float64(len(ages)-1))]) }
	what := fmt.Sprintf("%d agents × %d deltas/s × %d clients, SSE line to frame, ", loadAgents, pace, loadClients)
	b.add(figure{what: what + "p50", unit: "ms", coder: at(0.5)})
	b.add(figure{what: "  p99", unit: "ms", limit: 20, coder: at(0.99)})
	b.add(figure{what: "  p99.9", unit: "ms", coder: at(0.999)})
	b.add(figure{what: "  most", unit: "ms", coder: at(1)})
	b.add(figure{what: "  deltas a second, of " + strconv.Itoa(loadAgents*pace*loadClients), coder: float64(len(ages)) / took.Seconds()})
}

// A stopwatch collects the ages of deltas while it runs.
type stopwatch struct {
	mu     sync.Mutex
	runs   bool
	ages   []time.Duration
	frames int
}

func (s *stopwatch) start() {
	s.mu.Lock()
	s.runs = true
	s.mu.Unlock()
}

func (s *stopwatch) stop() ([]time.Duration, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = false
	return s.ages, s.frames
}

// read reads a client's frames until its turn has ended.
func (s *stopwatch) read(ctx context.Context, ws *websocket.Conn) error {
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		now := time.Now().UnixNano()
		switch {
		case bytes.Contains(data, []byte(`\"type\":\"text-delta\"`)):
			s.note(data, now)
		case bytes.Contains(data, []byte(`"error":`)):
			return fmt.Errorf("a turn failed: %s", data)
		case bytes.Contains(data, []byte(`"cf_agent_use_chat_response"`)) && bytes.Contains(data, []byte(`"done":true`)):
			return nil
		}
	}
}

// note takes the times out of a frame's delta: several when deltas were joined.
func (s *stopwatch) note(frame []byte, now int64) {
	_, text, _ := bytes.Cut(frame, []byte(`\"delta\":\"`))
	text, _, _ = bytes.Cut(text, []byte(`\"`))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.runs {
		return
	}
	s.frames++
	for word := range strings.FieldsSeq(string(text)) {
		if written, err := strconv.ParseInt(word, 10, 64); err == nil {
			s.ages = append(s.ages, time.Duration(now-written))
		}
	}
}

// prompt sets the session's workdir and sends a prompt as an Agents SDK client does.
func prompt(ctx context.Context, ws *websocket.Conn, id, workdir string) error {
	setup, err := json.Marshal(map[string]any{"type": "rpc", "id": "setup", "method": "setup", "args": []any{map[string]any{"workdir": workdir}}})
	if err != nil {
		return err
	}
	if err := ws.Write(ctx, websocket.MessageText, setup); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"messages": []any{map[string]any{
		"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": hello.prompt}},
	}}})
	if err != nil {
		return err
	}
	frame, err := json.Marshal(map[string]any{
		"type": "cf_agent_use_chat_request", "id": id, "init": map[string]any{"method": "POST", "body": string(body)},
	})
	if err != nil {
		return err
	}
	return ws.Write(ctx, websocket.MessageText, frame)
}

// end tells the model to end its answers.
func end(ctx context.Context, model *server) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, model.url+"/bench/end", nil)
	if err != nil {
		return err
	}
	res, err := dialer.RoundTrip(r)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// cpuOf returns what a living process has used, user and system. Linux counts in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return ticks(fields[11:13]...)
}

// cpuOfAll returns what everything on the machine has used since it started.
func cpuOfAll() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(stat)) // "cpu", user, nice, system, idle, iowait, irq, softirq, …
	return ticks(f[1], f[2], f[3], f[6], f[7])
}

func ticks(fields ...string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
