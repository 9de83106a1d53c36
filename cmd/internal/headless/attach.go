package headless

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server/client"
)

// AttachOptions say how to show a session.
type AttachOptions struct {
	Options
	Tail    int                        // messages of the transcript to begin with
	Once    bool                       // end with the turn that runs, or the next
	Summary func(chat.ToolCall) string // puts a call of the transcript into one line
}

// Attach shows a session: the end of its transcript, the turn that runs from its first event on, and then whatever comes,
// until ctx is done. It takes part in nothing: what it stops showing goes on. With Once it returns what has come of the
// first turn that ends. When Out takes nothing more the error is an *OutputError.
func Attach(ctx context.Context, s *client.Session, r Result, o AttachOptions) (Result, error) {
	o.watch = true
	a := &attachment{
		session: s, result: r, options: o, show: &progress{Options: o.Options, session: r.Session},
		known: make(map[string]bool),
	}
	for read := false; !read; {
		err := s.Call(ctx, "getMessages", &a.tail)
		if read = !errors.Is(err, client.ErrLost); read && err != nil {
			return r, fmt.Errorf("reading the transcript: %w", err)
		}
	}
	for {
		u, err := s.Next(ctx)
		if err == nil {
			err = a.take(ctx, u)
		}
		if err != nil {
			a.progress().breakLine()
			return a.result, err
		}
		if a.ended && o.Once {
			return a.result, nil
		}
	}
}

// An attachment follows a session from turn to turn.
type attachment struct {
	session *client.Session
	result  Result // of the turn that ended last
	options AttachOptions
	show    *progress // between turns
	doc     document  // the session's, as it was last

	tail  []chat.Message // the transcript as we came
	shown bool           // its end is

	offered bool          // a turn ran when we came: its events are on their way
	held    *client.Event // the start of a continuation, until the transcript is shown

	known   map[string]bool // prompts that were shown
	fresh   bool            // one was shown for the turn that comes next
	waiting int             // how many of those that were shown wait for their turn

	turn  *follower // of the turn that runs
	ended bool      // one has
}

func (a *attachment) take(ctx context.Context, u client.Update) error {
	switch u := u.(type) {
	case client.State:
		return a.state(u.State)
	case client.Messages:
		return a.prompts(u)
	case client.Event:
		return a.event(ctx, u)
	case client.TurnEnded:
		return a.end(ctx, u)
	case client.Cleared:
		a.progress().note("%s emptied the transcript", Who(u.Client))
	case client.Disconnected:
		a.progress().note("connection lost (%s), trying again", plain.Line(u.Err.Error(), 200))
	case client.Connected:
		a.progress().note("connected again")
	}
	return nil
}

// progress is where a line goes now: the turn that runs may stand in the middle of one.
func (a *attachment) progress() *progress {
	if a.turn != nil {
		return a.turn.show
	}
	return a.show
}

// state takes the state document. Where no turn runs the first is the moment to show the transcript; else that waits for
// the turn's first event, which tells what belongs to it, whatever later documents say.
func (a *attachment) state(raw json.RawMessage) error {
	if json.Unmarshal(raw, &a.doc) != nil || a.shown {
		return nil
	}
	if a.offered = a.offered || a.doc.Status == "running"; a.offered {
		return nil
	}
	if err := a.showTail(a.tail); err != nil {
		return err
	}
	if len(a.doc.Pending) > 0 {
		a.show.waiting("waiting for approval", a.doc.Pending)
		a.show.note("%s", ending[chat.FinishApproval])
	}
	if a.show.questions(a.doc.Questions); len(a.doc.Pending) == 0 && len(a.doc.Questions) > 0 {
		a.show.note("%s", ending[chat.FinishQuestion])
	}
	a.show.note("no turn runs; showing what comes (Ctrl-C leaves and stops nothing)")
	return nil
}

// event shows an event of the running turn; its first begins it.
func (a *attachment) event(ctx context.Context, u client.Event) error {
	if a.turn == nil {
		started, ok := u.Event.(chat.TurnStarted)
		switch {
		case a.held != nil:
			return a.goOn(ctx, u)
		case !ok:
			return nil
		case started.MessageID == "" && !a.shown:
			a.held = &u // where the transcript ends and this turn begins is told by its next event
			return nil
		}
		if err := a.begin(u, Before(a.tail, started.MessageID)); err != nil {
			return err
		}
	}
	if _, err := a.turn.take(ctx, u); err != nil {
		return err
	}
	return a.turn.broken
}

