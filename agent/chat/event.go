package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Event is one fact of a turn. Events with a chunk type of the AI SDK encode to exactly that chunk; the others have
// types of our own, which begin with "coder-" and which wire sends in frames of their own (see IsChunk).
type Event interface{ event() }

// Events that are chunks of the AI SDK's UI message stream.
type (
	// TurnStarted begins a turn's stream. MessageID is empty when the turn continues the last assistant message.
	TurnStarted struct {
		MessageID string          `json:"messageId,omitempty"`
		Metadata  json.RawMessage `json:"messageMetadata,omitempty"`
	}
	// StepStarted begins one model response.
	StepStarted struct{}
	// TextStarted opens a text part. ID is unique among the open parts of the turn.
	TextStarted struct {
		ID string `json:"id"`
	}
	// TextDelta adds to an open text part. A Model yields it without an ID, and without TextStarted and TextEnded.
	TextDelta struct {
		ID    string `json:"id"`
		Delta string `json:"delta"`
	}
	// TextEnded closes a text part.
	TextEnded struct {
		ID string `json:"id"`
	}
	// ReasoningStarted, ReasoningDelta and ReasoningEnded are the same for what the model thinks aloud.
	ReasoningStarted struct {
		ID string `json:"id"`
	}
	ReasoningDelta struct {
		ID    string `json:"id"`
		Delta string `json:"delta"`
	}
	ReasoningEnded struct {
		ID string `json:"id"`
	}
	// ToolInputStarted says that the model has begun to write the arguments of a call.
	ToolInputStarted struct {
		ToolCallID string `json:"toolCallId"`
		ToolName   string `json:"toolName"`
	}
	// ToolInputDelta adds a piece of the JSON text of the arguments.
	ToolInputDelta struct {
		ToolCallID     string `json:"toolCallId"`
		InputTextDelta string `json:"inputTextDelta"`
	}
	// ToolCalled is a complete call: Input is valid JSON. For a call that is known already it changes nothing: a
	// continuation repeats it so that a client which joins there knows the call.
	ToolCalled struct {
		ToolCallID string          `json:"toolCallId"`
		ToolName   string          `json:"toolName"`
		Input      json.RawMessage `json:"input"`
	}
	// ToolInputFailed is a call that cannot run (broken JSON, unknown tool, arguments against the schema, a stream
	// that was cut off); ErrorText answers it. Input is the arguments as JSON, or a JSON string with the broken text.
	ToolInputFailed struct {
		ToolCallID string          `json:"toolCallId"`
		ToolName   string          `json:"toolName"`
		Input      json.RawMessage `json:"input"`
		ErrorText  string          `json:"errorText"`
		Dynamic    bool            `json:"dynamic,omitempty"` // the tool is not one of ours
	}
	// ApprovalAsked says that the call waits for a decision. The reason is in the Judged event before it.
	ApprovalAsked struct {
		ApprovalID string `json:"approvalId"`
		ToolCallID string `json:"toolCallId"`
	}
	// ToolFinished is the result of a call.
	ToolFinished struct {
		ToolCallID string `json:"toolCallId"`
		Output     Output `json:"output"`
	}
	// ToolFailed is a result that is an error, written for the model.
	ToolFailed struct {
		ToolCallID string `json:"toolCallId"`
		ErrorText  string `json:"errorText"`
	}
	// Steered is a prompt put into the running turn.
	Steered struct {
		ID   string
		Text string
	}
	// Noted is a word of the host to the model.
	Noted Note
	// Compacted is how far a compaction is. The first of an ID puts its mark into the transcript, later ones replace it.
	Compacted Compaction
	// StepFinished ends a step: its calls have their results or wait for a decision.
	StepFinished struct{}
)

