package agent

import (
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// patience says, by the steps of a round, how often the same round may come before the model is told, and how often it may
// come after that before the turn ends. There are honest reasons to look again, such as a file that somebody else writes.
var patience = map[int]struct{ tell, end int }{
	1: {tell: 5, end: 3},
	2: {tell: 4, end: 2},
}

// advice is what the model is told. %d is the number of times, %s the calls.
const advice = "(From coder, not from the user.) You have made the same calls %d times in a row, with the same results each time: %s. " +
	"Nothing has changed, and the same again will bring nothing new. Try something else; if you wait for something, wait for longer in one call; " +
	"and if you cannot go on, say what is missing and end your turn. If you go on like this, the turn is ended."

// A CircleError says that a turn has ended because its agent went in circles.
type CircleError struct {
	Calls string // of one round, for people
	Times int
}

func (e *CircleError) Error() string {
	return fmt.Sprintf("the agent made the same calls %d times in a row, with the same results, though it was told: %s", e.Times, e.Calls)
}

// Hint says how to go on.
func (e *CircleError) Hint() string {
	return "tell it in a new prompt what it misses: the session goes on from here"
}

// circling returns the circle that the turn is in, and whether the model must hear of it or the turn must end.
func (s *state) circling() (c chat.Circle, tell, end bool) {
	c = s.script.Circle()
	p, bounded := patience[c.Steps]
	return c, bounded && c.Since < 0 && c.Times >= p.tell, bounded && c.Since >= p.end
}

// tellCircle tells the model that it goes in circles.
func (t *turn) tellCircle(c chat.Circle) error {
	text := fmt.Sprintf(advice, c.Times, t.agent.host.nameCalls(c.Calls))
	return t.record(store.Fast, chat.Noted{ID: newID("note"), Kind: chat.CircleNote, Text: text})
}

// nameCalls names calls for people and for the model, in one line.
func (h *Host) nameCalls(calls []chat.ToolCall) string {
	names := make([]string, len(calls))
	for i, c := range calls {
		names[i] = c.Name + " " + clip(string(c.Input))
		if tool, ok := h.tools[c.Name]; ok {
			if action, err := tool.Action(c.Input); err == nil {
				names[i] = c.Name + " " + clip(action.Summary)
			}
		}
		names[i] = strings.TrimSpace(names[i])
	}
	return strings.Join(names, ", ")
}
