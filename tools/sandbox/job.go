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
	"sync"
	"time"
)

// A Job is a command that was started. It goes on by itself, whatever becomes of the context that it was started with,
// until it ends or is ended. Whoever starts one waits for its end.
type Job struct {
	command Command
	cmd     *exec.Cmd
	tree    tree
	begun   time.Time
	output  *os.File  // what it writes comes here
	settle  finish    // what is done at its end; nil is nothing
	stop    sync.Once // closes ending
	ending  chan struct{}
	done    chan struct{}

	mu    sync.Mutex
	input *os.File // nil: it has none, or it was closed

	outcome Outcome // both are set before done is closed
	err     error
}

// A finish is called once, at the end of a job, with how that was; it may add to it.
type finish func(*Outcome, error) error

// Errors of a job's input.
var (
	ErrNoInput = errors.New("the command has no input")
	ErrEnded   = errors.New("the command has ended")
)

// Start starts the command, without any bound to what it can reach.
func Start(ctx context.Context, c Command) (*Job, error) {
	marker := "CODER_CALL=" + rand.Text() // finds children that left the process group
	c.Env = append(slices.Clip(c.Env), marker)
	return begin(ctx, c, func(cmd *exec.Cmd) (tree, error) { return start(cmd, marker) }, nil)
}

// begin starts a command in a tree of the launcher's kind.
func begin(ctx context.Context, c Command, launch func(*exec.Cmd) (tree, error), settle finish) (*Job, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	j := &Job{command: c, settle: settle, ending: make(chan struct{}), done: make(chan struct{})}
	j.cmd = &exec.Cmd{Path: c.Argv[0], Args: c.Argv, Dir: c.Dir, Env: c.Env}
	theirs, err := j.connect()
	if err != nil {
		return nil, err
	}
	j.begun = time.Now()
	j.tree, err = launch(j.cmd)
	for _, f := range theirs {
		f.Close() // the command has its own
	}
	if err != nil {
		j.disconnect()
		return nil, fmt.Errorf("sandbox: starting %s: %w", c.Argv[0], err)
	}
	go j.watch()
	return j, nil
}

// connect gives the command its input and output, and returns the ends that are its own.
func (j *Job) connect() (theirs []*os.File, err error) {
	if j.command.PTY {
		master, tty, err := openTerminal()
		if err != nil {
			return nil, err
		}
		j.output, j.input = master, master
		j.cmd.Stdin, j.cmd.Stdout, j.cmd.Stderr = tty, tty, tty
		return []*os.File{tty}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("sandbox: opening a pipe: %w", err)
	}
	j.output, j.cmd.Stdout = r, w
	if !j.command.Quiet {
		j.cmd.Stderr = w
	}
	theirs = []*os.File{w}
	if j.command.Input {
		in, feed, err := os.Pipe()
		if err != nil {
			r.Close()
			w.Close()
			return nil, fmt.Errorf("sandbox: opening a pipe: %w", err)
		}
		j.input, j.cmd.Stdin = feed, in
		theirs = append(theirs, in)
	}
	return theirs, nil
}

func (j *Job) disconnect() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.input != nil && j.input != j.output {
		j.input.Close()
	}
	j.input = nil
	j.output.Close()
}

// Done is closed when the command has ended, and all that is done at its end has been.
func (j *Job) Done() <-chan struct{} { return j.done }

// Wait waits for the end and tells how it was. A command that failed is no error.
func (j *Job) Wait() (Outcome, error) {
	<-j.done
	return j.outcome, j.err
}

// End ends everything that the command started: asked first, then killed, within two seconds. It does not wait.
func (j *Job) End() { j.stop.Do(func() { close(j.ending) }) }

// inputPatience is how long a command may take to read what it is given, before the rest is given up.
const inputPatience = 5 * time.Second

// Write gives the command input. What it does not read in time is not given, and an error says how much that was.
func (j *Job) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case closed(j.done):
		return 0, ErrEnded
	case j.input == nil:
		return 0, ErrNoInput
	}
	if err := j.input.SetWriteDeadline(time.Now().Add(inputPatience)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return 0, fmt.Errorf("sandbox: giving input: %w", err)
	}
	return j.input.Write(p)
}

// TakesInput reports whether the command has an input that is open.
func (j *Job) TakesInput() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.input != nil
}

// endOfInput is what a terminal takes for the end of the input, at the beginning of a line.
const endOfInput = 0x04

// CloseInput tells the command that no more input comes.
func (j *Job) CloseInput() error {
	if j.command.PTY {
		_, err := j.Write([]byte{endOfInput})
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.input == nil {
		return ErrNoInput
	}
	err := j.input.Close()
	j.input = nil
	return err
}

// Signals are the names that Signal knows on this system.
func Signals() []string { return signals }

// Signal sends a signal, by its name without SIG, to the command and its process group. In a terminal INT is what its
// keyboard would send, to whatever is in the foreground there.
func (j *Job) Signal(name string) error {
	switch {
	case closed(j.done):
		return ErrEnded
	case !slices.Contains(signals, name):
		return fmt.Errorf("there is no signal %q here", name)
	case j.command.PTY && name == "INT":
		_, err := j.Write([]byte{0x03})
		return err
	}
	return j.tree.send(name)
}

// maxUnread bounds what may stand in a pipe that nobody has read yet, in bytes: Linux gives it 64 KiB, and never more than 1 MiB.
const maxUnread = 1 << 20

// read passes the output on until its end, however that comes: of the pipe or terminal, or of the time to read. What was
// written before that time was up is read all the same: who reads slowly loses nothing.
func (j *Job) read() {
	_, err := io.Copy(j.command.Stdout, j.output)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	buf := make([]byte, 32<<10)
	for left := maxUnread; left > 0; {
		if err := j.output.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			return
		}
		n, err := j.output.Read(buf[:min(left, len(buf))])
		if _, errWrite := j.command.Stdout.Write(buf[:n]); err != nil || errWrite != nil {
			return
		}
		left -= n
	}
}

// watch reads the output and waits for the end.
func (j *Job) watch() {
	defer close(j.done)
	defer j.tree.close()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		j.read()
	}()
	exited := make(chan struct{})
	var waitErr error
	go func() {
		defer close(exited)
		if far, ok := j.tree.(waiter); ok {
			far.wait()
			return
		}
		waitErr = j.cmd.Wait()
	}()
	killed := false
	select {
	case <-exited:
	case <-j.ending:
		killed = true
		j.tree.end(exited)
	}
	j.tree.drain(j.output, copied)
	j.disconnect()
	j.outcome.Duration = time.Since(j.begun)
	if !closed(exited) { // only a process in uninterruptible sleep gets here
		j.outcome.Code = -1
		if j.cmd.Process != nil {
			j.outcome.Running = []Process{{PID: j.cmd.Process.Pid, Name: j.cmd.Path}}
		}
	} else {
		j.outcome.Running = j.tree.left()
		if j.cmd.ProcessState != nil {
			j.err = j.outcome.read(j.cmd.ProcessState, waitErr)
		}
		if r, ok := j.tree.(reporter); ok && j.err == nil {
			j.err = r.report(&j.outcome, killed)
		}
	}
	if j.settle != nil {
		j.err = j.settle(&j.outcome, j.err)
	}
}
