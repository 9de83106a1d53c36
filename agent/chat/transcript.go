package chat

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A Transcript is a session's messages in order. The live agent, an agent that wakes up and every Go client build it
// by the same fold, Apply. The zero value is an empty transcript. A Transcript is not safe for concurrent use; a
// Snapshot is.
type Transcript struct {
	messages []Message

	open  bool                 // the last message belongs to a turn that has not finished
	owned bool                 // the parts of the last message are shared with no snapshot
	parts map[string]*openPart // the open text and reasoning parts, by kind and id
	turns int                  // steps that the last message had when the turn started
}

type openPart struct {
	index int
	text  strings.Builder
}

// NewTranscript returns a transcript of settled messages. It takes the slice over; the parts and steps of the messages
// stay as they are.
func NewTranscript(messages []Message) *Transcript {
	return &Transcript{messages: messages}
}

// Snapshot returns the messages as they are now. Later events do not change what it returns.
func (t *Transcript) Snapshot() []Message {
	t.owned = false
	return slices.Clone(t.messages)
}

// Len returns the number of messages.
func (t *Transcript) Len() int { return len(t.messages) }

// Last returns the last message, or false when there is none. The caller must not keep it over an Apply.
func (t *Transcript) Last() (Message, bool) {
	if len(t.messages) == 0 {
		return Message{}, false
	}
	return t.messages[len(t.messages)-1], true
}

// Append adds a settled message, such as a prompt. It must not be called while a turn is open.
func (t *Transcript) Append(m Message) { t.messages = append(t.messages, m) }

// Replace changes the settled message that has m's ID, or reports false.
func (t *Transcript) Replace(m Message) bool {
	i := slices.IndexFunc(t.messages, func(have Message) bool { return have.ID == m.ID })
	if i < 0 {
		return false
	}
	t.messages[i] = m
	return true
}

// Retain drops the messages for which keep is false.
func (t *Transcript) Retain(keep func(Message) bool) {
	t.messages = slices.DeleteFunc(t.messages, func(m Message) bool { return !keep(m) })
}

// Open reports whether a turn is open.
func (t *Transcript) Open() bool { return t.open }

// TurnMessage returns the assistant message of the open or last turn, or false.
func (t *Transcript) TurnMessage() (Message, bool) {
	m, ok := t.Last()
	return m, ok && m.Role == Assistant
}

// last returns the last message for changing: its parts and steps are its own.
func (t *Transcript) last() *Message {
	m := &t.messages[len(t.messages)-1]
	if !t.owned {
		m.Parts, m.Steps = slices.Clone(m.Parts), slices.Clone(m.Steps)
		t.owned = true
	}
	return m
}

// Apply adds the event to the transcript. Events that do not fit, such as a delta for a part that is not open, change
// nothing: what was committed must fold, whatever version wrote it.
func (t *Transcript) Apply(e Event) {
	if s, ok := e.(TurnStarted); ok {
		t.start(s)
		return
	}
	if len(t.messages) == 0 || t.messages[len(t.messages)-1].Role != Assistant {
		return
	}
	switch e := e.(type) {
	case StepStarted:
		m := t.last()
		m.Parts = append(m.Parts, StepStart{})
		m.Steps = append(m.Steps, Step{})
	case TextStarted:
		t.openPart("t"+e.ID, Text{ID: e.ID, State: PartStreaming})
	case TextDelta:
		t.grow("t"+e.ID, e.Delta, func(s string) Part { return Text{ID: e.ID, Text: s, State: PartStreaming} })
	case TextEnded:
		t.closePart("t"+e.ID, func(s string) Part { return Text{ID: e.ID, Text: s, State: PartDone} })
	case ReasoningStarted:
		t.openPart("r"+e.ID, Reasoning{ID: e.ID, State: PartStreaming})
	case ReasoningDelta:
		t.grow("r"+e.ID, e.Delta, func(s string) Part { return Reasoning{ID: e.ID, Text: s, State: PartStreaming} })
	case ReasoningEnded:
		t.closePart("r"+e.ID, func(s string) Part { return Reasoning{ID: e.ID, Text: s, State: PartDone} })
	case Steered:
		m := t.last()
		m.Parts = append(m.Parts, Steering(e))
	case Answered:
		t.endStep(Step{
			Status: StepAnswered, Model: e.Model, Served: e.Served,
			Reason: e.Reason, Usage: e.Usage, Details: e.Details,
		})
	case Interrupted:
		status := StepCancelled
		if !e.Cancelled {
			status = StepInterrupted
			t.closeParts()
		}
		t.endStep(Step{Status: status, Usage: e.Usage})
	case Retrying:
		t.spend(e.Usage)
	case TurnFinished:
		t.finish()
	default:
		t.applyTool(e)
	}
}

