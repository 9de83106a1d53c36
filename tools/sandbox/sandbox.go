// Package sandbox runs one command within bounds: of time, of output, of what is left of it afterwards, and, in a Box,
// of what it can reach. It knows nothing of agents or tools.
//
// How much a Box holds depends on the system, and is one of the levels that Test finds out. docs/sandbox.md says what
// each holds.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// drain is how long the pipe is read on after the command's own process has ended: a child that lives on may
	// hold it open for ever.
	drain = 100 * time.Millisecond

	// patience is how long a tree of processes may take to end after SIGTERM. With what follows, a cancelled command
	// is gone within 2 s.
	patience = 1500 * time.Millisecond
)

// A Command is a program to run.
type Command struct {
	Argv    []string      // the program, by absolute path, and its arguments
	Dir     string        // absolute
	Env     []string      // as KEY=value, all of it
	Stdout  io.Writer     // gets output and errors in the order of writing, from one goroutine at a time
	Quiet   bool          // drop what it writes to its standard error
	Timeout time.Duration // for Run; 0: only the context ends it
	Input   bool          // its standard input is open: see Job.Write. Else it has none
	PTY     bool          // it runs in a terminal of its own, of 120 columns and 40 lines; there is input then
}

// An Outcome says how a command ended.
type Outcome struct {
	Code     int       // exit code; -1 when a signal ended it
	Signal   string    // the signal's name; "" when it exited
	TimedOut bool      // ended by Timeout
	Running  []Process // what it left running, as far as this system can tell
	Ended    []Process // what was still running when it ended, and has ended with it
	Crowd    int       // how many processes and threads it had when it was ended for that; 0: it was not
	Moved    []Moved   // protected files that it made or changed, put aside
	Duration time.Duration
}

// A Process is one that outlived its command.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// A tree is all that a command started.
type tree interface {
	end(exited <-chan struct{})               // asks all to end, then kills
	send(signal string) error                 // to the command and its process group
	left() []Process                          // what outlived the command
	drain(r *os.File, copied <-chan struct{}) // lets the reader of the output come to its end, for a bounded time
	close()
}

// A waiter is a tree whose root is not our child.
type waiter interface {
	wait() // returns when the root has ended
}

// A reporter is a tree that knows more of the command than its exit code.
type reporter interface {
	report(o *Outcome, killed bool) error
}

// Run runs the command, without any bound to what it can reach. When ctx ends or the time is up, everything that the
// command started is ended: asked first, then killed. The error of a dead ctx is its cause; a command that ran and failed
// is no error.
func Run(ctx context.Context, c Command) (Outcome, error) {
	j, err := Start(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	return j.within(ctx, c.Timeout)
}

// run is Run with a way to start the command.
func run(ctx context.Context, c Command, launch func(*exec.Cmd) (tree, error)) (Outcome, error) {
	j, err := begin(ctx, c, launch, nil)
	if err != nil {
		return Outcome{}, err
	}
	return j.within(ctx, c.Timeout)
}

// within waits for the end of the job, and ends it when ctx ends or the time is up.
func (j *Job) within(ctx context.Context, limit time.Duration) (Outcome, error) {
	cancelled, timedOut := await(ctx, j.Done(), limit)
	if cancelled || timedOut {
		j.End()
	}
	out, err := j.Wait()
	out.TimedOut = timedOut
	if cancelled {
		return out, context.Cause(ctx)
	}
	return out, err
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
