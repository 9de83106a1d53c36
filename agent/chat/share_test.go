package chat_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
)

// A held snapshot, and what it was when it was taken.
type held struct {
	messages []chat.Message
	was      string
}

func text(t *testing.T, messages []chat.Message) string {
	t.Helper()
	data, err := json.Marshal(append([]chat.Message{}, messages...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSnapshotsShareAndNeverChange: messages are shared by all snapshots and forks. Whatever happens to the transcript,
// also to forks that are given up, what somebody holds stays as it was; and Changed says what must be written.
func TestSnapshotsShareAndNeverChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	script := chat.NewTranscript(nil)
	var all []held
	id := 0
	change := func(s *chat.Transcript) {
		id++
		user := chat.Message{ID: fmt.Sprint("u", id), Role: chat.User, Parts: []chat.Part{chat.Text{Text: fmt.Sprint("text ", id)}}}
		call := fmt.Sprint("c", id)
		if s.Open() {
			s.Apply(chat.StepStarted{})
			s.Apply(chat.TextStarted{ID: "1"})
			s.Apply(chat.TextDelta{ID: "1", Delta: fmt.Sprint("word ", id)})
			if rng.IntN(2) == 0 {
				s.Apply(chat.ToolCalled{ToolCallID: call, ToolName: "x", Input: []byte("{}")})
				s.Apply(chat.ApprovalAsked{ToolCallID: call})
			}
			s.Apply(chat.Answered{})
			if rng.IntN(2) == 0 {
				s.Apply(chat.TurnFinished{})
			}
			return
		}
		switch rng.IntN(8) {
		case 0:
			if s.Len() > 0 {
				user.ID = s.Snapshot()[rng.IntN(s.Len())].ID
				s.Replace(user)
			}
		case 1:
			drop := rng.IntN(30)
			s.Retain(func(m chat.Message) bool { drop--; return drop != 0 })
		case 2:
			if _, ok := s.TurnMessage(); ok {
				s.Apply(chat.TurnStarted{}) // goes on with the last answer
			}
		case 3:
			for _, c := range s.Waiting() {
				s.Apply(chat.Decided{ToolCallID: c.ID, Approved: true})
			}
		case 4, 5:
			s.Apply(chat.TurnStarted{MessageID: fmt.Sprint("a", id)})
		default:
			s.Append(user)
		}
	}
	for range 500 {
		if rng.IntN(3) == 0 {
			given := script.Fork()
			change(given)
		}
		before := script.Snapshot()
		next := script.Fork()
		change(next)
		after := next.Snapshot()
		if n := next.Changed(); n > len(after) || text(t, before[:min(n, len(before))]) != text(t, after[:min(n, len(before))]) {
			t.Fatalf("%d messages are said to be unchanged between\n%s\n%s", n, text(t, before), text(t, after))
		}
		script = next
		all = append(all, held{after, text(t, after)})
		for i, m := range after {
			if found, ok := script.Find(m.ID); ok && text(t, []chat.Message{found}) != text(t, []chat.Message{m}) {
				t.Fatalf("Find(%s) = %+v, message %d is %+v", m.ID, found, i, m)
			}
		}
		if script.Len() > 40 {
			script = chat.NewTranscript(nil)
		}
	}
	for _, h := range all {
		if got := text(t, h.messages); got != h.was {
			t.Fatalf("a snapshot became\n%s\nwas\n%s", got, h.was)
		}
	}
}

// TestAnIdleTranscriptIsNotCopied: a long session must not pay for its length at every turn.
func TestAnIdleTranscriptIsNotCopied(t *testing.T) {
	messages := make([]chat.Message, 4000)
	for i := range messages {
		messages[i] = chat.Message{ID: fmt.Sprint("m", i), Role: chat.User}
	}
	script := chat.NewTranscript(messages)
	script.Append(chat.Message{ID: "q", Role: chat.User}) // makes room
	a := script.Snapshot()
	script.Apply(chat.TurnStarted{MessageID: "a"})
	b := script.Said()
	if len(a) != 4001 || len(b) != 4001 || &a[0] != &b[0] {
		t.Errorf("snapshots of %d and %d messages; want the same 4001", len(a), len(b))
	}
	fork := script.Fork()
	fork.Apply(chat.TextStarted{ID: "1"})
	fork.Apply(chat.TextDelta{ID: "1", Delta: "hi"})
	fork.Apply(chat.TurnFinished{})
	if c := fork.Snapshot(); len(c) != 4002 || &c[0] != &a[0] || fork.Changed() != 4001 {
		t.Errorf("after the turn %d messages, changed from %d on; want 4002, the last of them new, and no copy", len(c), fork.Changed())
	}
}
