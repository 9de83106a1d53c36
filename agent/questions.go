package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A question of the model to the user is a call that nobody runs: it waits on disk, as an approval does, until a client brings
// the answer. A page brings it as the result of a tool of its own (Answer), and the model reads what it sent; answer, the RPC
// method, takes what was chosen or said for each question.

// Questions is a call that waits for the user's answers.
type Questions struct {
	ToolCallID string     `json:"toolCallId"`
	ToolName   string     `json:"toolName"`
	Questions  []chat.Ask `json:"questions"`
	DenyAt     time.Time  `json:"denyAt,omitzero"` // when the model decides for itself unless somebody answers
}

// waitsFor is the status of a session whose turn is parked: a decision comes first.
func waitsFor(script *chat.Transcript) Status {
	if len(script.Waiting())+len(script.WaitingTasks()) == 0 && len(script.Questions()) > 0 {
		return Asking
	}
	return Waiting
}

func (a *CoderAgent) questions(ctx context.Context) (list []Questions, err error) {
	err = a.do(ctx, func(s *state) error { list = s.questions(); return nil })
	return list, err
}

// questions lists the calls that wait for answers.
func (s *state) questions() []Questions {
	list := []Questions{}
	for _, c := range s.script.Questions() {
		asks := s.agent.host.tools[c.Name].Asks(c.Input)
		list = append(list, Questions{ToolCallID: c.ID, ToolName: c.Name, Questions: asks, DenyAt: s.denyAt()})
	}
	return list
}

// answerMethod answers the questions of a call. Answers that are not taken change nothing: the questions wait as before.
func answerMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	callID, err := arg[string](args, 0)
	if err != nil {
		return nil, err
	}
	given, err := arg[json.RawMessage](args, 1)
	if err != nil {
		return nil, err
	}
	list, err := a.questions(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(q Questions) bool { return q.ToolCallID == callID })
	if i < 0 {
		return nil, &NotWaitingError{CallID: callID, For: "an answer"}
	}
	answers, err := readAnswers(list[i].Questions, given)
	if err != nil {
		return nil, err
	}
	text, err := chat.Reply(list[i].Questions, answers)
	if err != nil {
		return nil, err
	}
	output, err := json.Marshal(text)
	if err != nil {
		return nil, fmt.Errorf("answering %s: %w", callID, err)
	}
	if len(output) > maxClientOutput {
		return nil, &chat.AnswerError{Why: fmt.Sprintf("the answers have %d KiB, and %d are taken", len(output)>>10, maxClientOutput>>10)}
	}
	return nil, a.Answer(ctx, callID, ClientResult{Output: output, By: callerFrom(ctx).Connection})
}

// readAnswers takes a list in the order of the questions, an object with their headers as its keys, or, for one question, its
// answer alone. An answer is a string, or a list of them.
func readAnswers(asks []chat.Ask, given json.RawMessage) ([][]string, error) {
	given = bytes.TrimSpace(given)
	var list []json.RawMessage
	var named map[string]json.RawMessage
	switch {
	case json.Unmarshal(given, &named) == nil && named != nil:
		list = make([]json.RawMessage, len(asks))
		for header, answer := range named {
			i := slices.IndexFunc(asks, func(q chat.Ask) bool { return q.Header == header })
			if i < 0 {
				return nil, &chat.AnswerError{Why: fmt.Sprintf("no question has the header %q", clip(header))}
			}
			list[i] = answer
		}
	case json.Unmarshal(given, &list) == nil:
	default:
		list = []json.RawMessage{given}
	}
	answers := make([][]string, len(list))
	for i, raw := range list {
		var one string
		switch {
		case len(raw) == 0, json.Unmarshal(raw, &answers[i]) == nil:
		case json.Unmarshal(raw, &one) == nil:
			answers[i] = []string{one}
		default:
			return nil, &chat.AnswerError{Why: fmt.Sprintf("answer %d is neither a string nor a list of strings", i+1)}
		}
	}
	return answers, nil
}
