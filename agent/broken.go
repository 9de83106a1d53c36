package agent

import (
	"context"
	"runtime/debug"

	"github.com/coder-agent/coder/agent/chat"
)

// A BrokenError says that a part of the program panicked. What was recorded before is kept.
type BrokenError struct{ Deed string }

func (e *BrokenError) Error() string { return "coder broke down while " + e.Deed }

// Hint says what the user can do.
func (e *BrokenError) Hint() string {
	return "this is a bug in coder, please report it with the host's log; the session is kept as it was"
}

// broken makes the error of a panic and logs where it came from. v is what recover gave.
func (a *CoderAgent) broken(deed string, v any) error {
	a.host.opts.Logger.Error("panic while "+deed, "session", a.key, "panic", v, "stack", string(debug.Stack()))
	return &BrokenError{Deed: deed}
}

// serve runs one command. After a panic what is in memory cannot be trusted: the session is loaded anew from disk, and a
// turn that runs goes on from there.
func (a *CoderAgent) serve(s *state, c command) {
	var err error
	defer func() {
		if v := recover(); v != nil {
			err = a.broken("serving a command", v)
			s.gone = err
			if s.turn != nil {
				s.turn.cancel(ErrShutdown)
			}
		}
		c.reply <- err
	}()
	err = c.run(s)
}

// guarded is run, in which a panic is the turn's error.
func (t *turn) guarded(ctx context.Context) (reason chat.FinishReason, err error) {
	defer func() {
		if v := recover(); v != nil {
			reason, err = chat.FinishError, t.agent.broken("running the turn", v)
		}
	}()
	return t.run(ctx)
}
