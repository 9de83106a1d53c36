package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A waitsError is what a call ends with whose child waits: it is taken up again once the child goes on.
type waitsError struct{ For []chat.TaskWait }

func (e *waitsError) Error() string { return "the sub-agent waits for a decision" }

// A standing says how far an agent is with a request.
type standing struct {
	known  bool // the request has come
	over   bool
	waits  []chat.TaskWait // what it waits for, when it is parked
	text   string          // what it said last
	steps  int
	reason chat.FinishReason // when it is over
	err    string            // likewise
}

// await follows the child until it is over with the task, or waits.
func (a *CoderAgent) await(ctx context.Context, child *CoderAgent, given chat.Task) (Result, error) {
	for {
		result, err := a.follow(ctx, child, given)
		switch {
		case errors.Is(err, ErrSlow):
			continue
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrShutdown):
			return Result{}, errors.Join(child.giveUp(context.WithoutCancel(ctx), given.Request), givenUp(child))
		case errors.Is(err, ErrDeleted):
			return Result{}, gone(given.Session)
		}
		return result, err
	}
}

func givenUp(child *CoderAgent) error {
	return fmt.Errorf("the sub-agent %s was stopped with this turn", child.name)
}

func gone(address string) error {
	return fmt.Errorf("the session of the sub-agent %s was deleted: do the work yourself, or give the task anew", address)
}

// follow is await for as long as a subscription lasts.
func (a *CoderAgent) follow(ctx context.Context, child *CoderAgent, given chat.Task) (Result, error) {
	sub, err := child.subscribe(ctx, "")
	if err != nil {
		return Result{}, err
	}
	defer sub.Close()
	show := shower{agent: a, child: child, given: given}
	for {
		st, err := child.standing(ctx, given.Request)
		switch {
		case err != nil:
			return Result{}, err
		case len(st.waits) > 0:
			return Result{}, &waitsError{For: st.waits}
		case st.over:
			return child.report(ctx, given, st)
		}
		for moved := false; !moved; {
			u, err := sub.Next(ctx)
			if err != nil {
				return Result{}, err
			}
			if moved = moves(u); !moved {
				show.take(ctx, u)
			}
		}
	}
}

// moves reports whether an update may change how far the agent is.
func moves(u Update) bool {
	switch u := u.(type) {
	case TurnEvent:
		_, ends := u.Event.(chat.TurnFinished)
		return ends
	case StateChanged, MessageUpdated, Queued:
		return false
	}
	return true
}

// showEvery bounds how often a call shows how far its child is.
const showEvery = time.Second

// A shower shows with the call, and in the parent's state document, how far the child is.
type shower struct {
	agent, child *CoderAgent
	given        chat.Task
	shown        time.Time
}

