package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A Prompt asks for a turn.
type Prompt struct {
	ID       string         // the request id; a second prompt with the same id has no effect and no error
	Messages []chat.Message // the client's transcript, or only what is new: merged by id, user messages alone
	Client   string         // the connection that asks

	// Tools are what the client runs, from Host.ClientTools, in place of what it had: empty means none. nil, of a prompt
	// that no client sent, leaves things as they are.
	Tools []chat.ToolSpec
}

// Prompt records the prompt; nil means durable, not answered. The turn starts at once or when those before it are
// over. A turn that waits for a decision, or for a client's results, is over: what waits is denied. A question is answered by it.
func (a *CoderAgent) Prompt(ctx context.Context, p Prompt) error {
	_, err := a.Submit(ctx, p)
	return err
}

// Submit is Prompt for those who must know whether the request came for the first time: for one that was seen before it
// returns its turn, which has a Reason when it is over.
func (a *CoderAgent) Submit(ctx context.Context, p Prompt) (before *Turn, err error) {
	if err := a.lookAround(ctx); err != nil {
		return nil, err
	}
	err = a.do(ctx, func(s *state) (err error) {
		before, err = s.prompt(p)
		return err
	})
	return before, err
}

// prompt returns the turn of a request that is not new; then nothing else has happened.
func (s *state) prompt(p Prompt) (before *Turn, err error) {
	if s.closing {
		return nil, ErrShutdown
	}
	if s.session.Workdir == "" {
		return nil, &WorkdirError{Session: s.agent.name}
	}
	if err := checkIDs(p.Messages); err != nil {
		return nil, err
	}
	if err := s.unstall(); err != nil {
		return nil, err
	}
	if before, err := s.before(p); before != nil || err != nil {
		return before, err
	}
	messages, err := asked(s.keepMarks(s.uncleared(p.Messages, true)))
	if err != nil {
		return nil, err
	}
	row := store.Turn{ID: p.ID, Client: p.Client, MessageIDs: PromptIDs(p.Messages), Prompt: users(messages)}
	if row.Tools, err = requestTools(p.Tools); err != nil {
		return nil, err
	}
	if s.turn == nil && len(s.queue) == 0 && !s.undoing {
		return nil, s.begin(row, messages, false)
	}
	if err := s.enqueue(row); err != nil {
		return nil, err
	}
	s.next() // the first may be held
	return nil, nil
}

// before returns the turn that the request has already, or nil. It reads the disk, where only this goroutine adds turns of the
// session.
func (s *state) before(p Prompt) (*Turn, error) {
	h := s.agent.host
	row, seen, err := h.store.Turn(context.WithoutCancel(h.ctx), s.agent.key, p.ID)
	if err != nil || !seen {
		return nil, err
	}
	if !slices.Equal(row.MessageIDs, PromptIDs(p.Messages)) || s.says(row, p.Messages) {
		return nil, &RepeatError{ID: p.ID}
	}
	return new(turnOf(row)), nil
}

// says reports whether messages say another thing than the turn's own. What was cleared meanwhile cannot be compared.
func (s *state) says(row store.Turn, messages []chat.Message) bool {
	if row.Status == store.TurnQueued || row.Reason == chat.FinishCancelled {
		return false
	}
	messages, err := asked(messages)
	if err != nil {
		return true
	}
	for _, m := range messages {
		if old, known := s.script.Find(m.ID); slices.Contains(row.MessageIDs, m.ID) && known && !reflect.DeepEqual(old.Parts, m.Parts) {
			return true
		}
	}
	return false
}

// A RepeatError says that the id of a request stands for another prompt already: to take it for that one would lose the new.
type RepeatError struct{ ID string }

func (e *RepeatError) Error() string {
	return fmt.Sprintf("the request id %q was used for another prompt of this session", clip(e.ID))
}

// Hint says how to go on.
func (e *RepeatError) Hint() string { return "send the prompt under an id of its own" }

// PromptIDs returns the ids of the last user messages in a row: what the frames of a turn name as its prompt.
func PromptIDs(messages []chat.Message) []string {
	var ids []string
	for _, m := range slices.Backward(messages) {
		if m.Role != chat.User {
			break
		}
		ids = append(ids, m.ID)
	}
	slices.Reverse(ids)
	return ids
}

// users keeps what a client may say: user messages whole, of the others only that it knows their ids.
func users(messages []chat.Message) []chat.Message {
	kept := make([]chat.Message, 0, len(messages))
	for _, m := range messages {
		if m.Role != chat.User {
			m = chat.Message{ID: m.ID, Role: m.Role}
		}
		kept = append(kept, m)
	}
	return kept
}

// maxQueue bounds how many prompts of a session wait: each is in memory, and each will ask the model.
const maxQueue = 32

// A QueueError says that too many prompts of the session wait already.
type QueueError struct{ Session string }

func (e *QueueError) Error() string {
	return fmt.Sprintf("%d prompts of session %s wait already", maxQueue, e.Session)
}

