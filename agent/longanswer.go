package agent

import "github.com/coder-agent/coder/agent/chat"

// mostAnswer bounds one answer of the model, in bytes of text, reasoning and arguments together. Honest answers end far
// below; without a bound a provider that never ends one fills memory and disk.
const mostAnswer = 1 << 20

// A LongAnswerError says that the model's answer was broken off because it had no end. It is not asked for again: it would
// come, and cost, once more.
type LongAnswerError struct{}

func (*LongAnswerError) Error() string {
	return "the model's answer is longer than 1 MiB and was broken off"
}

// Hint says how to go on.
func (*LongAnswerError) Hint() string {
	return "ask for less at once, or choose another model; what came is kept for you to see, and the model does not see it"
}

// saidBytes is how much of an answer the event is.
func saidBytes(e chat.Event) int {
	switch e := e.(type) {
	case chat.TextDelta:
		return len(e.Delta)
	case chat.ReasoningDelta:
		return len(e.Delta)
	case chat.ToolInputDelta:
		return len(e.InputTextDelta)
	}
	return 0
}
