package headless

import (
	"encoding/json"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A Result is what has come of a turn. Its JSON is what --output json prints; docs/output.md describes it.
type Result struct {
	Session   string            `json:"session"`
	Turn      string            `json:"turn"`
	Workdir   string            `json:"workdir"`
	Model     string            `json:"model"`
	Mode      string            `json:"mode"`
	Reason    chat.FinishReason `json:"reason"`
	ExitCode  int               `json:"exitCode"`
	Text      string            `json:"text"` // of the last model response
	Steps     int               `json:"steps"`
	ToolCalls int               `json:"toolCalls"`
	Usage     chat.Usage        `json:"usage"`
	Approvals []Approval        `json:"approvals"`         // calls that wait for a decision
	Decided   []Decision        `json:"decided,omitempty"` // before the turn began
	Error     string            `json:"error,omitempty"`
	Hint      string            `json:"hint,omitempty"`

	Tasks *Tasks `json:"tasks,omitempty"` // given to sub-agents

	ClientCalls []ClientCall `json:"clientCalls,omitempty"` // calls that wait for a client's result
	Questions   []Questions  `json:"questions,omitempty"`   // calls that wait for the user's answers
	Answered    []Answer     `json:"answered,omitempty"`    // before the turn began
}

// Tasks are what the turn has given to sub-agents.
type Tasks struct {
	Given []Task     `json:"given"`
	Usage chat.Usage `json:"usage"` // of the sub-agents of the whole answer, so far; no part of the turn's own
}

// A Task is one that was given in the turn.
type Task struct {
	ToolCallID string `json:"toolCallId"`
	Session    string `json:"session"` // the sub-agent's address
	Agent      string `json:"agent"`
	Background bool   `json:"background,omitempty"`
}

// An Approval is a tool call that waits for a decision.
type Approval struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input,omitempty"` // the whole of the call's arguments
	Summary    string          `json:"summary"`
	Reason     string          `json:"reason"`
	Session    string          `json:"session,omitempty"` // of a sub-agent's call: its address
	chat.Question
	DenyAt time.Time `json:"denyAt,omitzero"` // when it is denied unless somebody decides
}

// A Decision is a tool call that the command has decided: as it was told to, or by a prompt, which denies what waits.
type Decision struct {
	ToolCallID string `json:"toolCallId"`
	ToolName   string `json:"toolName"`
	Summary    string `json:"summary"`
	Session    string `json:"session,omitempty"` // of a sub-agent's call: its address
	Approved   bool   `json:"approved"`

	Input         json.RawMessage `json:"-"` // of an approved call, for people to see what runs
	chat.Question `json:"-"`

	Reason string `json:"reason,omitempty"`
	Rule   string `json:"rule,omitempty"` // that the session keeps with it: such calls are not asked for any more
}

// code is the exit code of a turn that ended with the reason.
func code(r chat.FinishReason) int {
	switch r {
	case chat.FinishStop:
		return 0
	case chat.FinishStepLimit:
		return 3
	case chat.FinishApproval, chat.FinishClient, chat.FinishQuestion:
		return 4
	case chat.FinishBudget, chat.FinishLoop, chat.FinishDenied:
		return 5
	case chat.FinishCancelled:
		return 130
	}
	return 1
}
