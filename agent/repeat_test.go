package agent_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// onDisk is the status that the session has in the list, which reads the disk.
func onDisk(t *testing.T, h *agent.Host, name string) agent.Status {
	t.Helper()
	list, err := h.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Name == name {
			return s.Status
		}
	}
	t.Fatalf("there is no session %s", name)
	return ""
}

func TestARepeatedRequestWritesNothing(t *testing.T) {
	model := agenttest.NewModel(agenttest.Say("one"))
	opts := agenttest.Options(t, model, look(), write(new(atomic.Int32)))
	h := agenttest.Open(t, t.TempDir(), opts)
	a := agenttest.Agent(t, h, "rep")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "hi")
	agenttest.Finish(t, sub, "q1")
	agenttest.Ask(t, a, "q1", "hi")
	if got := onDisk(t, h, "rep"); got != agent.Idle {
		t.Errorf("after a repeated request the session is %s on disk, want idle", got)
	}

	model = agenttest.NewModel(agenttest.Call(use("c1", "write", "x")))
	opts.Model = model
	opts.Mode = "ask"
	h = agenttest.Open(t, t.TempDir(), opts)
	a = agenttest.Agent(t, h, "park")
	sub = subscribe(t, a)
	agenttest.Ask(t, a, "q1", "hi")
	agenttest.Finish(t, sub, "q1")
	agenttest.Ask(t, a, "q1", "hi")
	if got := onDisk(t, h, "park"); got != agent.Waiting {
		t.Errorf("after a repeated request the parked session is %s on disk, want waiting", got)
	}
}

// Answered as done, the new message would be lost without a word.
func TestARequestIDStandsForOnePrompt(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel(agenttest.Hold(reached, release, agenttest.Say("one")))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
	a := agenttest.Agent(t, h, "rep")
	sub := subscribe(t, a)
	other := func(id string) error {
		return a.Prompt(t.Context(), agent.Prompt{ID: id, Client: "test", Messages: []chat.Message{
			{ID: "another", Role: chat.User, Parts: []chat.Part{chat.Text{Text: "hi"}}},
		}})
	}
	agenttest.Ask(t, a, "q1", "hi")
	<-reached
	agenttest.Ask(t, a, "q2", "queued")
	for _, id := range []string{"q1", "q2"} {
		if _, ok := errors.AsType[*agent.RepeatError](other(id)); !ok {
			t.Errorf("another prompt under the id of %s, which is not over, is not refused", id)
		}
	}
	if err := a.Cancel(t.Context(), "q2"); err != nil {
		t.Fatal(err)
	}
	close(release)
	agenttest.Finish(t, sub, "q1")
	for _, id := range []string{"q1", "q2"} {
		if _, ok := errors.AsType[*agent.RepeatError](other(id)); !ok {
			t.Errorf("another prompt under the id of %s, which is over, is not refused", id)
		}
	}
	if got := prompts(t, a); len(got) != 1 {
		t.Errorf("the transcript has the prompts %q, want one", got)
	}
}
