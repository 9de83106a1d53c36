package server

import (
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/server/wire"
)

// causes reads frames up to the end of a turn and returns, by type, who caused them.
func (p *peer) causes(end func(wire.Frame) bool) map[string]map[string]int {
	p.t.Helper()
	by := make(map[string]map[string]int)
	for {
		f := p.recv()
		var client string
		switch f := f.(type) {
		case wire.ChatResponse:
			client = f.Client
		case wire.CoderEvent:
			client = f.Client
		case wire.ChatMessages:
			client = f.Client
		case wire.MessageUpdated:
			client = f.Client
		case wire.ChatClear:
			client = f.Client
		default:
			continue
		}
		if by[wire.TypeOf(f)] == nil {
			by[wire.TypeOf(f)] = make(map[string]int)
		}
		by[wire.TypeOf(f)][client]++
		if end(f) {
			return by
		}
	}
}

func done(f wire.Frame) bool {
	r, ok := f.(wire.ChatResponse)
	return ok && r.Done
}

// TestFramesSayWhoCausedThem: a page can tell which of the others prompted, decided and cleared.
func TestFramesSayWhoCausedThem(t *testing.T) {
	type args struct{}
	model := agenttest.NewModel(agenttest.Call(agenttest.Use{ID: "c1", Tool: "act", Args: args{}}), agenttest.Say("so ", "it ", "is"))
	opts := agenttest.Options(t, model, agent.NewTool("act", permission.Runs, "A tool.", gatedRun[args]))
	opts.Mode = permission.ModeAsk
	h := serve(t, opts, nil)
	a, b, c := h.join("s?_pk=a"), h.join("s?_pk=b"), h.join("s?_pk=c")
	only := func(deed string, got map[string]map[string]int, client string, kinds ...string) {
		t.Helper()
		for kind, by := range got {
			if len(by) != 1 || by[client] == 0 {
				t.Errorf("%s: %s frames came from %v, want %s", deed, kind, by, client)
			}
		}
		for _, kind := range kinds {
			if got[kind] == nil {
				t.Errorf("%s: no %s came", deed, kind)
			}
		}
	}
	a.ask("q1", "hello")
	only("a prompt", c.causes(done), "a", "cf_agent_chat_messages", "cf_agent_use_chat_response", "coder_event")
	b.put(wire.Approve{ToolCallID: "c1", Approved: true, AutoContinue: true})
	only("a decision", c.causes(done), "b", "cf_agent_message_updated", "cf_agent_chat_messages", "cf_agent_use_chat_response", "coder_event")
	messages, err := agenttest.Agent(t, h.host, "s").Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range messages[1].Parts {
		if call, ok := p.(chat.ToolCall); ok && call.Approval.By != "b" {
			t.Errorf("the approval is %+v, want it to say that b decided", call.Approval)
		}
	}
	b.put(wire.ChatClear{})
	only("a clear", c.causes(func(f wire.Frame) bool { _, ok := f.(wire.ChatClear); return ok }), "b")
}
