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

	Background bool `json:"background,omitempty" jsonschema:"do not wait for the end: for servers and watchers"`
	PTY        bool `json:"pty,omitempty" jsonschema:"run it in a terminal"`

	Network     bool `json:"network,omitempty" jsonschema:"ask for the network"`
	Unsandboxed bool `json:"unsandboxed,omitempty" jsonschema:"ask to run outside the sandbox; the user is asked each time"`
}

func (a *bashArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says what is run, and where.
func (a bashArgs) Action() agent.Action {
	summary := oneLine(a.Command)
	if a.Background {
		summary += " (in the background)" // who reads it, or is asked, sees that it goes on as a job
	}
	return agent.Action{
		Summary: summary, Command: a.Command, Workdir: a.Workdir, Network: a.Network, Unsandboxed: a.Unsandboxed,
	}
}

// A shell runs commands in a box, and leaves to the jobs what goes on; nil jobs take nothing.
type shell struct {
	box  *sandbox.Box
	jobs *Jobs
}

// Bash returns the bash tool: runs a command in the box.
func Bash(box *sandbox.Box, jobs *Jobs) agent.Tool {
	return looking(tool("bash", permission.Runs,
		"Run a shell command. There is no terminal and no input unless you ask for them. Of long output you get the beginning and the end, with the whole in a file: no need for head or tail. When the time is up, or with background, it goes on as a job: see the job tool.", shell{box, jobs}.run))
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
	c, err := sh.command(ctx, s, a)
	if err != nil {
		return agent.Result{}, err
	}
	if a.Background {
		return sh.background(ctx, s, a, c)
	}
	r, err := sh.start(ctx, s, a, c)
	if err != nil {
		return agent.Result{}, err
	}
	limit := time.Duration(seconds(a.TimeoutS)) * time.Second
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-r.run.Done():
		return sh.ended(ctx, r, "")
	case <-ctx.Done():
		r.run.End()
		_, _ = r.run.Wait() // how it ended does not matter: it was not to go on
		r.out.close()
		r.out.out.Discard()
		return agent.Result{}, context.Cause(ctx)
	case <-late.C:
	}
	r.out.close()
	left, err := sh.leave(ctx, s, a, r)
	if err == nil {
		return sh.left(s, r, left, fmt.Sprintf("after %d s the command goes on as job %s", int(limit.Seconds()), left.ID))
	}
	r.run.End()
	why := fmt.Sprintf("ended after %d s with everything it had started, because it could not go on as a job: %v", int(limit.Seconds()), err)
	return sh.ended(ctx, r, why)
}

// command is the command as the box takes it, but for its output.
func (sh shell) command(ctx context.Context, s session, a bashArgs) (c sandbox.Command, err error) {
	if c.Dir, err = folder(ctx, s, a.Workdir); err != nil {
		return c, err
	}
	environ, err := s.Environ(ctx)
	if err != nil {
		return c, err
	}
	if err := runnable(a.Command); err != nil {
		return c, err
	}
	c.Argv, err = sandbox.Shell(environ, a.Command)
	c.Env, c.PTY, c.Input = commandEnv(environ), a.PTY, a.Background
	return c, err
}

// ended waits for the end of a command in the foreground, and tells of it. late says why it was ended when its time was up.
func (sh shell) ended(ctx context.Context, r *job, late string) (agent.Result, error) {
	done, err := r.run.Wait()
	err = errors.Join(err, r.clean.Flush())
	r.out.close()
	if err != nil {
		r.out.out.Discard()
		return agent.Result{}, err
	}
	done.TimedOut = late != ""
	x := r.out.out.Finish()
	bounds := sh.bounds(agent.Granted(ctx))
	return agent.Result{
		Text: bashText(x, done, late, bounds.explain(x, done)), Exit: new(done.Code),
		Details: bashDetails{
			ExitCode: done.Code, Signal: done.Signal, DurationMS: done.Duration.Milliseconds(), TimedOut: done.TimedOut,
			Truncated: x.Cut, Log: x.Log, Running: done.Running, Ended: done.Ended, Moved: done.Moved, Sandbox: bounds.String(),
		},
	}, nil
}

// start starts the command with what it was granted to reach.
func (sh shell) start(ctx context.Context, s session, a bashArgs, c sandbox.Command) (*job, error) {
	out := newLive(ctx, s, &sandbox.Output{
		MaxBytes: maxBytes, MaxLines: maxLines, Keep: maxLog,
		Open: func() (*os.File, error) { return scratchFile(context.WithoutCancel(ctx), s, "bash") },
	})
	r := &job{out: out, clean: s.Redacting(out)} // also what is kept in a file holds no secret
	c.Stdout = r.clean
	reach := agent.Granted(ctx)
	var err error
	if !sh.bounds(reach).hold() {
		r.run, err = sandbox.Start(ctx, c)
		return r, sh.failed(ctx, r, err)
	}
	workdir, err := s.Workdir(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := s.ScratchDir(ctx)
	if err != nil {
		return nil, err
	}
	b := sandbox.Bounds{Workdir: workdir, Scratch: scratch, Network: reach.Network, Lasting: a.Background}
	if b.Shared, err = sh.jobs.share(key(s), scratch, sh.box, a.Background); err != nil {
		return r, sh.failed(ctx, r, err)
	}
	r.run, err = sh.box.Start(ctx, c, b)
	return r, sh.failed(ctx, r, err)
}

// failed is the error of a command that could not be started.
func (sh shell) failed(ctx context.Context, r *job, err error) error {
	if err == nil {
		return nil
	}
	r.out.close()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
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

func bashText(x sandbox.Excerpt, done sandbox.Outcome, late, hint string) string {
	var b strings.Builder
	writeExcerpt(&b, x)
	line := func(format string, args ...any) {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, format, args...)
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
	case done.Crowd > 0:
		line("%s", crowded(done.Crowd))
	case done.TimedOut:
		line("(%s)", late)
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

// crowded says why a command was ended that had started too much.
func crowded(n int) string {
	return fmt.Sprintf("(ended, with everything it had started: that were %d processes and threads, as many as a command may have)", n)
}

// writeExcerpt writes the beginning and the end, with a line between them that says what is left out.
func writeExcerpt(b *strings.Builder, x sandbox.Excerpt) {
	b.WriteString(x.Head)
	if !x.Cut {
		return
	}
	if b.Len() > 0 && !strings.HasSuffix(x.Head, "\n") {
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "… %s (%s) left out here; %s …\n", many(x.CutLines, "line"), byteCount(x.CutBytes), whereLog(x))
	b.WriteString(x.Tail)
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
