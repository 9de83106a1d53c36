package chat

import "slices"

// Call returns the tool call with the id in the last message, the only place where a call can still wait.
func (t *Transcript) Call(callID string) (ToolCall, bool) {
	i := t.find(callID)
	if i < 0 {
		return ToolCall{}, false
	}
	m, _ := t.Last()
	return m.Parts[i].(ToolCall), true
}

// Owed is what the transcript lacks. Its zero value says that the turn is over.
type Owed struct {
	Calls     []ToolCall // to run, in the order of the model, up to the first that waits; those with Started may have acted before a crash
	Approvals int        // calls that wait for a decision
	Questions int        // calls that wait for the user's answer
	Tasks     int        // calls that wait with their children, which wait for a decision or a client
	Client    bool       // a client owes results, or its tools were called in this turn: the turn ends, their results open another
	Reply     bool       // the model must answer
	Compact   bool       // a compaction has begun, or was broken off: before anything else
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
	quiet := false             // a client has asked for a compaction last, and for nothing else
	step := -1
	for _, p := range m.Parts {
		switch p := p.(type) {
		case StepStart:
			step++
			calls, steered, quiet = 0, false, false
		case Steering:
			steered, quiet = true, false
		case Compaction:
			if p.Status == CompactionRunning && t.open {
				return Owed{Compact: true}
			}
			quiet = !p.Auto
		case ToolCall:
			calls++
			task, given := m.task(step, p.ID)
			switch {
			case m.delegated(step, p.ID) && m.Asks(p.ID):
				if !p.Finished() {
					o.Questions++
				}
			case m.delegated(step, p.ID):
				o.Client = o.Client || !p.Finished() || step >= t.turns
			case p.Finished():
			case given && len(task.Waits) > 0:
				o.Tasks++
			case p.State == InputAvailable, p.State == ApprovalResponded:
				if given || o.Approvals+o.Tasks == 0 { // a call does not overtake one that waits for the user
					o.Calls = append(o.Calls, p)
				}
			case p.State == ApprovalRequested:
				o.Approvals++
			}
		}
	}
	if quiet {
		return Owed{}
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

// Delegated returns the calls of the last message that wait for their results from a client.
func (t *Transcript) Delegated() []ToolCall {
	m, _ := t.TurnMessage()
	return slices.DeleteFunc(t.calls(InputAvailable), func(c ToolCall) bool {
		return !slices.ContainsFunc(m.Steps, func(s Step) bool { return slices.Contains(s.Client, c.ID) })
	})
}

// Continues reports whether the last turn goes on by itself: it ended for the results of client tools, now all are
// there, and a client has asked for it.
func (t *Transcript) Continues() bool {
	m, ok := t.TurnMessage()
	n := len(m.Steps)
	return ok && n > 0 && m.Steps[n-1].Continue && len(t.Waiting()) == 0 && len(t.Delegated()) == 0
}

// delegated reports whether a client runs the call of the step.
func (m Message) delegated(step int, callID string) bool {
	return step >= 0 && step < len(m.Steps) && slices.Contains(m.Steps[step].Client, callID)
}

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

// TurnUsage returns tokens and cost of the steps since the last TurnStarted, and of calls that ended since.
func (t *Transcript) TurnUsage() Usage {
	m, ok := t.TurnMessage()
	if !ok {
		return Usage{}
	}
	return sum(m.Steps[min(t.turns, len(m.Steps)):]).Add(compacting(m.Parts[min(t.before, len(m.Parts)):])).Add(t.called)
}

// AnswerUsage returns tokens and cost of all that answers the last prompt: of its turn and of those that continued it.
func (t *Transcript) AnswerUsage() Usage {
	m, ok := t.TurnMessage()
	if !ok {
		return Usage{}
	}
	return sum(m.Steps).Add(compacting(m.Parts)).Add(calling(m.Parts))
}

// TurnFinish returns why the last response of the turn ended, or "" when it has none.
func (t *Transcript) TurnFinish() ModelFinish {
	m, ok := t.TurnMessage()
	if !ok || len(m.Steps) <= t.turns {
		return ""
	}
	return m.Steps[len(m.Steps)-1].Reason
}

// Usage returns tokens and cost of the whole transcript.
func (t *Transcript) Usage() Usage {
	var u Usage
	for _, m := range t.Snapshot() {
		u = u.Add(sum(m.Steps)).Add(compacting(m.Parts)).Add(calling(m.Parts))
	}
	return u
}

// calling is what calls have cost themselves.
func calling(parts []Part) (u Usage) {
	for _, p := range parts {
		if c, ok := p.(ToolCall); ok && c.Output != nil {
			u = u.Add(c.Output.Usage)
		}
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
