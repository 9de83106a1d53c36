package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// circling makes a transcript of an open turn. Each letter is a step with one call, of which the letter is the input: an upper
// case letter's result is always the same, a lower case one's never. "!" is the note, "s" steering, "c" a compaction, "-" a
// response that broke off.
func circling(steps string) *Transcript {
	t := NewTranscript(nil)
	t.Append(Message{ID: "u", Role: User})
	t.Apply(TurnStarted{MessageID: "m"})
	for i, r := range steps {
		id, input := fmt.Sprint("call_", i), json.RawMessage(fmt.Sprintf(`{"x":"%c"}`, r))
		switch r {
		case '!':
			t.Apply(Noted{ID: id, Kind: CircleNote, Text: "look"})
			continue
		case 's':
			t.Apply(Steered{ID: id, Text: "go on"})
			continue
		case 'c':
			t.Apply(Compacted{ID: id, Status: CompactionDone})
			continue
		}
		t.Apply(StepStarted{})
		t.Apply(ToolCalled{ToolCallID: id, ToolName: "look", Input: input})
		if r == '-' {
			t.Apply(ToolFailed{ToolCallID: id, ErrorText: "broke off"})
			t.Apply(Interrupted{Reason: "broke off"})
			continue
		}
		t.Apply(Answered{Reason: ModelTools})
		text := "same"
		if strings.ToLower(string(r)) == string(r) {
			text = id
		}
		t.Apply(ToolFinished{ToolCallID: id, Output: Output{Text: text}})
		t.Apply(StepFinished{})
	}
	return t
}

func TestCircle(t *testing.T) {
	tests := []struct {
		name                 string
		steps                string
		period, times, since int
	}{
		{"nothing has been called", "", 0, 0, -1},
		{"once is no circle", "A", 1, 1, -1},
		{"the same call with the same result", "BAAAAA", 1, 5, -1},
		{"the same call, but its results change", "xxxxx", 1, 1, -1},
		{"another call between begins anew", "AAAABAA", 1, 2, -1},
		{"two steps in turn", "CABABABAB", 2, 4, -1},
		{"two steps in turn, half a round more", "ABABABABA", 2, 4, -1},
		{"three steps in turn are left to the step limit", "ABCABCABC", 1, 1, -1},
		{"a note counts what follows", "AAAAA!AAA", 1, 8, 3},
		{"a note counts whole rounds", "ABABABAB!ABA", 2, 5, 1},
		{"a note of an earlier circle counts no more", "AAAAA!BAAAA", 1, 4, -1},
		{"the user's words begin anew", "AAAAsAA", 1, 2, -1},
		{"a compaction begins anew", "AAAAcAA", 1, 2, -1},
		{"a response that broke off is none", "AA-AA-A", 1, 5, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := circling(tt.steps).Circle()
			if got.Steps != tt.period || got.Times != tt.times || got.Since != tt.since || len(got.Calls) != tt.period {
				t.Errorf("Circle of %q = %d steps %d times, %d since, %d calls; want %d, %d, %d",
					tt.steps, got.Steps, got.Times, got.Since, len(got.Calls), tt.period, tt.times, tt.since)
			}
		})
	}
}
