package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

// A client that repeats a request would wait for ever if it were only taken for what it is: no new one.
func TestARepeatedRequestOfATurnThatIsOverGetsItsEnd(t *testing.T) {
	h := simple(t, agenttest.Say("hello"), agenttest.Fail(errors.New("the model is out"), "partial "))
	a, b := h.join("rep?_pk=a"), h.join("rep?_pk=b")
	a.ask("q1", "say hello")
	a.until("q1 done")
	b.until("q1 done")
	a.ask("q1", "say hello")
	a.expect("q1 done of u-q1")
	a.ask("q2", "fail")
	a.until("q2 done")
	b.until("q2 done")
	a.ask("q2", "fail")
	a.expect(`q2 error "the model is out" done error of u-q2`)
	a.ask("q1", "say hello") // also an older one
	a.expect("q1 done of u-q1")
	a.quiet()
	b.quiet() // the others hear nothing of it

	away := h.join("rep?_pk=a") // its client was away: it has not had the turn
	away.ask("q1", "say hello")
	got := away.until("q1 replay done")
	if got[0] != "q1 0 start replay" || !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, `"hello" replay`) }) {
		t.Errorf("a client that was away got %q, want the turn", got)
	}
	away.ask("q1", "say hello")
	away.expect("q1 done of u-q1")
	away.quiet()
	status, body, _ := h.get("GET", "/agents/coder-agent/rep/get-messages?token="+token, "")
	if n := strings.Count(body, `"role":"user"`); status != 200 || n != 2 {
		t.Errorf("the transcript has %d prompts, want 2: %s", n, body)
	}
}

func TestARepeatedRequestOfATurnThatRunsOrWaitsIsSeenLive(t *testing.T) {
	reply, reached, release := held("one ")
	h := simple(t, reply, agenttest.Say("two"))
	a := h.join("rep2?_pk=a")
	a.ask("q1", "first")
	a.ask("q2", "second")
	<-reached
	a.ask("q1", "first")
	a.ask("q2", "second")
	a.put(wire.Call{ID: "taken", Method: "nosuch", Args: []json.RawMessage{}}) // frames are taken in their order
	a.until("rpc taken")
	close(release)
	for _, id := range []string{"q1", "q2"} {
		got := a.until(id + " done")
		if n := len(slices.DeleteFunc(got, func(s string) bool { return !strings.Contains(s, " done") })); n != 1 {
			t.Errorf("%s ended %d times", id, n)
		}
	}
	a.quiet()
}

// A turn whose end cannot be recorded has no end event; the streams of its clients end all the same.
func TestATurnThatStandsStillEndsItsStreams(t *testing.T) {
	agenttest.OnSmallDisk(t, 3<<20, func(disk *agenttest.Disk) {
		reply, _, release := held("told ")
		opts := agenttest.Options(t, agenttest.NewModel(reply, agenttest.Say("more")))
		h := serveIn(t, disk.Dir, opts, nil)
		a, b := h.join("full?_pk=a"), h.join("full?_pk=b")
		a.ask("q1", "go")
		told := a.until("q1 3 ")
		b.until("q1 3 ")
		disk.Fill(t, 0)
		close(release)
		for _, p := range []*peer{a, b} {
			f := p.until("q1 error")
			if last := f[len(f)-1]; !strings.Contains(last, "no space left") || !strings.Contains(last, `\nmake room on the disk`) || !strings.HasSuffix(last, " done error of u-q1") {
				t.Errorf("%s got %q", p.name, f)
			}
		}
		a.ask("q1", "go") // again: refused, as long as there is no room
		if f, ok := a.recvResponse(); !ok || !f.Done || !f.Error || !strings.HasPrefix(f.Hint, "make room on the disk") {
			t.Errorf("the repeated request got %+v", f)
		}
		c := h.join("full?_pk=c") // nothing runs
		c.put(wire.ResumeRequest{ProbeID: "p1"})
		c.expect("resuming q1 p1")
		c.put(wire.ResumeAck{ID: "q1"})
		replay := c.until("q1 error")
		if n := len(told) + 1; len(replay) != n {
			t.Errorf("the replay is %q, want what was told: %q", replay, told)
		}

		disk.Free(t)
		a.ask("q2", "go on")
		for _, p := range []*peer{a, b, c} { // what has become of the turn, and then the next
			f := p.until("q2 done")
			if !strings.HasPrefix(f[0], `messages user("go") assistant(step "told ")`) {
				t.Errorf("%s got %q first, want the transcript", p.name, f[0])
			}
			if slices.ContainsFunc(f, func(s string) bool { return strings.HasPrefix(s, "q1") }) {
				t.Errorf("%s got more of a stream that had ended: %q", p.name, f)
			}
		}
	})
}

// recvResponse reads frames up to the next response.
func (p *peer) recvResponse() (wire.ChatResponse, bool) {
	p.t.Helper()
	for {
		f := p.recv()
		if r, ok := f.(wire.ChatResponse); ok {
			return r, true
		}
		if !aside(shape(f)) {
			return wire.ChatResponse{}, false
		}
	}
}
