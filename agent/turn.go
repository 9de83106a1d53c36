package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// maxCuts is how often in a row a response that broke off after its first output is asked for again.
const maxCuts = 2

// A turn is the work from a prompt until nothing is owed. Its goroutine reads and records the session through the
// agent's mailbox only.
type turn struct {
	agent *CoderAgent
	row   store.Turn // the agent's goroutine changes it
	n     int        // events so far; the agent's goroutine changes it

	ctx      context.Context // cancelled with errCancelled or ErrShutdown
	cancel   context.CancelCauseFunc
	launched bool          // its goroutine has started; false: it waits for a host of its provider
	ended    chan struct{} // closed when the turn has been settled or left open for the next host

	tasks    chat.Usage // what the children of the answer have cost, when it ends
	stepOpen bool       // a step has begun and its end is not recorded
	cuts     int        // responses in a row that broke off

	kept        *store.Snapshot // the row of what it may be changing; nil: none, once lookedUp
	lookedUp    bool            // kept was looked for
	working     string          // the folder in which it counts as changing files
	toldPartial bool            // that what it changes can be undone in part only

	offered    []chat.ToolSpec // with the request that is being answered
	answeredBy string          // the connection that gave the last result of a client's tool; the agent's goroutine changes it
}

func newTurn(a *CoderAgent, row store.Turn, n int) *turn {
	t := &turn{agent: a, row: row, n: n, ended: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(context.WithValue(a.host.ctx, agentKey{}, a))
	return t
}

// start begins the turn whose row and first events are committed.
func (s *state) start(row store.Turn, events []chat.Event, bodies [][]byte) {
	for _, e := range events {
		s.script.Apply(e)
	}
	s.turn = newTurn(s.agent, row, 0)
	s.publishEvents(s.turn, events, bodies)
	s.agent.host.count(1)
	s.refresh("")
	s.launch(s.turn)
}

// launch starts the goroutine of a turn that is open on disk. The agent's loop does not end before it has.
func (s *state) launch(t *turn) {
	t.launched = true
	s.agent.host.owned.Go(func() {
		defer t.cancel(nil)
		t.agent.tellAbove(t.ctx)
		for !t.round() {
		}
		t.agent.tellAbove(t.ctx)
	})
}

// round works until nothing is owed and settles the turn. It reports whether the turn has ended: a prompt that steers
// the turn at its very end makes it go on.
func (t *turn) round() (ended bool) {
	ctx := context.WithoutCancel(t.ctx)
	if err := t.agent.lookAround(ctx); err != nil { // rules may have changed while it was parked
		return true
	}
	if err := t.warmUp(ctx); err != nil {
		return true
	}
	if err := t.stopOrphans(ctx, func(*state) error { return nil }); err != nil { // of the turn before: the prompt has answered their calls
		return true
	}
	reason, err := t.guarded(t.ctx)
	t.keepAfter(ctx)
	err = errors.Join(err, t.lookForNext(ctx), t.addTasks(ctx), t.stopOrphans(ctx, func(s *state) error {
		ended = s.settle(t, reason, err)
		return nil
	}))
	return ended || err != nil
}

// stopOrphans runs command, and then stops the children whose calls have got another end. The agent is not woken for it: once its
// turn has ended, it may be gone.
func (t *turn) stopOrphans(ctx context.Context, command func(*state) error) error {
	var orphans []chat.Task
	err := t.agent.do(ctx, func(s *state) error {
		err := command(s)
		orphans = s.takeOrphans()
		return err
	})
	if stop := t.agent.host.stopTasks(ctx, orphans); stop != nil {
		t.agent.host.opts.Logger.Error("stopping sub-agents", "session", t.agent.key, "err", stop)
	}
	return err
}

// lookForNext looks around for the prompt that waits: its turn begins with the end of this one, and tells what has changed.
func (t *turn) lookForNext(ctx context.Context) error {
	waits := false
	err := t.agent.do(ctx, func(s *state) error { waits = len(s.queue) > 0; return nil })
	if err != nil || !waits {
		return err
	}
	return t.agent.lookAround(ctx)
}

// run does what the transcript still owes until it owes nothing. It keeps no progress of its own: a fresh turn, one
// after a crash and one after an approval are one call.
func (t *turn) run(ctx context.Context) (chat.FinishReason, error) {
	for {
		if ctx.Err() != nil {
			return chat.FinishCancelled, context.Cause(ctx)
		}
		owed, err := t.owed(ctx)
		switch {
		case err != nil:
			return chat.FinishError, err
		case len(owed.Calls) > 0:
			err = t.runTools(ctx, owed.Calls)
		case owed.Approvals+owed.Tasks > 0:
			denied, err := t.denyAtOnce(ctx)
			if err != nil {
				return chat.FinishError, err
			}
			if denied {
				continue
			}
			if err := t.agent.lookAfterTasks(context.WithoutCancel(ctx)); err != nil {
				return chat.FinishError, err
			}
			return chat.FinishApproval, nil // parked: a decision runs it again, also one at a child
		case owed.Questions > 0:
			return chat.FinishQuestion, nil // parked: the answers run it again
		case owed.Client:
			return chat.FinishClient, nil // parked: the results of its tools run it again
		case owed.Reply && owed.denied != nil:
			return chat.FinishDenied, owed.denied
		case (owed.Compact || owed.Reply) && owed.spent != nil:
			return chat.FinishBudget, owed.spent
		case owed.Compact:
			err = t.compact(ctx)
		case owed.Reply && owed.steps >= owed.limit:
			return chat.FinishStepLimit, nil
		case owed.Reply && owed.stuck:
			return chat.FinishLoop, &CircleError{Calls: t.agent.host.nameCalls(owed.circle.Calls), Times: owed.circle.Times}
		case owed.Reply && owed.tell:
			err = t.tellCircle(owed.circle)
		case owed.Reply && len(owed.jobs) > 0:
			err = t.tellJobs(owed.jobs)
		case owed.Reply:
			if !owed.Cut {
				err = t.tellTasks(ctx)
			}
			if err == nil {
				err = t.reply(ctx, owed.Cut)
			}
		default:
			return owed.finish, nil
		}
		if err != nil {
			return chat.FinishError, err
		}
	}
}

// owedNow is what the transcript owes, with what the loop needs to judge it.
type owedNow struct {
	chat.Owed
	steps, limit int
	denied       *DeniedError // with a reply: too much was denied
	spent        *BudgetError // with a reply or a compaction: the turn may cost no more
	circle       chat.Circle
	tell, stuck  bool              // the model must hear of the circle; the turn must end
	jobs         []Job             // with a reply: they have ended, and the model must hear of it
	finish       chat.FinishReason // when nothing is owed
}

func (t *turn) owed(ctx context.Context) (o owedNow, err error) {
	spent, err := t.overspent(ctx, chat.Usage{})
	if err != nil {
		return o, err
	}
	err = t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		o = owedNow{Owed: s.script.Owed(), steps: s.script.TurnSteps(), limit: s.stepLimit(), denied: s.denials(), spent: spent, finish: chat.FinishStop}
		if o.Reply {
			o.circle, o.tell, o.stuck = s.circling()
		}
		switch s.script.TurnFinish() {
		case chat.ModelLength:
			o.finish = chat.FinishLength
		case chat.ModelFiltered:
			o.finish = chat.FinishFiltered
		}
		return nil
	})
	if o.Reply {
		o.jobs = t.agent.host.opts.Jobs.News(t.agent.key, t.agent.scratch())
	}
	return o, err
}

