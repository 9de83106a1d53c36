package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

func TestAnApprovalWaitsAsARow(t *testing.T) {
	for _, approved := range []bool{true, false} {
		dir := t.TempDir()
		var acted atomic.Int32
		model := agenttest.NewModel(agenttest.Call(use("c1", "look", "x"), use("c2", "write", "y")), agenttest.Say("so be it"))
		opts := agenttest.Options(t, model, look(), write(&acted))
		opts.Mode = permission.ModeAsk

		h, err := agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		agenttest.Ask(t, a, "q1", "do it")
		events := agenttest.Finish(t, sub, "q1")
		if end := events[len(events)-1].(chat.TurnFinished); end.Reason != chat.FinishApproval {
			t.Fatalf("the turn ended with %+v, want approval", end)
		}
		if turns, _ := h.Busy(); turns != 0 || acted.Load() != 0 {
			t.Errorf("%d turns run and the tool acted %d times while the decision waits", turns, acted.Load())
		}
		sub.Close()
		if err := h.Close(); err != nil { // the host ends; the question does not
			t.Fatal(err)
		}

		a = agenttest.Agent(t, agenttest.Open(t, dir, opts), "A")
		sub = subscribe(t, a)
		if err := a.Decide(t.Context(), "c2", agent.Decision{Approved: approved, By: "me"}); err != nil {
			t.Fatal(err)
		}
		var waiting *agent.NotWaitingError
		if err := a.Decide(t.Context(), "c2", agent.Decision{Approved: true}); !errors.As(err, &waiting) {
			t.Errorf("a second decision gave %v, want a NotWaitingError", err)
		}
		events = agenttest.Finish(t, sub, "")
		if end := events[len(events)-1].(chat.TurnFinished); end.Reason != chat.FinishStop {
			t.Errorf("approved %v: the continuation ended with %+v", approved, end)
		}
		if got := acted.Load() == 1; got != approved {
			t.Errorf("approved %v: the tool acted %d times", approved, acted.Load())
		}
		m, err := a.Messages(t.Context())
		if err != nil || len(m) != 2 || m[1].Text() != "so be it" {
			t.Errorf("messages = %+v, %v; want one answer", m, err)
		}
	}
}

func TestANewPromptDeniesWhatWaits(t *testing.T) {
	var acted atomic.Int32
	model := agenttest.NewModel(agenttest.Call(use("c1", "write", "y")), agenttest.Say("fine"))
	opts := agenttest.Options(t, model, write(&acted))
	opts.Mode = permission.ModeAsk
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "do it")
	agenttest.Finish(t, sub, "q1")
	agenttest.Ask(t, a, "q2", "never mind")
	agenttest.Finish(t, sub, "q2")
	m, err := a.Messages(t.Context())
	if err != nil || len(m) != 4 {
		t.Fatalf("messages = %+v, %v", m, err)
	}
	if c := m[1].Parts[1].(chat.ToolCall); c.State != chat.OutputDenied || acted.Load() != 0 {
		t.Errorf("the call is %s and acted %d times, want denied", c.State, acted.Load())
	}
}

func TestACallDoesNotOvertakeOneThatWaits(t *testing.T) {
	var acted atomic.Int32
	model := agenttest.NewModel(agenttest.Call(use("c1", "ask", "x"), use("c2", "write", "y")), agenttest.Say("done"))
	ask := agent.NewTool("ask", permission.Runs, "Ask.", func(context.Context, noteArgs) (agent.Result, error) {
		if acted.Load() != 0 {
			t.Error("the later call ran before the one that waited")
		}
		return agent.Result{Text: "ran"}, nil
	})
	opts := agenttest.Options(t, model, ask, write(&acted))
	opts.Mode = permission.ModeEdit
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "do it")
	agenttest.Finish(t, sub, "q1")
	if acted.Load() != 0 {
		t.Error("the later call ran while the first waits")
	}
	if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
		t.Fatal(err)
	}
	agenttest.Finish(t, sub, "")
	if acted.Load() != 1 {
		t.Errorf("the later call acted %d times after the approval, want once", acted.Load())
	}
}

func TestATighterModeBindsWhatWaits(t *testing.T) {
	var acted atomic.Int32
	model := agenttest.NewModel(agenttest.Call(use("c1", "write", "y")), agenttest.Say("done"))
	opts := agenttest.Options(t, model, write(&acted))
	opts.Mode = permission.ModeAsk
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "do it")
	agenttest.Finish(t, sub, "q1")
	if _, err := a.Call(t.Context(), "setMode", []json.RawMessage{[]byte(`"plan"`)}); err != nil {
		t.Fatal(err)
	}
	if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
		t.Fatal(err)
	}
	agenttest.Finish(t, sub, "")
	m, err := a.Messages(t.Context())
	if err != nil || acted.Load() != 0 || !strings.Contains(m[1].Parts[1].(chat.ToolCall).Error, "mode plan does not allow") {
		t.Errorf("messages = %+v, %v, and the tool acted %d times; want it denied", m, err, acted.Load())
	}
}