// Events of our own.
type (
	// Answered is the end of a model response. Its calls, if any, were recorded together with it.
	Answered struct {
		Model      string          `json:"model,omitempty"`
		Served     string          `json:"served,omitempty"`
		Provider   string          `json:"provider,omitempty"`
		Generation string          `json:"generation,omitempty"` // the provider's id of the response
		Reason     ModelFinish     `json:"reason"`
		Usage      Usage           `json:"usage,omitzero"`
		Details    json.RawMessage `json:"details,omitempty"`
	}
	// Interrupted says that the open response was cut off and will be asked for again, or, when Cancelled, that the
	// user stopped it. Open text ends here; calls whose arguments were incomplete are gone.
	Interrupted struct {
		Reason    string `json:"reason"`
		Cancelled bool   `json:"cancelled,omitempty"`
		Usage     Usage  `json:"usage,omitzero"` // what the provider bills for it all the same
	}
	// Retrying says that the request failed and is sent again after Wait.
	Retrying struct {
		Attempt int           `json:"attempt"` // the attempt that comes next, from 2
		Of      int           `json:"of"`
		Wait    time.Duration `json:"waitNs"`
		Reason  string        `json:"reason"`         // what failed, for people
		Usage   Usage         `json:"usage,omitzero"` // what the failed request cost
	}
	// Judged is the policy's verdict on a call, recorded when it is not plain "allow".
	Judged struct {
		ToolCallID string `json:"toolCallId"`
		Verdict    string `json:"verdict"` // "ask" or "deny"
		Reason     string `json:"reason"`
		Summary    string `json:"summary"` // the call in one line, for people
		Question          // with "ask"
	}
	// Decided is the user's answer to an ApprovalAsked.
	Decided struct {
		ToolCallID string `json:"toolCallId"`
		Approved   bool   `json:"approved"`
		Reason     string `json:"reason,omitempty"`
		By         string `json:"by,omitempty"`         // the connection that decided
		Unanswered bool   `json:"unanswered,omitempty"` // denied because nobody decided in time
		Rule       string `json:"rule,omitempty"`       // that was stored with it
	}
	// Delegated says that a client runs the tool of the call: nothing runs here, and the turn ends with the step. Of a
	// question to the user any client gives the answer, and the turn goes on with that.
	Delegated struct {
		ToolCallID string `json:"toolCallId"`
		Question   bool   `json:"question,omitempty"` // the tool is one of ours that asks the user
	}
	// ClientAnswered is a client's result of a call that was delegated: Output or, when Failed, ErrorText.
	ClientAnswered struct {
		ToolCallID string          `json:"toolCallId"`
		Output     json.RawMessage `json:"output,omitempty"`
		Failed     bool            `json:"failed,omitempty"`
		ErrorText  string          `json:"errorText,omitempty"`
		Continue   bool            `json:"continue,omitempty"` // the client wants the turn to go on by itself
		By         string          `json:"by,omitempty"`       // the connection
	}
	// ToolStarted says that the tool is about to act.
	ToolStarted struct {
		ToolCallID string `json:"toolCallId"`
		Summary    string `json:"summary,omitempty"` // the call in one line, for people
	}
	// TurnFinished ends a turn.
	TurnFinished struct {
		Reason FinishReason `json:"reason"`
		Error  string       `json:"error,omitempty"` // with FinishError; with FinishBudget, FinishLoop and FinishDenied what happened
		Hint   string       `json:"hint,omitempty"`  // what the user can do about it
		Usage  Usage        `json:"usage,omitzero"`  // of this turn
		Tasks  Usage        `json:"tasks,omitzero"`  // of the children to which the answer has given tasks, so far; no part of Usage
	}
)

// A FinishReason says why a turn ended.
type FinishReason string

const (
	FinishStop      FinishReason = "stop"
	FinishApproval  FinishReason = "approval"
	FinishClient    FinishReason = "client-tool" // a client owes the results of its tools
	FinishQuestion  FinishReason = "question"    // the user owes answers to the model's questions
	FinishStepLimit FinishReason = "step-limit"
	FinishLength    FinishReason = "length"
	FinishFiltered  FinishReason = "filtered"
	FinishBudget    FinishReason = "budget"
	FinishLoop      FinishReason = "loop"
	FinishDenied    FinishReason = "denied" // too many calls were denied
	FinishCancelled FinishReason = "cancelled"
	FinishError     FinishReason = "error"
)

func (TurnStarted) event()      {}
func (StepStarted) event()      {}
func (TextStarted) event()      {}
func (TextDelta) event()        {}
func (TextEnded) event()        {}
func (ReasoningStarted) event() {}
func (ReasoningDelta) event()   {}
func (ReasoningEnded) event()   {}
func (ToolInputStarted) event() {}
func (ToolInputDelta) event()   {}
func (ToolCalled) event()       {}
func (ToolInputFailed) event()  {}
func (ApprovalAsked) event()    {}
func (ToolFinished) event()     {}
func (ToolFailed) event()       {}
func (Steered) event()          {}
func (Noted) event()            {}
func (Compacted) event()        {}
func (StepFinished) event()     {}
func (Answered) event()         {}
func (Interrupted) event()      {}
func (Retrying) event()         {}
func (Judged) event()           {}
func (Decided) event()          {}
func (Delegated) event()        {}
func (ClientAnswered) event()   {}
func (ToolStarted) event()      {}
func (TurnFinished) event()     {}

// MarshalJSON gives the data part's chunk without its type, which EncodeEvent adds.
func (s Steered) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		ID   string       `json:"id"`
		Data steeringData `json:"data"`
	}{s.ID, steeringData{s.Text}})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Steered) UnmarshalJSON(data []byte) error {
	var in steeringJSON
	err := json.Unmarshal(data, &in)
	*s = Steered{ID: in.ID, Text: in.Data.Text}
	return err
}