func (s *state) stepLimit() int {
	if s.session.MaxSteps > 0 {
		return s.session.MaxSteps
	}
	return s.agent.host.opts.StepLimit
}

// record commits events of the turn, whether or not it has been cancelled meanwhile: what was done is recorded.
func (t *turn) record(d store.Durability, events ...chat.Event) error {
	return t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error { return s.record(t, d, events...) })
}

// settle ends the turn: every call gets its result, the message becomes a row. A closing host leaves the turn open on
// disk, for the next one. It reports false when the turn must go on after all.
func (s *state) settle(t *turn, reason chat.FinishReason, cause error) bool {
	if errors.Is(context.Cause(t.ctx), ErrShutdown) {
		s.leave(t)
		return true
	}
	owed := s.script.Owed()
	if reason == chat.FinishStop && owed.Reply || reason == chat.FinishApproval && (owed.Approvals+owed.Tasks == 0 || len(owed.Calls) > 0) ||
		reason == chat.FinishQuestion && owed.Questions == 0 {
		return false // steered, decided or answered, or a child went on, at the last moment
	}
	if !s.stops(reason) {
		return false // steered likewise
	}
	events := s.lastWords(t, reason, cause)
	if err := s.finish(t, events); err != nil {
		s.agent.host.opts.Logger.Error("ending a turn", "session", s.agent.key, "turn", t.row.ID, "err", err)
		s.stall(t, events, err)
	}
	return true
}

// leave forgets the turn in memory.
func (s *state) leave(t *turn) {
	s.turn = nil
	s.agent.host.count(-1)
	close(t.ended)
}

