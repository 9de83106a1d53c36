package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

func schedule(t *testing.T, p *peer, id string, plan agent.Plan) {
	t.Helper()
	arg, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	p.put(wire.Call{ID: id, Method: "schedule", Args: []json.RawMessage{arg}})
}

// Nobody asked for the turn of a schedule, so every connection gets the transcript: with the prompt before the stream,
// and whole before the last frame.
func TestAPlannedTurnGoesToEveryConnection(t *testing.T) {
	h := simple(t, agenttest.Say("looked"))
	a, b := h.join("s?_pk=a"), h.join("s?_pk=b")
	schedule(t, a, "r1", agent.Plan{Prompt: "look", At: time.Now().Add(50 * time.Millisecond).Format(time.RFC3339Nano)})
	for _, p := range []*peer{a, b} {
		first := p.until("messages")
		if got := first[len(first)-1]; !strings.HasPrefix(got, `messages user("look\n\n[Schedule s-`) {
			t.Errorf("%s: the prompt is shown as %q", p.name, got)
		}
		var rest []string
		for len(rest) == 0 || !strings.Contains(rest[len(rest)-1], " done") {
			if s := shape(p.recv()); !aside(s) && !strings.HasPrefix(s, "rpc ") {
				rest = append(rest, s)
			}
		}
		if got := rest[len(rest)-2]; !strings.HasSuffix(got, `assistant(step "looked")`) {
			t.Errorf("%s: before its end the turn shows %q", p.name, got)
		}
		if got := rest[len(rest)-1]; !strings.HasPrefix(got, "turn_") || strings.Contains(got, " of ") {
			t.Errorf("%s: the last frame is %q, want one of a turn without an asker", p.name, got)
		}
		if len(rest) < 8 {
			t.Errorf("%s: the stream is %q", p.name, rest)
		}
	}
}

func TestSchedulesAreListedAndCancelledOverHTTP(t *testing.T) {
	h := simple(t)
	p := h.join("Nightly")
	schedule(t, p, "r1", agent.Plan{Prompt: "look", Every: "1h"})
	p.until("rpc r1")
	auth := []string{"Authorization", "Bearer " + token}
	status, body, _ := h.get("GET", "/host/schedules", "", auth...)
	var list Schedules
	if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil || len(list.Schedules) != 1 || list.Schedules[0].Session != "Nightly" {
		t.Fatalf("GET /host/schedules: %d %s", status, body)
	}
	id := list.Schedules[0].ID
	if _, body, _ := h.get("GET", "/host/status", "", auth...); !strings.Contains(body, `"schedules":{"count":1,"next":"`) {
		t.Errorf("GET /host/status: %s", body)
	}
	if status, body, _ := h.get("DELETE", "/host/schedules/s-none", "", auth...); status != 404 || !strings.Contains(body, `"hint":"coder schedule list shows them"`) {
		t.Errorf("cancelling what is not there: %d %s", status, body)
	}
	if status, body, _ := h.get("DELETE", "/host/schedules/"+id, "", auth...); status != 200 || body != `{"cancelled":"`+id+`"}`+"\n" {
		t.Errorf("cancelling: %d %s", status, body)
	}
	if status, body, _ := h.get("GET", "/host/schedules", "", auth...); status != 200 || body != `{"schedules":[]}`+"\n" {
		t.Errorf("GET /host/schedules: %d %s", status, body)
	}
	if status, _, _ := h.get("GET", "/host/schedules", ""); status != 401 {
		t.Errorf("without the token: %d", status)
	}
}
