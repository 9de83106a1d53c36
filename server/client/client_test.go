package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

func TestTurn(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{Query: map[string][]string{"tether": {"30"}}}, identify)
	if got := c.query["tether"]; len(got) != 1 || got[0] != "30" {
		t.Errorf("tether = %q, want 30", got)
	}
	id := s.Prompt(UserMessage("hi"))
	if r := expect[wire.ChatRequest](c); r.ID != id || r.Messages[0].Text() != "hi" {
		t.Errorf("request = %+v, want %s with hi", r, id)
	}
	c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, false)
	c.chunk(id, 1, delta("a"), false)
	c.event(id, 2, chat.TurnFinished{Reason: chat.FinishStop}, false)
	c.send(wire.ChatResponse{ID: id, Done: true})
	if text, end := texts(t, s, id); text != "a" || end.Lost || end.Cancelled || end.Error != "" {
		t.Errorf("got %q, %+v", text, end)
	}
}

func TestBrokenConnectionTellsEachEventOnce(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	id := s.Prompt(UserMessage("hi"))
	expect[wire.ChatRequest](c)
	c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, false)
	c.event(id, 1, chat.ToolStarted{ToolCallID: "x"}, false)
	c.chunk(id, 1, delta("a"), false)
	c.chunk(id, 2, delta("b"), false)
	awaitText(t, s, "b")
	c.drop()

	c = <-h.conns
	c.send(wire.Resuming{ID: id})
	expect[wire.ResumeAck](c)
	identify(c)
	probe := expect[wire.ResumeRequest](c)
	c.send(wire.Resuming{ID: id, ProbeID: probe.ProbeID}) // answered once only
	c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
	c.event(id, 1, chat.ToolStarted{ToolCallID: "x"}, true)
	c.chunk(id, 1, delta("a"), true)
	c.chunk(id, 2, delta("b"), true)
	c.chunk(id, 3, delta("c"), true)
	c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true})
	c.chunk(id, 4, delta("d"), false)
	c.event(id, 6, chat.TurnFinished{Reason: chat.FinishStop}, false)
	c.send(wire.ChatResponse{ID: id, Done: true})
	if text, end := texts(t, s, id); text != "cd" || end.Lost {
		t.Errorf("after the break came %q, %+v; want only what was new", text, end)
	}
}

// awaitText reads updates up to the delta.
func awaitText(t *testing.T, s *Session, want string) {
	t.Helper()
	for {
		u, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := u.(Event); ok && e.Event == chat.Event(delta(want)) {
			return
		}
	}
}

func TestTurnThatEndedWhileAway(t *testing.T) {
	tests := []struct {
		name   string
		answer func(c *hostConn, id string)
		text   string
		lost   bool
	}{
		{"its events are kept", func(c *hostConn, id string) {
			c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
			c.chunk(id, 1, delta("all"), true)
			c.event(id, 2, chat.TurnFinished{Reason: chat.FinishStop}, true)
			c.send(wire.ChatResponse{ID: id, Done: true, Replay: true})
		}, "all", false},
		{"they are not", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Done: true, Replay: true})
		}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			s, c := h.dial(Options{}, identify)
			id := s.Prompt(UserMessage("hi"))
			expect[wire.ChatRequest](c)
			c.drop()

			c = <-h.conns
			identify(c)
			if r := expect[wire.ChatRequest](c); r.ID != id {
				t.Errorf("the prompt that nobody acknowledged came again as %s, want %s", r.ID, id)
			}
			probe := expect[wire.ResumeRequest](c)
			c.send(wire.ResumeNone{Reason: wire.ResumeIdle, ProbeID: probe.ProbeID})
			if ack := expect[wire.ResumeAck](c); ack.ID != id {
				t.Errorf("ack of %s, want %s", ack.ID, id)
			}
			tt.answer(c, id)
			if text, end := texts(t, s, id); text != tt.text || end.Lost != tt.lost {
				t.Errorf("got %q, %+v", text, end)
			}
		})
	}
}

