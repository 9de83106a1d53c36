package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// limit sets what a turn may cost.
func (k *talk) limit(usd float64) {
	k.Helper()
	if _, err := k.a.Call(k.Context(), "setup", []json.RawMessage{marshalled(k, agent.Setup{MaxCost: &usd})}); err != nil {
		k.Fatal(err)
	}
}

func marshalled(k *talk, v any) json.RawMessage {
	k.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		k.Fatal(err)
	}
	return raw
}

// TestATurnCostsWhatItMay and no more: the request that reaches the limit is the last. A call and an answer cost $0.001 each,
// a flaky answer $0.50.
func TestATurnCostsWhatItMay(t *testing.T) {
	call := func(id string) agenttest.Reply { return agenttest.Call(use(id, "look", id)) }
	tests := []struct {
		name    string
		limit   float64
		replies []agenttest.Reply
		reason  chat.FinishReason
		asked   int
	}{
		{"no limit", 0, []agenttest.Reply{call("c1"), call("c2"), agenttest.Say("done")}, chat.FinishStop, 3},
		{"below it", 0.0025, []agenttest.Reply{call("c1"), call("c2"), agenttest.Say("done")}, chat.FinishStop, 3},
		{"reached", 0.002, []agenttest.Reply{call("c1"), call("c2"), agenttest.Say("done")}, chat.FinishBudget, 2},
		{"reached by the last answer", 0.001, []agenttest.Reply{agenttest.Say("done")}, chat.FinishStop, 1},
		{"an answer that broke off counts", 0.5, []agenttest.Reply{agenttest.Fail(flaky{true}, "half"), agenttest.Say("done")}, chat.FinishBudget, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t, 0, look())
			k.limit(tt.limit)
			end := reason(k.turn("go", tt.replies...))
			if end.Reason != tt.reason || len(k.model.Requests()) != tt.asked || (end.Error != "") != (tt.reason == chat.FinishBudget) {
				t.Errorf("the turn ends with %+v after %d requests, want %s after %d", end, len(k.model.Requests()), tt.reason, tt.asked)
			}
		})
	}
}

// TestASearchIsPaidFromTheBudget: of the searches of one step none begins when there is no money left for it.
func TestASearchIsPaidFromTheBudget(t *testing.T) {
	searched := 0
	search := agent.NewTool("search", permission.Network, "", func(context.Context, struct{}) (agent.Result, error) {
		searched++
		return agent.Result{Text: "found", Usage: chat.Usage{Cost: 0.01}}, nil
	})
	search.Backend = "https://search.example"
	k := newTalk(t, 0, search)
	k.close()
	k.opts.Rules = []permission.Rule{{Decision: permission.Allow, Tool: "search", Pattern: "search.example"}}
	k.open()
	k.limit(0.015)
	uses := []agenttest.Use{{ID: "c1", Tool: "search", Args: struct{}{}}, {ID: "c2", Tool: "search", Args: struct{}{}}, {ID: "c3", Tool: "search", Args: struct{}{}}}
	end := reason(k.turn("go", agenttest.Call(uses...), agenttest.Say("never asked")))
	if end.Reason != chat.FinishBudget || searched != 2 {
		t.Errorf("the turn ends with %+v after %d searches", end, searched)
	}
}

// TestACompactionCountsToo: it is not begun when there is no money for it, and what it costs is the turn's.
func TestACompactionCountsToo(t *testing.T) {
	k := newTalk(t, 100_000)
	k.limit(0.001)
	k.turn("one", agenttest.Say(long))
	k.turn("two", counting(95_000, agenttest.Say(long)))
	end := reason(k.turn("three", agenttest.Say("summary"), agenttest.Say("never asked")))
	if n := len(k.model.Requests()); end.Reason != chat.FinishBudget || n != 3 {
		t.Errorf("the turn ends with %+v after %d requests, want the budget after the compaction", end, n)
	}
	var budget *agent.BudgetError
	if err := error(&agent.BudgetError{Spent: 1, Limit: 0.5}); !errors.As(err, &budget) || err.Error() != "the turn has cost $1.0000, and may cost $0.5" {
		t.Errorf("the error says %q", err)
	}
}

// TestWhoMayRaiseTheBudget: people at the machine; a page lowers it only. A child begins with its parent's.
func TestWhoMayRaiseTheBudget(t *testing.T) {
	k := newTalk(t, 0, look())
	page := agent.WithCaller(t.Context(), agent.Caller{Connection: "p", Page: true})
	set := func(raw string) error {
		_, err := k.a.Call(page, "setup", []json.RawMessage{[]byte(raw)})
		return err
	}
	for _, tt := range []struct {
		name, setup string
		ok          bool
	}{
		{"a page sets one", `{"maxCost":0.01}`, true},
		{"and lowers it", `{"maxCost":0.001}`, true},
		{"it may say what holds", `{"maxCost":0.001}`, true},
		{"but not raise it", `{"maxCost":0.002}`, false},
		{"or lift it", `{"maxCost":0}`, false},
		{"nothing is below zero", `{"maxCost":-1}`, false},
		{"nothing said leaves it", `{"maxCost":null}`, true},
	} {
		if err := set(tt.setup); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	k.turn("make it known", agenttest.Say("fine"))
	child, err := k.host.Child(t.Context(), k.a, agent.KindTask, "part")
	if err != nil {
		t.Fatal(err)
	}
	sub := subscribe(t, child)
	k.model.Add(agenttest.Call(use("c1", "look", "a")), agenttest.Say("never asked"))
	agenttest.Ask(t, child, "q1", "work")
	if end := reason(agenttest.Finish(t, sub, "q1")); end.Reason != chat.FinishBudget {
		t.Errorf("the child's turn ends with %+v, want its parent's limit", end)
	}
	k.limit(0)
	if end := reason(k.turn("go on", agenttest.Call(use("c2", "look", "a")), agenttest.Call(use("c3", "look", "b")))); end.Reason == chat.FinishBudget {
		t.Errorf("a person has lifted the limit, and the turn ends with %+v", end)
	}
}
