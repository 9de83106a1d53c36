package agent

import (
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
)

// asked keeps of a client's user messages what a user can say: text, files, and data that is nobody's but the client's.
// Calls with their results, reasoning, steering, notes and marks of compactions speak for the model, a tool or the agent:
// every fold of the transcript takes them for what happened, so a client makes none.
func asked(messages []chat.Message) ([]chat.Message, error) {
	kept := make([]chat.Message, len(messages))
	for i, m := range messages {
		if m.Role == chat.User {
			said := m.Parts
			m.Parts = make([]chat.Part, 0, len(said))
			for _, p := range said {
				if askable(p) {
					m.Parts = append(m.Parts, p)
				}
			}
			if len(m.Parts) == 0 && len(said) > 0 {
				return nil, &UnsaidError{ID: m.ID}
			}
		}
		kept[i] = m
	}
	return kept, nil
}

func askable(p chat.Part) bool {
	switch p.(type) {
	case chat.Text, chat.File, chat.Data, chat.Unknown:
		return true
	}
	return false
}

// An UnsaidError says that a user message holds nothing that a user can say.
type UnsaidError struct{ ID string }

func (e *UnsaidError) Error() string {
	return fmt.Sprintf("the user message %q holds only what the model, a tool or the agent says", clip(e.ID))
}

// Hint says what to send.
func (e *UnsaidError) Hint() string { return "send text or files" }
