package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// An original is what a fork takes over of its session.
type original struct {
	agent    *CoderAgent
	row      store.Session
	system   *store.System
	messages []chat.Message
	environ  []string
	tools    []chat.ToolSpec // that clients run
}

// Fork makes a session that begins with this one's transcript, up to and including a message: "" is all turns that are
// over. It has the same workdir, model, mode and project context, and the same system prompt, so that its first request
// extends those of the original and providers find it in their cache. name "" has one made. The fork has cost nothing yet.
func (a *CoderAgent) Fork(ctx context.Context, messageID, name string) (Session, error) {
	if a == nil {
		return Session{}, ErrNoAgent
	}
	if name == "" {
		name = forkName(a.name)
	} else if !ValidName(name) { // an address would make it the child of a session of the caller's choice
		return Session{}, &NameError{Name: name}
	}
	target, err := a.host.Agent(ctx, name)
	if err != nil {
		return Session{}, err
	}
	var from original
	err = a.do(ctx, func(s *state) (err error) {
		from, err = s.original(messageID)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	var fork Session
	err = target.do(ctx, func(s *state) error {
		if err := s.become(from); err != nil {
			return err
		}
		fork = SessionOf(s.session)
		return nil
	})
	return fork, err
}

// forkName is the session's own name with something behind it that nobody has. The fork of a child is nobody's child.
func forkName(address string) string {
	const most = 100 // of 128 characters
	_, _, name := SplitAddress(address)
	return name[:min(len(name), most)] + "-fork-" + strings.ToLower(rand.Text()[:6])
}

func (s *state) original(messageID string) (from original, err error) {
	messages, err := s.whole(messageID)
	if err != nil {
		return from, err
	}
	from = original{agent: s.agent, row: s.session, system: s.system, messages: slices.Clone(messages), environ: s.environ, tools: s.tools}
	from.row.Mode = string(s.mode()) // a child's is bounded by its parent's, which its fork no longer has above it
	if s.mode() == permission.ModeFull {
		from.row.Mode = string(permission.ModeAuto) // full is typed for each session
	}
	return from, nil
}

// whole returns the transcript up to and including a message, or with "" all turns that are over. Half a turn is none: its
// calls have no results.
func (s *state) whole(messageID string) ([]chat.Message, error) {
	messages := s.script.Snapshot()
	n := len(messages)
	half := n > 0 && messages[n-1].Role == chat.Assistant &&
		(s.turn != nil || s.stalled != nil || !answered(messages[n-1]))
	if messageID != "" {
		i := slices.IndexFunc(messages, func(m chat.Message) bool { return m.ID == messageID })
		switch {
		case i < 0:
			return nil, refusal(fmt.Sprintf("session %s has no message %s", s.agent.name, clip(messageID)))
		case half && i == n-1:
			return nil, refusal(fmt.Sprintf("the turn of message %s runs or waits: fork at an earlier message, or when it is over", clip(messageID)))
		}
		return messages[:i+1], nil
	}
	if half || s.turn != nil {
		if half {
			n--
		}
		for n > 0 && messages[n-1].Role == chat.User {
			n--
		}
	}
	if n == 0 {
		return nil, refusal(fmt.Sprintf("session %s has no turn that is over", s.agent.name))
	}
	return messages[:n], nil
}

// answered reports whether every call of the message has its result.
func answered(m chat.Message) bool {
	return !slices.ContainsFunc(m.Parts, func(p chat.Part) bool {
		c, ok := p.(chat.ToolCall)
		return ok && !c.Finished()
	})
}

// become makes a session that is not there yet a fork, in one commit.
func (s *state) become(from original) error {
	if s.known || s.script.Len() > 0 {
		return refusal(fmt.Sprintf("there is a session %s already", s.agent.name))
	}
	if err := s.agent.copyPictures(from.agent, from.messages); err != nil {
		return fmt.Errorf("forking session %s: %w", from.row.Name, err)
	}
	old, now := s.session, s.agent.host.opts.Now()
	s.session = from.row
	s.session.Name, s.session.Key = s.agent.name, s.agent.key
	s.session.Status, s.session.Messages, s.session.Usage = string(Idle), len(from.messages), chat.Usage{}
	s.session.Created, s.session.Updated, s.session.Waiting = now, now, time.Time{}
	s.session.ForkedFrom, s.session.ForkedAt = from.row.Name, from.messages[len(from.messages)-1].ID
	s.session.Agent = "" // it is nobody's child
	s.session.Route = or(from.row.Route, from.row.Key)
	tools, err := encodeTools(from.tools)
	if err != nil {
		return err
	}
	err = s.write(store.Safe, func(tx *store.Tx) error {
		if err := tx.PutClientTools(s.agent.key, tools); err != nil {
			return err
		}
		for i, m := range from.messages {
			if err := tx.PutMessage(s.agent.key, i, m); err != nil {
				return err
			}
		}
		if from.system == nil {
			return nil
		}
		return tx.PutSystem(s.agent.key, *from.system)
	})
	if err != nil {
		s.session = old
		return fmt.Errorf("recording the fork of session %s: %w", from.row.Name, err)
	}
	s.script, s.system, s.environ, s.tools = chat.NewTranscript(from.messages), from.system, from.environ, from.tools
	s.relearn()
	s.publish(Edited{Messages: s.view(), Encoded: new(Encoding)})
	s.refresh("")
	return nil
}

func forkMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	messageID, err := optional[string](args, 0)
	if err != nil {
		return nil, err
	}
	name, err := optional[string](args, 1)
	if err != nil {
		return nil, err
	}
	return a.Fork(ctx, messageID, name)
}
