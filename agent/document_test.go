package agent_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
)

func document(t *testing.T, state json.RawMessage) (doc agent.Document) {
	t.Helper()
	if err := json.Unmarshal(state, &doc); err != nil {
		t.Fatalf("the state %s: %v", state, err)
	}
	return doc
}

// join subscribes as a client of a kind.
func join(t *testing.T, a *agent.CoderAgent, kind string) *agent.Subscription {
	t.Helper()
	sub, err := a.SubscribeAs(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// TestTheStateCountsItsClients, and tells those who are there of many that come at once in one document.
func TestTheStateCountsItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, err := agent.Open(t.Context(), t.TempDir(), agenttest.Options(t, agenttest.NewModel()))
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		a := agenttest.Agent(t, host, "a")
		first := join(t, a, "run")
		if got := document(t, first.Snapshot.State).Clients; !maps.Equal(got, map[string]int{"run": 1}) {
			t.Errorf("the first client sees %v", got)
		}
		var pages []*agent.Subscription
		for range 60 {
			pages = append(pages, join(t, a, "page"))
		}
		watcher := join(t, a, "") // one of our own, who counts for nothing
		u, err := first.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := document(t, u.(agent.StateChanged).State).Clients; !maps.Equal(got, map[string]int{"run": 1, "page": 60}) {
			t.Errorf("after sixty pages the first client sees %v", got)
		}
		last := pages[len(pages)-1]
		if got := document(t, last.Snapshot.State).Clients["page"]; got != 60 {
			t.Errorf("the last page begins with %d pages, want 60", got)
		}
		for _, p := range pages {
			p.Close()
		}
		u, err = first.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := document(t, u.(agent.StateChanged).State).Clients; !maps.Equal(got, map[string]int{"run": 1}) {
			t.Errorf("after they have gone the first client sees %v", got)
		}
		first.Close()
		watcher.Close()
	})
}

// TestAClientSetsTheTitleAndNothingElse, also with a document that has become old meanwhile.
func TestAClientSetsTheTitleAndNothingElse(t *testing.T) {
	model := agenttest.NewModel(agenttest.Say("hello"))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model)), "a")
	sub := subscribe(t, a)
	old := sub.Snapshot.State
	agenttest.Ask(t, a, "q1", "go")
	agenttest.Finish(t, sub, "q1")
	with := func(key string, value any) json.RawMessage {
		t.Helper()
		var doc map[string]any
		if err := json.Unmarshal(old, &doc); err != nil {
			t.Fatal(err)
		}
		doc[key] = value
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	title := func() string { return document(t, subscribe(t, a).Snapshot.State).Title }

	var refused *agent.StateError
	for key, value := range map[string]any{
		"mode": "plan", "model": "m", "workdir": "/", "usage": map[string]any{"cost": 1}, "project": map[string]any{"owner": "me"},
		"clients": map[string]int{"page": 9}, "todo": []any{map[string]any{"text": "x", "status": "pending"}}, "constructor": 1,
		"title": strings.Repeat("x", 201), "sandbox": strings.Repeat("x", 64<<10),
	} {
		if err := a.SetState(t.Context(), with(key, value)); !errors.As(err, &refused) {
			t.Errorf("setting %s gives %v, want a refusal", key, err)
		}
	}
	for _, doc := range []string{`null`, `[]`, `7`, `{}`, `{"title":7}`, `{"title":null}`, `{"title":"a\nb"}`, `{"title":"a\u202eb"}`} {
		if err := a.SetState(t.Context(), json.RawMessage(doc)); !errors.As(err, &refused) {
			t.Errorf("setting %s gives %v, want a refusal", doc, err)
		}
	}
	if got := title(); got != "go" {
		t.Errorf("after refusals the title is %q, want that of the prompt", got)
	}
	long := strings.Repeat("語", 200)
	if err := a.SetState(t.Context(), with("title", long)); err != nil {
		t.Errorf("setting the title with an old document: %v", err)
	}
	if got := title(); got != long {
		t.Errorf("the title is %q", got)
	}
}