func (t *Transcript) start(e TurnStarted) {
	last, ok := t.Last()
	if e.MessageID != "" && (!ok || last.ID != e.MessageID) || !ok || last.Role != Assistant {
		t.messages = append(t.messages, Message{ID: e.MessageID, Role: Assistant})
		last = Message{}
	}
	t.open, t.owned, t.parts, t.turns = true, false, nil, len(last.Steps)
}

func (t *Transcript) openPart(key string, p Part) {
	m := t.last()
	m.Parts = append(m.Parts, p)
	if t.parts == nil {
		t.parts = make(map[string]*openPart)
	}
	t.parts[key] = &openPart{index: len(m.Parts) - 1}
}

func (t *Transcript) grow(key, delta string, part func(string) Part) {
	o, ok := t.parts[key]
	if !ok {
		return
	}
	o.text.WriteString(delta)
	t.last().Parts[o.index] = part(o.text.String()) // String shares the builder's bytes: no copy per delta
}

func (t *Transcript) closePart(key string, part func(string) Part) {
	o, ok := t.parts[key]
	if !ok {
		return
	}
	t.last().Parts[o.index] = part(o.text.String())
	delete(t.parts, key)
}

// closeParts ends the parts that a broken response left open.
func (t *Transcript) closeParts() {
	for _, o := range t.parts {
		m := t.last()
		switch p := m.Parts[o.index].(type) {
		case Text:
			p.State = PartDone
			m.Parts[o.index] = p
		case Reasoning:
			p.State = PartDone
			m.Parts[o.index] = p
		}
	}
}

// endStep settles the open step. What failed attempts at it have cost is a part of its usage.
func (t *Transcript) endStep(s Step) {
	m := t.last()
	if n := len(m.Steps); n > 0 && m.Steps[n-1].Status == StepOpen {
		s.Usage = s.Usage.Add(m.Steps[n-1].Usage)
		m.Steps[n-1] = s
	}
	clear(t.parts)
}

// spend adds what a failed attempt at the open step has cost.
func (t *Transcript) spend(u Usage) {
	m := t.last()
	if n := len(m.Steps); n > 0 && m.Steps[n-1].Status == StepOpen {
		m.Steps[n-1].Usage = m.Steps[n-1].Usage.Add(u)
	}
}

// finish settles the turn's message. One that holds nothing, because the model never answered, goes.
func (t *Transcript) finish() {
	t.open, t.parts = false, nil
	m := t.messages[len(t.messages)-1]
	empty := !slices.ContainsFunc(m.Parts, func(p Part) bool { _, step := p.(StepStart); return !step })
	if empty {
		t.messages = t.messages[:len(t.messages)-1]
	}
	t.owned = false
}

// applyTool applies the events of tool calls. A call of a finished turn can still be decided.
func (t *Transcript) applyTool(e Event) {
	switch e := e.(type) {
	case ToolInputStarted:
		if t.find(e.ToolCallID) < 0 {
			m := t.last()
			m.Parts = append(m.Parts, ToolCall{ID: e.ToolCallID, Name: e.ToolName, State: InputStreaming})
		}
	case ToolCalled:
		t.call(e.ToolCallID, e.ToolName, func(c *ToolCall) { c.State, c.Input = InputAvailable, e.Input })
	case ToolInputFailed:
		t.call(e.ToolCallID, e.ToolName, func(c *ToolCall) { c.State, c.Input, c.Error = OutputError, e.Input, e.ErrorText })
	case ApprovalAsked:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if c.State == InputAvailable {
				c.State, c.Approval = ApprovalRequested, &Approval{ID: e.ApprovalID}
			}
		})
	case Decided:
		t.update(e.ToolCallID, func(c *ToolCall) { decide(c, e) })
	case ToolStarted:
		t.update(e.ToolCallID, func(c *ToolCall) { c.Started = !c.Finished() })
	case ToolFinished:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if !c.Finished() {
				c.State, c.Output, c.Started = OutputAvailable, &e.Output, false
			}
		})
	case ToolFailed:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if !c.Finished() {
				c.State, c.Error, c.Started = OutputError, e.ErrorText, false
			}
		})
	}
}

func decide(c *ToolCall, e Decided) {
	if c.State != ApprovalRequested {
		return
	}
	c.State = OutputDenied
	if e.Approved {
		c.State = ApprovalResponded
	}
	c.Approval = &Approval{ID: c.Approval.ID, Approved: &e.Approved, Reason: e.Reason}
}

// find returns the index of the call's part in the last message, or -1.
func (t *Transcript) find(callID string) int {
	parts := t.messages[len(t.messages)-1].Parts
	for i, p := range slices.Backward(parts) {
		if c, ok := p.(ToolCall); ok && c.ID == callID {
			return i
		}
	}
	return -1
}

