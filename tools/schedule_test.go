package tools_test

import (
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/tools"
)

// In mode plan a prompt for later would be a way round: what may not be done now is not planned either.
func TestModePlanPlansNoPrompts(t *testing.T) {
	model := agenttest.NewModel(
		agenttest.Call(
			agenttest.Use{ID: "c1", Tool: "schedule", Args: object{"prompt": "write it then", "in": "1h"}},
			agenttest.Use{ID: "c2", Tool: "schedule", Args: object{"action": "list"}},
		), agenttest.Say("I may not"))
	opts := agenttest.Options(t, model, tools.Schedule())
	opts.Mode = permission.ModePlan
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(t, a, "q", "write it")
	agenttest.Finish(t, sub, "q")
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, p := range messages[1].Parts {
		if c, ok := p.(chat.ToolCall); ok {
			results = append(results, c.Result())
		}
	}
	if len(results) != 2 || !strings.Contains(results[0], "mode plan does not allow a tool that plans prompts") || results[1] != "nothing is planned" {
		t.Errorf("results = %q; want the plan denied and the list given", results)
	}
}
