package server

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// TestATranscriptIsEncodedOnceForAll: with 20 pages open, a prompt to a session of 4,000 messages makes no more than it
// does with one. The prompt and the end of its turn bring the whole transcript to each page.
func TestATranscriptIsEncodedOnceForAll(t *testing.T) {
	one, many := madeFor(t, 1), madeFor(t, 20)
	t.Logf("a turn makes %d MiB with one page open, %d MiB with 20", one>>20, many>>20)
	if many > 4*one { // encoded for each it were some 20 times as much; what is read meanwhile varies
		t.Errorf("a turn makes %d MiB with one page open, %d MiB with 20", one>>20, many>>20)
	}
}

// madeFor returns how many bytes a turn makes while so many pages look on.
func madeFor(t *testing.T, pages int) uint64 {
	t.Helper()
	h := simple(t, agenttest.Say("one"), agenttest.Say("two"))
	asker := h.join("long?_pk=asker")
	messages := make([]chat.Message, 0, 4001)
	for n := range 4_000 {
		messages = append(messages, chat.Message{
			ID: fmt.Sprint("u", n), Role: chat.User, Parts: []chat.Part{chat.Text{Text: strings.Repeat("x", 500)}},
		})
	}
	asker.put(wire.ChatRequest{ID: "q1", Trigger: wire.Submit, Messages: messages})
	asker.until("q1 done")
	var told sync.WaitGroup
	for range pages {
		p := h.join("long")
		told.Go(func() { p.skim(t.Context(), "q2") })
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	asker.ask("q2", "go on")
	asker.until("q2 done")
	told.Wait()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// skim reads up to the end of a turn without keeping more than the head of a frame.
func (p *peer) skim(ctx context.Context, turn string) {
	head := make([]byte, 4096)
	for {
		_, r, err := p.ws.Reader(ctx)
		if err != nil {
			p.t.Errorf("reading: %v", err)
			return
		}
		n, _ := io.ReadFull(r, head)
		if _, err := io.Copy(io.Discard, r); err != nil {
			p.t.Errorf("reading: %v", err)
			return
		}
		f, err := wire.Decode(head[:n])
		if end, ok := f.(wire.ChatResponse); err == nil && ok && end.ID == turn && end.Done {
			return
		}
	}
}
