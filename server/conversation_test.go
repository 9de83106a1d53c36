package server

import (
	"slices"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

func TestConnectFramesComeInTheirOrder(t *testing.T) {
	h := simple(t)
	p := h.dial("demo?_pk=a")
	got := p.recv()
	if want := (wire.Identity{Name: "demo", Agent: "coder-agent", StateFollows: true}); got != want {
		t.Fatalf("first frame is %#v, want %#v", got, want)
	}
	if _, ok := p.recv().(wire.State); !ok {
		t.Fatal("stateFollows, but no state frame followed")
	}
	p.expect("mcp")
	p.quiet()
}

// Two clients see the same stream; the transcript goes to the one that did not ask, before the last frame.
func TestATurnGoesToEveryConnection(t *testing.T) {
	h := simple(t, agenttest.Say("hello ", "world"))
	a, b := h.join("ct1?_pk=a"), h.join("ct1?_pk=b")
	a.ask("q1", "say hello")
	stream := []string{"q1 0 start", "q1 1 start-step", "q1 2 text-start"}
	tail := []string{"text-end", "finish-step", "finish"}
	gotA, gotB := a.until("q1 done"), b.until("q1 done")
	if !slices.Equal(gotA[:3], stream) {
		t.Errorf("the asker saw %q", gotA)
	}
	if gotB[0] != `messages user("say hello")` {
		t.Errorf("the other's first frame is %q", gotB[0])
	}
	if got, want := gotB[len(gotB)-2], `messages user("say hello") assistant(step "hello world")`; got != want {
		t.Errorf("the other's last but one frame is %q, want %q", got, want)
	}
	if got, want := gotA[len(gotA)-1], "q1 done of u-q1"; got != want {
		t.Errorf("the last frame is %q, want %q", got, want)
	}
	if chunks := gotB[1 : len(gotB)-2]; !slices.Equal(chunks, gotA[:len(gotA)-1]) {
		t.Errorf("the asker saw %q, the other %q", gotA, chunks)
	}
	for i, want := range tail {
		if got := gotA[len(gotA)-4+i]; got[len(got)-len(want):] != want {
			t.Errorf("the asker's stream ends with %q, want %q", gotA[len(gotA)-4:], tail)
		}
	}
	status, body, _ := h.get("GET", "/agents/coder-agent/ct1/get-messages?token="+token, "")
	if status != 200 || len(body) < 50 {
		t.Errorf("get-messages: %d %s", status, body)
	}
}