// kinds is the one table of event types: the name in the JSON, and how to read it.
var kinds = map[string]func([]byte) (Event, error){
	"start":                 decode[TurnStarted],
	"start-step":            decode[StepStarted],
	"text-start":            decode[TextStarted],
	"text-delta":            decode[TextDelta],
	"text-end":              decode[TextEnded],
	"reasoning-start":       decode[ReasoningStarted],
	"reasoning-delta":       decode[ReasoningDelta],
	"reasoning-end":         decode[ReasoningEnded],
	"tool-input-start":      decode[ToolInputStarted],
	"tool-input-delta":      decode[ToolInputDelta],
	"tool-input-available":  decode[ToolCalled],
	"tool-input-error":      decode[ToolInputFailed],
	"tool-approval-request": decode[ApprovalAsked],
	"tool-output-available": decodeOutput,
	"tool-output-error":     decode[ToolFailed],
	steeringPart:            decode[Steered],
	notePart:                decode[Noted],
	compactionPart:          decode[Compacted],
	"finish-step":           decode[StepFinished],
	"source-url":            decode[SourceURL],
	"source-document":       decode[SourceDocument],
	"file":                  decode[FileMade],
	"message-metadata":      decode[Described],
	"coder-answered":        decode[Answered],
	"coder-interrupted":     decode[Interrupted],
	"coder-retrying":        decode[Retrying],
	"coder-judged":          decode[Judged],
	"coder-decided":         decode[Decided],
	"coder-delegated":       decode[Delegated],
	"coder-client-answered": decode[ClientAnswered],
	"coder-tool-started":    decode[ToolStarted],
	"coder-task-given":      decode[TaskGiven],
	"coder-task-waits":      decode[TaskWaits],
	"coder-turn-finished":   decode[TurnFinished],
}

func decode[E Event](data []byte) (Event, error) {
	var e E
	err := json.Unmarshal(data, &e)
	return e, err
}

// Type returns the event's name in the JSON.
func Type(e Event) string {
	switch e := e.(type) {
	case TurnStarted:
		return "start"
	case StepStarted:
		return "start-step"
	case TextStarted:
		return "text-start"
	case TextDelta:
		return "text-delta"
	case TextEnded:
		return "text-end"
	case ReasoningStarted:
		return "reasoning-start"
	case ReasoningDelta:
		return "reasoning-delta"
	case ReasoningEnded:
		return "reasoning-end"
	case ToolInputStarted:
		return "tool-input-start"
	case ToolInputDelta:
		return "tool-input-delta"
	case ToolCalled:
		return "tool-input-available"
	case ToolInputFailed:
		return "tool-input-error"
	case ApprovalAsked:
		return "tool-approval-request"
	case ToolFinished, ToolProgress:
		return "tool-output-available"
	case ToolFailed:
		return "tool-output-error"
	case Steered:
		return steeringPart
	case Noted:
		return notePart
	case Compacted:
		return compactionPart
	case StepFinished:
		return "finish-step"
	case SourceURL:
		return "source-url"
	case SourceDocument:
		return "source-document"
	case FileMade:
		return "file"
	case DataSent:
		return dataPrefix + e.Name
	case Described:
		return "message-metadata"
	case Answered:
		return "coder-answered"
	case Interrupted:
		return "coder-interrupted"
	case Retrying:
		return "coder-retrying"
	case Judged:
		return "coder-judged"
	case Decided:
		return "coder-decided"
	case Delegated:
		return "coder-delegated"
	case ClientAnswered:
		return "coder-client-answered"
	case ToolStarted:
		return "coder-tool-started"
	case TaskGiven:
		return "coder-task-given"
	case TaskWaits:
		return "coder-task-waits"
	case TurnFinished:
		return "coder-turn-finished"
	}
	return ""
}

// IsChunk reports whether the event's JSON is a chunk of the AI SDK's UI message stream.
func IsChunk(e Event) bool {
	switch e.(type) {
	case Answered, Interrupted, Retrying, Judged, Decided, Delegated, ClientAnswered, ToolStarted, TaskGiven, TaskWaits, TurnFinished, nil:
		return false
	}
	return true
}

// EncodeEvent gives the event's JSON object, its type first. The encoding is canonical: equal events, equal bytes.
func EncodeEvent(e Event) ([]byte, error) {
	body, err := marshal(e)
	if err != nil {
		return nil, fmt.Errorf("chat: encoding %s: %w", Type(e), err)
	}
	name := Type(e)
	out := make([]byte, 0, len(body)+len(name)+12)
	out = append(out, `{"type":"`...)
	out = append(out, name...)
	out = append(out, '"')
	if len(body) > 2 { // more than {}
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}

// DecodeEvent reads what EncodeEvent wrote. An event type that is not known here, as a newer version may write, is an
// UnknownEventError.
func DecodeEvent(data []byte) (Event, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("chat: decoding an event: %w", err)
	}
	read, ok := kinds[head.Type]
	if !ok && strings.HasPrefix(head.Type, dataPrefix) {
		return decodeData(data)
	}
	if !ok {
		return nil, &UnknownEventError{Type: head.Type}
	}
	return read(data)
}

// An UnknownEventError says that an event or chunk has a type this version does not know.
type UnknownEventError struct{ Type string }

func (e *UnknownEventError) Error() string { return fmt.Sprintf("chat: unknown event type %q", e.Type) }
