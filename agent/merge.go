package agent

import (
	"reflect"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// merge takes the user messages of a request into a fork of the transcript, by the rules of the Agents SDK: known ids
// are updated, unknown ones appended, and when every incoming id is known, the messages that the request leaves out
// go. Calls that wait for a decision are denied, those that wait for a client's result have failed. It returns the fork and
// what to write.
func (s *state) merge(incoming []chat.Message) (*chat.Transcript, func(*store.Tx) error, error) {
	next := s.script.Fork()
	retain(next, incoming)
	for _, c := range next.Waiting() {
		next.Apply(chat.Decided{ToolCallID: c.ID, Reason: "the user sent a new prompt instead"})
	}
	for _, c := range slices.Concat(next.Delegated(), next.Owed().Calls) { // the latter stood behind one that waited
		next.Apply(chat.ToolFailed{ToolCallID: c.ID, ErrorText: "not run: the user sent a new prompt instead"})
	}
	take(next, incoming)
	if last, ok := next.Last(); !ok || last.Role != chat.User {
		return nil, nil, ErrNoPrompt
	}
	return next, s.rewrite(next), nil
}

// retain drops what the request leaves out, if it holds no id that is new.
func retain(next *chat.Transcript, incoming []chat.Message) {
	for _, m := range incoming {
		if _, known := next.Find(m.ID); !known {
			return
		}
	}
	sent := make(map[string]bool, len(incoming))
	for _, m := range incoming {
		sent[m.ID] = true
	}
	next.Retain(func(m chat.Message) bool { return sent[m.ID] })
}

// take adds the user messages that are new and replaces those that were edited. Nothing else is taken from a client.
func take(next *chat.Transcript, incoming []chat.Message) {
	for _, m := range incoming {
		old, known := next.Find(m.ID)
		switch {
		case m.Role != chat.User || known && old.Role != chat.User:
		case !known:
			next.Append(m)
		case !reflect.DeepEqual(old, m):
			next.Replace(m)
		}
	}
}

// rewrite returns what makes the stored messages those of a fork of the transcript: rows from the first difference on.
func (s *state) rewrite(next *chat.Transcript) func(*store.Tx) error {
	had, same, changed := s.script.Len(), next.Changed(), next.Snapshot()[next.Changed():]
	return func(tx *store.Tx) error {
		if same < had {
			if err := tx.DeleteMessagesFrom(s.agent.key, same); err != nil {
				return err
			}
		}
		for i, m := range changed {
			if err := tx.PutMessage(s.agent.key, same+i, m); err != nil {
				return err
			}
		}
		return nil
	}
}
