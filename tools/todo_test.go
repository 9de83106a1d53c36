package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/tools"
)

// TestTheTodoListIsReplacedAndShown: in whatever words other agents taught the model. The state document has it, also
// under the next host.
func TestTheTodoListIsReplacedAndShown(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(
		agenttest.Call(agenttest.Use{ID: "c1", Tool: "todo", Args: object{"items": []object{{"text": "look"}, {"text": "fix"}}}}),
		agenttest.Call(agenttest.Use{ID: "c2", Tool: "todo", Args: object{"todos": []any{
			object{"content": " look\n around", "status": "completed"}, object{"text": "fix", "status": "in-progress"}, "test",
		}}}),
		agenttest.Call(
			agenttest.Use{ID: "c3", Tool: "todo", Args: object{"items": []object{{"status": "done"}}}},
			agenttest.Use{ID: "c4", Tool: "todo", Args: object{"items": []object{{"text": "x", "status": "maybe"}}}},
			agenttest.Use{ID: "c5", Tool: "todo", Args: object{"items": slices.Repeat([]object{{"text": "x"}}, 51)}},
			agenttest.Use{ID: "c6", Tool: "todo", Args: object{"items": []object{{"text": strings.Repeat("x", 301)}}}},
		),
		agenttest.Say("done"),
	)
	opts := agenttest.Options(t, model, tools.All(tools.Options{})...)
	host, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	results := run(t, agenttest.Agent(t, host, "a"))
	for i, want := range []string{
		"0 of 2 done", "1 of 3 done; now: fix", "item 1 has no text", "item 1: its status must be pending, in_progress or completed",
		"51 items are too many", "item 1 is longer than 300 characters",
	} {
		if !strings.Contains(results[i], want) {
			t.Errorf("call %d gives %q, want %q", i+1, results[i], want)
		}
	}
	want := []chat.Todo{{Text: "look around", Status: chat.TodoCompleted}, {Text: "fix", Status: chat.TodoActive}, {Text: "test", Status: chat.TodoPending}}
	if got := shown(t, agenttest.Agent(t, host, "a")); !slices.Equal(got, want) {
		t.Errorf("the state shows %+v, want %+v", got, want)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	next := agenttest.Agent(t, agenttest.Open(t, dir, opts), "a")
	if got := shown(t, next); !slices.Equal(got, want) {
		t.Errorf("under the next host the state shows %+v, want %+v", got, want)
	}
	model.Add(agenttest.Call(agenttest.Use{ID: "c7", Tool: "todo", Args: object{"items": []object{}}}), agenttest.Say("empty"))
	run(t, next)
	if got := shown(t, next); len(got) != 0 {
		t.Errorf("an emptied list shows %+v", got)
	}
}

// run gives the agent a prompt and returns the results of its calls.
func run(t *testing.T, a *agent.CoderAgent) (results []string) {
	t.Helper()
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	id := fmt.Sprint("q", len(sub.Snapshot.Messages))
	agenttest.Ask(t, a, id, "go")
	agenttest.Finish(t, sub, id)
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range messages[len(messages)-1].Parts {
		if c, ok := p.(chat.ToolCall); ok {
			results = append(results, c.Result())
		}
	}
	return results
}

// shown is the todo list of the state document.
func shown(t *testing.T, a *agent.CoderAgent) []chat.Todo {
	t.Helper()
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var doc agent.Document
	if err := json.Unmarshal(sub.Snapshot.State, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Todo
}
