package server

import (
	"context"
	"net"
	"testing"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// A stream of many small deltas from the model to one client: the host commits, the server frames, the client reads
// and decodes. The figure that counts is ns per delta.
func BenchmarkStream(b *testing.B) {
	const deltas = 20_000
	model := agenttest.NewModel()
	reply := func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for range deltas {
			if !yield(chat.TextDelta{Delta: "a few words "}) {
				return nil
			}
		}
		yield(chat.Answered{Model: "test", Reason: chat.ModelStop})
		return nil
	}
	host, err := agent.Open(b.Context(), b.TempDir(), agenttest.Options(b, model))
	if err != nil {
		b.Fatal(err)
	}
	s := New(Options{Host: host, Token: token})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	ws, _, err := websocket.Dial(ctx, "ws://"+l.Addr().String()+"/agents/coder-agent/bench?_pk=a&token="+token, nil)
	if err != nil {
		b.Fatal(err)
	}
	ws.SetReadLimit(-1)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		model.Add(reply)
		n++
		id := "q" + string(rune('a'+n%26)) + string(rune('a'+n/26%26))
		req, err := wire.Encode(wire.ChatRequest{ID: id, Messages: []chat.Message{
			{ID: "u" + id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: "go"}}},
		}})
		if err != nil {
			b.Fatal(err)
		}
		if err := ws.Write(ctx, websocket.MessageText, req); err != nil {
			b.Fatal(err)
		}
		for {
			_, data, err := ws.Read(ctx)
			if err != nil {
				b.Fatal(err)
			}
			f, err := wire.Decode(data)
			if err != nil {
				b.Fatal(err)
			}
			if r, ok := f.(wire.ChatResponse); ok && r.Done {
				if r.Outcome != "" {
					b.Fatalf("the turn ended with %s", r.Outcome)
				}
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*deltas), "ns/delta")
	_ = ws.CloseNow()
	cancel()
	if err := <-served; err != nil {
		b.Error(err)
	}
	if err := host.Close(); err != nil {
		b.Error(err)
	}
}
