package server

import (
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

// TestATurnThatEndsBehindAnOfferSaysSo: the client whose ack is still under way knows that it brings the turn.
func TestATurnThatEndsBehindAnOfferSaysSo(t *testing.T) {
	reply, reached, release := held("word ")
	h := simple(t, reply, agenttest.Say("two"))
	a := h.join("of?_pk=a")
	a.ask("q1", "go")
	<-reached
	b := h.dial("of?_pk=b")
	b.until("resuming q1")
	close(release)
	for _, p := range []*peer{a, b} {
		for {
			f, ok := p.recv().(wire.ChatResponse)
			if !ok || !f.Done {
				continue
			}
			if f.Unstreamed != (p == b) {
				t.Errorf("%s: unstreamed = %v", p.name, f.Unstreamed)
			}
			break
		}
	}
	b.put(wire.ResumeAck{ID: "q1"})
	got := b.until("q1 replay done")
	if got[0] != "q1 0 start replay" || len(got) < 5 {
		t.Errorf("a late ack brought %q", got)
	}
}
