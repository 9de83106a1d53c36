package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/tools/sandbox"
)

const (
	bashTimeout    = 120 // seconds
	bashMaxTimeout = 600
	maxCommand     = 120 << 10 // bytes; Linux takes 128 KB in one argument
)

type bashArgs struct {
	Command  string `json:"command"`
	Workdir  string `json:"workdir,omitempty" jsonschema:"folder to run in; cd does not outlast a call"`
	TimeoutS int    `json:"timeout_s,omitempty" jsonschema:"seconds, 120 unless given, at most 600"`

	Network     bool `json:"network,omitempty" jsonschema:"ask for the network"`
	Unsandboxed bool `json:"unsandboxed,omitempty" jsonschema:"ask to run outside the sandbox; the user is asked each time"`
}

func (a *bashArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says what is run, and where.
func (a bashArgs) Action() agent.Action {
	return agent.Action{
		Summary: oneLine(a.Command), Command: a.Command, Workdir: a.Workdir, Network: a.Network, Unsandboxed: a.Unsandboxed,
	}
}

// A shell runs commands in a box.
type shell struct{ box *sandbox.Box }

// Bash returns the bash tool: runs a command in the box.
func Bash(box *sandbox.Box) agent.Tool {
	return tool("bash", permission.Runs,
		"Run a shell command. There is no terminal and no input. Of long output you get the beginning and the end, with the whole in a file: no need for head or tail. When the time is up the command is ended.", shell{box}.run)
}

// bashDetails is for front-ends.
type bashDetails struct {
	ExitCode   int               `json:"exitCode"`         // -1 when a signal ended it
	Signal     string            `json:"signal,omitempty"` // its name
	DurationMS int64             `json:"durationMs"`
	TimedOut   bool              `json:"timedOut,omitempty"`
	Truncated  bool              `json:"truncated,omitempty"`
	Log        string            `json:"log,omitempty"`     // the file with all of the output, if truncated
	Running    []sandbox.Process `json:"running,omitempty"` // what it left behind
	Ended      []sandbox.Process `json:"ended,omitempty"`   // what it left behind, and what ended with it
	Moved      []sandbox.Moved   `json:"moved,omitempty"`   // protected files that it made or changed, put aside
	Sandbox    string            `json:"sandbox"`           // what bounded it, and what of that was open
}

func (sh shell) run(ctx context.Context, s session, a bashArgs) (agent.Result, error) {
	dir, err := folder(ctx, s, a.Workdir)
	if err != nil {
		return agent.Result{}, err
	}
	environ, err := s.Environ(ctx)
	if err != nil {
		return agent.Result{}, err
	}
	if err := runnable(a.Command); err != nil {
		return agent.Result{}, err
	}
	argv, err := sandbox.Shell(environ, a.Command)
	if err != nil {
		return agent.Result{}, err
	}
	out := sandbox.Output{
		MaxBytes: maxBytes, MaxLines: maxLines, Keep: maxLog,
		Open: func() (*os.File, error) { return scratchFile(context.WithoutCancel(ctx), s, "bash") },
	}
	limit := time.Duration(seconds(a.TimeoutS)) * time.Second
	shown := newLive(ctx, s, &out)
	clean := s.Redacting(shown) // also what is kept in a file holds no secret
	reach := agent.Granted(ctx)
	done, err := sh.start(ctx, s, reach, sandbox.Command{Argv: argv, Dir: dir, Env: commandEnv(environ), Stdout: clean, Timeout: limit})
	err = errors.Join(err, clean.Flush())
	shown.close()
	if err != nil {
		out.Discard()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return agent.Result{}, err
	}
	x := out.Finish()
	return agent.Result{
		Text: bashText(x, done, limit, sh.bounds(reach).explain(x, done)), Exit: new(done.Code),
		Details: bashDetails{
			ExitCode: done.Code, Signal: done.Signal, DurationMS: done.Duration.Milliseconds(), TimedOut: done.TimedOut,
			Truncated: x.Cut, Log: x.Log, Running: done.Running, Ended: done.Ended, Moved: done.Moved, Sandbox: sh.bounds(reach).String(),
		},
	}, nil
}

// start runs the command with what it was granted to reach.
func (sh shell) start(ctx context.Context, s session, reach permission.Reach, c sandbox.Command) (sandbox.Outcome, error) {
	if !sh.bounds(reach).hold() {
		return sandbox.Run(ctx, c)
	}
	workdir, err := s.Workdir(ctx)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	scratch, err := s.ScratchDir(ctx)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	return sh.box.Run(ctx, c, sandbox.Bounds{Workdir: workdir, Scratch: scratch, Network: reach.Network})
}

func (sh shell) bounds(reach permission.Reach) bounds { return bounds{sh.box, reach} }

// folder resolves the folder to work in.
func folder(ctx context.Context, s session, given string) (string, error) {
	if given == "" {
		return s.Workdir(ctx)
	}
	dir, err := s.Path(ctx, given)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("there is no folder %s; leave workdir out to run in the session's own", given)
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder; leave workdir out to run in the session's own", given)
	}
	return dir, nil
}

