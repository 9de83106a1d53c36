package agent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
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

// echo is a model that keeps nothing of its requests.
type echo struct{}

func (echo) Stream(context.Context, chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		_ = yield(chat.TextDelta{Delta: "an answer"}, nil) && yield(chat.Answered{Reason: chat.ModelStop}, nil)
	}
}

// BenchmarkLongSession is a turn of text in a session that has so many messages: it must not cost more in a long one.
func BenchmarkLongSession(b *testing.B) {
	for _, messages := range []int{10, 400, 4000} {
		b.Run(fmt.Sprint(messages), func(b *testing.B) {
			dir := b.TempDir()
			fill(b, dir, messages)
			a := agenttest.Agent(b, agenttest.Open(b, dir, agenttest.Options(b, echo{})), "a")
			sub, err := a.Subscribe(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer sub.Close()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				id := fmt.Sprint("bench", i)
				agenttest.Ask(b, a, id, "go")
				agenttest.Finish(b, sub, id)
			}
		})
	}
}

// fill stores a session of so many messages, questions and answers.
func fill(b *testing.B, dir string, messages int) {
	b.Helper()
	db, err := store.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	err = db.Write(b.Context(), store.Fast, func(tx *store.Tx) error {
		row := store.Session{Name: "a", Key: "a", Workdir: b.TempDir(), Mode: "auto", Title: "long", Status: "idle", Messages: messages}
		if err := tx.PutSession(row); err != nil {
			return err
		}
		for i := range messages {
			m := chat.Message{ID: fmt.Sprint("m", i), Role: chat.User, Parts: []chat.Part{chat.Text{Text: "a question"}}}
			if i%2 == 1 {
				m.Role, m.Parts = chat.Assistant, []chat.Part{chat.StepStart{}, chat.Text{Text: "an answer", State: chat.PartDone}}
				m.Steps = []chat.Step{{Status: chat.StepAnswered, Model: "test", Reason: chat.ModelStop}}
			}
			if err := tx.PutMessage("a", i, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
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
