// Package headless follows a turn without a screen: as text, as one JSON document, or as JSON lines.
package headless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server/client"
)

// A Format is what goes to stdout.
type Format string

// The formats.
const (
	Text  Format = "text"  // what the model says, as it comes
	JSON  Format = "json"  // the Result, at the end
	JSONL Format = "jsonl" // each event on a line
)

// ParseFormat checks the name of a format.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Text, JSON, JSONL:
		return f, nil
	}
	return "", fmt.Errorf("there is no output format %q: choose text, json or jsonl", s)
}

// Options say how to show a turn.
type Options struct {
	Out, Err    io.Writer        // the answer; progress for people
	Format      Format           // "" means Text
	Reasoning   bool             // show what the model thinks aloud
	ResultLines int              // lines of each tool result to show with the progress
	Show        Show             // what a call that waits would do; nil: its summary is all
	Asks        bool             // whoever follows decides right there on what waits: the commands that do are left out
	Interrupt   <-chan os.Signal // the first cancels the turn, the second stops following at once; nil: neither

	watch bool // the turn is somebody else's: it is never cancelled from here
}

// ErrInterrupted says that the user did not want to wait for the end of a cancelled turn.
var ErrInterrupted = errors.New("interrupted")

// Follow shows a turn of the session until it ends and returns what has come of it. The turn is r.Turn or, if that is
// empty, the next that starts. The fields of r that name the session, and what was decided, are kept. When Out takes
// nothing more the turn is cancelled, and the error is an *OutputError.
func Follow(ctx context.Context, s *client.Session, r Result, o Options) (Result, error) {
	f := newFollower(s, r, o)
	ctx, cancel := context.WithCancelCause(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel(nil)
	owned.Go(func() { f.interrupts(ctx, cancel) })
	for {
		u, err := s.Next(ctx)
		if err != nil {
			f.show.breakLine()
			return f.result, err
		}
		if ended, err := f.take(ctx, u); ended || err != nil {
			return f.finish(err)
		}
	}
}

// A follower follows one turn.
type follower struct {
	session  *client.Session
	options  Options
	show     *progress
	result   Result
	calls    map[string]*call
	turn     atomic.Pointer[string] // the id, once it is known
	prompted bool                   // the turn is that of a prompt of ours
	doc      document               // the session's, as it was last
	queued   bool                   // the user knows that the turn waits, or it has begun
	broken   error                  // why Out takes nothing more
}

func newFollower(s *client.Session, r Result, o Options) *follower {
	if o.Format == "" {
		o.Format = Text
	}
	f := &follower{
		session: s, result: r, options: o, show: &progress{Options: o, session: r.Session},
		calls: make(map[string]*call), prompted: r.Turn != "",
	}
	if id := r.Turn; id != "" {
		f.turn.Store(&id)
	}
	if f.result.Approvals == nil {
		f.result.Approvals = []Approval{}
	}
	return f
}

// A call is what is known of a tool call of the turn.
type call struct {
	name, summary string
	input         json.RawMessage
	denied        bool // by the policy, as has been said
}

// interrupts cancels the turn on the first signal and leaves on the second.
func (f *follower) interrupts(ctx context.Context, leave context.CancelCauseFunc) {
	for range 2 {
		select {
		case <-f.options.Interrupt:
		case <-ctx.Done():
			return
		}
		id := f.turn.Load()
		if id == nil {
			break
		}
		f.session.Cancel(*id)
		fmt.Fprintln(f.options.Err, "\ncancelling; once more leaves at once")
	}
	leave(ErrInterrupted)
}

// take shows one update and reports whether the turn has ended.
func (f *follower) take(ctx context.Context, u client.Update) (bool, error) {
	switch u := u.(type) {
	case client.Event:
		if f.follows(u) {
			f.event(u)
		}
	case client.TurnEnded:
		if id := f.turn.Load(); id != nil && *id == u.Turn {
			return true, f.ended(ctx, u)
		}
	case client.State:
		f.state(u.State)
		f.waits()
	case client.Disconnected:
		f.show.note("connection lost (%s), trying again", plain.Line(u.Err.Error(), 200))
	case client.Connected:
		f.show.note("connected again")
	}
	return false, nil
}

// follows reports whether the event is of our turn. Without one, the first that starts becomes ours.
func (f *follower) follows(e client.Event) bool {
	id := f.turn.Load()
	if id == nil {
		if _, starts := e.Event.(chat.TurnStarted); !starts {
			return false
		}
		id = &e.Turn
		f.turn.Store(id)
		f.result.Turn = e.Turn
	}
	return *id == e.Turn
}

// event shows one event. Once Out is broken it only counts.
func (f *follower) event(u client.Event) {
	f.queued = true
	f.count(u.Event)
	if f.broken != nil {
		return
	}
	var err error
	if f.options.Format == JSONL {
		err = f.jsonLine(u)
	}
	if started, ok := u.Event.(chat.TurnStarted); ok && err == nil {
		f.begins(started)
		err = f.tell()
	}
	f.show.event(u.Event, f.calls, f.options.Format == Text)
	if err = cmp.Or(err, f.show.err); err != nil {
		f.breaks(err)
	}
}

// breaks cancels the turn, unless it is somebody else's: nobody reads its answer any more.
func (f *follower) breaks(err error) {
	f.broken = err
	if f.options.watch {
		return
	}
	if f.show.mid {
		fmt.Fprintln(f.options.Err) // what was read of the line may stand on the same terminal
	}
	f.show.mid = false
	f.show.note("nobody takes the answer any more; cancelling the turn")
	if id := f.turn.Load(); id != nil {
		f.session.Cancel(*id)
	}
}

// count keeps the result up to date.
func (f *follower) count(e chat.Event) {
	f.client(e)
	switch e := e.(type) {
	case chat.StepStarted:
		f.result.Text = ""
	case chat.TextStarted:
		if f.result.Text != "" {
			f.result.Text += "\n"
		}
	case chat.TextDelta:
		f.result.Text += e.Delta
	case chat.Answered:
		f.result.Steps++
	case chat.ToolCalled:
		f.call(e.ToolCallID).name = e.ToolName
	case chat.ToolInputFailed:
		f.call(e.ToolCallID).name = e.ToolName
		f.result.ToolCalls++
	case chat.Judged:
		f.call(e.ToolCallID).summary = e.Summary
	case chat.ToolStarted:
		f.call(e.ToolCallID).summary = e.Summary
		f.result.ToolCalls++
	case chat.TaskGiven:
		f.tasks().Given = append(f.tasks().Given, Task{e.ToolCallID, e.Session, e.Agent, e.Background})
	case chat.TurnFinished:
		f.result.Reason, f.result.Usage = e.Reason, e.Usage
		f.tasks().Usage = e.Tasks
		if len(f.result.Tasks.Given) == 0 && e.Tasks == (chat.Usage{}) {
			f.result.Tasks = nil
		}
		f.result.Error, f.result.Hint = e.Error, e.Hint
	}
}

func (f *follower) tasks() *Tasks {
	if f.result.Tasks == nil {
		f.result.Tasks = &Tasks{Given: []Task{}}
	}
	return f.result.Tasks
}

func (f *follower) call(id string) *call {
	c, ok := f.calls[id]
	if !ok {
		c = &call{}
		f.calls[id] = c
	}
	return c
}

// ended settles the result. A turn that ended out of sight is known by its transcript only.
func (f *follower) ended(ctx context.Context, end client.TurnEnded) error {
	if f.result.Reason == "" {
		switch {
		case end.Cancelled:
			f.result.Reason = chat.FinishCancelled
		case end.Error != "":
			f.result.Reason, f.result.Error, f.result.Hint = chat.FinishError, end.Error, end.Hint
			f.errorLine()
		case end.Lost:
			if err := f.lost(ctx); err != nil {
				return err
			}
		default:
			f.result.Reason = chat.FinishStop
		}
	}
	switch f.result.Reason {
	case chat.FinishQuestion:
		return f.unanswered(ctx)
	case chat.FinishApproval:
	default:
		return nil
	}
	if err := f.session.Ask(ctx, "approvals", &f.result.Approvals); err != nil {
		return fmt.Errorf("asking what waits for a decision: %w", err)
	}
	return f.unanswered(ctx)
}

// lost reads from the transcript how a turn ended whose events are no longer kept.
func (f *follower) lost(ctx context.Context) error {
	var messages []chat.Message
	if err := f.session.Ask(ctx, "getMessages", &messages); err != nil {
		return fmt.Errorf("reading how the turn ended: %w", err)
	}
	f.show.note("the turn ended while the connection was down; what the agent said last:")
	f.result.Reason = chat.FinishStop
	if len(messages) == 0 || messages[len(messages)-1].Role != chat.Assistant {
		return nil
	}
	f.result.Text = messages[len(messages)-1].Text()
	if f.options.Format == Text {
		f.show.text(plain.Text(f.result.Text))
		f.show.breakLine()
	}
	if len(chat.NewTranscript(messages).Waiting()) > 0 {
		f.result.Reason = chat.FinishApproval
		return nil
	}
	if err := f.unanswered(ctx); err != nil {
		return err
	}
	if len(f.result.Questions) > 0 {
		f.result.Reason = chat.FinishQuestion
	}
	return nil
}

// finish prints what stands at the end.
func (f *follower) finish(err error) (Result, error) {
	f.show.breakLine()
	if err != nil {
		return f.result, err
	}
	f.result.ExitCode = code(f.result.Reason)
	f.show.end(f.result)
	if f.broken == nil && f.options.Format == JSON {
		f.broken = printJSON(f.options.Out, f.result)
	}
	return f.result, f.broken
}
