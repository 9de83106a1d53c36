package agent

import (
	"context"
	"fmt"

	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/agent/trust"
)

// system returns the session's system prompt. It is made here and not on the agent's goroutine: it may read files.
func (t *turn) system() (p store.System, err error) {
	if err := t.agent.lookAround(context.WithoutCancel(t.ctx)); err != nil {
		return p, err
	}
	var workdir string
	var project Project
	var folder trust.Folder
	var role string
	known := false
	err = t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error {
		if workdir, project, folder, known = s.session.Workdir, s.project(), s.folder, s.system != nil; known {
			p = *s.system
		}
		role = s.taskRole()
		return folder.Broken()
	})
	if err != nil || known {
		return p, err
	}
	p.Project = encodeProject(project)
	if t.agent.host.opts.System != nil {
		if p.Text, err = t.agent.host.opts.System(workdir); err != nil {
			return p, err
		}
	}
	p.Text += role
	if part, ok := folder.Instructions(); ok {
		p.Text += "\n" + quotedInstructions(part) + "\n"
	}
	if project != (Project{}) {
		p.Text += "\nThe project context of this session. " + quotedProject(project) + "\n"
	}
	return p, nil
}

// keepSystem stores the system prompt before the first request that has it: a later one must not differ, or the
// provider would have to read, and bill, the whole session anew.
func (s *state) keepSystem(p store.System) error {
	if s.system != nil {
		return nil
	}
	err := s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), store.Fast, func(tx *store.Tx) error {
		return tx.PutSystem(s.agent.key, p)
	})
	if err != nil {
		return fmt.Errorf("recording the system prompt: %w", err)
	}
	s.system = &p
	return nil
}
