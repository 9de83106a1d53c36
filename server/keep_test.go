package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/agenttest"
)

// TestWhatIsKeptIsForPeopleAtTheMachine: prune and pin want the token, JSON and no Origin, and mean what they say.
func TestWhatIsKeptIsForPeopleAtTheMachine(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	model := agenttest.NewModel(agenttest.Say("one"), agenttest.Say("two"))
	opts := agenttest.Options(t, model)
	opts.Now = func() time.Time { return now }
	h := serve(t, opts, nil)
	for _, name := range []string{"old", "pinned"} {
		a := agenttest.Agent(t, h.host, name)
		sub, err := a.Subscribe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		agenttest.Ask(t, a, "q1", "hello")
		agenttest.Finish(t, sub, "q1")
		sub.Close()
	}
	now = now.Add(60 * 24 * time.Hour)
	const month = `{"unusedSeconds":2592000,"names":null}`
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		answer           string
	}{
		{"without the token", "/host/prune?", month, nil, 401, "Unauthorized"},
		{"a page", "/host/prune", month, []string{"Origin", "http://" + h.addr}, 403, "a page may not do this"},
		{"a page that pins", "/host/sessions/old/pin", `{"pinned":true}`, []string{"Origin", "http://" + h.addr}, 403, "a page may not do this"},
		{"a form", "/host/prune", month, []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"no bound", "/host/prune", `{"names":["old"]}`, nil, 400, "say what may go"},
		{"a negative bound", "/host/prune", `{"count":-1}`, nil, 400, "must not be negative"},
		{"a misspelled field", "/host/prune", `{"unusedSeconds":1,"name":"old"}`, nil, 400, "there is no field"},
		{"no JSON", "/host/prune", `x`, nil, 400, "the body is not the JSON"},
		{"names that are not there", "/host/prune", `{"unusedSeconds":2592000,"names":["other"]}`, nil, 200, `"sessions":[]`},
		{"no names at all", "/host/prune", `{"unusedSeconds":2592000,"names":[]}`, nil, 200, `"sessions":[]`},
		{"pin", "/host/sessions/PINNED/pin", `{"pinned":true}`, nil, 200, `{"name":"PINNED","pinned":true}`},
		{"pin nobody", "/host/sessions/nobody/pin", `{"pinned":true}`, nil, 404, "there is no session nobody"},
		{"pin a bad name", "/host/sessions/-x/pin", `{"pinned":true}`, nil, 400, "is not a session name"},
		{"prune", "/host/prune", month, nil, 200, `"why":"unused for 60 days"`},
		{"prune again", "/host/prune", month, nil, 200, `"sessions":[]`},
	}
	for _, tt := range tests {
		target := tt.path
		if !strings.Contains(target, "?") {
			target += "?token=" + token
		}
		headers := tt.headers
		if !slices.Contains(headers, "Content-Type") {
			headers = append(headers, "Content-Type", "application/json")
		}
		status, body, _ := h.get("POST", target, tt.body, headers...)
		if status != tt.status || !strings.Contains(body, tt.answer) {
			t.Errorf("%s: %d %s, want %d with %s", tt.name, status, body, tt.status, tt.answer)
		}
	}
	if list, err := h.host.Sessions(t.Context()); err != nil || len(list) != 1 || list[0].Name != "pinned" || !list[0].Pinned {
		t.Errorf("left are %+v, %v", list, err)
	}
}
