package headless

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coder-agent/coder/agent/chat"
)

func TestPrintTranscript(t *testing.T) {
	user := func(text string) chat.Message {
		return chat.Message{Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
	}
	script := chat.NewTranscript([]chat.Message{user("begin\nhere")})
	for _, e := range []chat.Event{
		chat.TurnStarted{MessageID: "m"},
		chat.StepStarted{},
		chat.TextStarted{ID: "1"},
		chat.TextDelta{ID: "1", Delta: "Looking.\n"},
		chat.TextEnded{ID: "1"},
		chat.ToolCalled{ToolCallID: "a", ToolName: "bash", Input: []byte(`{}`)},
		chat.Answered{Reason: chat.ModelTools},
		chat.ToolFinished{ToolCallID: "a", Output: chat.Output{Text: "\x1b[31mred\n"}},
		chat.Steered{ID: "s", Text: "leave the tests alone"},
		chat.StepFinished{},
		chat.StepStarted{},
		chat.TextStarted{ID: "2"},
		chat.TextDelta{ID: "2", Delta: "Cut"},
		chat.Interrupted{Reason: "broken"},
		chat.StepStarted{},
		chat.ToolCalled{ToolCallID: "b", ToolName: "read", Input: []byte(`{}`)},
		chat.Answered{Reason: chat.ModelTools},
		chat.ToolStarted{ToolCallID: "b"},
	} {
		script.Apply(e)
	}
	const want = `you:
  begin
  here

coder:
  Looking.
  > bash {}
      red

you, meanwhile:
  leave the tests alone

coder:
  Cut
  ~ interrupted here: the model does not see this answer and was asked again
  ~ read {}
      running

you (waits for its turn):
  next

It is running.
`
	var got strings.Builder
	err := PrintTranscript(&got, Transcript{
		Session: "s", Messages: script.Snapshot(), Queued: []chat.Message{user("next")}, Open: "running", End: "It is running.",
		Summary: func(c chat.ToolCall) string { return string(c.Input) },
	})
	if diff := cmp.Diff(want, got.String()); diff != "" || err != nil {
		t.Errorf("error %v, and (-want +got):\n%s", err, diff)
	}
}
