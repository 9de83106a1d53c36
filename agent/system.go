package agent

import (
	"context"
	"fmt"

	"github.com/coder-agent/coder/agent/store"
)

// system returns the session's system prompt. It is made here and not on the agent's goroutine: it may read files.
func (t *turn) system() (text string, err error) {
	var workdir string
	var known bool
	err = t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error {
		if workdir, known = s.session.Workdir, s.system != nil; known {
			text = *s.system
		}
		return nil
	})
	if err != nil || known || t.agent.host.opts.System == nil {
		return text, err
	}
	return t.agent.host.opts.System(workdir)
}

// keepSystem stores the system prompt before the first request that has it: a later one must not differ, or the
// provider would have to read, and bill, the whole session anew.
func (s *state) keepSystem(text string) error {
	if s.system != nil {
		return nil
	}
	err := s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), store.Fast, func(tx *store.Tx) error {
		return tx.PutSystem(s.agent.key, text)
	})
	if err != nil {
		return fmt.Errorf("recording the system prompt: %w", err)
	}
	s.system = &text
	return nil
}
