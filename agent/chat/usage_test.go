package chat

import "testing"

// TestWhatACallCostsCountsWhereItEnds: a call that waited for a decision is paid in the turn that it ends in, once for the answer,
// and once for the session.
func TestWhatACallCostsCountsWhereItEnds(t *testing.T) {
	script := NewTranscript([]Message{{ID: "u", Role: User, Parts: []Part{Text{Text: "go"}}}})
	apply := func(events ...Event) {
		for _, e := range events {
			script.Apply(e)
		}
	}
	apply(TurnStarted{MessageID: "m"}, StepStarted{}, ToolCalled{ToolCallID: "c", ToolName: "web_search", Input: []byte(`{}`)},
		ApprovalAsked{ApprovalID: "a", ToolCallID: "c"}, Answered{Reason: ModelTools, Usage: Usage{Cost: 1}})
	if got := script.TurnUsage().Cost; got != 1 {
		t.Errorf("before the call the turn has cost %v", got)
	}
	apply(TurnFinished{Reason: FinishApproval}, Decided{ToolCallID: "c", Approved: true}, TurnStarted{},
		ToolFinished{ToolCallID: "c", Output: Output{Text: "x", Usage: Usage{Cost: 2}}},
		ToolFinished{ToolCallID: "c", Output: Output{Text: "again", Usage: Usage{Cost: 32}}},
		StepStarted{}, Answered{Reason: ModelStop, Usage: Usage{Cost: 4}})
	if got := script.TurnUsage().Cost; got != 6 {
		t.Errorf("the turn has cost %v, want 6", got)
	}
	if got := script.AnswerUsage().Cost; got != 7 {
		t.Errorf("the answer has cost %v, want 7", got)
	}
	apply(TurnFinished{Reason: FinishStop})
	if got := script.Usage().Cost; got != 7 {
		t.Errorf("the session has cost %v, want 7", got)
	}
	apply(TurnStarted{})
	if got := script.TurnUsage().Cost; got != 0 {
		t.Errorf("a turn that begins has cost %v", got)
	}
}