// TestTurnThatEndsBetweenOfferAndAck: the host ends the turn before our ack has arrived, and answers that afterwards.
func TestTurnThatEndsBetweenOfferAndAck(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, func(c *hostConn) {
		c.send(wire.Resuming{ID: "q1"})
		identify(c)
		c.send(wire.ChatMessages{})
		c.send(wire.ChatResponse{ID: "q1", Done: true, Unstreamed: true})
	})
	expect[wire.ResumeAck](c)
	c.chunk("q1", 0, chat.TurnStarted{MessageID: "m1"}, true)
	c.chunk("q1", 1, delta("all of it"), true)
	c.event("q1", 2, chat.TurnFinished{Reason: chat.FinishStop}, true)
	c.send(wire.ChatResponse{ID: "q1", Done: true, Replay: true})
	if text, end := texts(t, s, "q1"); text != "all of it" || end.Lost || end.Cancelled {
		t.Errorf("got %q, %+v", text, end)
	}
}

func TestTurnThatWaitsBehindAnother(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	id := s.Prompt(UserMessage("hi"))
	expect[wire.ChatRequest](c)
	c.drop()

	c = <-h.conns
	c.send(wire.Resuming{ID: "other"})
	expect[wire.ResumeAck](c)
	identify(c)
	expect[wire.ChatRequest](c)
	probe := expect[wire.ResumeRequest](c)
	c.send(wire.Resuming{ID: "other", ProbeID: probe.ProbeID})
	c.send(wire.ChatResponse{ID: "other", Done: true, Replay: true})
	probe = expect[wire.ResumeRequest](c) // now that the other is over
	c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, false)
	c.send(wire.Resuming{ID: id, ProbeID: probe.ProbeID})
	expect[wire.ResumeAck](c)
	c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
	c.chunk(id, 1, delta("mine"), true)
	c.event(id, 2, chat.TurnFinished{Reason: chat.FinishStop}, true)
	c.send(wire.ChatResponse{ID: id, Done: true})
	if text, end := texts(t, s, id); text != "mine" || end.Lost {
		t.Errorf("got %q, %+v", text, end)
	}
}

func TestReminderOfAFailureIsNoRunningTurn(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	failed := s.Prompt(UserMessage("one"))
	expect[wire.ChatRequest](c)
	c.chunk(failed, 0, chat.TurnStarted{MessageID: "m"}, false)
	c.send(wire.ChatResponse{ID: failed, Body: "no credit", Error: true})
	c.send(wire.ChatResponse{ID: failed, Done: true, Outcome: wire.Failed})
	if _, end := texts(t, s, failed); end.Error != "no credit" {
		t.Errorf("end = %+v, want its error", end)
	}
	id := s.Prompt(UserMessage("two"))
	expect[wire.ChatRequest](c)
	c.drop()

	c = <-h.conns
	identify(c)
	expect[wire.ChatRequest](c)
	probe := expect[wire.ResumeRequest](c)
	c.send(wire.Resuming{ID: failed, ProbeID: probe.ProbeID})
	if ack := expect[wire.ResumeAck](c); ack.ID != id {
		t.Errorf("ack of %s, want %s", ack.ID, id)
	}
	c.send(wire.ChatResponse{ID: id, Done: true, Replay: true})
	if _, end := texts(t, s, id); !end.Lost {
		t.Errorf("end = %+v, want it lost", end)
	}
}

func TestHostThatEndsTakesNoPrompt(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	id := s.Prompt(UserMessage("hi"))
	expect[wire.ChatRequest](c)
	c.send(wire.ChatResponse{ID: id, Body: shuttingDown, Error: true, Done: true, Outcome: wire.Failed})

	c = <-h.conns
	identify(c)
	if r := expect[wire.ChatRequest](c); r.ID != id {
		t.Errorf("the next host got %s, want %s", r.ID, id)
	}
	expect[wire.ResumeRequest](c)
	c.chunk(id, 0, delta("x"), false)
	c.send(wire.ChatResponse{ID: id, Done: true})
	if text, end := texts(t, s, id); text != "x" || end.Error != "" {
		t.Errorf("got %q, %+v", text, end)
	}
}

