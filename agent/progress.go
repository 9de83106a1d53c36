package agent

import (
	"context"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// maxProgress bounds what a call may show of its output while it runs, in bytes.
const maxProgress = 4 << 10

// Progress shows what the running call to which ctx was given has put out so far. Each takes the place of the one before,
// and the result of all. It is recorded like every event: chunks are numbered, and a client that comes later is shown what
// the others were. So a tool calls it seldom, twice a second at most.
func (a *CoderAgent) Progress(ctx context.Context, text string) error {
	if len(text) > maxProgress {
		text = strings.ToValidUTF8(text[len(text)-maxProgress:], "")
	}
	return a.do(ctx, func(s *state) error {
		if c, ok := s.script.Call(CallID(ctx)); !ok || !c.Started || s.turn == nil {
			return nil // it has its result
		}
		return s.record(s.turn, store.Fast, chat.ToolProgress{ToolCallID: CallID(ctx), Output: chat.Output{Text: text}})
	})
}