// Hint says what to do.
func (e *QueueError) Hint() string {
	return "wait for their turns, cancel some, or steer the running turn instead"
}

// enqueue records a prompt whose turn must wait.
func (s *state) enqueue(row store.Turn) error {
	if len(row.MessageIDs) == 0 {
		return ErrNoPrompt
	}
	if len(s.queue) >= maxQueue {
		return &QueueError{Session: s.agent.name}
	}
	row.Status = store.TurnQueued
	from := s.session.Provider
	s.claim()
	if err := s.write(store.Safe, func(tx *store.Tx) error { return s.addTurn(tx, &row) }); err != nil {
		s.session.Provider = from
		return err
	}
	s.takeUp(from)
	s.queue = append(s.queue, row)
	s.agent.host.count(1)
	s.publish(Queued{Turn: turnOf(row)})
	s.publishPrompt(row)
	s.refresh("")
	return nil
}

// addTurn writes a turn that must be new: the row of the session that says it runs stands in the same transaction.
func (s *state) addTurn(tx *store.Tx, row *store.Turn) error {
	added, err := tx.AddTurn(s.agent.key, row)
	if err == nil && !added {
		err = &RepeatError{ID: row.ID}
	}
	return err
}

func (s *state) publishPrompt(row store.Turn) {
	if len(s.subs) > 0 {
		s.publish(Prompted{By: row.Client, Turn: turnOf(row), Messages: s.view(), Encoded: new(Encoding)})
	}
}

// begin merges a prompt into the transcript and starts its turn, all in one commit, which also does what also says.
// queued says that the turn has its row already.
func (s *state) begin(row store.Turn, messages []chat.Message, queued bool, also ...func(*store.Tx) error) error {
	next, change, err := s.merge(messages)
	if err != nil {
		return err
	}
	denyAt := s.denyAt()
	tools := row.Tools
	offer, err := s.agent.host.decodeTools(tools)
	if err != nil {
		return err
	}
	row.Status, row.Prompt, row.Tools = store.TurnOpen, nil, ""
	events := []chat.Event{chat.TurnStarted{MessageID: newID("msg")}}
	for _, tell := range []func(*chat.Transcript) (chat.Noted, bool){s.tellProject, s.tellInstructions, s.tellUndone} {
		if note, ok := tell(next); ok {
			events = append(events, note)
		}
	}
	bodies, err := encode(events)
	if err != nil {
		return err
	}
	old := s.session
	s.session.Status, s.session.Messages = string(Running), next.Len()+1
	s.session.Waiting = time.Time{}
	s.claim()
	if s.session.Title == "" {
		s.session.Title = title(next)
	}
	put := s.addTurn
	if queued {
		put = func(tx *store.Tx, row *store.Turn) error { return tx.SetTurn(s.agent.key, *row) }
	}
	err = s.write(store.Safe, func(tx *store.Tx) error {
		if err := put(tx, &row); err != nil {
			return err
		}
		for _, do := range append(also, change, s.putTools(tools), s.putTold) {
			if err := do(tx); err != nil {
				return err
			}
		}
		return tx.AppendEvents(s.agent.key, row.ID, 0, bodies)
	})
	if err != nil {
		s.session = old
		return err
	}
	if tools != "" {
		s.tools = offer
	}
	s.orphans = append(s.orphans, s.script.WaitingTasks()...)
	s.noteUnanswered(row.Client)
	rewritten := next.Changed() < s.script.Len()
	s.script, s.failed, s.undone = next, nil, nil
	if rewritten {
		s.relearn()
	}
	s.publishPrompt(row)
	s.start(row, events, bodies)
	s.takeUp(old.Provider)
	s.lookAfterDeadline(denyAt)
	return nil
}

func title(t *chat.Transcript) string {
	for _, m := range t.Snapshot() {
		if text := titleOf(m.Text()); m.Role == chat.User && text != "" {
			return text
		}
	}
	return ""
}

// titleOf is the beginning of a prompt in one line.
func titleOf(prompt string) string {
	text := strings.Join(strings.Fields(prompt), " ")
	const limit = 80 // runes
	if r := []rune(text); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return text
}

// newID returns a fresh id that sorts by time.
func newID(kind string) string {
	return kind + "_" + strings.ReplaceAll(uuid.Must(uuid.NewV7()).String(), "-", "")
}

// next starts the turn of the first prompt that waits, or else of a schedule that is due. A prompt that cannot be recorded
// goes on waiting.
func (s *state) next() {
	for s.turn == nil && !s.undoing && len(s.queue) > 0 && !s.closing && !s.foreign() {
		row := s.queue[0]
		s.queue = s.queue[1:]
		s.agent.host.count(-1)
		err := s.begin(row, row.Prompt, true)
		if errors.Is(err, ErrNoPrompt) {
			err = s.abandon(row, chat.FinishError, err.Error())
			if err == nil {
				continue
			}
		}
		if err != nil {
			s.hold(row, err)
		}
		return
	}
	if err := s.fireDue(); err != nil {
		s.agent.host.opts.Logger.Error("looking after schedules", "session", s.agent.key, "err", err)
	}
}

