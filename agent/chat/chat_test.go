package chat_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coder-agent/coder/agent/chat"
)

func apply(t *chat.Transcript, events ...chat.Event) *chat.Transcript {
	for _, e := range events {
		t.Apply(e)
	}
	return t
}

func asked() *chat.Transcript {
	return chat.NewTranscript([]chat.Message{{ID: "u1", Role: chat.User, Parts: []chat.Part{chat.Text{Text: "hi"}}}})
}

var (
	start    = chat.TurnStarted{MessageID: "a1"}
	called   = chat.ToolCalled{ToolCallID: "c1", ToolName: "read", Input: json.RawMessage(`{"path":"x"}`)}
	called2  = chat.ToolCalled{ToolCallID: "c2", ToolName: "edit", Input: json.RawMessage(`{}`)}
	answered = chat.Answered{Reason: chat.ModelTools, Usage: chat.Usage{Input: 1, Cost: 0.5}}
	finished = chat.ToolFinished{ToolCallID: "c1", Output: chat.Output{Text: "ok"}}
	approval = chat.ApprovalAsked{ApprovalID: "p1", ToolCallID: "c2"}
)

func TestOwed(t *testing.T) {
	tests := []struct {
		name      string
		script    *chat.Transcript
		calls     int
		approvals int
		reply     bool
		cut       bool
	}{
		{"nothing by an empty transcript", chat.NewTranscript(nil), 0, 0, false, false},
		{"a reply to a prompt", asked(), 0, 0, true, false},
		{"a reply when the turn has begun", apply(asked(), start), 0, 0, true, false},
		{"a new reply for one that was cut off by a crash", apply(asked(), start, chat.StepStarted{}), 0, 0, true, true},
		{"a new reply for one that is marked interrupted", apply(asked(), start, chat.StepStarted{}, chat.Interrupted{}), 0, 0, true, false},
		{"nothing after the user stopped it", apply(asked(), start, chat.StepStarted{}, chat.TextStarted{ID: "t"}, chat.TextDelta{ID: "t", Delta: "x"}, chat.Interrupted{Cancelled: true}), 0, 0, false, false},
		{"nothing after an answer", apply(asked(), start, chat.StepStarted{}, chat.Answered{Reason: chat.ModelStop}), 0, 0, false, false},
		{"the calls of an answer", apply(asked(), start, chat.StepStarted{}, called, called2, answered), 2, 0, true, false},
		{"a call that started and has no result", apply(asked(), start, chat.StepStarted{}, called, answered, chat.ToolStarted{ToolCallID: "c1"}), 1, 0, true, false},
		{"a reply once every call has its result", apply(asked(), start, chat.StepStarted{}, called, answered, finished), 0, 0, true, false},
		{"a decision", apply(asked(), start, chat.StepStarted{}, called, called2, approval, answered, finished), 0, 1, true, false},
		{"the call that was approved", apply(asked(), start, chat.StepStarted{}, called2, approval, answered, chat.Decided{ToolCallID: "c2", Approved: true}), 1, 0, true, false},
		{"a reply to a denial", apply(asked(), start, chat.StepStarted{}, called2, approval, answered, chat.Decided{ToolCallID: "c2"}), 0, 0, true, false},
		{"a reply to steering after the last answer", apply(asked(), start, chat.StepStarted{}, chat.Answered{Reason: chat.ModelStop}, chat.Steered{ID: "s", Text: "no"}), 0, 0, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.script.Owed()
			if len(o.Calls) != tt.calls || o.Approvals != tt.approvals || o.Reply != tt.reply || o.Cut != tt.cut {
				t.Errorf("Owed() = %d calls, %d approvals, reply %v, cut %v; want %d, %d, %v, %v",
					len(o.Calls), o.Approvals, o.Reply, o.Cut, tt.calls, tt.approvals, tt.reply, tt.cut)
			}
		})
	}
}

