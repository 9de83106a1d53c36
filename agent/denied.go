package agent

import (
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
)

// maxDenials is how many calls may be denied, by the policy or by people, before the turn ends: a model that goes on asking
// for what it may not have wears down whoever decides.
const maxDenials = 3

// A DeniedError says that a turn has ended because too many of its calls were denied.
type DeniedError struct {
	Session string
	Calls   string // for people
	Count   int
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("%d calls of the turn were denied: %s", e.Count, e.Calls)
}

// Hint says how to go on.
func (e *DeniedError) Hint() string {
	return fmt.Sprintf("say what it may do instead: coder run --session %s PROMPT; a looser --mode, or a rule, lets it do more", e.Session)
}

// denials returns why the turn must end, or nil.
func (s *state) denials() *DeniedError {
	denied := s.script.Denials()
	if len(denied) < maxDenials {
		return nil
	}
	return &DeniedError{Session: s.agent.name, Calls: s.agent.host.nameCalls(denied), Count: len(denied)}
}

// stops reports whether a turn that was to end for the reason still must: the user may have said something meanwhile.
func (s *state) stops(reason chat.FinishReason) bool {
	switch reason {
	case chat.FinishLoop:
		_, _, stuck := s.circling()
		return stuck
	case chat.FinishDenied:
		return s.denials() != nil
	}
	return true
}
