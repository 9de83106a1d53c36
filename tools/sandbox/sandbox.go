// Package sandbox runs one command within bounds: of time, of output, and of what is left of it afterwards. It knows
// nothing of agents or tools.
//
// This version confines nothing: a command can do all that the user can. Level and Describe say so.
package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Level names how commands are confined: "none".
func Level() string { return "none" }

// Describe says the level in words for people.
func Describe() string { return "not sandboxed" }

const (
	// drain is how long the pipe is read on after the command's own process has ended: a child that lives on may
	// hold it open for ever.
	drain = 100 * time.Millisecond

	// patience is how long a tree of processes may take to end after SIGTERM. With what follows, a cancelled command
	// is gone within 2 s.
	patience = 1500 * time.Millisecond
)

// A Command is a program to run. It has no standard input and no terminal.
type Command struct {
	Argv    []string      // the program, by absolute path, and its arguments
	Dir     string        // absolute
	Env     []string      // as KEY=value, all of it
	Stdout  io.Writer     // gets output and errors in the order of writing, from one goroutine at a time
	Quiet   bool          // drop what it writes to its standard error
	Timeout time.Duration // 0: only the context ends it
}

// An Outcome says how a command ended.
type Outcome struct {
	Code     int       // exit code; -1 when a signal ended it
	Signal   string    // the signal's name; "" when it exited
	TimedOut bool      // ended by Timeout
	Running  []Process // what it left running, as far as this system can tell
	Duration time.Duration
}

// A Process is one that outlived its command.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// Run runs the command. When ctx ends or the time is up, everything that the command started is ended: asked first,
// then killed. The error of a dead ctx is its cause; a command that ran and failed is no error.
func Run(ctx context.Context, c Command) (Outcome, error) {
	if err := context.Cause(ctx); err != nil {
		return Outcome{}, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return Outcome{}, fmt.Errorf("sandbox: opening a pipe: %w", err)
	}
	defer r.Close()
	marker := "CODER_CALL=" + rand.Text() // finds children that left the process group
	cmd := &exec.Cmd{Path: c.Argv[0], Args: c.Argv, Dir: c.Dir, Env: append(slices.Clip(c.Env), marker), Stdout: w}
	if !c.Quiet {
		cmd.Stderr = w
	}
	begin := time.Now()
	t, err := start(cmd, marker)
	w.Close()
	if err != nil {
		return Outcome{}, fmt.Errorf("sandbox: starting %s: %w", c.Argv[0], err)
	}
	defer t.close()

	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(c.Stdout, r) // the end of a pipe, however it comes, is the end of the output
	}()
	exited := make(chan struct{})
	var waitErr error
	go func() {
		defer close(exited)
		waitErr = cmd.Wait()
	}()

	out := Outcome{}
	cancelled, timedOut := await(ctx, exited, c.Timeout)
	if cancelled || timedOut {
		t.end(exited)
	}
	t.drain(r, copied)
	out.TimedOut, out.Duration = timedOut, time.Since(begin)
	if !closed(exited) {
		// Only a process in uninterruptible sleep gets here.
		out.Running, out.Code = []Process{{PID: cmd.Process.Pid, Name: cmd.Path}}, -1
	} else {
		out.Running = t.left()
		if err := out.read(cmd.ProcessState, waitErr); err != nil {
			return out, err
		}
	}
	if cancelled {
		return out, context.Cause(ctx)
	}
	return out, nil
}

// await waits for the first of: the exit, the end of ctx, the end of the time.
func await(ctx context.Context, exited <-chan struct{}, limit time.Duration) (cancelled, timedOut bool) {
	var late <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-exited:
	case <-ctx.Done():
		cancelled = true
	case <-late:
		timedOut = true
	}
	return cancelled, timedOut
}

func (o *Outcome) read(state *os.ProcessState, err error) error {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("sandbox: waiting for the command: %w", err)
	}
	o.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Signal = ws.Signal().String()
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
