package agent

import (
	"slices"

	"github.com/coder-agent/coder/agent/chat"
)

// lastTokens are those of the last request and its answer among what the model is sent, or 0 when it has not answered.
func lastTokens(said []chat.Message) int {
	for _, m := range slices.Backward(said) {
		step := len(m.Steps)
		for _, p := range slices.Backward(m.Parts) {
			switch p := p.(type) {
			case chat.StepStart:
				if step--; step >= 0 && m.Steps[step].Status == chat.StepAnswered {
					return m.Steps[step].Usage.Input + m.Steps[step].Usage.Output
				}
			case chat.Compaction:
				if p.Status == chat.CompactionDone {
					return p.After
				}
			}
		}
	}
	return 0
}
