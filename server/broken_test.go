package server

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// TestAPanicIsTheErrorOfItsTurn: the client is told, and the host and the session live on.
func TestAPanicIsTheErrorOfItsTurn(t *testing.T) {
	broken := func(context.Context, chat.Request, func(chat.Event) bool) error {
		panic("the model's client is broken")
	}
	h := simple(t, broken, agenttest.Say("well again"))
	p := h.join("s?_pk=a")
	p.ask("q1", "hello")
	got := p.until("q1 done")
	last := strings.Join(got[len(got)-2:], "; ")
	if !strings.Contains(last, "coder broke down while reading the model's answer") || !strings.Contains(last, "done error") {
		t.Errorf("the turn ended with %s", last)
	}
	p.ask("q2", "and now?")
	p.until("q2 done of u-q2")
}

// TestAPanicBeforeTheStreamLeavesNobodyWaiting: the request ends in one frame, if its connection lives long enough, and the
// connection ends: clients take either for the end of the request. What was on disk is loaded anew.
func TestAPanicBeforeTheStreamLeavesNobodyWaiting(t *testing.T) {
	var armed atomic.Bool
	opts := agenttest.Options(t, agenttest.NewModel(agenttest.Say("first"), agenttest.Say("second")))
	opts.Now = func() time.Time {
		if armed.CompareAndSwap(true, false) {
			panic("the clock is broken")
		}
		return time.Now()
	}
	h := serve(t, opts, nil)
	p := h.join("s?_pk=a")
	p.ask("q1", "hello")
	p.until("q1 done")
	armed.Store(true)
	p.ask("q2", "hello")
	if code := p.closed(); code != statusInternal {
		t.Errorf("the socket closed with %d", code)
	}
	p = h.join("s?_pk=a")
	p.ask("q3", "and now?")
	p.until("q3 done of u-q3")
	messages, err := agenttest.Agent(t, h.host, "s").Messages(t.Context())
	if err != nil || len(messages) != 4 || messages[3].Text() != "second" {
		t.Errorf("the transcript is %+v, %v", messages, err)
	}
}

// TestAPanicInMidTurn: what runs meanwhile goes on from disk.
func TestAPanicInMidTurn(t *testing.T) {
	var armed atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	opts := agenttest.Options(t, agenttest.NewModel(
		agenttest.Hold(reached, release, agenttest.Say(), "one "), agenttest.Say("one two"), agenttest.Say("three")))
	opts.Now = func() time.Time {
		if armed.CompareAndSwap(true, false) {
			panic("the clock is broken")
		}
		return time.Now()
	}
	h := serve(t, opts, nil)
	p := h.join("s?_pk=a")
	p.ask("q1", "hello")
	<-reached
	armed.Store(true)
	p.ask("q2", "breaks")
	p.closed()
	p = h.dial("s?_pk=a")
	p.put(wire.ResumeAck{ID: "q1"})
	for got := p.until("q1"); !strings.Contains(got[len(got)-1], " done of u-q1"); { // live or in a replay
		got = p.until("q1")
	}
	p.ask("q3", "and now?")
	p.until("q3 done of u-q3")
}
