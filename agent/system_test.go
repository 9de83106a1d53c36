package agent_test

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
)

// TestTheSystemPromptIsMadeOnce: over all hosts, until the transcript is cleared or the workdir changes.
func TestTheSystemPromptIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel()
	opts := agenttest.Options(t, model)
	var made atomic.Int32
	opts.System = func(workdir string) (string, error) { return fmt.Sprintf("%d in %s", made.Add(1), workdir), nil }
	systems := func(h *agent.Host, turns ...string) {
		t.Helper()
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		for _, id := range turns {
			model.Add(agenttest.Say("done"))
			agenttest.Ask(t, a, id, "go")
			agenttest.Finish(t, sub, id)
		}
		sub.Close()
	}
	last := func(want string) {
		t.Helper()
		requests := model.Requests()
		if got := requests[len(requests)-1].System; got != want {
			t.Errorf("the last request has the system prompt %q, want %q", got, want)
		}
	}
	first, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	systems(first, "q1", "q2")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := agenttest.Open(t, dir, opts)
	systems(second, "q3")
	last("1 in " + opts.Workdir)

	a := agenttest.Agent(t, second, "a")
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	systems(second, "q4")
	last("2 in " + opts.Workdir)

	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	raw, err := json.Marshal(agent.Setup{Workdir: other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(t.Context(), "setup", []json.RawMessage{raw}); err != nil {
		t.Fatal(err)
	}
	systems(second, "q5", "q6")
	last("3 in " + other)
}

// TestAClearedSessionTakesItsTitleAnew, unless a client had set it. What it has cost stays.
func TestAClearedSessionTakesItsTitleAnew(t *testing.T) {
	model := agenttest.NewModel(agenttest.Say("1"), agenttest.Say("2"), agenttest.Say("3"))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	turn := func(id, text, title string) {
		t.Helper()
		agenttest.Ask(t, a, id, text)
		agenttest.Finish(t, sub, id)
		list, err := h.Sessions(t.Context())
		if err != nil || len(list) != 1 || list[0].Title != title {
			t.Errorf("after %q the sessions are %+v, %v; want the title %q", text, list, err, title)
		}
	}
	wipe := func() {
		t.Helper()
		if err := a.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	turn("q1", "fix the bug", "fix the bug")
	wipe()
	turn("q2", "write the docs", "write the docs")
	if err := a.SetState(t.Context(), titled(t, a, "mine")); err != nil {
		t.Fatal(err)
	}
	wipe()
	turn("q3", "something else", "mine")
	if list, err := h.Sessions(t.Context()); err != nil || list[0].Usage.Input != 30 {
		t.Errorf("the usage after two clears is %+v, %v; want that of three answers", list, err)
	}
}

// titled is the state document with another title, as a client sends it.
func titled(t *testing.T, a *agent.CoderAgent, title string) json.RawMessage {
	t.Helper()
	sub := subscribe(t, a)
	defer sub.Close()
	var doc map[string]any
	if err := json.Unmarshal(sub.Snapshot.State, &doc); err != nil {
		t.Fatal(err)
	}
	doc["title"] = title
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
