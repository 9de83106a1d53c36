package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// endless says the event until nobody listens, or, if the agent has no bound, for 8 MiB.
func endless(e chat.Event) agenttest.Reply {
	return func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		if _, arguments := e.(chat.ToolInputDelta); arguments && !yield(chat.ToolInputStarted{ToolCallID: "c1", ToolName: "look"}) {
			return nil
		}
		for range 8 << 10 {
			if !yield(e) {
				return nil
			}
		}
		return errors.New("nobody has stopped it")
	}
}

// TestAnAnswerWithoutEndIsBrokenOff, whatever it is made of, and not asked for again. The next turn does without it.
func TestAnAnswerWithoutEndIsBrokenOff(t *testing.T) {
	kib := strings.Repeat("word", 256)
	tests := []struct {
		name string
		e    chat.Event
	}{
		{"text", chat.TextDelta{Delta: kib}},
		{"reasoning", chat.ReasoningDelta{Delta: kib}},
		{"arguments", chat.ToolInputDelta{ToolCallID: "c1", InputTextDelta: kib}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t, 0, look())
			events := k.turn("go", endless(tt.e))
			end := reason(events)
			if end.Reason != chat.FinishError || end.Error != "the model's answer is longer than 1 MiB and was broken off" || end.Hint == "" {
				t.Errorf("the turn ends with %+v", end)
			}
			if n := len(k.model.Requests()); n != 1 {
				t.Errorf("the model was asked %d times, want once", n)
			}
			if steps := k.messages()[1].Steps; len(steps) != 1 || steps[0].Status != chat.StepInterrupted {
				t.Errorf("the answer is kept as %+v, want it interrupted", steps)
			}
			said := 0
			for _, e := range events {
				if raw, err := json.Marshal(e); err == nil {
					said += strings.Count(string(raw), "word") * 4
				}
			}
			if said > 1<<20 || said < 1<<20-8<<10 {
				t.Errorf("%d bytes of the answer were recorded, want about 1 MiB and no more", said)
			}
			if next := reason(k.turn("shorter", agenttest.Say("done"))); next.Reason != chat.FinishStop {
				t.Errorf("the next turn ends with %+v", next)
			}
		})
	}
}

// TestASummaryWithoutEndIsBrokenOff too: the compaction has failed, and the request is tried as it is.
func TestASummaryWithoutEndIsBrokenOff(t *testing.T) {
	k := newTalk(t, 100_000)
	k.turn("one", agenttest.Say(long))
	k.turn("two", counting(95_000, agenttest.Say(long)))
	events := k.turn("three", endless(chat.TextDelta{Delta: strings.Repeat("word", 256)}), agenttest.Say("done"))
	m, _ := mark(events)
	if end := reason(events); m.Status != chat.CompactionFailed || !strings.Contains(m.Error, "longer than 1 MiB") || end.Reason != chat.FinishStop {
		t.Errorf("the mark is %+v, the turn ends with %+v", m.Status, end)
	}
}