func TestGapMakesANewConnection(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	id := s.Prompt(UserMessage("hi"))
	expect[wire.ChatRequest](c)
	c.chunk(id, 0, delta("a"), false)
	c.chunk(id, 2, delta("c"), false)

	c = <-h.conns
	c.send(wire.Resuming{ID: id})
	expect[wire.ResumeAck](c)
	c.chunk(id, 0, delta("a"), true)
	c.chunk(id, 1, delta("b"), true)
	c.chunk(id, 2, delta("c"), true)
	c.send(wire.ChatResponse{ID: id, Done: true})
	if text, _ := texts(t, s, id); text != "abc" {
		t.Errorf("got %q, want abc", text)
	}
}

func TestCancelIsRepeatedOnTheNextConnection(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	id := s.Prompt(UserMessage("hi"))
	expect[wire.ChatRequest](c)
	c.chunk(id, 0, delta("a"), false)
	awaitText(t, s, "a")
	s.Cancel(id)
	expect[wire.ChatCancel](c)
	c.drop()

	c = <-h.conns
	identify(c)
	if f := expect[wire.ChatCancel](c); f.ID != id {
		t.Errorf("cancel of %s, want %s", f.ID, id)
	}
	expect[wire.ResumeRequest](c)
	c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Aborted})
	if _, end := texts(t, s, id); !end.Cancelled {
		t.Errorf("end = %+v, want it cancelled", end)
	}
}

func TestSetupOnEveryConnection(t *testing.T) {
	h := newFakeHost(t)
	greet := func(c *hostConn) {
		identify(c)
		call := expect[wire.Call](c)
		if call.Method != "setup" || string(call.Args[0]) != `"here"` {
			t.Errorf("call = %+v, want setup", call)
		}
		c.send(wire.CallResult{ID: call.ID, Success: true, Done: true, Result: json.RawMessage(`"ok"`)})
	}
	s, c := h.dial(Options{Setup: &Call{Method: "setup", Args: []any{"here"}}}, greet)
	if got := string(s.Setup()); got != `"ok"` {
		t.Errorf("Setup() = %s", got)
	}
	c.drop()
	greet(<-h.conns)
}

func TestRefusals(t *testing.T) {
	h := newFakeHost(t)
	refused := make(chan struct{})
	go func() {
		defer close(refused)
		c := <-h.conns
		identify(c)
		call := expect[wire.Call](c)
		c.send(wire.CallResult{ID: call.ID, Error: "no"})
	}()
	_, err := Dial(t.Context(), Options{Host: h.address, Name: "demo", Setup: &Call{Method: "setup"}})
	<-refused
	var no *RefusedError
	if !errors.As(err, &no) || no.Text != "no" {
		t.Errorf("a refused setup gives %v", err)
	}

	missing := errors.New("no key")
	_, err = Dial(t.Context(), Options{Name: "demo", Host: func(context.Context) (Address, error) { return Address{}, missing }})
	if !errors.Is(err, missing) {
		t.Errorf("without a host: %v, want %v", err, missing)
	}

	h.refuse = http.StatusBadRequest
	if _, err = Dial(t.Context(), Options{Host: h.address, Name: "bad name"}); err == nil || !strings.Contains(err.Error(), "Invalid request") {
		t.Errorf("a refused handshake gives %v", err)
	}
}

func TestTerminalClose(t *testing.T) {
	tests := []struct {
		name   string
		code   websocket.StatusCode
		reason string
	}{
		{"policy", websocket.StatusPolicyViolation, "go away"},
		{"application", 4001, "not you"},
		{"the session is gone", statusDeleted, ErrDeleted.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			s, c := h.dial(Options{}, identify)
			_ = c.ws.Close(tt.code, tt.reason)
			if _, err := s.Next(t.Context()); err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("the session ended with %v, want the reason %q", err, tt.reason)
			}
		})
	}
}

