package chat

import (
	"bytes"
	"slices"
)

// CircleNote is the kind of the Note that tells the model that it goes in circles.
const CircleNote = "circle"

// A Circle says that the last steps of a turn repeat each other: the same calls with the same results.
type Circle struct {
	Calls []ToolCall // of one round, in the order of the model
	Steps int        // in one round
	Times int        // how often the round came, without a break
	Since int        // how many of these came whole since the model was told; -1: it was not
}

// longestCircle bounds the steps of a round. Longer ones are left to the step limit.
const longestCircle = 2

// circleSteps bounds how far back anybody looks.
const circleSteps = 32

// Circle looks for a circle at the end of the open turn's message; without one Times is at most 1. Calls are the same when
// name, input and result are: whoever reads what changes is on the way somewhere. What the user says, and a compaction,
// which makes the model forget, begin anew.
func (t *Transcript) Circle() Circle {
	steps, told := t.lastSteps()
	best := Circle{Since: -1}
	for period := 1; period <= longestCircle; period++ {
		same := period
		for same < len(steps) && slices.EqualFunc(steps[same], steps[same-period], sameCall) {
			same++
		}
		if times := same / period; len(steps) >= period && times > best.Times {
			best.Steps, best.Times, best.Since = period, times, -1
			if told >= 0 && told < same {
				best.Since = told / period
			}
		}
	}
	for _, calls := range slices.Backward(steps[:min(best.Steps, len(steps))]) {
		best.Calls = append(best.Calls, calls...)
	}
	return best
}

// lastSteps returns the calls of the last responses, the latest first, and how many of these came after the last
// CircleNote, or -1. Those that broke off are left out: the model does not see them.
func (t *Transcript) lastSteps() (steps [][]ToolCall, told int) {
	m, _ := t.TurnMessage()
	told = -1
	var calls []ToolCall
	step := len(m.Steps)
	for _, p := range slices.Backward(m.Parts) {
		switch p := p.(type) {
		case ToolCall:
			calls = append(calls, p)
		case Note:
			if p.Kind == CircleNote && told < 0 {
				told = len(steps)
			}
		case Steering:
			return steps, told
		case Compaction:
			if p.Status == CompactionDone {
				return steps, told
			}
		case StepStart:
			if step--; step < 0 || step >= len(m.Steps) || m.Steps[step].Status != StepAnswered {
				calls = nil
				continue
			}
			if len(calls) == 0 || len(steps) == circleSteps {
				return steps, told
			}
			slices.Reverse(calls)
			steps, calls = append(steps, calls), nil
		}
	}
	return steps, told
}

func sameCall(a, b ToolCall) bool {
	return a.Name == b.Name && a.State == b.State && bytes.Equal(a.Input, b.Input) && a.Result() == b.Result()
}
