package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// In mode full nothing is asked for but what holds in every mode. A session has it from its first moment or never: it is typed
// on a command line by who makes the session. No page, no setting, no change of the mode and no fork leads there. A session that
// has it keeps it, and whoever opens it is told; one that was tightened does not come back.
//
// A prompt that a schedule has sent runs in auto: nobody typed it, and nobody watches.

// chooseFull is chooseMode for the mode full, of which setup alone knows that it was typed.
func (s *state) chooseFull(noSandbox bool) func(context.Context, string, string) (permission.Mode, *Confirmation, error) {
	return func(ctx context.Context, _, _ string) (permission.Mode, *Confirmation, error) {
		level, have := s.agent.host.opts.Level, s.session.Mode
		refuse := func(why string) (permission.Mode, *Confirmation, error) {
			s.noteMode(ctx, audit.Deny, have, string(permission.ModeFull))
			return "", nil, refusal(why)
		}
		switch {
		case have == string(permission.ModeFull): // a client that comes back
			return permission.ModeFull, nil, s.boundedAbove(ctx, permission.ModeFull)
		case callerFrom(ctx).Page:
			return refuse("a page may not begin a session in mode full: coder run --mode full does, typed by a person")
		case s.known:
			return refuse(fmt.Sprintf("mode full is for a session that begins with it, and %s is there already, in mode %s: begin another", s.agent.name, s.mode()))
		case level == 0 && !noSandbox:
			return refuse("mode full: no sandbox works here (coder doctor says why), so nothing would bound what the agent runs; add --no-sandbox if you mean it")
		}
		return permission.ModeFull, nil, s.boundedAbove(ctx, permission.ModeFull)
	}
}

// unplanned is the mode for what answers the last prompt: full is not for one that a schedule has sent.
func (s *state) unplanned(mode permission.Mode) permission.Mode {
	if mode != permission.ModeFull || s.script == nil {
		return mode
	}
	for _, m := range slices.Backward(s.script.Snapshot()) {
		if m.Role == chat.User {
			if markOf(m.Metadata) != nil {
				return permission.ModeAuto
			}
			break
		}
	}
	return mode
}

// chooseOnAsk puts into the row what becomes of calls that nobody decides on. It counts for those that wait already.
func (s *state) chooseOnAsk(row *store.Session, want string, page bool) error {
	if want == "" {
		return nil
	}
	if page {
		return refusal("a page may not set onAsk: do it in a terminal")
	}
	after, err := ParseOnAsk(want)
	if err != nil {
		return refusal("onAsk: " + err.Error())
	}
	row.DenyAfter = after
	if row.Waiting.IsZero() && len(s.script.Waiting())+len(s.script.Questions()) > 0 && s.turn == nil {
		row.Waiting = s.agent.host.opts.Now()
	}
	return nil
}
