package client

import (
	"crypto/rand"
	"slices"

	"github.com/coder-agent/coder/server/wire"
)

// An outgoing is a frame that waits to be sent.
type outgoing struct {
	frame wire.Frame
	call  string // the id, when it is a call
}

// send puts a frame into the queue of what goes out. s.mu is held.
func (s *Session) send(f wire.Frame) { s.sendAs(outgoing{frame: f}) }

func (s *Session) sendAs(o outgoing) {
	s.out = append(s.out, o)
	select {
	case s.outNow <- struct{}{}:
	default:
	}
}

// nextOut returns the first frame that waits. It stays in the queue until it is sent: the connection may break first.
// A call does not: nobody could tell whether it had its effect.
func (s *Session) nextOut() (outgoing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.out) > 0 {
		o := s.out[0]
		if o.call == "" {
			return o, true
		}
		s.out = s.out[1:]
		if pending, waits := s.calls[o.call]; waits {
			pending.sent = true
			return o, true
		}
	}
	return outgoing{}, false
}

// sent takes a frame that has gone out from the queue.
func (s *Session) sent(o outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.call == "" {
		s.out = s.out[1:]
	}
}

// requeue prepares the queue for a new connection. Prompts that the agent has not acknowledged go first, then the
// cancels of turns that have not ended, then, if there are turns of earlier connections, the question what has become
// of them; it returns these turns.
func (s *Session) requeue() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := slices.DeleteFunc(s.out, func(o outgoing) bool {
		switch o.frame.(type) {
		case wire.ChatRequest, wire.ChatCancel, wire.ResumeRequest:
			return true // the ledger has them
		}
		return false
	})
	s.out = nil
	open := s.turns.open()
	for _, id := range open {
		if t := s.turns.turn(id); t.request != nil && !t.known {
			s.send(*t.request)
		}
	}
	for _, id := range open {
		if s.turns.turn(id).cancelled {
			s.send(wire.ChatCancel{ID: id})
		}
	}
	if len(open) > 0 {
		s.send(wire.ResumeRequest{ProbeID: rand.Text()})
	}
	s.out = append(s.out, waiting...)
	return open
}

// unfinished returns those of the turns that have not ended.
func (s *Session) unfinished(ids []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(ids, func(id string) bool { return s.turns.turn(id).ended })
}
