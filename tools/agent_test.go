package tools_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/tools"
)

type object = map[string]any

// TestAnAgentFindsReadsEditsAndTests runs every tool through a real agent, each as its own step: the guard of edit
// lives from what the transcript says was seen.
func TestAnAgentFindsReadsEditsAndTests(t *testing.T) {
	steps := []struct {
		tool string
		args object
		want string // what the model gets back holds
	}{
		{"glob", object{"pattern": "*.sh"}, "greet.sh"},
		{"grep", object{"pattern": "helo"}, "greet.sh\n2:echo helo"},
		{"edit", object{"path": "greet.sh", "old": "helo", "new": "hello"}, "error: greet.sh exists and has not been read in this session; read it first"},
		{"read", object{"file_path": "greet.sh"}, "1:#!/bin/sh\n2:echo helo"},
		{"edit", object{"path": "greet.sh", "old_string": "helo", "new_string": "hello"}, "edited greet.sh: 1 replacement, line 2"},
		{"edit", object{"path": "greet.sh", "edits": []object{{"old": "echo", "new": "printf '%s\\n'"}}}, "edited greet.sh"},
		{"bash", object{"command": "sh greet.sh; echo >> greet.sh"}, "hello"},
		{"edit", object{"path": "greet.sh", "old": "hello", "new": "bye"}, "error: greet.sh has changed since you last saw it; read it again"},
		{"write", object{"path": "out/notes.txt", "content": "done\n"}, "created out/notes.txt (1 line, 5 bytes)"},
		{"read", object{}, `the argument "path" is missing`},
		{"bash", object{"command": "seq 100000"}, "left out here; the whole, 100,000 lines"},
		{"schedule", object{"action": "list"}, "nothing is planned"},
		{"schedule", object{"prompt": "look at the CI", "interval": "2 hours", "at": "", "tz": nil}, ": comes every 2h, next on "},
		{"schedule", object{"prompt": "look at the CI", "cron": "0 9 * * 1-5", "timezone": "UTC"}, `: comes by cron "0 9 * * 1-5" in UTC, next on `},
		{"schedule", object{"prompt": "look at the CI"}, "error: say when with exactly one of at, in, cron and every"},
		{"schedule", object{"action": "list"}, `every 2h, next on `},
		{"schedule", object{"id": "s-none"}, "error: there is no schedule s-none in this session; list shows"},
		{"schedule", object{"action": "pause"}, `error: there is no action "pause"; use create, list or cancel`},
	}
	replies := make([]agenttest.Reply, 0, len(steps)+1)
	for i, s := range steps {
		replies = append(replies, agenttest.Call(agenttest.Use{ID: fmt.Sprint("call_", i), Tool: s.tool, Args: s.args}))
	}
	model := agenttest.NewModel(append(replies, agenttest.Say("fixed"))...)
	opts := agenttest.Options(t, model, tools.All(tools.Options{})...)
	opts.Environ = []string{"PATH=" + os.Getenv("PATH")}
	if err := os.WriteFile(filepath.Join(opts.Workdir, "greet.sh"), []byte("#!/bin/sh\necho helo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "fix")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(t, a, "one", "fix the greeting")
	agenttest.Finish(t, sub, "one")

	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var calls []chat.ToolCall
	for _, p := range messages[len(messages)-1].Parts {
		if c, ok := p.(chat.ToolCall); ok {
			calls = append(calls, c)
		}
	}
	if len(calls) != len(steps) {
		t.Fatalf("%d calls have results, want %d", len(calls), len(steps))
	}
	for i, c := range calls {
		if got := c.Result(); !strings.Contains(got, steps[i].want) {
			t.Errorf("%s %s = %q, want %q in it", steps[i].tool, c.Input, got, steps[i].want)
		}
	}
	if got, err := os.ReadFile(filepath.Join(opts.Workdir, "greet.sh")); err != nil || string(got) != "#!/bin/sh\nprintf '%s\\n' hello\n\n" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// TestAReadThatIsRepeated through a real agent: what stands in the transcript decides, and requests extend each other.
func TestAReadThatIsRepeated(t *testing.T) {
	read := func(id string) agenttest.Reply {
		return agenttest.Call(agenttest.Use{ID: id, Tool: "read", Args: object{"path": "f"}})
	}
	edit := func(id, old, new string) agenttest.Reply {
		return agenttest.Call(agenttest.Use{ID: id, Tool: "edit", Args: object{"path": "f", "old": old, "new": new}})
	}
	model := agenttest.NewModel(read("c1"), read("c2"), edit("c3", "line 7\n", "line seven\n"), read("c4"), read("c5"), agenttest.Say("done"), read("c6"), agenttest.Say("done"))
	opts := agenttest.Options(t, model, tools.All(tools.Options{})...)
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "line %d\n", i+1)
	}
	if err := os.WriteFile(filepath.Join(opts.Workdir, "f"), []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "fix")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	results := func(turn string) map[string]string {
		t.Helper()
		agenttest.Ask(t, a, turn, "look at f")
		agenttest.Finish(t, sub, turn)
		messages, err := a.Messages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, m := range messages {
			for _, p := range m.Parts {
				if c, ok := p.(chat.ToolCall); ok {
					found[c.ID] = c.Result()
				}
			}
		}
		return found
	}
	got := results("one")
	for id, want := range map[string]string{
		"c1": "7:line 7\n", "c2": "(unchanged since step 1: your read of f there still shows lines 1-100",
		"c3": "edited f", "c4": "7:line seven\n", "c5": "(unchanged since step 4: your read",
	} {
		if !strings.Contains(got[id], want) {
			t.Errorf("call %s gave %.200q, want %q in it", id, got[id], want)
		}
	}
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := results("two"); !strings.Contains(got["c6"], "7:line seven\n") {
		t.Errorf("after a clear the read gave %.200q", got["c6"])
	}
}
