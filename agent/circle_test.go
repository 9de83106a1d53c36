package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// same is a tool whose result is its text and nothing else.
func same() agent.Tool {
	return agent.NewTool("same", permission.Reads, "Repeat.", func(_ context.Context, a noteArgs) (agent.Result, error) {
		return agent.Result{Text: a.Text}, nil
	})
}

// calls are steps that call same, each with a word of texts.
func calls(texts string) []agenttest.Reply {
	var replies []agenttest.Reply
	for text := range strings.FieldsSeq(texts) {
		replies = append(replies, func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
			id := fmt.Sprintf("call_%d_%d", len(req.Messages), steps(req.Messages))
			return agenttest.Call(use(id, "same", text))(ctx, req, yield)
		})
	}
	return replies
}

func steps(messages []chat.Message) (n int) {
	for _, m := range messages {
		n += len(m.Steps)
	}
	return n
}

// circleNotes returns the words about circles in the last message of the messages.
func circleNotes(messages []chat.Message) (texts []string) {
	for _, p := range messages[len(messages)-1].Parts {
		if n, ok := p.(chat.Note); ok && n.Kind == chat.CircleNote {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

func TestAnAgentThatGoesInCircles(t *testing.T) {
	tests := []struct {
		name    string
		calls   string
		reason  chat.FinishReason
		asked   int
		told    int
		message string
	}{
		{"is told after five steps and stopped after eight", "a a a a a a a a a a", chat.FinishLoop, 8, 1, "the same calls 8 times in a row, with the same results, though it was told: same a"},
		{"with two steps is told after four rounds", "a b a b a b a b a b a b a b", chat.FinishLoop, 12, 1, "the same calls 6 times in a row, with the same results, though it was told: same a, same b"},
		{"may think better of it", "a a a a a b", chat.FinishStop, 7, 1, ""},
		{"hears of it anew when it falls back", "a a a a a b a a a a a", chat.FinishStop, 12, 2, ""},
		{"is let be for less", "a a a a b a a a a", chat.FinishStop, 10, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t, 0, same())
			end := reason(k.turn("go", append(calls(tt.calls), agenttest.Say("done"))...))
			if end.Reason != tt.reason || !strings.Contains(end.Error, tt.message) || (end.Hint != "") != (tt.message != "") {
				t.Errorf("the turn ends with %+v, want %s", end, tt.reason)
			}
			if n := len(k.model.Requests()); n != tt.asked {
				t.Errorf("the model was asked %d times, want %d", n, tt.asked)
			}
			if told := circleNotes(k.messages()); len(told) != tt.told || tt.told > 0 && !strings.Contains(told[0], "same a") {
				t.Errorf("the model was told %q, want %d words", told, tt.told)
			}
		})
	}
}

// TestACrashChangesNoVerdict: the circle is in the transcript, and so is the word about it.
func TestACrashChangesNoVerdict(t *testing.T) {
	k := newTalk(t, 0, same())
	reached := make(chan struct{})
	k.model.Add(calls("a a a a a a")...)
	k.model.Add(agenttest.Hold(reached, nil, nil, "hm"))
	k.turns++
	agenttest.Ask(k, k.a, "q1", "go")
	<-reached
	k.close()
	again, release := make(chan struct{}), make(chan struct{})
	k.model.Add(agenttest.Hold(again, release, calls("a")[0]))
	k.model.Add(calls("a a a")...)
	k.open()
	<-again
	close(release)
	end := reason(agenttest.Finish(t, k.sub, "q1"))
	if told := circleNotes(k.messages()); end.Reason != chat.FinishLoop || !strings.Contains(end.Error, "8 times") || len(told) != 1 {
		t.Errorf("after the crash the turn ends with %+v, and the model was told %q", end, told)
	}
	if next := reason(k.turn("go on", agenttest.Say("done"))); next.Reason != chat.FinishStop {
		t.Errorf("the next turn ends with %+v", next)
	}
}

// TestSteeringBreaksACircle: what the user says is new.
func TestSteeringBreaksACircle(t *testing.T) {
	k := newTalk(t, 0, same())
	steer := func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
		if err := k.a.Steer(ctx, "look there"); err != nil {
			return err
		}
		return calls("a")[0](ctx, req, yield)
	}
	replies := slices.Concat(calls("a a a a a a a"), []agenttest.Reply{steer}, calls("a a"), []agenttest.Reply{agenttest.Say("done")})
	if end := reason(k.turn("go", replies...)); end.Reason != chat.FinishStop {
		t.Errorf("the turn ends with %+v after %d requests", end, len(k.model.Requests()))
	}
}
