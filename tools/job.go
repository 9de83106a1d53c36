package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/tools/sandbox"
)

const (
	jobMaxWait = 60                     // seconds
	jobReacts  = time.Second            // how long a job that was given input, or has just begun, is waited for
	jobQuiet   = 300 * time.Millisecond // output that pauses so long has said what it has to say
)

type jobArgs struct {
	ID     string `json:"id,omitempty" jsonschema:"without it all jobs are listed"`
	Input  string `json:"input,omitempty" jsonschema:"text to type; a line ends with a line break"`
	Signal string `json:"signal,omitempty" jsonschema:"INT, TERM, KILL, HUP, QUIT, USR1, USR2, STOP, CONT, or EOF: no more input comes"`
	WaitS  int    `json:"wait_s,omitempty" jsonschema:"seconds to wait for more output or the end, at most 60"`
}

func (a *jobArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says what is typed, and to whom. To look at a job, and to signal it, changes nothing that its command was not judged for.
func (a jobArgs) Action() agent.Action {
	switch {
	case a.Input != "":
		reach := reachOf(a.ID)
		return agent.Action{
			Summary: "to " + oneLine(a.ID) + ": " + oneLine(a.Input), Command: a.Input, Typed: true, Effect: permission.Runs,
			Network: reach.Network, Unsandboxed: reach.Unsandboxed,
		}
	case a.Signal != "":
		return agent.Action{Summary: oneLine(a.Signal + " to " + a.ID), Effect: permission.Reads}
	case a.ID != "":
		return agent.Action{Summary: oneLine(a.ID), Effect: permission.Reads}
	}
	return agent.Action{Summary: "list", Effect: permission.Reads}
}

// Show is what is typed.
func (a jobArgs) Show(func(string) string) string {
	if a.Input != "" {
		return a.Input
	}
	return a.Action().Summary
}

// Job returns the job tool: looks at commands that go on, feeds and signals them.
func Job(jobs *Jobs) agent.Tool {
	return looking(tool("job", permission.Runs, "See the new output of a job (a command that goes on), type to it or signal it. You are told when one has ended.", jobTool{jobs}.run))
}

type jobTool struct{ jobs *Jobs }

// jobDetails is for front-ends, and says up to where the model has seen the output.
type jobDetails struct {
	Job       agent.Job      `json:"job"`
	Next      sandbox.Cursor `json:"next"`
	Truncated bool           `json:"truncated,omitempty"`
}

func (t jobTool) run(ctx context.Context, s session, a jobArgs) (agent.Result, error) {
	if _, err := s.Workdir(ctx); err != nil {
		return agent.Result{}, err
	}
	if t.jobs == nil {
		return agent.Result{}, errors.New("there are no jobs here")
	}
	scratch, err := s.ScratchDir(ctx)
	if err != nil {
		return agent.Result{}, err
	}
	if a.ID == "" {
		return t.list(s, scratch)
	}
	r, old := t.jobs.find(key(s), scratch, a.ID)
	switch {
	case r == nil && old == nil:
		return agent.Result{}, fmt.Errorf("this session has no job %s; job without id lists those it has", plain.VisibleLine(a.ID, 40))
	case old != nil && (a.Input != "" || a.Signal != ""):
		return agent.Result{}, fmt.Errorf("job %s has ended, and takes neither input nor signals", old.ID)
	case old != nil:
		return t.past(ctx, s, *old)
	}
	if err := t.act(r, a); err != nil {
		return agent.Result{}, err
	}
	wait := time.Duration(min(max(a.WaitS, 0), jobMaxWait)) * time.Second
	if wait == 0 && (a.Input != "" || a.Signal != "") {
		wait = jobReacts
	}
	from, err := seenOf(ctx, s, t.jobs.about(r))
	if err != nil {
		return agent.Result{}, err
	}
	if err := r.await(ctx, from, wait); err != nil {
		return agent.Result{}, err
	}
	return t.look(s, r, from), nil
}

// act types and signals.
func (t jobTool) act(r *job, a jobArgs) error {
	about := t.jobs.about(r)
	signal := strings.TrimPrefix(strings.ToUpper(a.Signal), "SIG")
	if a.Input != "" {
		if about.ID != a.ID {
			return fmt.Errorf("the job is %s: name it so to type to it", about.ID) // what it may reach was judged by its name
		}
		n, err := r.run.Write([]byte(a.Input))
		switch {
		case errors.Is(err, sandbox.ErrNoInput):
			return fmt.Errorf("job %s has no input: end it, and start it again with background: true", about.ID)
		case errors.Is(err, sandbox.ErrEnded):
			return fmt.Errorf("job %s has %s", about.ID, about)
		case err != nil:
			return fmt.Errorf("job %s took %s of the input: %w", about.ID, byteCount(int64(n)), err)
		}
	}
	var err error
	switch signal {
	case "":
		return nil
	case "EOF":
		err = r.run.CloseInput()
	default:
		err = r.run.Signal(signal)
	}
	switch {
	case errors.Is(err, sandbox.ErrEnded):
		return nil // the result says so
	case errors.Is(err, sandbox.ErrNoInput):
		return fmt.Errorf("job %s has no input that could end", about.ID)
	case err != nil:
		return fmt.Errorf("%w; there are %s and EOF", err, strings.Join(sandbox.Signals(), ", "))
	}
	return nil
}

// await waits until the job has ended, or has written something behind the place from and then paused.
func (r *job) await(ctx context.Context, from sandbox.Cursor, most time.Duration) error {
	if most == 0 {
		return nil
	}
	late := time.NewTimer(most)
	defer late.Stop()
	for {
		more := r.out.written()
		quiet := make(<-chan time.Time)
		if _, at := r.out.since(from); at != from {
			quiet = time.After(jobQuiet)
		}
		select {
		case <-more:
		case <-quiet:
			return nil
		case <-r.done:
			return nil
		case <-late.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look shows what the model has not seen, and how the job is.
func (t jobTool) look(s session, r *job, from sandbox.Cursor) agent.Result {
	ended := false
	select {
	case <-r.done:
		ended = true
	default:
	}
	x, next := r.out.since(from)
	about := t.jobs.about(r)
	about.Last = r.out.last()
	if ended {
		t.jobs.Told(key(s), []agent.Job{about})
	}
	return agent.Result{
		Text: jobText(x, "no new output", about, r, ended), Details: jobDetails{Job: about, Next: next, Truncated: x.Cut},
	}
}

// past shows what is on disk of a job that has ended.
func (t jobTool) past(ctx context.Context, s session, old jobRecord) (agent.Result, error) {
	from, err := seenOf(ctx, s, old.Job)
	if err != nil {
		return agent.Result{}, err
	}
	if old.Status == agent.JobRunning {
		old.Status = agent.JobLost
	}
	x, next := inLog(old.Log, from)
	t.jobs.Told(key(s), []agent.Job{old.Job})
	return agent.Result{Text: jobText(x, "no new output", old.Job, nil, true), Details: jobDetails{Job: old.Job, Next: next, Truncated: x.Cut}}, nil
}

// inLog shows what stands behind a place in a file of output.
func inLog(path string, from sandbox.Cursor) (sandbox.Excerpt, sandbox.Cursor) {
	data, err := os.ReadFile(path) // at most maxLog
	if err != nil || from.Bytes > int64(len(data)) {
		return sandbox.Excerpt{}, from
	}
	out := &sandbox.Output{MaxBytes: maxBytes, MaxLines: maxLines, Open: func() (*os.File, error) { return os.Open(path) }}
	_, _ = out.Write(data[from.Bytes:]) // nothing of it goes to the file
	at := out.At()
	x := out.Since(sandbox.Cursor{})
	out.Close()
	x.LogBytes = x.Bytes
	return x, sandbox.Cursor{Bytes: from.Bytes + at.Bytes, Lines: from.Lines + at.Lines}
}

// seenOf is up to where the model has seen the output of a job: as the results say that it can still see. A fork has results about the
// jobs of its original, whose numbers begin anew in it.
func seenOf(ctx context.Context, s session, about agent.Job) (seen sandbox.Cursor, err error) {
	for _, tool := range []string{"job", "bash"} {
		shown, err := s.Shown(ctx, tool)
		if err != nil {
			return seen, err
		}
		for _, r := range shown {
			var d jobDetails
			if json.Unmarshal(r.Details, &d) == nil && d.Job.ID == about.ID && d.Job.Started.Equal(about.Started) && d.Next.Bytes > seen.Bytes {
				seen = d.Next
			}
		}
	}
	return seen, nil
}

// jobText is an excerpt and a last line that says how the job is.
func jobText(x sandbox.Excerpt, none string, about agent.Job, r *job, ended bool) string {
	var b strings.Builder
	writeExcerpt(&b, x)
	line := func(format string, args ...any) {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, format, args...)
	}
	if b.Len() == 0 {
		none = "; " + none
	} else {
		none = ""
	}
	if !ended {
		line("(job %s is running, for %s%s)", about.ID, since(about.Started), none)
		return b.String()
	}
	line("(job %s has %s%s%s)", about.ID, about, after(about), none)
	for _, m := range about.Moved {
		line("(%s may not be written by a command: it is now %s, and what was there before stays)", m.Path, m.To)
	}
	if r == nil {
		return b.String()
	}
	if r.err != nil {
		line("(%v)", r.err)
	}
	if r.outcome.Crowd > 0 {
		line("%s", crowded(r.outcome.Crowd))
	}
	return b.String()
}

func after(about agent.Job) string {
	if about.Ended == nil {
		return ""
	}
	return ", after " + duration(about.Ended.Sub(about.Started))
}

func since(t time.Time) string { return duration(time.Since(t)) }

// duration is a time in words, no more exact than matters.
func duration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func (t jobTool) list(s session, scratch string) (agent.Result, error) {
	list, err := t.jobs.List(key(s), scratch)
	if err != nil {
		return agent.Result{}, err
	}
	if len(list) == 0 {
		return agent.Result{Text: "there are no jobs; bash with background: true starts one", Details: list}, nil
	}
	var b strings.Builder
	for _, j := range list {
		state := fmt.Sprintf("running for %s", since(j.Started))
		if j.Status != agent.JobRunning {
			state = j.String()
		}
		fmt.Fprintf(&b, "%s: %s (%s)\n", j.ID, oneLine(j.Command), state)
		if j.Last != "" && j.Status == agent.JobRunning {
			fmt.Fprintf(&b, "   %s\n", plain.VisibleLine(j.Last, 120))
		}
	}
	return agent.Result{Text: strings.TrimSuffix(b.String(), "\n"), Details: list}, nil
}

// background starts a command as a job.
func (sh shell) background(ctx context.Context, s session, a bashArgs, c sandbox.Command) (agent.Result, error) {
	scratch, err := s.ScratchDir(ctx)
	if err != nil {
		return agent.Result{}, err
	}
	if err := sh.jobs.begin(key(s), scratch); err != nil {
		return agent.Result{}, err
	}
	defer sh.jobs.begun(key(s), scratch)
	r, err := sh.start(ctx, s, a, c)
	if err != nil {
		return agent.Result{}, err
	}
	r.out.close()
	about, err := sh.leave(ctx, s, a, r)
	if err != nil { // others were faster
		r.run.End()
		_, _ = r.run.Wait()
		return agent.Result{}, err
	}
	if err := r.await(ctx, sandbox.Cursor{}, jobReacts); err != nil { // cancelled before the model could know of it
		r.run.End()
		<-r.done
		return agent.Result{}, err
	}
	return sh.left(s, r, about, "started as job "+about.ID)
}

// leave hands a command that runs over to the jobs.
func (sh shell) leave(ctx context.Context, s session, a bashArgs, r *job) (agent.Job, error) {
	if sh.jobs == nil {
		return agent.Job{}, errNoJobs
	}
	ctx = context.WithoutCancel(ctx)
	scratch, err := s.ScratchDir(ctx)
	if err != nil {
		return agent.Job{}, err
	}
	dir, err := folder(ctx, s, a.Workdir)
	if err != nil {
		return agent.Job{}, err
	}
	about := agent.Job{Command: a.Command, Workdir: filepath.ToSlash(dir), Terminal: a.PTY}
	if err := sh.jobs.add(key(s), scratch, about, agent.Granted(ctx), r); err != nil {
		return agent.Job{}, err
	}
	return sh.jobs.about(r), nil
}

// left is the result of a command that goes on as a job, with what it has put out so far.
func (sh shell) left(s session, r *job, about agent.Job, how string) (agent.Result, error) {
	x, next := r.out.since(sandbox.Cursor{})
	t := jobTool{sh.jobs}
	select {
	case <-r.done: // already
		res := t.look(s, r, sandbox.Cursor{})
		return agent.Result{Text: res.Text, Details: res.Details, Exit: t.jobs.about(r).Exit}, nil
	default:
	}
	var b strings.Builder
	writeExcerpt(&b, x)
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	input := ""
	if !r.run.TakesInput() {
		input = ", though it takes no input"
	}
	fmt.Fprintf(&b, "(%s%s: job with id %s shows what it puts out from here on; all of it is in %s)", how, input, about.ID, about.Log)
	return agent.Result{Text: b.String(), Details: jobDetails{Job: about, Next: next, Truncated: x.Cut}}, nil
}