func (t *Transcript) update(callID string, change func(*ToolCall)) {
	i := t.find(callID)
	if i < 0 {
		return
	}
	m := t.last()
	c := m.Parts[i].(ToolCall)
	change(&c)
	m.Parts[i] = c
}

// call completes a call whose input was streaming, or adds it whole. A call that is complete already stays as it is.
func (t *Transcript) call(id, name string, change func(*ToolCall)) {
	if t.find(id) < 0 {
		m := t.last()
		m.Parts = append(m.Parts, ToolCall{ID: id, Name: name, State: InputStreaming})
	}
	t.update(id, func(c *ToolCall) {
		if c.State == InputStreaming {
			change(c)
		}
	})
}

// Call returns the tool call with the id in the last message, the only place where a call can still wait.
func (t *Transcript) Call(callID string) (ToolCall, bool) {
	if len(t.messages) == 0 {
		return ToolCall{}, false
	}
	i := t.find(callID)
	if i < 0 {
		return ToolCall{}, false
	}
	return t.messages[len(t.messages)-1].Parts[i].(ToolCall), true
}

// Owed is what the transcript lacks. Its zero value says that the turn is over.
type Owed struct {
	Calls     []ToolCall // to run, in the order of the model, up to the first that waits; those with Started may have acted before a crash
	Approvals int        // calls that wait for a decision
	Reply     bool       // the model must answer
	Cut       bool       // with Reply: a response is open that nobody is streaming any more
}

// Owed looks at the last message and says what is to be done next.
func (t *Transcript) Owed() Owed {
	m, ok := t.Last()
	if !ok {
		return Owed{}
	}
	if m.Role != Assistant {
		return Owed{Reply: m.Role == User}
	}
	var o Owed
	calls, steered := 0, false // in the last step
	for _, p := range m.Parts {
		switch p := p.(type) {
		case StepStart:
			calls, steered = 0, false
		case Steering:
			steered = true
		case ToolCall:
			calls++
			switch p.State {
			case InputAvailable, ApprovalResponded:
				if o.Approvals == 0 { // a call does not overtake one that waits
					o.Calls = append(o.Calls, p)
				}
			case ApprovalRequested:
				o.Approvals++
			}
		}
	}
	status := StepInterrupted // no step yet
	if n := len(m.Steps); n > 0 {
		status = m.Steps[n-1].Status
	}
	o.Cut = status == StepOpen
	o.Reply = o.Cut || status == StepInterrupted || steered || status == StepAnswered && calls > 0
	return o
}

// Waiting returns the calls of the last message that wait for a decision.
func (t *Transcript) Waiting() []ToolCall { return t.calls(ApprovalRequested) }

// Partial returns the calls of the last message whose arguments are not complete.
func (t *Transcript) Partial() []ToolCall { return t.calls(InputStreaming) }

func (t *Transcript) calls(in ToolState) []ToolCall {
	m, ok := t.TurnMessage()
	if !ok {
		return nil
	}
	var found []ToolCall
	for _, p := range m.Parts {
		if c, ok := p.(ToolCall); ok && c.State == in {
			found = append(found, c)
		}
	}
	return found
}

// TurnSteps returns how many model responses the turn's message holds, those that were interrupted left out.
func (t *Transcript) TurnSteps() int {
	m, ok := t.TurnMessage()
	if !ok {
		return 0
	}
	n := 0
	for _, s := range m.Steps {
		if s.Status == StepAnswered {
			n++
		}
	}
	return n
}

// TurnUsage returns tokens and cost of the steps since the last TurnStarted.
func (t *Transcript) TurnUsage() Usage {
	m, ok := t.TurnMessage()
	if !ok {
		return Usage{}
	}
	return sum(m.Steps[min(t.turns, len(m.Steps)):])
}

// Usage returns tokens and cost of the whole transcript.
func (t *Transcript) Usage() Usage {
	var u Usage
	for _, m := range t.messages {
		u = u.Add(sum(m.Steps))
	}
	return u
}

func sum(steps []Step) Usage {
	var u Usage
	for _, s := range steps {
		u = u.Add(s.Usage)
	}
	return u
}

// A Request is what a Model is asked: the whole of the session, which each request extends.
type Request struct {
	Model    string // the model id; "" lets the Model choose its default
	Session  string // stable name of the session: providers route by it so that their cache is hit
	System   string
	Tools    []ToolSpec
	Messages []Message // must not be changed
}

// A ToolSpec tells the model about one tool.
type ToolSpec struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema of the arguments, an object, draft 7
}

// Fork returns a transcript of its own that begins as t is now, for trying out events before they are committed. Text
// that is open in both must not grow in both.
func (t *Transcript) Fork() *Transcript {
	next := *t
	next.messages, next.owned, t.owned = slices.Clone(t.messages), false, false
	next.parts = maps.Clone(t.parts)
	return &next
}
