// Command coder is a durable coding agent: a host of agents, the server in front of them and the front-ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/tools/pdftext"
	"github.com/coder-agent/coder/tools/sandbox"
)

func main() {
	sandbox.Dispatch() // first: it does not return in the process that runs a command
	pdftext.Dispatch() // nor in the one that reads a PDF
	w := world{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, environ: os.Environ, signals: make(chan os.Signal, 2), exit: os.Exit, keyring: openKeyring(),
	}
	if err := conceal(w.environ()); err != nil {
		fmt.Fprintf(w.stderr, "note: %v\n", err)
	}
	signal.Notify(w.signals, os.Interrupt, syscall.SIGTERM)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a broken stdout or stderr is an error of the write, and no end
	os.Exit(run(context.Background(), os.Args[1:], w))
}

// A world is what a command may know of the process it runs in. Tests give their own.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	environ        func() []string
	signals        chan os.Signal // interrupt and terminate; the first ends cleanly, the second at once
	exit           func(int)
	keyring        keyring // nil: there is none
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, w world) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &app{world: w, args: args, taken: make(chan struct{}), secrets: &secret.Set{}}
	learnSecrets(a.secrets, w.environ(), nil)
	go a.obey(ctx, cancel)
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	clean := a.secrets.Writer(w.stderr)
	code := report(clean, root.ExecuteContext(ctx))
	if err := clean.Flush(); err != nil && code == exitDone {
		return exitFailed
	}
	return code
}

// errInterrupted is the cause with which a signal ends a command.
var errInterrupted = errors.New("interrupted")

// obey ends the command on the first signal and the process on the second, until the command sees to signals itself.
func (a *app) obey(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-a.signals:
		cancel(errInterrupted)
	case <-a.taken:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-a.signals:
		a.exit(exitCancelled)
	case <-a.taken:
	}
}

// takeSignals gives the signals to the command: from now on it must see to them.
func (a *app) takeSignals() <-chan os.Signal {
	a.once.Do(func() { close(a.taken) })
	return a.signals
}

// Exit codes. They are a promise to scripts: docs/output.md lists them.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitStepLimit = 3
	exitParked    = 4 // a tool call waits for a decision
	exitStopped   = 5 // the budget is spent, or a loop was stopped
	exitCancelled = 130
	exitUnread    = 141 // nobody reads stdout any more: what a shell reports of a program that SIGPIPE has ended
)

// An exitError ends the command with a code. Without an Err there is nothing left to say.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// A usageError says that the command line is wrong.
type usageError struct {
	Err     error
	Command string // whose help shows what is right
}

func (e *usageError) Error() string { return e.Err.Error() }
func (e *usageError) Unwrap() error { return e.Err }

// Hint gives the error's own hint, or names the help.
func (e *usageError) Hint() string {
	if hint := hintOf(e.Err); hint != "" {
		return hint
	}
	return "see: " + e.Command + " --help"
}

// A hintedError is an error with words on how to mend it.
type hintedError struct {
	Err error
	Do  string
}

func (e *hintedError) Error() string { return e.Err.Error() }
func (e *hintedError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *hintedError) Hint() string { return e.Do }

func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Sprintf("make room on the disk and try again; %d MiB on that of the data dir is enough to delete sessions", store.Room>>20)
	}
	return ""
}

// report prints what the user must know of err and returns the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var exit *exitError
	var usage *usageError
	var unread *headless.OutputError
	switch {
	case errors.As(err, &exit):
		code = exit.Code
		if exit.Err == nil {
			return code
		}
	case errors.As(err, &usage):
		code = exitUsage
	case errors.Is(err, syscall.EPIPE):
		if code = exitUnread; !errors.As(err, &unread) {
			return code // as head does to whoever feeds it
		}
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitCancelled // the user knows
	}
	fmt.Fprintf(stderr, "coder: error: %s\n", plain.Text(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "coder: hint: %s\n", plain.Text(hint))
	}
	return code
}
