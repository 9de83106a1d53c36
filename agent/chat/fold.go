package chat

import "slices"

// Apply adds the event to the transcript. Events that do not fit, such as a delta for a part that is not open, change
// nothing: what was committed must fold, whatever version wrote it.
func (t *Transcript) Apply(e Event) {
	if s, ok := e.(TurnStarted); ok {
		t.start(s)
		return
	}
	if last, ok := t.Last(); !ok || last.Role != Assistant {
		return
	}
	t.fold(e)
	if t.live && !t.open {
		t.settle()
	}
}

func (t *Transcript) fold(e Event) {
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
	case Noted:
		m := t.last()
		m.Parts = append(m.Parts, Note(e))
	case Compacted:
		t.compact(Compaction(e))
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
		t.applyTask(e)
		t.applyExtra(e)
	}
}

func (t *Transcript) start(e TurnStarted) {
	last, ok := t.Last()
	if e.MessageID != "" && (!ok || last.ID != e.MessageID) || !ok || last.Role != Assistant {
		if t.live {
			t.settle()
		}
		t.changed = min(t.changed, t.Len())
		t.tail, t.live, t.owned = Message{ID: e.MessageID, Role: Assistant}, true, false
	}
	m := t.last()
	t.open, t.parts, t.turns, t.before, t.called = true, nil, len(m.Steps), len(m.Parts), Usage{}
	if e.Metadata != nil {
		t.describe(e.Metadata)
	}
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
		open := m.Steps[n-1]
		s.Usage, s.Client, s.Continue, s.Judged, s.Tasks = s.Usage.Add(open.Usage), open.Client, open.Continue, open.Judged, open.Tasks
		s.Questions = open.Questions
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
	m := t.last()
	said := slices.ContainsFunc(m.Parts, func(p Part) bool {
		switch p.(type) {
		case StepStart, Note:
			return false
		}
		return true
	})
	if !said {
		t.tail, t.live = Message{}, false
	}
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
	case Judged:
		t.judged(e)
	case Decided:
		t.update(e.ToolCallID, func(c *ToolCall) { decide(c, e) })
		t.goOn()
	case Delegated:
		t.delegate(e)
	case ClientAnswered:
		t.answer(e)
	case ToolStarted:
		t.update(e.ToolCallID, func(c *ToolCall) { c.Started = !c.Finished() })
	case ToolFinished:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if !c.Finished() {
				c.State, c.Output, c.Progress, c.Started = OutputAvailable, &e.Output, nil, false
				t.called = t.called.Add(e.Output.Usage)
			}
		})
	case ToolFailed:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if !c.Finished() {
				c.State, c.Error, c.Progress, c.Started = OutputError, e.ErrorText, nil, false
			}
		})
	}
}

// delegate notes in the open step that a client runs the call, or answers it.
func (t *Transcript) delegate(e Delegated) {
	m := t.last()
	n := len(m.Steps) - 1
	if n < 0 || slices.Contains(m.Steps[n].Client, e.ToolCallID) {
		return
	}
	m.Steps[n].Client = append(slices.Clip(m.Steps[n].Client), e.ToolCallID)
	if e.Question {
		m.Steps[n].Questions = append(slices.Clip(m.Steps[n].Questions), e.ToolCallID)
	}
}

// answer takes a client's result of a call that was delegated; the first counts.
func (t *Transcript) answer(e ClientAnswered) {
	if !slices.ContainsFunc(t.Delegated(), func(c ToolCall) bool { return c.ID == e.ToolCallID }) {
		return
	}
	t.update(e.ToolCallID, func(c *ToolCall) {
		if e.Failed {
			c.State, c.Error = OutputError, e.ErrorText
			return
		}
		c.State, c.Output = OutputAvailable, new(ClientOutput(e.Output))
	})
	if e.Continue {
		t.goOn()
	}
}

// goOn notes in the last step, if a client runs calls of it, that the turn is to go on once they have their results.
func (t *Transcript) goOn() {
	m := t.last()
	if n := len(m.Steps) - 1; n >= 0 && len(m.Steps[n].Client) > 0 {
		m.Steps[n].Continue = true
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
	c.Approval = &Approval{ID: c.Approval.ID, Approved: &e.Approved, Reason: e.Reason, By: e.By, Unanswered: e.Unanswered}
}

// find returns the index of the call's part in the last message, or -1.
func (t *Transcript) find(callID string) int {
	m, _ := t.Last()
	for i, p := range slices.Backward(m.Parts) {
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
