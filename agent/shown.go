package agent

import (
	"context"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/trust"
)

// A Shown is the result of a call, in a place where the model is still sent it.
type Shown struct {
	chat.Output
	Step int // in which it was called: the model's responses in this session, counted from 1
}

// Shown returns the results of a tool that the next request holds word for word, the latest first. They are read from what
// a request is made of: what was compacted, cleared or taken back with its message is not among them, and neither is a call of
// a response that broke off.
func (a *CoderAgent) Shown(ctx context.Context, tool string) (shown []Shown, err error) {
	err = a.do(ctx, func(s *state) error {
		step := 0
		for _, m := range s.script.Snapshot() {
			step += len(m.Steps)
		}
		for _, m := range slices.Backward(s.script.Said()) {
			if m.Role == chat.Assistant {
				shown = append(shown, shownIn(m, tool, step)...)
				step -= len(m.Steps)
			}
		}
		return nil
	})
	return shown, err
}

// shownIn returns the results that an answer holds, the latest first; last is the number of its last step.
func shownIn(m chat.Message, tool string, last int) (shown []Shown) {
	step := len(m.Steps) - 1
	for _, p := range slices.Backward(m.Parts) {
		switch p := p.(type) {
		case chat.StepStart:
			step--
		case chat.ToolCall:
			sent := step >= 0 && step < len(m.Steps) && m.Steps[step].Status == chat.StepAnswered
			if sent && p.Name == tool && p.State == chat.OutputAvailable && p.Output != nil {
				shown = append(shown, Shown{*p.Output, last - (len(m.Steps) - 1 - step)})
			}
		}
	}
	return shown
}

// Untold reports whether the model may be told that a folder below the workdir (absolute path) has instructions of its own:
// the user trusts the workdir, and no result that the model can see tells it. A yes is given once: who gets it must put the
// folder into its result.
func (a *CoderAgent) Untold(ctx context.Context, folder string) (untold bool, err error) {
	err = a.do(ctx, func(s *state) error {
		if untold = s.folder.State == trust.Trusted && !s.told[folder]; untold {
			s.told[folder] = true
		}
		return nil
	})
	return untold, err
}
