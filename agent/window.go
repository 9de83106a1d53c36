package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// A Catalog is a Model that can tell what models there are. It may have to ask for it.
type Catalog interface {
	Describe(ctx context.Context, modelID string) (chat.ModelInfo, error)
}

const (
	// askWindowFrom is the size of a request, in tokens, from which it matters how many the model takes: none that can use
	// tools takes less. A short session does not have to ask.
	askWindowFrom = 24_000
	// mostReserved is what is left free for the answer, in tokens, of a large window.
	mostReserved = 20_000
)

// A WindowError says that a request does not fit into the model's context window, compacted as far as it can be.
type WindowError struct {
	Session string
	Err     error
}

func (e *WindowError) Error() string {
	return fmt.Sprintf("the session does not fit into the model's context window, and cannot be compacted further: %v", e.Err)
}
func (e *WindowError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *WindowError) Hint() string {
	return "choose a model with a larger window, begin a new session, or go on from an earlier message: coder sessions fork " + e.Session + " --at MESSAGE"
}

// tooLong reports whether the provider has refused a request because of its length.
func tooLong(err error) bool {
	var e interface{ TooLong() bool }
	return errors.As(err, &e) && e.TooLong()
}

// full reports whether the next request would leave too little room for its answer, as far as anybody knows.
func (t *turn) full(ctx context.Context) (bool, error) {
	var load int
	var model string
	err := t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		load, model = s.load(), s.session.Model
		if mark, _, ok := s.script.Compacting(); ok && mark.Status == chat.CompactionDone && load < mark.After+mark.After/4 {
			load = 0 // the last one has made it hardly smaller: another would not either, and each costs a request
		}
		return nil
	})
	catalog, ok := t.agent.host.opts.Model.(Catalog)
	if err != nil || !ok || load < askWindowFrom {
		return false, err
	}
	info, err := catalog.Describe(ctx, model)
	if err != nil {
		t.agent.host.opts.Logger.Warn("asking how much the model takes", "session", t.agent.key, "model", model, "err", err)
		return false, context.Cause(ctx) // the provider will say when it is too much
	}
	err = t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		if s.session.Model == model && s.window != info.Window {
			s.window = info.Window
			s.refresh("")
		}
		return nil
	})
	return info.Window > 0 && load > info.Window-min(info.Window/5, mostReserved), err
}

// load is how large the next request is, in tokens: what the provider has counted for the last one, and an estimate of
// what has come since.
func (s *state) load() int {
	said := s.script.Said()
	counted, since, ok := sinceAnswer(said)
	if ok {
		return counted + since
	}
	return s.overhead() + since
}

// overhead is what each request costs before its messages, in tokens, about.
func (s *state) overhead() int {
	bytes := 0
	if s.system != nil {
		bytes = len(s.system.Text)
	}
	for _, spec := range s.offered() {
		bytes += len(spec.Name) + len(spec.Description) + len(spec.Schema)
	}
	return bytes / bytesPerToken
}

// lastTokens are those of the last request and its answer. After a compaction nobody has counted any yet: then they are
// what the compaction has estimated.
func lastTokens(said []chat.Message) int {
	counted, _, ok := sinceAnswer(said)
	if mark, compacted := summaryMark(said); compacted && !ok {
		return mark.After
	}
	return counted
}

// sinceAnswer finds the last answer since the last compaction. It returns the tokens that the provider has counted for
// its request and itself, and an estimate of all that follows; without an answer ok is false and the estimate is of all.
func sinceAnswer(said []chat.Message) (counted, since int, ok bool) {
	compacted := false
	for _, m := range slices.Backward(said) {
		step := len(m.Steps)
		for _, p := range slices.Backward(m.Parts) {
			switch p := p.(type) {
			case chat.StepStart:
				if step--; !compacted && step >= 0 && step < len(m.Steps) && m.Steps[step].Status == chat.StepAnswered {
					counted = m.Steps[step].Usage.Input + m.Steps[step].Usage.Output
					return counted, since, counted > 0
				}
			case chat.Compaction:
				compacted = compacted || p.Status == chat.CompactionDone
			case chat.ToolCall:
				if compacted {
					since += estimate(p)
				} else {
					since += estimateResult(p) // the call itself is counted with the answer, if there is one
				}
			default:
				since += estimate(p)
			}
		}
	}
	return 0, since, false
}

// Estimates of tokens: four bytes is about what code and prose come to; a picture costs as much as some pages.
const (
	bytesPerToken = 4
	perPart       = 8
	perFile       = 1_500
)

func estimateText(s string) int { return len(s)/bytesPerToken + perPart }

func estimateResult(c chat.ToolCall) int {
	n := estimateText(c.Result())
	for _, p := range c.Pictures() {
		n += p.Tokens() + perPart
	}
	return n
}

// estimate is how many tokens a part costs, about. What is not sent costs nothing.
func estimate(p chat.Part) int {
	switch p := p.(type) {
	case chat.Text:
		return estimateText(p.Text)
	case chat.Steering:
		return estimateText(p.Text)
	case chat.Note:
		return estimateText(p.Text)
	case chat.ToolCall:
		return estimateText(p.Name) + estimateText(string(p.Input)) + estimateResult(p)
	case chat.File:
		if kind, _, _ := strings.Cut(p.MediaType, "/"); kind == "text" {
			return estimateText(p.URL)
		}
		return perFile
	}
	return 0
}

func estimateAll(messages []chat.Message) int {
	n := 0
	for _, m := range messages {
		for _, p := range m.Parts {
			n += estimate(p)
		}
	}
	return n
}
