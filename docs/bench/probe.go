//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// probeSource is one more file of cmd/coder, in a build of ours only: no product can be asked for its profiles. At each
// SIGUSR1 it collects garbage and writes what the process holds; the first also begins a CPU profile and the second
// ends it.
const probeSource = `package main

import (
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"
)

func init() {
	dir := os.Getenv("CODER_BENCH_PROBE")
	if dir == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for n := 0; ; n++ {
			<-asked
			if n == 1 {
				pprof.StopCPUProfile()
			}
			probe(filepath.Join(dir, strconv.Itoa(n)))
			if n == 0 {
				cpu, err := os.Create(filepath.Join(dir, "cpu"))
				if err != nil {
					panic(err)
				}
				if err := pprof.StartCPUProfile(cpu); err != nil {
					panic(err)
				}
			}
		}
	}()
}

func probe(path string) {
	runtime.GC()
	runtime.GC() // finalizers of the first have run by its end
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for _, name := range []string{"heap", "goroutine"} {
		f, err := os.Create(path + "." + name)
		if err != nil {
			panic(err)
		}
		if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
			panic(err)
		}
		if err := f.Close(); err != nil {
			panic(err)
		}
	}
	data, err := json.Marshal(map[string]any{"heap": m.HeapAlloc, "stacks": m.StackInuse, "goroutines": runtime.NumGoroutine()})
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(path+".part", data, 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(path+".part", path+".json"); err != nil {
		panic(err)
	}
}
`

// buildProbed builds the program under test with the probe in it.
func buildProbed(ctx context.Context, work string) (string, error) {
	probe := filepath.Join(work, "probe.go")
	if err := os.WriteFile(probe, []byte(probeSource), 0o600); err != nil {
		return "", err
	}
	added, err := filepath.Abs(filepath.Join("cmd", "coder", "benchprobe.go"))
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{added: probe}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(work, "coder-probed")
	_, err = run(ctx, ".", os.Environ(), "go", "build", "-trimpath", "-overlay", list, "-o", path, "./cmd/coder")
	return path, err
}

// Held is what a process holds after a collection, in bytes.
type held struct {
	Heap       int64 `json:"heap"`
	Stacks     int64 `json:"stacks"`
	Goroutines int64 `json:"goroutines"`
}

// probe asks a host with the probe for its n-th report, counted from 0.
func probe(ctx context.Context, host *server, dir string, n int) (h held, err error) {
	if err := host.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return h, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("the probe says nothing"))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		data, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(n)+".json"))
		if err == nil {
			return h, json.Unmarshal(data, &h)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return h, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
