package agent

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A Child is a session below another, as the state document shows it.
type Child struct {
	Session string     `json:"session"`         // its address
	Agent   string     `json:"agent,omitempty"` // of one with a task: explore or general
	Title   string     `json:"title"`
	Status  Status     `json:"status"`
	Usage   chat.Usage `json:"usage"` // its own, that of those below it not included

	waits []chat.TaskWait // what it is parked for
	gone  bool            // it was deleted
}

// loadChildren reads what is below the session.
func (s *state) loadChildren(ctx context.Context) error {
	rows, err := s.agent.host.store.Below(ctx, s.agent.key)
	for _, r := range rows {
		s.children = append(s.children, Child{Session: r.Name, Agent: r.Agent, Title: r.Title, Status: Status(r.Status), Usage: r.Usage})
	}
	return err
}

// noteChild notes how far a session below is.
func (s *state) noteChild(child Child) {
	is := func(k Child) bool { return strings.EqualFold(k.Session, child.Session) }
	list := slices.DeleteFunc(slices.Clone(s.children), is)
	if !child.gone {
		list = append(list, child)
		slices.SortFunc(list, func(a, b Child) int { return compareAddresses(a.Session, b.Session) })
	}
	s.children = list
	s.refresh("")
}

// compareAddresses sorts children behind their parents, and 10 behind 9.
func compareAddresses(a, b string) int {
	as, bs := strings.Split(strings.ToLower(a), "/"), strings.Split(strings.ToLower(b), "/")
	return slices.CompareFunc(as, bs, func(x, y string) int {
		if isNumber(x) && isNumber(y) && len(x) != len(y) {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	})
}

// usageBelow is what the sessions below have cost.
func (s *state) usageBelow() (u chat.Usage) {
	for _, k := range s.children {
		u = u.Add(k.Usage)
	}
	return u
}

// asChild describes the session for those above it.
func (a *CoderAgent) asChild(ctx context.Context) (child Child, err error) {
	if !a.isAwake() { // one that was deleted is not woken for it
		row, ok, err := a.host.store.Session(ctx, a.key)
		if err != nil || !ok {
			return Child{Session: a.name, gone: true}, err
		}
		if row.Status == string(Idle) {
			return Child{Session: row.Name, Agent: row.Agent, Title: row.Title, Status: Idle, Usage: row.Usage}, nil
		}
	}
	err = a.do(ctx, func(s *state) error {
		child = Child{Session: s.session.Name, Agent: s.session.Agent, Title: s.session.Title, Status: Status(s.session.Status), Usage: s.usage(), gone: !s.known}
		if s.turn == nil && s.parked() {
			child.waits = s.taskWaits()
		}
		return nil
	})
	if errors.Is(err, ErrDeleted) {
		return Child{Session: a.name, gone: true}, nil
	}
	return child, err
}

// tellAbove tells the sessions above that this one has begun, parked, ended or gone, so that the call that waits for it goes
// on. It runs on the goroutine of the turn, or of who has caused it: agents do not wait for each other. What cannot be told
// now is seen by the next host (lookAfterTasks).
func (a *CoderAgent) tellAbove(ctx context.Context) {
	parent, _, _ := SplitAddress(a.key)
	if parent == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	child, err := a.asChild(ctx)
	for direct := true; parent != "" && err == nil; direct = false {
		err = a.host.tell(ctx, parent, direct, child)
		parent, _, _ = SplitAddress(parent)
	}
	if err != nil && !errors.Is(err, ErrShutdown) {
		a.host.opts.Logger.Error("telling the sessions above", "session", a.key, "err", err)
	}
}

// tell tells one session of one below it. One that sleeps is woken only if it waits.
func (h *Host) tell(ctx context.Context, parent string, direct bool, child Child) error {
	above, err := h.Agent(ctx, parent)
	if err != nil {
		return err
	}
	if !above.isAwake() {
		row, ok, err := h.store.Session(ctx, above.key)
		if err != nil || !ok || !direct || row.Status == string(Idle) {
			return err
		}
	}
	moved := false
	err = above.do(ctx, func(s *state) (err error) {
		s.noteChild(child)
		if direct {
			moved, err = s.taskMoves(child)
		}
		return err
	})
	if err == nil && moved {
		above.tellAbove(ctx) // those further above wait with it
	}
	return err
}

// taskMoves records of the calls that wait for a child the reason it has at this moment. When it waits no more they are taken up again,
// in the turn that runs or in one that goes on.
func (s *state) taskMoves(child Child) (moved bool, err error) {
	for _, task := range s.script.WaitingTasks() {
		if !strings.EqualFold(task.Session, child.Session) || slices.Equal(task.Waits, child.waits) {
			continue
		}
		var event chat.Event = chat.TaskWaits{ToolCallID: task.ToolCallID, For: child.waits}
		if child.gone {
			event = chat.ToolFailed{ToolCallID: task.ToolCallID, ErrorText: gone(task.Session).Error()}
		}
		if err := s.unstall(); err != nil {
			return moved, err
		}
		switch {
		case s.turn != nil:
			err = s.record(s.turn, store.Safe, event)
		case s.closing, s.foreign():
		default:
			err = s.settleCall(event, task.ToolCallID, "")
		}
		if err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// lookAfterTasks takes up calls that wait for children which do not wait any more: the host died between the two.
func (h *Host) lookAfterTasks(ctx context.Context) error {
	keys, err := h.store.WaitingAbove(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		a, err := h.Agent(ctx, key)
		if err == nil {
			err = a.lookAfterTasks(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookAfterTasks has the children that calls wait for say again what they wait for.
func (a *CoderAgent) lookAfterTasks(ctx context.Context) error {
	var waiting []chat.Task
	err := a.do(ctx, func(s *state) error { waiting = s.script.WaitingTasks(); return nil })
	if err != nil {
		return err
	}
	for _, task := range waiting {
		child, err := a.host.Agent(ctx, task.Session)
		if err != nil {
			return err
		}
		child.tellAbove(ctx)
	}
	return nil
}

// backgroundTasks are the tasks of this session's children of whose end the model was not told. A fork has taken over the
// calls, and not the children.
func (s *state) backgroundTasks() []chat.Task {
	return slices.DeleteFunc(s.script.Untold(), func(t chat.Task) bool {
		return !strings.HasPrefix(strings.ToLower(t.Session), s.agent.key+"/")
	})
}

// tellTasks tells the model which tasks in the background have ended.
func (t *turn) tellTasks(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var untold []chat.Task
	if err := t.agent.do(ctx, func(s *state) error { untold = s.untold; return nil }); err != nil {
		return err
	}
	for _, task := range untold {
		child, err := t.agent.host.Agent(ctx, task.Session)
		if err != nil {
			return err
		}
		st, err := child.standing(ctx, task.Request)
		if err != nil {
			return err
		}
		if !st.over {
			continue
		}
		note, err := child.taskNote(ctx, task, st)
		if err == nil {
			err = t.record(store.Safe, note)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
