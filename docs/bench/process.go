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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A ran is what one process cost.
type ran struct {
	start, end time.Time
	cpu        time.Duration // user and system
	stdout     []byte
}

// run runs a program to its end and measures it. An exit code other than 0 is an error that shows what it printed.
func run(ctx context.Context, dir string, env []string, program string, args ...string) (ran, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	r := ran{start: time.Now()}
	err := cmd.Run()
	r.end = time.Now()
	if err != nil {
		return r, fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.stdout = stdout.Bytes()
	return r, nil
}

// peak runs a program and returns the most memory it held, in bytes. It runs it through a second copy of this program:
// the kernel counts the memory of the process that calls exec as the new program's own, and that copy is small.
func peak(ctx context.Context, dir string, env []string, program string, args ...string) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	r, err := run(ctx, dir, env, self, slices.Concat([]string{"-role", "peak", program}, args)...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(r.stdout)), 10, 64)
}

// printPeak is the copy's role: it runs the program and prints its peak in bytes.
func printPeak(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell what a process used")
	}
	_, err := fmt.Println(usage.Maxrss * 1024) // Linux counts KiB
	return err
}

// memory returns a field of a living process's status in bytes: VmRSS is what it holds, VmHWM the most it held.
func memory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("the status of process %d has no %s", pid, field)
}

// A server is a child process that says where it listens.
type server struct {
	cmd  *exec.Cmd
	url  string
	took time.Duration // from start to the ready line
}

// startServer starts a program whose first line of output ends with its URL.
func startServer(ctx context.Context, dir string, env []string, program string, args ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var log bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var line []byte
	for one := make([]byte, 1); !bytes.HasSuffix(line, []byte("\n")); line = append(line, one...) {
		if _, err := out.Read(one); err != nil {
			return nil, errors.Join(fmt.Errorf("%s said nothing: %w", program, err), cmd.Wait(), errors.New(log.String()))
		}
	}
	took := time.Since(begin)
	words := strings.Fields(string(line))
	return &server{cmd: cmd, url: words[len(words)-1], took: took}, nil
}

// stop ends the server and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.cmd.Wait()
}
