package agent_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// BenchmarkDelta is the cost of one delta from the model to a subscriber: gathered, committed, applied, published.
func BenchmarkDelta(b *testing.B) {
	stream := func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for range b.N {
			if !yield(chat.TextDelta{Delta: "eight by"}) {
				return nil
			}
		}
		yield(chat.Answered{Reason: chat.ModelStop})
		return nil
	}
	a := agenttest.Agent(b, agenttest.Open(b, b.TempDir(), agenttest.Options(b, agenttest.NewModel(stream))), "a")
	sub, err := a.Subscribe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	b.ReportAllocs()
	b.ResetTimer()
	agenttest.Ask(b, a, "q", "go")
	agenttest.Finish(b, sub, "q")
}

// BenchmarkTurn is a turn of three responses with a reading and a writing call, and what the agent adds to the model's
// own time: the gap between an answer and the next request is a part of it.
func BenchmarkTurn(b *testing.B) {
	var acted atomic.Int32
	model := agenttest.NewModel()
	a := agenttest.Agent(b, agenttest.Open(b, b.TempDir(), agenttest.Options(b, model, look(), write(&acted))), "a")
	sub, err := a.Subscribe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	i := 0
	for b.Loop() {
		i++
		id := fmt.Sprint(i)
		model.Add(agenttest.Call(use("r"+id, "look", "a")), agenttest.Call(use("w"+id, "write", "a")), agenttest.Say("done"))
		agenttest.Ask(b, a, id, "go")
		agenttest.Finish(b, sub, id)
	}
}

// BenchmarkLoadedAgent reports the heap of an agent that is in memory with one short turn behind it.
func BenchmarkLoadedAgent(b *testing.B) {
	model := agenttest.NewModel()
	h := agenttest.Open(b, b.TempDir(), agenttest.Options(b, model))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var agents []*agent.CoderAgent
	b.ResetTimer()
	for i := range b.N {
		a := agenttest.Agent(b, h, fmt.Sprint("a", i))
		model.Add(agenttest.Say("done"))
		sub, err := a.Subscribe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		agenttest.Ask(b, a, "q", "go")
		agenttest.Finish(b, sub, "q")
		sub.Close()
		agents = append(agents, a)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/agent")
	runtime.KeepAlive(agents)
}
