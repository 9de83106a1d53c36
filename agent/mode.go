package agent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/permission"
)

// confirmWithin is how long a loosening can be confirmed.
const confirmWithin = time.Minute

// A Confirmation is what a client must send back, in another frame and after a person's yes, before a session that has
// messages is loosened to edit or auto. It counts once, for the connection that asked, and is kept in memory only.
type Confirmation struct {
	Nonce   string          `json:"nonce"`
	Mode    permission.Mode `json:"mode"`
	Expires time.Time       `json:"expires"`

	by string
}

// A ModeAnswer is what setMode answers.
type ModeAnswer struct {
	Mode    permission.Mode `json:"mode"` // that holds now
	Confirm *Confirmation   `json:"confirm,omitempty"`
}

func setModeMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	name, err := arg[string](args, 0)
	if err != nil {
		return nil, err
	}
	nonce, err := optional[string](args, 1)
	if err != nil {
		return nil, err
	}
	var answer ModeAnswer
	err = a.do(ctx, func(s *state) error {
		mode, confirm, err := s.chooseMode(ctx, name, nonce)
		if answer = (ModeAnswer{mode, confirm}); err != nil || confirm != nil {
			return err
		}
		row := s.session
		row.Mode = string(mode)
		return s.settleRow(ctx, row, nil)
	})
	if err == nil {
		err = a.host.refreshBelow(ctx, a.key)
	}
	return answer, err
}

// boundedAbove refuses a mode that is looser than that of a session above.
func (s *state) boundedAbove(ctx context.Context, mode permission.Mode) error {
	if s.explores() && !mode.Tighter(permission.ModePlan) {
		return refusal(fmt.Sprintf("session %s explores: it stays in mode plan", s.agent.name))
	}
	rows, err := s.agent.ancestors(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if above := permission.Mode(row.Mode); !mode.Tighter(above) {
			return refusal(fmt.Sprintf("session %s is in mode %s, and a session below it may not be looser, as %s is", row.Name, above, mode))
		}
	}
	return nil
}

// chooseMode returns the mode that the session shall have, or the one it has and what must be confirmed before it gets the
// one that is wanted. Loosening is for people at the machine: a page can only tighten.
func (s *state) chooseMode(ctx context.Context, name, nonce string) (permission.Mode, *Confirmation, error) {
	mode, err := permission.ParseMode(name)
	if err != nil {
		return "", nil, err
	}
	if err := s.boundedAbove(ctx, mode); err != nil {
		return "", nil, err
	}
	have, caller := s.mode(), callerFrom(ctx)
	if mode == permission.ModeFull && have != mode {
		s.noteMode(ctx, audit.Deny, string(have), string(mode))
		return "", nil, refusal("mode full is for sessions that begin with it: coder run --mode full, typed by a person")
	}
	given := s.confirm
	if nonce != "" {
		s.confirm = nil // right or wrong, it was the one try
	}
	switch {
	case mode.Tighter(have):
		return mode, nil, nil
	case caller.Page:
		s.noteMode(ctx, audit.Deny, string(have), string(mode))
		return "", nil, refusal(fmt.Sprintf("a page may not loosen the mode from %s to %s", have, mode))
	case mode.Tighter(permission.ModeAsk), s.script.Len() == 0 && s.turn == nil && len(s.queue) == 0:
		return mode, nil, nil // it lets nothing happen unasked, or is how the session begins
	case nonce == "":
		s.confirm = &Confirmation{Nonce: rand.Text(), Mode: mode, Expires: s.agent.host.opts.Now().Add(confirmWithin), by: caller.Connection}
		s.noteMode(ctx, audit.Ask, string(have), string(mode))
		return have, s.confirm, nil
	case given == nil || given.Mode != mode || given.by != caller.Connection || s.agent.host.opts.Now().After(given.Expires),
		subtle.ConstantTimeCompare([]byte(given.Nonce), []byte(nonce)) != 1:
		s.noteMode(ctx, audit.Deny, string(have), string(mode))
		return "", nil, refusal("this confirmation does not count, or not any more: ask for another")
	}
	return mode, nil, nil
}
