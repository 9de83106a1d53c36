package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// maxClientOutput bounds a client's result, in bytes: all of it goes to the model.
const maxClientOutput = 256 << 10

// A ClientResult is what a client's tool gave back.
type ClientResult struct {
	Output   json.RawMessage // any JSON value; nil means null
	Failed   bool
	Error    string          // with Failed: for the model; "" means that the user did not want it
	Continue bool            // the turn is to go on by itself once no call waits any more
	By       string          // the connection
	Tools    []chat.ToolSpec // of Host.ClientTools; none leaves those of the last request
}

// event is the result as it is recorded. One that is too long is a failure, which the client and the model see.
func (r ClientResult) event(callID string) chat.ClientAnswered {
	e := chat.ClientAnswered{ToolCallID: callID, Continue: r.Continue, By: r.By}
	switch {
	case r.Failed:
		e.Failed, e.ErrorText = true, r.Error
		if e.ErrorText == "" {
			e.ErrorText = "Tool execution denied by user" // the text of the Agents SDK
		}
	case len(r.Output) > maxClientOutput:
		e.Failed = true
		e.ErrorText = fmt.Sprintf("the client's result has %d KiB, and %d are taken; call again and ask for less", len(r.Output)>>10, maxClientOutput>>10)
	case len(r.Output) == 0:
		e.Output = json.RawMessage("null")
	default:
		e.Output = r.Output
	}
	return e
}

// Answer records a client's result of a call that the client's tool was called for. The first result counts. A call that
// no client owes a result, such as one of the agent's own tools, is a *NotWaitingError. When it was the last that a call
// of the message waited for, and a client has asked for it, the turn goes on.
func (a *CoderAgent) Answer(ctx context.Context, callID string, r ClientResult) error {
	err := a.do(ctx, func(s *state) error {
		if err := s.unstall(); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.script.Delegated(), func(c chat.ToolCall) bool { return c.ID == callID }) {
			return &NotWaitingError{CallID: callID}
		}
		if m, ok := s.script.Last(); ok && m.Asks(callID) {
			r.Continue = true // as after a decision, whoever answers
		}
		if err := s.replaceTools(r.Tools); err != nil {
			return err
		}
		event := r.event(callID)
		if s.turn == nil {
			return s.settleCall(event, callID, r.By)
		}
		if err := s.record(s.turn, store.Safe, event); err != nil {
			return err
		}
		s.turn.answeredBy = r.By
		s.publishLast(r.By)
		s.refresh("")
		return nil
	})
	if err == nil {
		a.tellAbove(ctx)
	}
	return err
}

// replaceTools makes the client tools those that came with a result, if any did.
func (s *state) replaceTools(specs []chat.ToolSpec) error {
	kept, err := encodeTools(specs)
	if err != nil || kept == "" {
		return err
	}
	if err := s.write(store.Fast, s.putTools(kept)); err != nil {
		return fmt.Errorf("recording the client's tools: %w", err)
	}
	s.tools = specs
	return nil
}

// settleCall commits the decision on a call of a turn that is parked, or a client's result of it, and when it was the
// last that the turn waited for, opens the continuation in the same transaction.
// also is done in that transaction too.
func (s *state) settleCall(event chat.Event, callID, by string, also ...func(*store.Tx) error) error {
	if s.closing {
		return ErrShutdown
	}
	event = s.agent.host.redacted([]chat.Event{event})[0]
	next := s.script.Fork()
	next.Apply(event)
	last, _ := next.Last()
	waits, owed := anyWaits(next), next.Owed()
	_, decided := event.(chat.Decided)
	goesOn := !waits && (decided || next.Continues())
	switch event.(type) {
	case chat.TaskWaits, chat.ToolFailed: // of a child: what waits beside it does not hold it up
		goesOn = len(owed.Calls) > 0 || !waits && owed.Reply
	}
	var more *opening
	if goesOn {
		var err error
		if more, err = openContinuation(by); err != nil {
			return err
		}
	}
	old, denyAt := s.session, s.denyAt()
	s.waitsFrom(next, s.agent.host.opts.Now())
	switch {
	case more != nil:
		s.session.Status = string(Running)
	case !waits:
		s.session.Status = string(Idle)
	default:
		s.session.Status = string(waitsFor(next))
	}
	s.claim()
	err := s.write(store.Safe, func(tx *store.Tx) error {
		for _, do := range also {
			if err := do(tx); err != nil {
				return err
			}
		}
		if err := tx.PutMessage(s.agent.key, next.Len()-1, last); err != nil || more == nil {
			return err
		}
		return more.write(tx, s.agent.key)
	})
	if err != nil {
		s.session = old
		return errors.Join(fmt.Errorf("recording what was said about %s", callID), err)
	}
	s.script = next
	s.noteDecided(event)
	s.lookAfterDeadline(denyAt)
	s.publishLast(by)
	if more != nil {
		s.goOn(more)
	}
	s.takeUp(old.Provider)
	s.refresh("")
	return nil
}

// void ends the calls of a parked turn: none of them can be approved or answered any more, and the turn does not go on.
func (s *state) void(client string) error {
	if s.turn != nil || !s.parked() {
		return nil
	}
	next := s.script.Fork()
	tasks := next.WaitingTasks()
	for _, e := range taskEnds(next, "the user cancelled it") {
		next.Apply(e)
	}
	for range 2 { // when none waits any more, those behind it are owed
		for _, c := range slices.Concat(next.Waiting(), next.Delegated(), next.Owed().Calls) {
			next.Apply(chat.ToolFailed{ToolCallID: c.ID, ErrorText: s.unfinished(c, chat.FinishCancelled)})
		}
	}
	last, _ := next.Last()
	old, denyAt := s.session, s.denyAt()
	s.session.Status, s.session.Waiting = string(Idle), time.Time{}
	err := s.write(store.Safe, func(tx *store.Tx) error { return tx.PutMessage(s.agent.key, next.Len()-1, last) })
	if err != nil {
		s.session = old
		return fmt.Errorf("cancelling what waits in session %s: %w", s.agent.name, err)
	}
	s.noteVoid(client)
	s.orphans = append(s.orphans, tasks...)
	s.script = next
	s.lookAfterDeadline(denyAt)
	s.publishLast(client)
	s.refresh("")
	s.next()
	return nil
}

// An opening is a continuation that is about to begin: its row and its first event.
type opening struct {
	row    store.Turn
	start  chat.Event
	bodies [][]byte
}

func openContinuation(by string) (*opening, error) {
	o := &opening{
		row:   store.Turn{ID: newID("turn"), Status: store.TurnOpen, Continuation: true, Client: by},
		start: chat.TurnStarted{},
	}
	var err error
	o.bodies, err = encode([]chat.Event{o.start})
	return o, err
}

func (o *opening) write(tx *store.Tx, key string) error {
	if _, err := tx.AddTurn(key, &o.row); err != nil {
		return err
	}
	return tx.AppendEvents(key, o.row.ID, 0, o.bodies)
}

// goOn starts a continuation that is committed.
func (s *state) goOn(o *opening) {
	s.start(o.row, []chat.Event{o.start}, o.bodies)
}
