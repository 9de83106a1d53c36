package tools_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/tools"
)

// A rule about a folder holds for a search that begins above it.
func TestASearchLeavesOutWhatARuleWithholds(t *testing.T) {
	model := agenttest.NewModel(
		agenttest.Call(agenttest.Use{ID: "call_0", Tool: "grep", Args: object{"pattern": "needle"}}), agenttest.Say("done"))
	opts := agenttest.Options(t, model, tools.All(tools.Options{})...)
	rule, err := permission.ParseRule("deny read(closed/**)", "a test")
	if err != nil {
		t.Fatal(err)
	}
	opts.Rules = []permission.Rule{rule}
	for _, name := range []string{"open/a.txt", "closed/b.txt"} {
		path := filepath.Join(opts.Workdir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("needle in "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "search")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(t, a, "one", "search")
	agenttest.Finish(t, sub, "one")
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range messages[len(messages)-1].Parts {
		if c, ok := p.(chat.ToolCall); ok {
			if got := c.Result(); !strings.Contains(got, "needle in open") || strings.Contains(got, "needle in closed") {
				t.Errorf("the search gives %q", got)
			}
			return
		}
	}
	t.Error("there is no call")
}