func runnable(command string) error {
	switch {
	case strings.TrimSpace(command) == "":
		return errors.New("the command is empty")
	case strings.ContainsRune(command, 0):
		return errors.New("the command has a NUL character; leave it out")
	case len(command) > maxCommand:
		return fmt.Errorf("the command has %s, more than a shell takes; write it to a file and run that", byteCount(int64(len(command))))
	}
	return nil
}

// seconds reads the limit that the model gave. Some count in milliseconds: nobody means 1,000 seconds here.
func seconds(given int) int {
	switch {
	case given <= 0:
		return bashTimeout
	case given >= 1000:
		given /= 1000
	}
	return min(given, bashMaxTimeout)
}

func bashText(x sandbox.Excerpt, done sandbox.Outcome, limit time.Duration, hint string) string {
	var b strings.Builder
	b.WriteString(x.Head)
	line := func(format string, args ...any) {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, format, args...)
	}
	if x.Cut {
		line("… %s (%s) left out here; %s …\n", many(x.CutLines, "line"), byteCount(x.CutBytes), whereLog(x))
		b.WriteString(x.Tail)
	}
	if len(done.Running) > 0 && !done.TimedOut {
		line("(still running, its output no longer read: %s)", processes(done.Running))
	}
	if len(done.Ended) > 0 && !done.TimedOut {
		line("(still running, and ended with the command: %s)", processes(done.Ended))
	}
	for _, m := range done.Moved {
		line("(%s may not be written by a command: it is now %s, and what was there before stays)", m.Path, m.To)
	}
	switch {
	case done.TimedOut:
		line("(ended after %d s: the time was up, and everything it had started was ended with it; give a larger timeout_s, at most %d, or make it do less)", int(limit.Seconds()), bashMaxTimeout)
	case done.Signal != "":
		line("ended by signal: %s", done.Signal)
	case done.Code != 0:
		line("exit code %d", done.Code)
	case b.Len() == 0:
		return "(no output)"
	}
	if hint != "" {
		line("%s", hint)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func whereLog(x sandbox.Excerpt) string {
	switch {
	case x.LogErr != nil:
		return fmt.Sprintf("the whole, %s, could not be kept: %v", byteCount(x.Bytes), x.LogErr)
	case x.LogBytes < x.Bytes:
		return fmt.Sprintf("the first %s of %s are in %s", byteCount(x.LogBytes), byteCount(x.Bytes), x.Log)
	}
	return fmt.Sprintf("the whole, %s, %s, is in %s", many(x.Lines, "line"), byteCount(x.Bytes), x.Log)
}

func processes(list []sandbox.Process) string {
	parts := make([]string, 0, len(list))
	for _, p := range list {
		parts = append(parts, fmt.Sprintf("%d %s", p.PID, p.Name))
	}
	return strings.Join(parts, ", ")
}
