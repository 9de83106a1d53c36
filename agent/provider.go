package agent

import (
	"errors"
	"fmt"

	"github.com/coder-agent/coder/agent/store"
)

// Work goes to the provider for which it was accepted. A turn that another host has left open, prompts that wait and schedules
// belong to the provider in the session's row. A host of another leaves them as they are, turns open and schedules due, until a
// client acts on the session: prompts, decides, steers. That is the user's choice, and the commit of the act records it.

// foreign reports whether the provider is another than this host's. One without a name is nobody's.
func (h *Host) foreign(provider string) bool {
	return provider != "" && h.opts.Provider != "" && provider != h.opts.Provider
}

func (s *state) foreign() bool { return s.agent.host.foreign(s.session.Provider) }

// runs reports whether a turn is under way: one that waits for its provider is not.
func (s *state) runs() bool { return s.turn != nil && s.turn.launched }

// interrupted reports whether the session has work that waits for a host of its provider.
func (s *state) interrupted() bool {
	return s.foreign() && !s.runs() && (s.turn != nil || len(s.queue) > 0)
}

// claim makes the session's work this host's in the row that is written next.
func (s *state) claim() { s.session.Provider = s.agent.host.opts.Provider }

// takeUp goes on with the work that was another provider's until the commit just made. from is what the row said before.
func (s *state) takeUp(from string) {
	h := s.agent.host
	if !h.foreign(from) || s.foreign() {
		return
	}
	h.opts.Logger.Info("a client has this host take over a session", "session", s.agent.key, "from", from)
	h.count(len(s.queue))
	h.replan()
	if s.turn == nil {
		s.next()
	} else if !s.turn.launched {
		h.count(1)
		s.launch(s.turn)
	}
	s.refresh("")
}

// stop cancels the turn. One that waits for its provider runs for that, and asks nobody.
func (s *state) stop(t *turn) {
	t.cancel(errCancelled)
	if !t.launched {
		s.agent.host.count(1)
		s.launch(t)
	}
}

// countQueue notes that prompts began or ceased to wait. Those that wait for another provider keep no host alive.
func (s *state) countQueue(n int) {
	if !s.foreign() {
		s.agent.host.count(n)
	}
}

// A ProviderError says that the work of a session waits for a host of another provider.
type ProviderError struct{ Session, Provider, Here string }

func (e *ProviderError) Error() string {
	return fmt.Sprintf("session %s waits for a host that asks %s, and this one asks %s", e.Session, e.Provider, e.Here)
}

// Hint says what goes on with it.
func (e *ProviderError) Hint() string {
	return "start a host of that provider, or have this one take over with a prompt: coder run --session " + e.Session
}

func (s *state) elsewhere() *ProviderError {
	return &ProviderError{Session: s.session.Name, Provider: s.session.Provider, Here: s.agent.host.opts.Provider}
}

// postpone says of schedules that are due for which provider they wait.
func (s *state) postpone(due []store.Schedule) error {
	var errs []error
	for _, row := range due {
		if why := s.elsewhere().Error(); row.Error != why {
			errs = append(errs, s.failSchedule(row, s.elsewhere(), row.Due))
		}
	}
	return errors.Join(errs...)
}
