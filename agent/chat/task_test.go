package chat

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestACallThatWaitsWithItsChildIsOwedByTheChild: it is not to run until the child goes on, and calls behind it wait, too, but for
// those that have given their own tasks. Over the store it is the same.
func TestACallThatWaitsWithItsChildIsOwedByTheChild(t *testing.T) {
	script := NewTranscript([]Message{{ID: "u", Role: User}})
	apply := func(events ...Event) {
		t.Helper()
		for _, e := range events {
			body, err := EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			read, err := DecodeEvent(body)
			if err != nil {
				t.Fatal(err)
			}
			script.Apply(read)
		}
	}
	owed := func(tasks int, calls ...string) {
		t.Helper()
		o := script.Owed()
		var ids []string
		for _, c := range o.Calls {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(ids, calls) || o.Tasks != tasks {
			t.Errorf("owed are the calls %q and %d tasks, want %q and %d", ids, o.Tasks, calls, tasks)
		}
	}
	apply(TurnStarted{MessageID: "m"}, StepStarted{})
	for _, id := range []string{"a", "b", "c"} {
		apply(ToolCalled{ToolCallID: id, ToolName: "task", Input: json.RawMessage(`{}`)})
	}
	apply(Answered{Reason: ModelTools})
	owed(0, "a", "b", "c")
	wait := []TaskWait{{Session: "m/sub/task/1", ToolCallID: "x", ToolName: "bash", Summary: "ls"}}
	apply(
		TaskGiven{ToolCallID: "a", Session: "m/sub/task/1", Request: "r1", Before: Usage{Cost: 1}},
		TaskGiven{ToolCallID: "b", Session: "m/sub/task/2", Request: "r2"},
		TaskGiven{ToolCallID: "none", Session: "m/sub/task/9"},
		TaskWaits{ToolCallID: "a", For: wait},
	)
	owed(1, "b")
	before := script.Fork()
	apply(ToolFinished{ToolCallID: "b"})
	owed(1)
	if tasks := script.WaitingTasks(); len(tasks) != 1 || tasks[0].Before.Cost != 1 || !slices.Equal(tasks[0].Waits, wait) {
		t.Errorf("waiting are %+v", tasks)
	}
	apply(TaskWaits{ToolCallID: "a"})
	owed(0, "a", "c")
	if o := before.Owed(); o.Tasks != 1 {
		t.Errorf("what a fork owes has changed with it: %+v", o)
	}
	apply(ToolFailed{ToolCallID: "a"}, TaskWaits{ToolCallID: "a", For: wait})
	owed(0, "c")
}

// TestATaskInTheBackgroundIsUntold until a note tells its end, or a call asks for it.
func TestATaskInTheBackgroundIsUntold(t *testing.T) {
	background := func(session, request string) Task { return Task{Session: session, Request: request, Background: true} }
	value := json.RawMessage(`{"session":"1","request":"r1"}`)
	script := NewTranscript([]Message{
		{Role: Assistant, Steps: []Step{{Tasks: []Task{background("1", "r1"), background("2", "r2"), background("3", "r3"), {Session: "4", Request: "r4"}}}}},
		{Role: Assistant, Parts: []Part{Note{Kind: TaskNote, Value: value}, Note{Kind: "project", Value: value}}, Steps: []Step{{Tasks: []Task{{Session: "3"}}}}},
	})
	if got := script.Untold(); len(got) != 1 || got[0].Request != "r2" {
		t.Errorf("untold are %+v", got)
	}
}