func TestTranscriptGivesTheMessagesOfTheAISDK(t *testing.T) {
	script := apply(
		asked(), start, chat.StepStarted{}, chat.ReasoningStarted{ID: "r1"}, chat.ReasoningDelta{ID: "r1", Delta: "hm"},
		chat.ReasoningEnded{ID: "r1"}, chat.TextStarted{ID: "t1"}, chat.TextDelta{ID: "t1", Delta: "I "},
		chat.TextDelta{ID: "t1", Delta: "look"}, chat.TextEnded{ID: "t1"},
		chat.ToolInputStarted{ToolCallID: "c1", ToolName: "read"}, chat.ToolInputDelta{ToolCallID: "c1", InputTextDelta: `{"pa`},
		called, called2, approval, answered, finished, chat.StepFinished{}, chat.TurnFinished{Reason: chat.FinishApproval},
	)
	want := `[{"id":"u1","role":"user","parts":[{"type":"text","text":"hi"}]},{"id":"a1","role":"assistant","parts":[` +
		`{"type":"step-start"},{"type":"reasoning","text":"hm","state":"done"},{"type":"text","text":"I look","state":"done"},` +
		`{"type":"tool-read","toolCallId":"c1","toolName":"read","state":"output-available","input":{"path":"x"},"output":{"text":"ok"}},` +
		`{"type":"tool-edit","toolCallId":"c2","toolName":"edit","state":"approval-requested","input":{},"approval":{"id":"p1"}}]}]`
	got, err := json.Marshal(script.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	var back []chat.Message
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != want {
		t.Errorf("read and written again = %s, %v; want the same", again, err)
	}
	if u := script.Usage(); u.Cost != 0.5 || u.Input != 1 {
		t.Errorf("Usage() = %+v, want that of the one answer", u)
	}
}

func TestLateEventsLeaveSnapshotsAlone(t *testing.T) {
	script := apply(asked(), start, chat.StepStarted{}, chat.TextStarted{ID: "t1"}, chat.TextDelta{ID: "t1", Delta: "one"})
	before := script.Snapshot()
	fork := script.Fork()
	apply(fork, chat.TextEnded{ID: "t1"}, chat.TurnFinished{})
	apply(script, chat.TextDelta{ID: "t1", Delta: " two"}, called)
	if got := before[1].Text(); got != "one" {
		t.Errorf("the snapshot's text = %q after later events, want %q", got, "one")
	}
	if got := len(before[1].Parts); got != 2 {
		t.Errorf("the snapshot has %d parts after later events, want 2", got)
	}
	if m, _ := fork.Last(); m.Text() != "one" || len(m.Parts) != 2 {
		t.Errorf("the fork = %+v, want the text as it was", m)
	}
}

func TestATurnThatSaidNothingLeavesNoMessage(t *testing.T) {
	script := apply(asked(), start, chat.StepStarted{}, chat.Interrupted{Reason: "401"}, chat.TurnFinished{Reason: chat.FinishError})
	if got := script.Len(); got != 1 {
		t.Errorf("the transcript has %d messages, want the prompt alone", got)
	}
}

func TestADecisionComesOnce(t *testing.T) {
	script := apply(asked(), start, chat.StepStarted{}, called2, approval, answered, chat.TurnFinished{Reason: chat.FinishApproval})
	apply(script, chat.Decided{ToolCallID: "c2", Reason: "too broad"}, chat.Decided{ToolCallID: "c2", Approved: true})
	c, ok := script.Call("c2")
	if !ok || c.State != chat.OutputDenied || c.Result() != "denied by the user: too broad" {
		t.Errorf("the call = %+v with result %q, want the first decision, a denial", c, c.Result())
	}
}

// every is one event of each kind with all its fields set.
var every = []chat.Event{
	start,
	chat.StepStarted{},
	chat.TextStarted{ID: "t"},
	chat.TextDelta{ID: "t", Delta: "<&>\n"},
	chat.TextEnded{ID: "t"},
	chat.ReasoningStarted{ID: "r"},
	chat.ReasoningDelta{ID: "r", Delta: "d"},
	chat.ReasoningEnded{ID: "r"},
	chat.ToolInputStarted{ToolCallID: "c", ToolName: "n"},
	chat.ToolInputDelta{ToolCallID: "c", InputTextDelta: "{"},
	called,
	chat.ToolInputFailed{ToolCallID: "c", ToolName: "n", Input: json.RawMessage(`"x"`), ErrorText: "e", Dynamic: true},
	approval, finished,
	chat.ToolFailed{ToolCallID: "c", ErrorText: "e"},
	chat.Steered{ID: "s", Text: "stop"},
	chat.StepFinished{},
	chat.Answered{Model: "m", Served: "s", Provider: "p", Generation: "g", Reason: chat.ModelStop, Usage: chat.Usage{Input: 1, Output: 2, Cached: 3, CacheWrite: 4, Reasoning: 5, Cost: 0.25}, Details: json.RawMessage(`[]`)},
	chat.Interrupted{Reason: "r", Cancelled: true},
	chat.Retrying{Attempt: 2, Of: 4, Wait: time.Second, Reason: "r", Usage: chat.Usage{Input: 1, Cost: 0.5}},
	chat.Judged{ToolCallID: "c", Verdict: "ask", Reason: "r", Summary: "s"},
	chat.Decided{ToolCallID: "c", Approved: true, Reason: "r", By: "b"},
	chat.ToolStarted{ToolCallID: "c", Summary: "s"},
	chat.TurnFinished{Reason: chat.FinishError, Error: "e", Hint: "h", Usage: chat.Usage{Input: 1}},
}

func TestEventsSurviveTheirJSON(t *testing.T) {
	for _, e := range every {
		body, err := chat.EncodeEvent(e)
		if err != nil {
			t.Fatalf("EncodeEvent(%#v): %v", e, err)
		}
		got, err := chat.DecodeEvent(body)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("DecodeEvent(%s) = %#v, %v; want %#v", body, got, err, e)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, e := range every {
		body, err := chat.EncodeEvent(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := chat.DecodeEvent(data)
		if err != nil {
			return
		}
		apply(asked(), start, chat.StepStarted{}, e, e).Owed()
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"id":"a","role":"assistant","parts":[{"type":"step-start"},{"type":"tool-x","toolCallId":"c","state":"output-available","output":7}]}`))
	f.Add([]byte(`{"id":"a","role":"user","content":"old","parts":null}`))
	f.Add([]byte(`{"parts":[{"type":"data-steering","id":"s","data":{"text":"t"}},{"type":"file","mediaType":"image/png","url":"data:"},{"type":"other"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m chat.Message
		if json.Unmarshal(data, &m) != nil {
			return
		}
		once, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s was read but cannot be written: %v", data, err)
		}
		var again chat.Message
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s was written but cannot be read: %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(once) {
			t.Fatalf("%s becomes %s (%v) when it is written again", once, twice, err)
		}
	})
}

func BenchmarkApplyTextDelta(b *testing.B) {
	script := apply(asked(), start, chat.StepStarted{}, chat.TextStarted{ID: "t"})
	b.ReportAllocs()
	for b.Loop() {
		script.Apply(chat.TextDelta{ID: "t", Delta: "eight by"})
	}
}
