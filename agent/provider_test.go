package agent_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// leftOpen leaves a session in dir with an open turn of the provider "X", a prompt that waits and a schedule that is due.
func leftOpen(t *testing.T, dir string) agent.Options {
	t.Helper()
	reached := make(chan struct{})
	opts := agenttest.Options(t, agenttest.NewModel(agenttest.Hold(reached, nil, agenttest.Say("never"), "half ")), write(new(atomic.Int32)))
	opts.Provider = "X"
	h := agenttest.Open(t, dir, opts)
	a := agenttest.Agent(t, h, "one")
	agenttest.Ask(t, a, "q1", "the secret of X")
	<-reached
	agenttest.Ask(t, a, "q2", "another")
	plan(t, a, agent.Plan{Prompt: "planned", At: time.Now().Add(50 * time.Millisecond).Format(time.RFC3339Nano)})
	closeHost(t, h)
	return opts
}

// another opens a host of provider "Y" there.
func another(t *testing.T, dir string, opts agent.Options, replies ...agenttest.Reply) (*agent.Host, *agenttest.Model) {
	t.Helper()
	model := agenttest.NewModel(replies...)
	opts.Provider, opts.Model = "Y", model
	return agenttest.Open(t, dir, opts), model
}

func TestAnotherProvidersWorkWaits(t *testing.T) {
	dir := t.TempDir()
	opts := leftOpen(t, dir)
	h, model := another(t, dir, opts, agenttest.Say("of another session"))
	if got := onDisk(t, h, "one"); got != agent.Interrupted {
		t.Errorf("the session is %s, want interrupted", got)
	}
	if turns, _ := h.Busy(); turns != 0 || h.Planned().Count != 0 || h.Planned().Elsewhere != 1 {
		t.Errorf("%d turns and %+v keep the host busy, want none", turns, h.Planned())
	}
	a := agenttest.Agent(t, h, "one")
	sub := subscribe(t, a) // reading is no act
	if doc := document(t, sub.Snapshot.State); doc.Status != agent.Interrupted || doc.Provider != "X" || doc.Queued != 1 {
		t.Errorf("the state is %+v, want interrupted and for X", doc)
	}
	if m, err := a.Messages(t.Context()); err != nil || len(m) != 3 {
		t.Errorf("messages = %+v, %v", m, err)
	}
	if err := a.Rename(t.Context(), "a title"); err != nil {
		t.Error(err)
	}
	if err := a.Decide(t.Context(), "nothing", agent.Decision{Approved: true}); err == nil {
		t.Error("a decision on nothing was taken")
	}
	var waits *agent.ProviderError
	if _, err := a.Schedule(t.Context(), agent.Plan{Prompt: "more", In: "1h"}); !errors.As(err, &waits) || waits.Provider != "X" {
		t.Errorf("planning there: %v, want a ProviderError", err)
	}
	two := agenttest.Agent(t, h, "two")
	other := subscribe(t, two)
	agenttest.Ask(t, two, "q1", "go")
	agenttest.Finish(t, other, "q1")
	for listed(t, h)[0].Error == "" { // the clock meets it as often as anything changes
		plan(t, two, agent.Plan{Prompt: "tick", In: "1h"})
	}
	if s := listed(t, h)[0]; !strings.Contains(s.Error, "asks X") || s.Next.After(time.Now()) {
		t.Errorf("the schedule is %+v, want it due, with a word about X", s)
	}
	if n := len(model.Requests()); n != 1 {
		t.Errorf("the model of Y was asked %d times, want once, for the other session", n)
	}
	sub.Close()
	closeHost(t, h)

	model = agenttest.NewModel(agenttest.Say("done"), agenttest.Say("two"), agenttest.Say("three"))
	opts.Model = model
	h = agenttest.Open(t, dir, opts) // of X again
	sub = subscribe(t, agenttest.Agent(t, h, "one"))
	for len(model.Requests()) < 3 || onDisk(t, h, "one") != agent.Idle {
		if _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := prompts(t, agenttest.Agent(t, h, "one")); len(got) != 3 {
		t.Errorf("the prompts are %q, want all three", got)
	}
}

func TestAClientsActTakesOver(t *testing.T) {
	acts := map[string]func(*testing.T, *agent.CoderAgent){
		"prompt": func(t *testing.T, a *agent.CoderAgent) { agenttest.Ask(t, a, "q3", "go on") },
		"steer": func(t *testing.T, a *agent.CoderAgent) {
			if err := a.Steer(t.Context(), "go on"); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h, model := another(t, dir, leftOpen(t, dir), agenttest.Say("1"), agenttest.Say("2"), agenttest.Say("3"), agenttest.Say("4"))
			a := agenttest.Agent(t, h, "one")
			sub := subscribe(t, a)
			want := map[string]int{"prompt": 4, "steer": 3}[name] // with the schedule
			act(t, a)
			for len(model.Requests()) < want || onDisk(t, h, "one") != agent.Idle {
				if _, err := sub.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := prompts(t, a); len(got) != want && name == "prompt" {
				t.Errorf("the prompts are %q", got)
			}
			if turns, _ := h.Busy(); turns != 0 {
				t.Errorf("%d turns are counted when all is over", turns)
			}
		})
	}
}

func TestAnotherProvidersTurnCanBeEnded(t *testing.T) {
	for _, name := range []string{"cancel", "clear", "delete"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h, model := another(t, dir, leftOpen(t, dir))
			a := agenttest.Agent(t, h, "one")
			switch name {
			case "cancel":
				sub := subscribe(t, a)
				if err := a.Cancel(t.Context(), "q1"); err != nil {
					t.Fatal(err)
				}
				events := agenttest.Finish(t, sub, "q1")
				if end := events[len(events)-1].(chat.TurnFinished); end.Reason != chat.FinishCancelled {
					t.Errorf("the turn ended with %+v", end)
				}
				if err := a.Cancel(t.Context(), "q2"); err != nil {
					t.Fatal(err)
				}
				if got := onDisk(t, h, "one"); got != agent.Idle {
					t.Errorf("the session is %s, want idle", got)
				}
			case "clear":
				if err := a.Clear(t.Context()); err != nil {
					t.Fatal(err)
				}
			case "delete":
				if err := h.Delete(t.Context(), "one"); err != nil {
					t.Fatal(err)
				}
			}
			if turns, _ := h.Busy(); turns != 0 || len(model.Requests()) != 0 {
				t.Errorf("%d turns are counted, and the model of Y was asked %d times; want neither", turns, len(model.Requests()))
			}
		})
	}
}
