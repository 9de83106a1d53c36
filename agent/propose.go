package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// ErrBusy says that the transcript cannot be edited while a turn uses it.
var ErrBusy = errors.New("a turn of the session runs, waits or stands still; its transcript can be edited when that is over")

// Propose takes the user messages of a client's transcript that are new or edited into the stored one. Nothing else of
// it is taken, what it leaves out stays, and no turn starts.
//
// While a turn runs, waits in the queue, for a decision or for a client's tool, or stands still, it is ErrBusy and nothing is taken: the
// turn's requests have used every message that could be edited and must go on repeating them, and a message behind the
// turn's own would part its tool calls from their results.
func (a *CoderAgent) Propose(ctx context.Context, messages []chat.Message) error {
	return a.do(ctx, func(s *state) error {
		switch {
		case s.closing:
			return ErrShutdown
		case s.session.Workdir == "":
			return &WorkdirError{Session: a.name} // as a prompt: a session that cannot work is not begun
		case !s.free():
			return ErrBusy
		}
		if err := checkIDs(messages); err != nil {
			return err
		}
		messages, err := asked(s.keepMarks(s.uncleared(messages, false)))
		if err != nil {
			return err
		}
		next := s.script.Fork()
		take(next, messages)
		if next.Changed() == next.Len() {
			return nil
		}
		old := s.session
		s.session.Messages = next.Len()
		if err := s.write(store.Safe, s.rewrite(next)); err != nil {
			s.session = old
			return fmt.Errorf("recording the edited messages of session %s: %w", a.name, err)
		}
		s.script = next
		s.publish(Edited{By: callerFrom(ctx).Connection, Messages: s.view(), Encoded: new(Encoding)})
		return nil
	})
}
