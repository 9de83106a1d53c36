package server

import (
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

// A page whose socket broke asks only whether something runs. If its turn has ended meanwhile nothing does, and it would
// show half an answer for ever.
func TestAPageThatComesBackSeesWhatItMissed(t *testing.T) {
	const origin = "http://dev.example:5173"
	reply, reached, release := held("one ")
	h := serve(t, agenttest.Options(t, agenttest.NewModel(reply)), nil)
	page, other := h.dialFrom(origin, "back?_pk=page"), h.join("back?_pk=other")
	page.expect("identity", "state", "mcp") // nothing has happened yet that it could have missed
	page.ask("q1", "count")
	<-reached
	page.until(`q1 3 text-delta "one "`)
	if err := page.ws.CloseNow(); err != nil {
		t.Fatal(err)
	}
	close(release)
	other.until("q1 done")

	back := h.dialFrom(origin, "back?_pk=page")
	back.expect("identity", "state", "mcp")
	frame := back.recv()
	if m, ok := frame.(wire.ChatMessages); !ok || !m.Connect {
		t.Errorf("after its connect frames the page got %s, want a transcript marked as connect", shape(frame))
	}
	if got, want := shape(frame), `messages user("count") assistant(step "one the rest")`; got != want {
		t.Errorf("the page got %s, want %s", got, want)
	}
	back.quiet()

	other.put(wire.ChatClear{})
	back.expect("clear")
	h.dialFrom(origin, "back?_pk=late").expect("identity", "state", "mcp", "messages")
	h.join("back?_pk=program").quiet() // a program asks for what it wants
}

// The end of a turn brings its transcript to those who watch. To the one who has cleared it that is old.
func TestAClearByAnotherTabLeavesNothing(t *testing.T) {
	reply, reached, release := held("half ")
	defer close(release)
	h := serve(t, agenttest.Options(t, agenttest.NewModel(reply)), nil)
	a, b := h.join("wiped?_pk=a"), h.join("wiped?_pk=b")
	a.ask("q1", "count")
	<-reached
	b.until(`q1 3 text-delta "half "`)
	b.put(wire.ChatClear{})
	a.until("clear")
	got := b.until("q1 done")
	if next := b.until("messages"); next[len(next)-1] != "messages" {
		t.Errorf("after %q the tab that has cleared got %q, want an empty transcript", got, next)
	}
	b.quiet()
}
