package headless

import (
	"encoding/json"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
)

// A ClientCall is a call of a client's tool that waits for its result.
type ClientCall struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input"`
}

// client keeps the calls that a client owes a result.
func (f *follower) client(e chat.Event) {
	switch e := e.(type) {
	case chat.ToolCalled:
		f.call(e.ToolCallID).input = e.Input
	case chat.Delegated:
		if e.Question {
			return
		}
		c := f.call(e.ToolCallID)
		f.result.ClientCalls = append(f.result.ClientCalls, ClientCall{ToolCallID: e.ToolCallID, ToolName: c.name, Input: c.input})
	case chat.ClientAnswered:
		f.answered(e.ToolCallID)
	case chat.ToolFailed:
		f.answered(e.ToolCallID)
	}
}

func (f *follower) answered(callID string) {
	f.result.ClientCalls = slices.DeleteFunc(f.result.ClientCalls, func(c ClientCall) bool { return c.ToolCallID == callID })
}

// clientCalls tells what only a client can go on with.
func (p *progress) clientCalls(calls []ClientCall) {
	for _, c := range calls {
		p.note("waiting for a client: %s", Title(c.ToolName, string(c.Input)))
		p.note("  the page or editor whose tool it is must answer; a new prompt goes on without it")
	}
}