func TestCalls(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	results := make(chan error)
	var list []string
	call := func() { results <- s.Call(t.Context(), "approvals", &list, 1, "two") }

	go call()
	f := expect[wire.Call](c)
	if len(f.Args) != 2 || string(f.Args[1]) != `"two"` {
		t.Errorf("args = %s", f.Args)
	}
	c.send(wire.CallResult{ID: f.ID, Success: true, Done: true, Result: json.RawMessage(`["x"]`)})
	if err := <-results; err != nil || len(list) != 1 {
		t.Errorf("call = %v, %v", list, err)
	}

	go call()
	f = expect[wire.Call](c)
	c.send(wire.CallResult{ID: f.ID, Error: "Method approvals does not exist"})
	var refused *RefusedError
	if err := <-results; !errors.As(err, &refused) {
		t.Errorf("a refused call gives %v", err)
	}

	go call()
	expect[wire.Call](c)
	c.drop()
	if err := <-results; !errors.Is(err, ErrLost) {
		t.Errorf("a call on a connection that broke gives %v, want ErrLost", err)
	}

	c = <-h.conns
	identify(c)
	go call()
	expect[wire.Call](c)
	go s.Close()
	if err := <-results; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrLost) {
		t.Errorf("a call on a session that was closed gives %v", err)
	}
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	for failures := 1; failures < 60; failures++ {
		if got := backoff(failures); got < firstWait/2 || got > longestWait {
			t.Errorf("backoff(%d) = %v, want %v to %v", failures, got, firstWait/2, longestWait)
		}
	}
}

func TestAStreamingCallTellsItsPiecesFirst(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	var pieces []string
	var final string
	results := make(chan error)
	go func() {
		results <- s.CallStreaming(t.Context(), "compact", func(p json.RawMessage) { pieces = append(pieces, string(p)) }, &final)
	}()
	f := expect[wire.Call](c)
	for _, piece := range []string{"1", "2", "3"} {
		c.send(wire.CallResult{ID: f.ID, Success: true, Result: json.RawMessage(piece)})
	}
	c.send(wire.CallResult{ID: f.ID, Success: true, Done: true, Result: json.RawMessage(`"end"`)})
	if err := <-results; err != nil || strings.Join(pieces, " ") != "1 2 3" || final != "end" {
		t.Errorf("the call told %q and gave %q, %v", pieces, final, err)
	}
	go func() {
		results <- s.CallStreaming(t.Context(), "compact", func(json.RawMessage) {}, nil)
	}()
	f = expect[wire.Call](c)
	c.send(wire.CallResult{ID: f.ID, Success: true, Result: json.RawMessage("1")})
	c.send(wire.CallResult{ID: f.ID, Error: "it broke"})
	if err := <-results; err == nil || err.Error() != "it broke" {
		t.Errorf("a call that fails after a piece gives %v", err)
	}
}

// TestAskAsksAgain: a question whose answer was lost goes out over the next connection, whether the host died or said that it ends.
func TestAskAsksAgain(t *testing.T) {
	h := newFakeHost(t)
	s, c := h.dial(Options{}, identify)
	result := make(chan error, 1)
	var list []string
	go func() { result <- s.Ask(t.Context(), "questions", &list) }()
	expect[wire.Call](c)
	c.drop()
	c = <-h.conns
	identify(c)
	f := expect[wire.Call](c)
	c.send(wire.CallResult{ID: f.ID, Error: shuttingDown})
	f = expect[wire.Call](c)
	c.send(wire.CallResult{ID: f.ID, Success: true, Done: true, Result: json.RawMessage(`["x"]`)})
	if err := <-result; err != nil || len(list) != 1 || f.Method != "questions" {
		t.Errorf("asked again it gives %v, %v to %s", list, err, f.Method)
	}
}
