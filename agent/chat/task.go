package chat

import (
	"encoding/json"
	"slices"
)

// A Task is a part of a turn's work that a call gives to a child: an agent with an address of its own. It stands in the step
// of the call. What the child has cost, and whether it is over, the child knows.
type Task struct {
	ToolCallID string `json:"toolCallId"`
	Session    string `json:"session"`              // the child's address
	Agent      string `json:"agent,omitempty"`      // what the child is for
	Request    string `json:"request,omitempty"`    // the id of the prompt, and of its message, in the child; "": the call asks about what the child does already
	Background bool   `json:"background,omitempty"` // the call does not wait for the child's end

	Limit  float64 `json:"limit,omitempty"` // US dollars that a turn of the child may cost; 0: no limit of its own
	Before Usage   `json:"before,omitzero"` // of the child and those below it, when the call was made

	Waits []TaskWait `json:"waits,omitempty"` // what the child waits for; as long as it does the call waits with it
}

// A TaskWait is a call of a child, or of one below it, that waits for a decision or for a client's result.
type TaskWait struct {
	Session    string `json:"session"` // whose call it is
	ToolCallID string `json:"toolCallId"`
	ToolName   string `json:"toolName"`
	Summary    string `json:"summary"`
	Reason     string `json:"reason,omitempty"`
	Client     bool   `json:"client,omitempty"` // a client owes its result
}

// Events of calls that give tasks.
type (
	// TaskGiven says to which child the call gives its task. It is durable before the child hears of it.
	TaskGiven Task
	// TaskWaits says what the child of the call waits for. With nothing in For it goes on, and so does the call.
	TaskWaits struct {
		ToolCallID string     `json:"toolCallId"`
		For        []TaskWait `json:"for,omitempty"`
	}
)

func (TaskGiven) event() {}
func (TaskWaits) event() {}

// TaskNote is the kind of the note that tells the end of a task in the background. Its value is a TaskEnd.
const TaskNote = "task"

// A TaskEnd names the task of which a note tells.
type TaskEnd struct {
	Session string `json:"session"`
	Request string `json:"request"`
}

// applyTask applies the events of this file.
func (t *Transcript) applyTask(e Event) {
	switch e := e.(type) {
	case TaskGiven:
		m := t.last()
		if n := len(m.Steps) - 1; n >= 0 && t.find(e.ToolCallID) >= 0 {
			m.Steps[n].Tasks = append(slices.Clip(m.Steps[n].Tasks), Task(e))
		}
	case TaskWaits:
		m := t.last()
		for n, step := range m.Steps {
			if i := step.task(e.ToolCallID); i >= 0 {
				m.Steps[n].Tasks = slices.Clone(step.Tasks)
				m.Steps[n].Tasks[i].Waits = e.For
			}
		}
	}
}

// task returns the index of the call's task, or -1.
func (s Step) task(callID string) int {
	return slices.IndexFunc(s.Tasks, func(t Task) bool { return t.ToolCallID == callID })
}

// task returns the task of a call of the step, or false.
func (m Message) task(step int, callID string) (Task, bool) {
	if step < 0 || step >= len(m.Steps) {
		return Task{}, false
	}
	i := m.Steps[step].task(callID)
	if i < 0 {
		return Task{}, false
	}
	return m.Steps[step].Tasks[i], true
}

// StepCalls returns the calls of the last step, in their order.
func (m Message) StepCalls() (calls []ToolCall) {
	for _, p := range m.Parts {
		switch p := p.(type) {
		case StepStart:
			calls = nil
		case ToolCall:
			calls = append(calls, p)
		}
	}
	return calls
}

// Tasks returns the tasks that the turn of the last message has given, in their order.
func (t *Transcript) Tasks() (list []Task) {
	m, ok := t.TurnMessage()
	if !ok {
		return nil
	}
	for _, s := range m.Steps {
		list = append(list, s.Tasks...)
	}
	return list
}

// Task returns the task of a call of the last message that has no result yet, or false.
func (t *Transcript) Task(callID string) (Task, bool) {
	c, ok := t.Call(callID)
	if !ok || c.Finished() {
		return Task{}, false
	}
	list := t.Tasks()
	i := slices.IndexFunc(list, func(t Task) bool { return t.ToolCallID == callID })
	if i < 0 {
		return Task{}, false
	}
	return list[i], true
}

// WaitingTasks returns the tasks whose calls wait because their children do.
func (t *Transcript) WaitingTasks() []Task {
	return slices.DeleteFunc(t.Tasks(), func(task Task) bool {
		c, ok := t.Call(task.ToolCallID)
		return len(task.Waits) == 0 || !ok || c.Finished()
	})
}

// Untold returns the tasks in the background of whose end the model was not told, of the whole transcript.
func (t *Transcript) Untold() (list []Task) {
	for _, m := range t.Snapshot() {
		for _, s := range m.Steps {
			for _, task := range s.Tasks {
				list = Tell(list, task)
			}
		}
		for _, p := range m.Parts {
			if n, ok := p.(Note); ok {
				list = n.Tell(list)
			}
		}
	}
	return list
}

// Tell adds a task in the background to those that are not told. A call that asks about a child brings the end itself.
func Tell(list []Task, task Task) []Task {
	switch {
	case task.Background && task.Request != "":
		return append(slices.Clip(list), task)
	case task.Request == "" && !task.Background:
		return slices.DeleteFunc(slices.Clone(list), func(t Task) bool { return t.Session == task.Session })
	}
	return list
}

// Tell takes the task of which the note tells from those that are not told.
func (n Note) Tell(list []Task) []Task {
	if n.Kind != TaskNote {
		return list
	}
	end, err := decodeTaskEnd(n.Value)
	if err != nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(t Task) bool { return t.Request == end.Request })
}

func decodeTaskEnd(raw json.RawMessage) (end TaskEnd, err error) {
	err = json.Unmarshal(raw, &end)
	return end, err
}
