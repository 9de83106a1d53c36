package agent

import (
	"context"

	"github.com/coder-agent/coder/agent/chat"
)

// Recent is the end of a transcript.
type Recent struct {
	Before   int            `json:"before"` // messages that stand before it
	Messages []chat.Message `json:"messages"`
}

// recent returns the last messages of the transcript: of a long session a screen shows no more, and the whole of it takes a second
// to read.
func (a *CoderAgent) recent(ctx context.Context, most int) (Recent, error) {
	if most < 1 {
		return Recent{}, refusal("the number of messages must be at least 1")
	}
	messages, err := a.Messages(ctx)
	before := max(0, len(messages)-most)
	return Recent{Before: before, Messages: append([]chat.Message{}, messages[before:]...)}, err
}
