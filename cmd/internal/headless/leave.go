package headless

import (
	"context"
	"errors"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/client"
)

// A left is what --detach prints as JSON: a turn that goes on.
type left struct {
	Session  string     `json:"session"`
	Turn     string     `json:"turn"`
	Workdir  string     `json:"workdir"`
	Model    string     `json:"model"`
	Mode     string     `json:"mode"`
	Detached bool       `json:"detached"`
	Decided  []Decision `json:"decided,omitempty"`
	Answered []Answer   `json:"answered,omitempty"`
}

// Leave waits until the agent has taken what was sent, tells which turn that is and leaves it to the host.
func Leave(ctx context.Context, s *client.Session, r Result, o Options) error {
	f := newFollower(s, r, o)
	if err := s.Flush(ctx); err != nil {
		return err
	}
	if err := f.heard(ctx); err != nil {
		return err
	}
	doc := left{
		Session: f.result.Session, Turn: f.result.Turn, Workdir: f.result.Workdir, Model: f.result.Model,
		Mode: f.result.Mode, Detached: true, Decided: f.result.Decided, Answered: f.result.Answered,
	}
	for _, a := range doc.Answered {
		f.show.answered(a)
	}
	for _, d := range doc.Decided {
		f.show.decision(d)
	}
	f.show.note("the turn goes on; follow it with: coder attach %s", doc.Session)
	switch f.options.Format {
	case JSON:
		return printJSON(o.Out, doc)
	case JSONL:
		return f.line("coder-detached", struct {
			Workdir  string     `json:"workdir"`
			Model    string     `json:"model"`
			Mode     string     `json:"mode"`
			Detached bool       `json:"detached"`
			Decided  []Decision `json:"decided,omitempty"`
		}{doc.Workdir, doc.Model, doc.Mode, doc.Detached, doc.Decided})
	}
	return nil
}

// A refusal is what the agent says of a prompt that it does not take.
type refusal struct{ end client.TurnEnded }

func (r *refusal) Error() string { return r.end.Error }

// Hint is the agent's own.
func (r *refusal) Hint() string { return r.end.Hint }

// heard takes the updates that have come already.
func (f *follower) heard(ctx context.Context) error {
	said, stop := context.WithCancel(ctx)
	stop()
	for {
		u, err := f.session.Next(said)
		switch {
		case errors.Is(err, context.Canceled):
			return ctx.Err()
		case err != nil:
			return err
		}
		switch u := u.(type) {
		case client.State:
			f.state(u.State)
		case client.Event:
			if started, ok := u.Event.(chat.TurnStarted); ok && f.follows(u) {
				f.begins(started)
			}
		case client.TurnEnded:
			if u.Turn == f.result.Turn && u.Error != "" {
				return &refusal{u}
			}
		}
	}
}

// Park tells what was decided or answered and what, r.Approvals and r.Questions, still waits: until that is settled too no turn
// goes on.
func Park(ctx context.Context, s *client.Session, r Result, o Options) (Result, error) {
	f := newFollower(s, r, o)
	if err := f.heard(ctx); err != nil {
		return f.result, err
	}
	f.result.Turn, f.result.Reason = "", chat.FinishApproval
	if len(f.result.Approvals) == 0 {
		f.result.Reason = chat.FinishQuestion
	}
	f.result.ExitCode = code(f.result.Reason)
	if err := f.tell(); err != nil {
		return f.result, err
	}
	f.show.waiting("still waiting for approval", f.result.Approvals)
	f.show.questions(f.result.Questions)
	f.show.note("%s", ending[f.result.Reason])
	switch f.options.Format {
	case JSON:
		return f.result, printJSON(o.Out, f.result)
	case JSONL:
		for _, a := range f.result.Approvals {
			if err := f.line("coder-waiting", a); err != nil {
				return f.result, err
			}
		}
		for _, q := range f.result.Questions {
			if err := f.line("coder-asking", q); err != nil {
				return f.result, err
			}
		}
	}
	return f.result, nil
}
