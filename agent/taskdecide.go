package agent

import (
	"context"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// TaskCallID is how a call of a session below is named from the session with the address: by the way there and its own id.
func TaskCallID(address string, w chat.TaskWait) string {
	return strings.TrimPrefix(w.Session[min(len(address), len(w.Session)):], "/") + "/" + w.ToolCallID
}

// pendingBelow lists the calls of the sessions below for which calls of this one wait, as far as it knows them.
func (s *state) pendingBelow() (list []Pending) {
	for _, task := range s.script.WaitingTasks() {
		for _, w := range task.Waits {
			if !w.Client {
				list = append(list, Pending{
					ToolCallID: TaskCallID(s.agent.key, w), ToolName: w.ToolName, Summary: w.Summary, Reason: w.Reason, Session: w.Session,
				})
			}
		}
	}
	return list
}

// complete adds to what is known of a call of a session below what that session knows: all that its user is asked.
func (a *CoderAgent) complete(ctx context.Context, p *Pending) error {
	if p.Session == "" {
		return nil
	}
	child, err := a.host.Agent(ctx, p.Session)
	if err != nil {
		return err
	}
	return child.do(ctx, func(s *state) error {
		own := s.pending()
		i := slices.IndexFunc(own, func(o Pending) bool {
			return o.Session == "" && p.ToolCallID == TaskCallID(a.key, chat.TaskWait{Session: p.Session, ToolCallID: o.ToolCallID})
		})
		if i < 0 {
			return nil // it has just been decided
		}
		id, session := p.ToolCallID, p.Session
		*p = own[i]
		p.ToolCallID, p.Session = id, session
		return nil
	})
}

// waitsFor returns the session below whose call is meant, and its own id for it; nil when it is none of those below.
func (a *CoderAgent) waitsFor(ctx context.Context, callID string) (child *CoderAgent, own string, err error) {
	var meant chat.TaskWait
	err = a.do(ctx, func(s *state) error {
		if _, ok := s.script.Call(callID); ok {
			return nil
		}
		for _, task := range s.script.WaitingTasks() {
			for _, w := range task.Waits {
				if TaskCallID(s.agent.key, w) == callID {
					meant = w
				}
			}
		}
		return nil
	})
	if err != nil || meant.Session == "" {
		return nil, "", err
	}
	child, err = a.host.Agent(ctx, meant.Session)
	return child, meant.ToolCallID, err
}

// taskEnds are the results of the calls that wait with their children, when they get no other.
func taskEnds(script *chat.Transcript, why string) (events []chat.Event) {
	for _, t := range script.WaitingTasks() {
		events = append(events, chat.ToolFailed{
			ToolCallID: t.ToolCallID, ErrorText: "not finished: " + why + ", and the sub-agent " + t.Session + " was stopped",
		})
	}
	return events
}

// dropTasks is taskEnds, and lets the children be stopped.
func (s *state) dropTasks(script *chat.Transcript, why string) []chat.Event {
	s.orphans = append(s.orphans, script.WaitingTasks()...)
	return taskEnds(script, why)
}

// addTasks notes what the children of the answer have cost.
func (t *turn) addTasks(ctx context.Context) error {
	b, err := t.agent.budget(ctx)
	if err == nil && len(b.tasks) > 0 {
		t.tasks, err = t.agent.host.usageOf(ctx, b.tasks)
	}
	return err
}
