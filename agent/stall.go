package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A stalled is a turn whose end could not be committed: the disk is full, say. Nothing of the end was told as an event,
// for on disk the turn is open. It stands still: whoever prompts, decides, cancels or clears has its end recorded first,
// and so does the agent itself once a minute; the next host takes it up where it is. Only prompts make the session ask the model
// again, or a full disk would cost money in a loop.
type stalled struct {
	turn   *turn
	events []chat.Event // that end it
	about  Turn         // what clients are told
}

// A StallError says why a session stands still.
type StallError struct {
	Session string
	Waits   bool // it is about a prompt that is recorded and waits for its turn
	Err     error
}

func (e *StallError) Error() string { return e.Err.Error() }
func (e *StallError) Unwrap() error { return e.Err }

// Hint says what the user can do.
func (e *StallError) Hint() string {
	var full *store.FullError
	var hinted interface{ Hint() string }
	switch {
	case errors.As(e.Err, &full) && e.Waits:
		return "make room on the disk of " + full.Path + "; the prompt is kept, and session " + e.Session + " goes on with it within a minute"
	case errors.As(e.Err, &full):
		return "make room on the disk of " + full.Path + "; what was recorded is kept, and session " + e.Session + " goes on with its next prompt"
	case errors.As(e.Err, &hinted):
		return hinted.Hint()
	}
	return "see the host's log; session " + e.Session + " goes on with its next prompt once this is mended"
}

// againAfter is when a session that stands still looks whether its disk has room again: for prompts that wait behind.
const againAfter = time.Minute

// stall keeps the turn as it is and tells that it stands still, and with it the prompts that wait behind it.
func (s *state) stall(t *turn, events []chat.Event, err error) {
	s.leave(t)
	s.again.Reset(againAfter)
	for _, row := range s.queue {
		s.publish(Stalled{Turn: s.cannot(row, fmt.Errorf("waiting for the turn before: %w", err))})
	}
	s.stalled = &stalled{turn: t, events: events, about: s.cannot(t.row, err)}
	s.agent.host.noteStall(s.agent.key, &s.stalled.about)
	s.publish(Stalled{Turn: s.stalled.about})
	s.refresh("")
}

// cannot describes a turn that must wait.
func (s *state) cannot(row store.Turn, err error) Turn {
	stall := &StallError{Session: s.agent.name, Waits: row.Status == store.TurnQueued, Err: err}
	about := turnOf(row)
	about.Reason, about.Error, about.Hint = chat.FinishError, stall.Error(), stall.Hint()
	return about
}

// retry records what could not be recorded, if there is room again, and goes on with prompts that wait. That alone asks the
// model: a session for which nobody waits is only brought to an end.
func (s *state) retry() {
	if s.closing || s.runs() {
		return
	}
	err := s.unstall()
	if err == nil {
		s.next()
	}
	if s.stalled != nil {
		s.agent.host.opts.Logger.Info("the session still stands still", "session", s.agent.key, "err", err)
		s.again.Reset(againAfter)
	}
}

// unstall records the end that could not be recorded. Without it nothing else is done for the session.
func (s *state) unstall() error {
	st := s.stalled
	if st == nil {
		return nil
	}
	t := st.turn
	t.ended = make(chan struct{})
	s.turn, s.stalled = t, nil
	s.agent.host.count(1)
	if err := s.finish(t, st.events); err != nil {
		s.leave(t)
		s.stalled = st
		return &StallError{Session: s.agent.name, Err: err}
	}
	s.agent.host.noteStall(s.agent.key, nil)
	return nil
}

// hold puts a queued turn that could not begin back to the front of the queue.
func (s *state) hold(row store.Turn, err error) {
	s.agent.host.opts.Logger.Error("starting a queued turn", "session", s.agent.key, "turn", row.ID, "err", err)
	s.queue = append([]store.Turn{row}, s.queue...)
	s.agent.host.count(1)
	s.again.Reset(againAfter)
	if s.held == row.ID { // told before
		return
	}
	s.held = row.ID
	for _, row := range s.queue {
		s.publish(Stalled{Turn: s.cannot(row, fmt.Errorf("starting the turn: %w", err))})
	}
	s.refresh("")
}

// noteStall notes which turn of a session stands still, for those who ask while its agent is busy; nil: none does.
func (h *Host) noteStall(key string, about *Turn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if about == nil {
		delete(h.stalls, key)
		return
	}
	h.stalls[key] = *about
}

// stallOf returns the session's turn that stands still, or false.
func (h *Host) stallOf(key string) (Turn, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.stalls[key]
	return t, ok
}
