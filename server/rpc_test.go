package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

// TestALongMethodStreams: pieces that are not done, then the answer, all to the caller alone and behind the updates they
// belong to.
func TestALongMethodStreams(t *testing.T) {
	h := simple(t, agenttest.Say(strings.Repeat("many words ", 500)), agenttest.Say("few"), agenttest.Say("the summary"))
	p := h.join("long?_pk=a")
	other := h.join("long?_pk=b")
	p.ask("q1", "one")
	p.until("q1 done")
	p.ask("q2", "two")
	p.until("q2 done")
	p.put(wire.Call{ID: "c", Method: "compact", Args: []json.RawMessage{}})
	pieces, offered := 0, false
	for done := false; !done; {
		switch f := p.recv().(type) {
		case wire.Resuming: // the compaction is a turn: whoever asked for it is offered to follow it
			offered = true
			p.put(wire.ResumeAck{ID: f.ID})
		case wire.CallResult:
			var mark struct{ Status, Summary string }
			if err := json.Unmarshal(f.Result, &mark); err != nil || !f.Success {
				t.Fatalf("compact answers %+v: %v", f, err)
			}
			if done = f.Done; !done {
				pieces++
			}
			if want := map[bool]string{true: "done", false: "running"}[done]; mark.Status != want || done && mark.Summary != "the summary" {
				t.Errorf("compact answers %s, done=%t", f.Result, f.Done)
			}
		}
	}
	if pieces == 0 || !offered {
		t.Errorf("compact told %d pieces before its answer; the turn was offered: %t", pieces, offered)
	}
	for {
		f := other.recv()
		if _, ok := f.(wire.CallResult); ok {
			t.Fatalf("another connection got %+v", f)
		}
		if r, ok := f.(wire.ChatResponse); ok && r.Done && r.ID != "q1" && r.ID != "q2" {
			break
		}
	}
}
