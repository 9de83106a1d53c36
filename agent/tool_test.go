package agent_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// TestToolsAreOfferedToTheModelsTheyAreFor: the offer is the same in all requests of a session until its model changes.
// A call of a tool that is not offered runs all the same: the transcript has shown it to the model.
func TestToolsAreOfferedToTheModelsTheyAreFor(t *testing.T) {
	var acted atomic.Int32
	patches := write(&acted)
	patches.Models = func(id string) bool { return strings.HasPrefix(id, "openai/") }
	model := agenttest.NewModel(
		agenttest.Call(use("c1", "write", "one")), agenttest.Say("one"), agenttest.Say("two"),
		agenttest.Call(use("c2", "write", "two")), agenttest.Say("three"),
	)
	opts := agenttest.Options(t, model, patches, look())
	opts.ModelID = "openai/gpt"
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	for _, id := range []string{"q1", "q2", "q3"} {
		if id == "q3" {
			if _, err := a.Call(t.Context(), "setModel", []json.RawMessage{[]byte(`"anthropic/claude"`)}); err != nil {
				t.Fatal(err)
			}
		}
		agenttest.Ask(t, a, id, "go on")
		agenttest.Finish(t, sub, id)
	}
	var got []string
	for _, r := range model.Requests() {
		got = append(got, strings.Join(toolNames(r), " "))
	}
	if want := []string{"write look", "write look", "write look", "look", "look"}; !slices.Equal(got, want) {
		t.Errorf("offered were %q, want %q", got, want)
	}
	if c := call(t, a, "c2"); c.State != chat.OutputAvailable || acted.Load() != 2 {
		t.Errorf("the call of a tool that is not offered is %+v; %d acted", c, acted.Load())
	}
}
