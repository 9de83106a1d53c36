package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// delta is the events of one commit of a stream: 10 ms of it.
var delta = [][]byte{
	[]byte(`{"type":"text-delta","id":"t1","delta":" and then"}`),
	[]byte(`{"type":"text-delta","id":"t1","delta":" some more"}`),
	[]byte(`{"type":"text-delta","id":"t1","delta":" words"}`),
}

// openTurn returns a do that puts a session with an open turn "r1".
func openTurn(key string) func(*Tx) error {
	return func(tx *Tx) error {
		if err := tx.PutSession(Session{Name: key, Key: key, Created: time.Unix(1, 0)}); err != nil {
			return err
		}
		_, err := tx.AddTurn(key, &Turn{ID: "r1", Status: TurnOpen, MessageIDs: []string{"m1"}})
		return err
	}
}

func benchmarkCommit(b *testing.B, d Durability) {
	s := open(b, b.TempDir())
	write(b, s, Fast, openTurn("a"))
	n := 0
	for b.Loop() {
		write(b, s, d, func(tx *Tx) error { return tx.AppendEvents("a", "r1", n, delta) })
		n += len(delta)
	}
}

func BenchmarkCommitFast(b *testing.B) { benchmarkCommit(b, Fast) }
func BenchmarkCommitSafe(b *testing.B) { benchmarkCommit(b, Safe) }

// BenchmarkCommit100Agents measures one commit of one of 100 agents that all stream.
func BenchmarkCommit100Agents(b *testing.B) {
	for _, d := range []Durability{Fast, Safe} {
		b.Run(map[Durability]string{Fast: "Fast", Safe: "Safe"}[d], func(b *testing.B) {
			s := open(b, b.TempDir())
			const agents = 100
			for i := range agents {
				write(b, s, Fast, openTurn(fmt.Sprint("a", i)))
			}
			next := make(chan struct{})
			done := make(chan error)
			for i := range agents {
				go func() {
					n := 0
					for range next {
						err := s.Write(b.Context(), d, func(tx *Tx) error { return tx.AppendEvents(fmt.Sprint("a", i), "r1", n, delta) })
						if err != nil {
							done <- err
							return
						}
						n += len(delta)
					}
					done <- nil
				}()
			}
			for b.Loop() {
				next <- struct{}{}
			}
			close(next)
			for range agents {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenFresh(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		b.StartTimer()
		s, err := Open(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkOpenExisting includes the first query, as every start of a host asks one.
func BenchmarkOpenExisting(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	write(b, s, Fast, openTurn("a"))
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		if keys, err := s.OpenSessions(b.Context()); err != nil || len(keys) != 1 {
			b.Fatal(keys, err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// reply is an assistant message of about 2 KB: a tool call with its result, then text.
func reply(id string) chat.Message {
	text := strings.Repeat("func add(a, b int) int { return a + b }\n", 20)
	return chat.Message{
		ID: id, Role: chat.Assistant,
		Parts: []chat.Part{
			chat.StepStart{},
			chat.ToolCall{
				ID: "call_" + id, Name: "read", State: chat.OutputAvailable,
				Input: []byte(`{"path":"add.go"}`), Output: &chat.Output{Text: text},
			},
			chat.StepStart{},
			chat.Text{Text: text[:len(text)/2], State: chat.PartDone},
		},
		Steps: []chat.Step{
			{Status: chat.StepAnswered, Model: "m", Reason: chat.ModelTools, Usage: chat.Usage{Input: 1000, Output: 20, Cost: 0.001}},
			{Status: chat.StepAnswered, Model: "m", Reason: chat.ModelStop, Usage: chat.Usage{Input: 1100, Output: 30, Cost: 0.001}},
		},
	}
}

func BenchmarkLoad2000Messages(b *testing.B) {
	s := open(b, b.TempDir())
	write(b, s, Fast, func(tx *Tx) error {
		for i := range 2000 {
			m := user(fmt.Sprint("u", i), "please add the numbers "+fmt.Sprint(i))
			if i%2 == 1 {
				m = reply(fmt.Sprint("a", i))
			}
			if err := tx.PutMessage("a", i, m); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		ms, err := s.Messages(b.Context(), "a")
		if err != nil || len(ms) != 2000 {
			b.Fatal(len(ms), err)
		}
	}
}
