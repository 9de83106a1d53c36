package server

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// TestLargeFramesTakeTurns: however many sockets send one at once, the host needs the memory of a few.
func TestLargeFramesTakeTurns(t *testing.T) {
	const sockets, size = 16, 7 << 20
	h := simple(t)
	frame := callOf(size) // one for all: what the clients need is not counted
	peers := make([]*peer, sockets)
	for i := range peers {
		peers[i] = h.join("many")
	}
	runtime.GC()
	before := heap()
	var highest uint64
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highest = max(highest, heap())
			case <-ended:
				return
			}
		}
	}()
	var sent sync.WaitGroup
	for _, p := range peers {
		sent.Go(func() {
			if err := p.ws.Write(t.Context(), websocket.MessageText, frame); err != nil {
				t.Error(err)
				return
			}
			p.expect(largeCall)
		})
	}
	sent.Wait()
	close(ended)
	<-watched
	grown := max(highest, before) - before
	t.Logf("%d frames of %d MiB at once take %d MiB", sockets, size>>20, grown>>20)
	if limit := uint64(sockets * size); grown > limit {
		t.Errorf("%d frames of %d MiB at once take %d MiB, want at most %d", sockets, size>>20, grown>>20, limit>>20)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSmallFramesPassLargeOnes: who sends little never waits for who sends much, and a sender that does not go on loses its
// place.
func TestSmallFramesPassLargeOnes(t *testing.T) {
	h := serve(t, agenttest.Options(t, agenttest.NewModel()), func(s *Server) {
		s.times.large = 200 * time.Millisecond
		s.large = make(chan struct{}, 1)
	})
	stuck, next, small := h.join("pass"), h.join("pass"), h.join("pass")
	w, err := stuck.ws.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(callOf(4 << 20)[:3<<20]); err != nil {
		t.Fatal(err)
	}
	small.quiet()
	next.send(string(callOf(2 << 20)))
	next.expect(largeCall)
	if code := stuck.closed(); code != statusTooSlow {
		t.Errorf("the socket closed with %d, want %d", code, statusTooSlow)
	}
	small.quiet()
}

// TestALargePromptIsNotCopiedAround: what Decode makes of a request is the body and the text in it, besides a text's own
// unquoting.
func TestALargePromptIsNotCopiedAround(t *testing.T) {
	for _, tt := range []struct {
		line   string
		copies float64
	}{{"0123456789abcdef", 2.1}, {"0123456789abcde\n", 3.1}} {
		data, err := wire.Encode(wire.ChatRequest{ID: "r", Messages: []chat.Message{
			{ID: "u", Role: chat.User, Parts: []chat.Part{chat.Text{Text: strings.Repeat(tt.line, 27<<16)}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = wire.Decode(data)
		runtime.ReadMemStats(&after)
		if made := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(data)); err != nil || made > tt.copies {
			t.Errorf("a request of %d MiB made %.1f times its size, want %.1f (%v)", len(data)>>20, made, tt.copies, err)
		}
	}
}
