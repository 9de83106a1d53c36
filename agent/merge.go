package agent

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// merge takes the user messages of a request into a fork of the transcript, by the rules of the Agents SDK: known ids
// are updated, unknown ones appended, and of a transcript in which every id is known, the messages that it leaves out
// go. Calls that wait for a decision are denied, those that wait for a client's result have failed, and a question is
// answered by the user's own words. It returns the fork and what to write.
func (s *state) merge(incoming []chat.Message) (*chat.Transcript, func(*store.Tx) error, error) {
	next := s.script.Fork()
	retain(next, incoming)
	for _, c := range next.Waiting() {
		next.Apply(chat.Decided{ToolCallID: c.ID, Reason: "the user sent a new prompt instead"})
	}
	for _, c := range next.Questions() {
		next.Apply(chat.ClientAnswered{ToolCallID: c.ID, Output: ownWords})
	}
	for _, c := range slices.Concat(next.Delegated(), next.Owed().Calls) { // the latter stood behind one that waited
		next.Apply(chat.ToolFailed{ToolCallID: c.ID, ErrorText: "not run: the user sent a new prompt instead"})
	}
	for _, e := range taskEnds(next, "the user sent a new prompt instead") {
		next.Apply(e)
	}
	take(next, incoming)
	if last, ok := next.Last(); !ok || last.Role != chat.User {
		return nil, nil, ErrNoPrompt
	}
	return next, s.rewrite(next), nil
}

// ownWords is the answer to a question after which the user has just gone on talking. One who had spoken before is no other case.
var ownWords = json.RawMessage(`"the user wrote the message that follows instead of choosing: take it as the answer, as far as it is one"`)

// retain drops what the request leaves out, if it is the transcript edited: it begins with the first message, as pages send
// it, and holds no id that is new. A message or two from the middle are none: all else would go with them.
func retain(next *chat.Transcript, incoming []chat.Message) {
	messages := next.Snapshot()
	if len(incoming) == 0 || len(messages) == 0 || incoming[0].ID != messages[0].ID {
		return
	}
	sent := make(map[string]bool, len(incoming))
	for _, m := range incoming {
		if _, known := next.Find(m.ID); !known || m.ID == "" {
			return
		}
		sent[m.ID] = true
	}
	next.Retain(func(m chat.Message) bool { return sent[m.ID] })
}

// A MessageIDError says that a user message of a client has no id of its own: by ids it is known whether a message is new.
type MessageIDError struct {
	ID string // that two messages have; "" when one has none
}

func (e *MessageIDError) Error() string {
	if e.ID == "" {
		return "a user message has no id"
	}
	return fmt.Sprintf("two user messages have the id %q", clip(e.ID))
}

// Hint says what to send.
func (e *MessageIDError) Hint() string {
	return "give each message an id that no other message of the session has"
}

// checkIDs refuses user messages that cannot be told apart.
func checkIDs(incoming []chat.Message) error {
	seen := map[string]bool{"": true}
	for _, m := range incoming {
		if m.Role != chat.User {
			continue
		}
		if seen[m.ID] {
			return &MessageIDError{ID: m.ID}
		}
		seen[m.ID] = true
	}
	return nil
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
