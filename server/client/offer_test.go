package client

import (
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// A turn that the host offers may end before it hears that we want it. Pages then get its last frame at once, without its
// events, as from the Agents SDK; the answer to our ack comes behind it and has them.
func TestWhateverEndsBetweenOfferAndAckIsToldWhole(t *testing.T) {
	whole := func(c *hostConn, id string, end chat.TurnFinished) {
		c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
		c.chunk(id, 1, delta("a"), true)
		c.chunk(id, 2, delta("b"), true)
		c.event(id, 3, end, true)
	}
	tests := []struct {
		name string
		host func(c *hostConn, id string)
		want chat.TurnFinished
		end  TurnEnded
	}{
		{"done", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Completed, Unstreamed: true})
			whole(c, id, chat.TurnFinished{Reason: chat.FinishStop})
			c.send(wire.ChatResponse{ID: id, Done: true, Replay: true, Outcome: wire.Completed})
		}, chat.TurnFinished{Reason: chat.FinishStop}, TurnEnded{}},
		{"cancelled", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Aborted, Unstreamed: true})
			whole(c, id, chat.TurnFinished{Reason: chat.FinishCancelled})
			c.send(wire.ChatResponse{ID: id, Done: true, Replay: true, Outcome: wire.Aborted})
		}, chat.TurnFinished{Reason: chat.FinishCancelled}, TurnEnded{Cancelled: true}},
		{"failed", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Body: "no credit", Error: true})
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Failed, Unstreamed: true})
			whole(c, id, chat.TurnFinished{Reason: chat.FinishError, Error: "no credit"})
			c.send(wire.ChatResponse{ID: id, Body: "no credit", Done: true, Error: true, Outcome: wire.Failed})
		}, chat.TurnFinished{Reason: chat.FinishError, Error: "no credit"}, TurnEnded{Error: "no credit"}},
		{"done, and its events are gone", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Completed, Unstreamed: true})
			c.send(wire.ChatResponse{ID: id, Done: true, Replay: true, Outcome: wire.Completed})
		}, chat.TurnFinished{}, TurnEnded{Lost: true}},
		{"standing still", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Body: "disk full", Done: true, Error: true, Outcome: wire.Failed})
			c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
			c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true})
		}, chat.TurnFinished{}, TurnEnded{Error: "disk full"}},
		{"done after the ack, and live from there on", func(c *hostConn, id string) {
			c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, true)
			c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true})
			c.chunk(id, 1, delta("a"), false)
			c.chunk(id, 2, delta("b"), false)
			c.event(id, 3, chat.TurnFinished{Reason: chat.FinishStop}, false)
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Completed})
		}, chat.TurnFinished{Reason: chat.FinishStop}, TurnEnded{}},
		{"live all along, as it has begun since", func(c *hostConn, id string) {
			c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, false)
			c.chunk(id, 1, delta("a"), false)
			c.chunk(id, 2, delta("b"), false)
			c.event(id, 3, chat.TurnFinished{Reason: chat.FinishStop}, false)
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Completed})
		}, chat.TurnFinished{Reason: chat.FinishStop}, TurnEnded{}},
		{"without a word of its end", func(c *hostConn, id string) {
			c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true})
			c.send(wire.ChatResponse{ID: id, Done: true, Outcome: wire.Completed})
		}, chat.TurnFinished{}, TurnEnded{Lost: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			s, c := h.dial(Options{}, identify)
			id := s.Prompt(UserMessage("hi"))
			expect[wire.ChatRequest](c)
			c.chunk(id, 0, chat.TurnStarted{MessageID: "m"}, false)
			c.chunk(id, 1, delta("a"), false)
			awaitText(t, s, "a")
			c.drop()

			c = <-h.conns
			c.send(wire.Resuming{ID: id})
			expect[wire.ResumeAck](c)
			identify(c)
			tt.host(c, id)
			text, finish, end := ending(t, s, id)
			wantText := ""
			if tt.want.Reason != "" {
				wantText = "b"
			}
			tt.end.Turn = id
			if text != wantText || finish != tt.want || end != tt.end {
				t.Errorf("came %q, %+v, %+v; want %q, %+v, %+v", text, finish, end, wantText, tt.want, tt.end)
			}
		})
	}
}

// ending reads updates until the turn ends and returns its text, its finish and its end.
func ending(t *testing.T, s *Session, turn string) (text string, finish chat.TurnFinished, end TurnEnded) {
	t.Helper()
	for {
		u, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch u := u.(type) {
		case Event:
			switch e := u.Event.(type) {
			case chat.TextDelta:
				text += e.Delta
			case chat.TurnFinished:
				finish = e
			}
		case TurnEnded:
			if u.Turn == turn {
				return text, finish, u
			}
		}
	}
}