// take shows what the child does. That it cannot be shown is no failure of the task.
func (w *shower) take(ctx context.Context, u Update) {
	event, ok := u.(TurnEvent)
	if !ok {
		return
	}
	doing := ""
	switch e := event.Event.(type) {
	case chat.Answered:
	case chat.ToolStarted:
		doing = ": " + e.Summary
	default:
		return
	}
	if time.Since(w.shown) < showEvery {
		return
	}
	w.shown = time.Now()
	child, err := w.child.asChild(ctx)
	if err != nil {
		return
	}
	st, err := w.child.standing(ctx, w.given.Request)
	if err != nil {
		return
	}
	_ = w.agent.do(ctx, func(s *state) error { s.noteChild(child); return nil })
	_ = w.agent.Progress(ctx, fmt.Sprintf("%s: %s, $%.4f%s", w.given.Session, plural(st.steps, "step"), child.Usage.Cost, doing))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// waitForTask records that a call waits with its child. The child may go on at the same moment: whoever comes second sees the
// other.
func (t *turn) waitForTask(ctx context.Context, callID string, waits []chat.TaskWait) error {
	ctx = context.WithoutCancel(ctx)
	var given chat.Task
	for {
		err := t.agent.do(ctx, func(s *state) error {
			given, _ = s.script.Task(callID)
			return s.record(t, store.Safe, chat.TaskWaits{ToolCallID: callID, For: waits})
		})
		if err != nil || len(waits) == 0 {
			return err
		}
		child, err := t.agent.host.Agent(ctx, given.Session)
		if err != nil {
			return err
		}
		st, err := child.standing(ctx, given.Request)
		if err != nil || slices.Equal(st.waits, waits) {
			return err
		}
		waits = st.waits
	}
}

// standing says how far the agent is with a request; "" is the last that was made of it.
func (a *CoderAgent) standing(ctx context.Context, request string) (st standing, err error) {
	err = a.do(ctx, func(s *state) (err error) {
		st, err = s.standing(ctx, request)
		return err
	})
	return st, err
}

func (s *state) standing(ctx context.Context, request string) (st standing, err error) {
	queued := func(t store.Turn) bool { return request == "" || t.ID == request }
	if s.closing || slices.ContainsFunc(s.queue, queued) {
		return standing{known: true}, nil // of a host that closes nothing is over: its turns stay open
	}
	messages := s.script.Snapshot()
	i := len(messages) - 1
	for i >= 0 && (messages[i].Role != chat.User || request != "" && messages[i].ID != request) {
		i--
	}
	if i < 0 {
		return s.unsaid(ctx, request)
	}
	st = standing{known: true, reason: chat.FinishStop}
	var answer chat.Message
	if i+1 < len(messages) && messages[i+1].Role == chat.Assistant {
		answer = messages[i+1]
		st.text, st.steps = lastWordsOf(answer)
	}
	if i+2 < len(messages) || i+1 < len(messages) && answer.ID == "" { // others have prompted since
		st.over = true
		if row, ok, err := s.agent.host.store.Turn(context.WithoutCancel(ctx), s.agent.key, request); err != nil {
			return st, err
		} else if ok && !parks(row.Reason) {
			st.reason, st.err = row.Reason, row.Error
		}
		return st, nil
	}
	if s.turn != nil {
		return st, nil
	}
	if s.parked() {
		st.waits = s.taskWaits()
		return st, nil
	}
	st.over = true
	if s.stalled != nil {
		st.reason, st.err = chat.FinishError, s.stalled.about.Error
		return st, nil
	}
	last, ok, err := s.agent.host.store.LastTurn(context.WithoutCancel(ctx), s.agent.key)
	if ok {
		st.reason, st.err = last.Reason, last.Error
	}
	if parks(st.reason) { // what waited was cancelled
		st.reason = chat.FinishCancelled
	}
	return st, err
}

// unsaid is the standing of a request whose message is not in the transcript: it was cancelled before its turn, or cleared
// away, or has never come.
func (s *state) unsaid(ctx context.Context, request string) (standing, error) {
	row, seen, err := s.agent.host.store.Turn(context.WithoutCancel(ctx), s.agent.key, request)
	if err != nil || !seen {
		return standing{over: true, reason: chat.FinishCancelled, err: "it was asked for nothing"}, err
	}
	return standing{known: true, over: true, reason: chat.FinishCancelled, err: or(row.Error, "its transcript was cleared")}, nil
}

// lastWordsOf returns the text of the last response that said anything, and how many responses there were.
func lastWordsOf(m chat.Message) (text string, steps int) {
	var said string
	for _, p := range m.Parts {
		switch p := p.(type) {
		case chat.StepStart:
			steps++
			said = ""
		case chat.Text:
			if said != "" && p.Text != "" {
				said += "\n"
			}
			if said += p.Text; said != "" {
				text = said
			}
		}
	}
	return text, steps
}

// taskWaits lists what a parked session waits for: its own calls, and those of the sessions below.
func (s *state) taskWaits() (list []chat.TaskWait) {
	for _, c := range s.script.Waiting() {
		asked := s.question(c.ID)
		list = append(list, chat.TaskWait{Session: s.agent.name, ToolCallID: c.ID, ToolName: c.Name, Summary: asked.Summary, Reason: asked.Reason})
	}
	for _, c := range s.script.Delegated() {
		list = append(list, chat.TaskWait{Session: s.agent.name, ToolCallID: c.ID, ToolName: c.Name, Summary: clip(string(c.Input)), Client: true})
	}
	for _, t := range s.script.WaitingTasks() {
		list = append(list, t.Waits...)
	}
	return list
}

// giveUp stops what the agent does for a request, whether it runs, waits in the queue or for a decision.
func (a *CoderAgent) giveUp(ctx context.Context, request string) error {
	if request == "" {
		return nil // the call only asked
	}
	var orphans []chat.Task
	err := a.do(ctx, func(s *state) error {
		defer func() { orphans = s.takeOrphans() }()
		st, err := s.standing(ctx, request)
		switch {
		case err != nil || !st.known || st.over || s.closing:
			return err
		case len(st.waits) > 0:
			return s.void("")
		case slices.ContainsFunc(s.queue, func(t store.Turn) bool { return t.ID == request }):
			return s.dropQueue(request)
		}
		s.stop(s.turn)
		return nil
	})
	if err != nil {
		return fmt.Errorf("stopping the sub-agent %s: %w", a.name, err)
	}
	return a.host.stopTasks(ctx, orphans)
}

// takeOrphans returns the tasks whose calls have got another end than their children's, for stopTasks.
func (s *state) takeOrphans() []chat.Task {
	orphans := s.orphans
	s.orphans = nil
	return orphans
}

// stopTasks stops the children of tasks. It runs on the goroutine of who caused it, for agents do not wait for each other.
func (h *Host) stopTasks(ctx context.Context, tasks []chat.Task) error {
	var errs []error
	for _, t := range tasks {
		child, err := h.Agent(ctx, t.Session)
		if err == nil {
			err = child.giveUp(ctx, t.Request)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
