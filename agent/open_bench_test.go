package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// BenchmarkOpen is what a client waits for that opens a session of 2,000 messages, five megabytes, which the host has not loaded.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fillCalls(b, dir, 2000)
	for b.Loop() {
		h := agenttest.Open(b, dir, agenttest.Options(b, echo{}))
		began := time.Now()
		a := agenttest.Agent(b, h, "a")
		sub, err := a.Subscribe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		loaded := time.Since(began)
		v, err := a.Call(b.Context(), "recentMessages", []json.RawMessage{json.RawMessage("60")})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(v); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(loaded.Microseconds())/1000, "ms-load")
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-all")
		sub.Close()
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fillCalls stores a session of questions, each answered by a call that reads a file and a text.
func fillCalls(b *testing.B, dir string, messages int) {
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
				m.Role, m.Steps = chat.Assistant, []chat.Step{{Status: chat.StepAnswered, Model: "test", Reason: chat.ModelStop}}
				m.Parts = []chat.Part{chat.StepStart{}, chat.ToolCall{
					ID: fmt.Sprint("c", i), Name: "read", State: chat.OutputAvailable, Input: []byte(`{"path":"a.go"}`),
					Output: &chat.Output{Text: strings.Repeat("a line of some file\n", 200)},
				}, chat.Text{Text: "an answer", State: chat.PartDone}}
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