// abandon ends a turn that never began.
func (s *state) abandon(row store.Turn, reason chat.FinishReason, why string) error {
	row.Status, row.Reason, row.Error, row.Prompt, row.Tools = store.TurnDone, reason, why, nil, ""
	row.Finished = s.agent.host.opts.Now()
	if err := s.write(store.Safe, func(tx *store.Tx) error { return tx.SetTurn(s.agent.key, row) }); err != nil {
		return fmt.Errorf("ending the queued turn %s: %w", row.ID, err)
	}
	s.publish(Dropped{Turn: turnOf(row)})
	s.refresh("")
	return nil
}

// dropQueue cancels the prompt that waits under the request id, or all of them for "".
func (s *state) dropQueue(requestID string) error {
	for _, row := range slices.Clone(s.queue) {
		if requestID != "" && row.ID != requestID {
			continue
		}
		if err := s.abandon(row, chat.FinishCancelled, ""); err != nil {
			return err
		}
		s.queue = slices.DeleteFunc(s.queue, func(q store.Turn) bool { return q.ID == row.ID })
		s.countQueue(-1)
	}
	return nil
}

// Cancel stops the turn of the request, running or waiting in the queue. "" means whatever runs; of a turn that is parked
// it ends the calls that wait, and nobody can approve them any more. An unknown id is no error.
func (a *CoderAgent) Cancel(ctx context.Context, requestID string) error {
	var orphans []chat.Task
	err := a.do(ctx, func(s *state) error {
		defer func() { orphans = s.takeOrphans() }()
		if s.stalled != nil && (requestID == "" || s.stalled.turn.row.ID == requestID) {
			return s.unstall()
		}
		if s.turn != nil && (requestID == "" || s.turn.row.ID == requestID) {
			s.stop(s.turn)
			return nil
		}
		if requestID == "" {
			return s.void(callerFrom(ctx).Connection)
		}
		return s.dropQueue(requestID)
	})
	if err == nil {
		err = a.host.stopTasks(ctx, orphans)
	}
	a.tellAbove(ctx)
	return err
}

// Steer puts a prompt into the running turn, where the model sees it at its next step. When no turn runs it is an
// ordinary prompt.
func (a *CoderAgent) Steer(ctx context.Context, text string) error {
	if strings.TrimSpace(text) == "" {
		return ErrNoPrompt
	}
	steered := false
	err := a.do(ctx, func(s *state) error {
		if s.turn == nil || s.turn.ctx.Err() != nil {
			return nil
		}
		steered = true
		return s.record(s.turn, store.Safe, chat.Steered{ID: newID("steer"), Text: text})
	})
	if err != nil || steered {
		return err
	}
	return a.Prompt(ctx, Prompt{ // of no connection: the caller's page does not show what it has called, and must be told
		ID:       newID("turn"),
		Messages: []chat.Message{{ID: newID("user"), Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}},
	})
}

// A Decision answers an approval.
type Decision struct {
	Approved bool
	Reason   string // with a denial: the user's words for the model
	By       string // the connection
	Always   bool   // with a yes: store the rule that was shown, for calls of the session like this one
}

// Decide records the user's decision on a waiting tool call and lets the turn go on once nothing waits any more. The
// first answer wins; a call that does not wait is a *NotWaitingError. A call of a session below, by its address from here
// (see Pending), is decided there.
func (a *CoderAgent) Decide(ctx context.Context, callID string, d Decision) error {
	if child, own, err := a.waitsFor(ctx, callID); err != nil || child != nil {
		if err == nil {
			err = child.Decide(ctx, own, d)
		}
		return err
	}
	err := a.decide(ctx, callID, d)
	if err == nil {
		a.tellAbove(ctx)
	}
	return err
}

func (a *CoderAgent) decide(ctx context.Context, callID string, d Decision) error {
	return a.do(ctx, func(s *state) error {
		if err := s.unstall(); err != nil {
			return err
		}
		c, ok := s.script.Call(callID)
		if !ok || c.State != chat.ApprovalRequested {
			return &NotWaitingError{CallID: callID}
		}
		rule, err := s.always(ctx, callID, d)
		if err != nil {
			return err
		}
		event := chat.Decided{ToolCallID: callID, Approved: d.Approved, Reason: d.Reason, By: d.By}
		if rule != nil {
			event.Rule = rule.Text
		}
		if s.turn == nil {
			err = s.settleCall(event, callID, d.By, s.keepRule(rule))
		} else if err = s.recordAlso(s.turn, store.Safe, s.keepRule(rule), event); err == nil {
			s.publishLast(d.By)
			s.refresh("")
		}
		if err == nil && rule != nil {
			s.rules = append(s.rules, *rule)
		}
		return err
	})
}

// publishLast tells that the last message has changed, and through whom.
func (s *state) publishLast(by string) {
	messages := s.script.Snapshot()
	s.publish(MessageUpdated{By: by, Message: messages[len(messages)-1]})
}