// lastWords are the events that end the turn.
func (s *state) lastWords(t *turn, reason chat.FinishReason, cause error) []chat.Event {
	var events []chat.Event
	if s.script.Owed().Cut && cause != nil { // what the model said last could not be recorded
		events = s.cutOpen(t, cause.Error())
	}
	if mark, _, ok := s.script.Compacting(); ok && mark.Status == chat.CompactionRunning {
		mark.Status, mark.Error = chat.CompactionFailed, "the turn ended first"
		events = append(events, chat.Compacted(mark))
	}
	end := chat.TurnFinished{Reason: reason, Usage: s.script.TurnUsage(), Tasks: t.tasks}
	switch {
	case context.Cause(t.ctx) == errCancelled: //nolint:errorlint // our own sentinel, never wrapped here
		end.Reason = chat.FinishCancelled
	case cause != nil:
		end.Error = cause.Error()
		var hinted interface{ Hint() string }
		if errors.As(cause, &hinted) {
			end.Hint = hinted.Hint()
		}
	}
	if !parks(end.Reason) {
		for _, c := range slices.Concat(s.script.Owed().Calls, s.script.Waiting(), s.script.Delegated()) {
			events = append(events, chat.ToolFailed{ToolCallID: c.ID, ErrorText: s.unfinished(c, end.Reason)})
		}
		events = append(events, s.dropTasks(s.script, "the turn ended first")...)
	}
	if end.Reason != chat.FinishCancelled && end.Reason != chat.FinishError && t.stepOpen {
		events = append(events, chat.StepFinished{})
	}
	return append(events, end)
}

// parks reports whether a turn that ended so may go on later.
func parks(r chat.FinishReason) bool {
	return r == chat.FinishApproval || r == chat.FinishClient || r == chat.FinishQuestion
}

// unfinished is the result of a call that the end of its turn leaves without one.
func (s *state) unfinished(c chat.ToolCall, reason chat.FinishReason) string {
	switch {
	case c.Started:
		return s.agent.host.interrupted(c.Name)
	case reason == chat.FinishCancelled:
		return "cancelled by the user before it ran"
	}
	return "not run: the turn ended first"
}

// finish commits the last events together with the message's row, and goes on with what waits.
func (s *state) finish(t *turn, events []chat.Event) error {
	events = s.agent.host.redacted(events)
	bodies, err := encode(events)
	if err != nil {
		return err
	}
	end := events[len(events)-1].(chat.TurnFinished)
	next := s.script.Fork()
	for _, e := range events {
		next.Apply(e)
	}
	row := t.row
	row.Status, row.Reason, row.Error, row.Finished = store.TurnDone, end.Reason, end.Error, s.agent.host.opts.Now()
	old, denyAt := s.session, s.denyAt()
	s.session.Status, s.session.Messages, s.session.Usage = string(Idle), next.Len(), s.session.Usage.Add(end.Usage)
	s.waitsFrom(next, row.Finished)
	var more *opening
	switch {
	case end.Reason == chat.FinishClient && len(s.queue) == 0 && next.Continues(): // the client was quicker than the turn
		if more, err = openContinuation(t.answeredBy); err != nil {
			return err
		}
		s.session.Status = string(Running)
	case parks(end.Reason) && anyWaits(next):
		s.session.Status = string(waitsFor(next)) // the turn is over: what is said about its calls opens a continuation
	}
	err = s.write(store.Safe, func(tx *store.Tx) error {
		if err := tx.AppendEvents(s.agent.key, row.ID, t.n, bodies); err != nil {
			return err
		}
		if m, ok := next.TurnMessage(); ok {
			if err := tx.PutMessage(s.agent.key, next.Len()-1, m); err != nil {
				return err
			}
		}
		if err := tx.SetTurn(s.agent.key, row); err != nil || more == nil {
			return err
		}
		return more.write(tx, s.agent.key)
	})
	if err != nil {
		s.session = old
		return fmt.Errorf("recording the end of the turn: %w", err)
	}
	s.lookAfterDeadline(denyAt)
	s.script, t.row, s.failed = next, row, nil
	if end.Reason == chat.FinishError {
		s.failed = new(turnOf(row))
	}
	s.publishEvents(t, events, bodies)
	s.leave(t)
	if more != nil {
		s.goOn(more)
	}
	s.refresh("")
	s.next()
	return nil
}

// pause waits before the response is asked for again, and tells why.
func (t *turn) pause(ctx context.Context, cause error) error {
	wait := time.Duration(float64(time.Second<<t.cuts) * (0.5 + rand.Float64()/2))
	err := t.record(store.Fast, chat.Retrying{Attempt: t.cuts + 1, Of: maxCuts + 1, Wait: wait, Reason: cause.Error()})
	if err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return nil // the loop looks at ctx
	}
}