// goOn shows a continuation that began before we came. It names the call that was decided first: what the message holds
// before that is the transcript's.
func (a *attachment) goOn(ctx context.Context, next client.Event) error {
	start, tail := *a.held, a.tail
	a.held = nil
	if called, ok := next.Event.(chat.ToolCalled); ok {
		tail = BeforeCall(tail, called.ToolCallID)
	}
	if err := a.begin(start, tail); err != nil {
		return err
	}
	for _, u := range []client.Event{start, next} {
		if err := a.event(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// begin shows the transcript, if that is still to do, and who caused the turn.
func (a *attachment) begin(u client.Event, tail []chat.Message) error {
	came := a.shown
	if err := a.showTail(tail); err != nil {
		return err
	}
	switch {
	case !came:
		a.show.note("a turn runs (%s)", Who(u.Client))
	case u.Continuation:
		a.show.note("the turn goes on (%s)", Who(u.Client))
	case a.fresh:
	case a.waiting > 0:
		a.waiting--
		a.show.note("the next prompt gets its turn (%s)", Who(u.Client))
	default:
		a.show.note("%s asks again", Who(u.Client))
	}
	a.fresh, a.ended = false, false
	about := Result{Session: a.result.Session, Workdir: a.doc.Workdir, Model: a.doc.Model, Mode: a.doc.Mode}
	a.turn = newFollower(a.session, about, a.options.Options)
	return nil
}

// end takes the end of a turn: of the one that is shown, of one that we have seen nothing of, or of a prompt that waited.
func (a *attachment) end(ctx context.Context, u client.TurnEnded) error {
	a.held = nil
	if err := a.showTail(a.tail); err != nil {
		return err
	}
	switch {
	case a.turn != nil && a.turn.result.Turn == u.Turn:
	case u.Cancelled && a.waiting > 0:
		a.waiting--
		a.progress().note("a prompt that waited was cancelled")
		return nil
	case a.turn != nil:
		return nil
	default:
		if err := a.begin(client.Event{Turn: u.Turn}, nil); err != nil {
			return err
		}
		a.turn.turn.Store(&u.Turn)
		a.turn.result.Turn = u.Turn
	}
	f := a.turn
	_, err := f.take(ctx, u)
	a.result, err = f.finish(err)
	a.turn, a.ended = nil, true
	return err
}

// showTail shows the end of the transcript, once. It is no answer: it goes where the progress goes.
func (a *attachment) showTail(messages []chat.Message) error {
	if a.shown {
		return nil
	}
	a.shown = true
	for _, m := range a.tail {
		a.known[m.ID] = true
	}
	messages = messages[max(0, len(messages)-a.options.Tail):]
	if len(messages) == 0 {
		return nil
	}
	page := Transcript{Session: a.result.Session, Messages: messages, Summary: a.options.Summary, Show: a.options.Show, Open: "no result yet"}
	if err := PrintTranscript(a.options.Err, page); err != nil {
		return fmt.Errorf("showing the transcript: %w", err)
	}
	_, err := io.WriteString(a.options.Err, "\n")
	return err
}

// Before returns the messages before the one with the id.
func Before(messages []chat.Message, id string) []chat.Message {
	if i := slices.IndexFunc(messages, func(m chat.Message) bool { return m.ID == id }); i >= 0 {
		return messages[:i]
	}
	return messages
}

// BeforeCall cuts the last message before a call of it.
func BeforeCall(messages []chat.Message, id string) []chat.Message {
	if len(messages) == 0 {
		return messages
	}
	last := messages[len(messages)-1]
	i := slices.IndexFunc(last.Parts, func(p chat.Part) bool { c, ok := p.(chat.ToolCall); return ok && c.ID == id })
	if i < 0 {
		return messages
	}
	last.Parts = last.Parts[:i]
	return append(slices.Clone(messages[:len(messages)-1]), last)
}
