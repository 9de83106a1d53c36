package agent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// gatherFor bounds how long deltas wait for others, so that a fast stream costs a hundred commits a second and not
// thousands. The first delta of a step does not wait.
const gatherFor = 10 * time.Millisecond

// ask asks the model for one response and records it. cut says that a response is open which a crash has cut off.
// A response that breaks off with a retryable error is kept for show and asked for again by the loop.
func (t *turn) ask(ctx context.Context, cut bool) error {
	req, err := t.beginStep(ctx, cut)
	if err != nil {
		return err
	}
	in := newIntake()
	var producer sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	producer.Go(func() { in.read(ctx, t, req) })
	defer producer.Wait()
	defer stop()

	w := writer{turn: t}
	streamErr, err := t.drain(in, &w)
	if err != nil {
		return err // the store failed: nothing more can be recorded
	}
	if streamErr == nil && !w.answered {
		streamErr = errors.New("the model's stream ended without an answer")
	}
	if streamErr == nil {
		t.cuts = 0
		return nil
	}
	used := spent(streamErr)
	if context.Cause(t.ctx) != nil {
		streamErr = context.Cause(t.ctx)
	}
	return t.cutOff(ctx, &w, streamErr, used)
}

// cutOpen ends a response that is open and that nobody is streaming any more.
func (s *state) cutOpen(t *turn, reason string) (events []chat.Event) {
	for _, c := range s.script.Partial() {
		events = append(events, t.broken(c.ID, c.Name))
	}
	return append(events, chat.Interrupted{Reason: reason})
}

// spent is what a response that failed cost, if its error knows.
func spent(err error) chat.Usage {
	var bill interface{ Spent() chat.Usage }
	if errors.As(err, &bill) {
		return bill.Spent()
	}
	return chat.Usage{}
}

// beginStep closes what came before, opens a step and returns the request, all in one visit to the agent, so that a
// prompt that steers is either in the request or in a later one.
func (t *turn) beginStep(ctx context.Context, cut bool) (req chat.Request, err error) {
	system, err := t.system()
	if err != nil {
		return req, err
	}
	blind := t.blind(ctx)
	err = t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		t.offered = s.offered()
		var events []chat.Event
		if cut {
			events = s.cutOpen(t, "the host stopped while the model was answering")
		}
		if t.stepOpen {
			events = append(events, chat.StepFinished{})
		}
		if err := s.keepSystem(system); err != nil {
			return err
		}
		req = s.request(s.script.Said())
		req.Blind = blind
		t.stepOpen = true
		return s.record(t, store.Fast, append(events, chat.StepStarted{})...)
	})
	return req, err
}

// request asks the session's model. What stands before the messages is the same in all requests of a session.
func (s *state) request(messages []chat.Message) chat.Request {
	return chat.Request{
		Model: s.session.Model, Session: s.agent.key, Route: or(s.session.Route, s.agent.key), System: s.system.Text,
		Tools: s.offered(), Messages: messages, Pictures: s.agent.picture,
	}
}

// drain records what the model says as it comes. It returns the stream's own error and, apart from it, that of the
// store.
func (t *turn) drain(in *intake, w *writer) (streamErr, err error) {
	gather := time.NewTimer(0)
	defer gather.Stop()
	<-gather.C
	for {
		<-in.ready
		events, ended, streamErr := in.take()
		batch := w.write(events)
		if err := t.record(store.Fast, batch...); err != nil {
			return nil, err
		}
		if ended {
			return streamErr, nil
		}
		gather.Reset(gatherFor)
		select {
		case <-gather.C:
		case <-in.ended:
		}
	}
}

// cutOff records that the open response broke off and what it cost, and whether it is asked for again.
func (t *turn) cutOff(ctx context.Context, w *writer, cause error, used chat.Usage) error {
	cancelled := errors.Is(context.Cause(t.ctx), errCancelled)
	if errors.Is(cause, ErrShutdown) {
		return cause // left as it is: the next host finds the step open
	}
	if err := t.record(store.Fast, w.cut(cause, cancelled, used)...); err != nil {
		return err
	}
	var retryable interface{ Retryable() bool }
	if cancelled || !w.output || !errors.As(cause, &retryable) || !retryable.Retryable() || t.cuts >= maxCuts {
		return cause
	}
	t.cuts++
	return t.pause(ctx, cause)
}

// An intake is where the model's events wait for the next commit. Deltas that follow each other are joined.
type intake struct {
	ready chan struct{} // holds a token while there is something to take
	ended chan struct{} // closed with the end of the stream

	mu     sync.Mutex
	events []chat.Event
	text   strings.Builder // of the delta that is last in events
	done   bool
	err    error
}

func newIntake() *intake {
	return &intake{ready: make(chan struct{}, 1), ended: make(chan struct{})}
}

// read reads the model's answer to its end. A model that panics has failed.
func (in *intake) read(ctx context.Context, t *turn, req chat.Request) {
	defer func() {
		if v := recover(); v != nil {
			err := t.agent.broken("reading the model's answer", v)
			in.fill(func(yield func(chat.Event, error) bool) { yield(nil, err) })
		}
		close(in.ended)
	}()
	in.fill(t.agent.host.opts.Model.Stream(ctx, req))
}

// fill reads a stream to its end, or to where it becomes too long.
func (in *intake) fill(stream func(yield func(chat.Event, error) bool)) {
	size := 0
	for e, err := range stream {
		if size += saidBytes(e); err == nil && size > mostAnswer {
			err = &LongAnswerError{}
		}
		in.mu.Lock()
		if err != nil {
			in.err = err
		} else {
			in.add(e)
		}
		in.mu.Unlock()
		in.signal()
		if err != nil {
			break
		}
	}
	in.mu.Lock()
	in.done = true
	in.mu.Unlock()
	in.signal()
}

func (in *intake) signal() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

func (in *intake) add(e chat.Event) {
	if n := len(in.events); n > 0 {
		switch e := e.(type) {
		case chat.TextDelta:
			if _, ok := in.events[n-1].(chat.TextDelta); ok {
				in.text.WriteString(e.Delta)
				return
			}
		case chat.ReasoningDelta:
			if _, ok := in.events[n-1].(chat.ReasoningDelta); ok {
				in.text.WriteString(e.Delta)
				return
			}
		case chat.ToolInputDelta:
			if last, ok := in.events[n-1].(chat.ToolInputDelta); ok && last.ToolCallID == e.ToolCallID {
				in.text.WriteString(e.InputTextDelta)
				return
			}
		}
	}
	in.flush()
	in.events = append(in.events, e)
	switch e := e.(type) {
	case chat.TextDelta:
		in.text.WriteString(e.Delta)
	case chat.ReasoningDelta:
		in.text.WriteString(e.Delta)
	case chat.ToolInputDelta:
		in.text.WriteString(e.InputTextDelta)
	}
}

// flush puts the joined text into the last event.
func (in *intake) flush() {
	if n := len(in.events); n > 0 {
		switch e := in.events[n-1].(type) {
		case chat.TextDelta:
			in.events[n-1] = chat.TextDelta{Delta: in.text.String()}
		case chat.ReasoningDelta:
			in.events[n-1] = chat.ReasoningDelta{Delta: in.text.String()}
		case chat.ToolInputDelta:
			e.InputTextDelta = in.text.String()
			in.events[n-1] = e
		}
	}
	in.text.Reset()
}

func (in *intake) take() (events []chat.Event, ended bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.flush()
	events, in.events = in.events, nil
	return events, in.done, in.err
}

// A writer turns what a Model yields into the events of the turn: parts are opened and closed, calls are judged.
type writer struct {
	turn     *turn
	kind     byte   // of the open part: 't' text, 'r' reasoning, 0 none
	id       string // of the open part
	parts    int
	inputs   []chat.ToolInputStarted // calls whose arguments are incomplete
	output   bool                    // the model has said something
	answered bool
}

func (w *writer) write(events []chat.Event) []chat.Event {
	var out []chat.Event
	for _, e := range events {
		switch e := e.(type) {
		case chat.TextDelta:
			out = append(w.open(out, 't'), chat.TextDelta{ID: w.id, Delta: e.Delta})
		case chat.ReasoningDelta:
			out = append(w.open(out, 'r'), chat.ReasoningDelta{ID: w.id, Delta: e.Delta})
		case chat.ToolInputStarted:
			w.inputs = append(w.inputs, e)
			out = append(w.open(out, 0), e)
		case chat.ToolCalled:
			w.complete(e.ToolCallID)
			out = append(w.open(out, 0), w.turn.receive(e)...)
		case chat.ToolInputFailed:
			w.complete(e.ToolCallID)
			out = append(w.open(out, 0), e)
		case chat.Answered:
			w.answered = true
			out = append(w.open(out, 0), e)
		case chat.SourceURL:
			e.ID = newID("source")
			out = append(out, e)
		default: // ToolInputDelta, Retrying, FileMade
			out = append(out, e)
		}
		if _, retrying := e.(chat.Retrying); !retrying {
			w.output = true
		}
	}
	return out
}

// open makes a part of the kind the open one.
func (w *writer) open(out []chat.Event, kind byte) []chat.Event {
	if w.kind == kind {
		return out
	}
	switch w.kind {
	case 't':
		out = append(out, chat.TextEnded{ID: w.id})
	case 'r':
		out = append(out, chat.ReasoningEnded{ID: w.id})
	}
	w.kind = kind
	if kind == 0 {
		return out
	}
	w.parts++
	w.id = string(kind) + strconv.Itoa(w.parts)
	if kind == 't' {
		return append(out, chat.TextStarted{ID: w.id})
	}
	return append(out, chat.ReasoningStarted{ID: w.id})
}

func (w *writer) complete(callID string) {
	for i, in := range w.inputs {
		if in.ToolCallID == callID {
			w.inputs = append(w.inputs[:i], w.inputs[i+1:]...)
			return
		}
	}
}

// cut returns the events that end a response which broke off. Text that a user stopped stays open, as in the Agents
// SDK; calls whose arguments never came are over.
func (w *writer) cut(cause error, cancelled bool, used chat.Usage) []chat.Event {
	var out []chat.Event
	if !cancelled {
		out = w.open(out, 0)
	}
	for _, in := range w.inputs {
		out = append(out, w.turn.broken(in.ToolCallID, in.ToolName))
	}
	return append(out, chat.Interrupted{Reason: cause.Error(), Cancelled: cancelled, Usage: used})
}

// broken ends a call whose arguments will never be complete.
func (t *turn) broken(callID, tool string) chat.Event {
	return chat.ToolInputFailed{
		ToolCallID: callID, ToolName: tool, Input: []byte(`""`), Dynamic: !t.offers(tool),
		ErrorText: "the response broke off before the arguments were complete",
	}
}

// may reports whether the session has a tool of ours.
func (t *turn) may(tool Tool) (ok bool) {
	// An error would say that the host has closed: nothing runs any more.
	_ = t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error { ok = s.may(tool); return nil })
	return ok
}

// offers reports whether the model was told of the tool.
func (t *turn) offers(tool string) bool {
	_, ours := t.agent.host.tools[tool]
	return ours || slices.ContainsFunc(t.offered, func(s chat.ToolSpec) bool { return s.Name == tool })
}

// receive judges a complete call at once: it may run, waits for a decision or an answer, or has its result already. A call of
// a client's tool is not judged: what it does, it does where the user is.
func (t *turn) receive(e chat.ToolCalled) []chat.Event {
	h := t.agent.host
	tool, ok := h.tools[e.ToolName]
	if !ok && t.offers(e.ToolName) {
		return []chat.Event{e, chat.Delegated{ToolCallID: e.ToolCallID}}
	}
	if !ok || !t.may(tool) {
		return []chat.Event{chat.ToolInputFailed{
			ToolCallID: e.ToolCallID, ToolName: e.ToolName, Input: e.Input, Dynamic: true,
			ErrorText: "there is no tool " + strconv.Quote(e.ToolName) + "; the tools are: " + t.toolNames(),
		}}
	}
	if _, err := tool.Action(e.Input); err != nil {
		return []chat.Event{chat.ToolInputFailed{
			ToolCallID: e.ToolCallID, ToolName: e.ToolName, Input: e.Input, ErrorText: err.Error(),
		}}
	}
	call, bounds := chat.ToolCall{ID: e.ToolCallID, Name: e.ToolName, Input: e.Input}, t.bounds()
	j := judge(tool, call, bounds)
	t.noteJudged(call, bounds, j)
	if tool.asks != nil && !bounds.alone && j.verdict.Decision != permission.Deny {
		return []chat.Event{e, chat.Delegated{ToolCallID: e.ToolCallID, Question: true}}
	}
	return append([]chat.Event{e}, j.events(e.ToolCallID)...)
}

// bounds are the session's as they are now.
func (t *turn) bounds() (b bounds) {
	// An error would say that the host has closed; the zero mode then asks about everything.
	_ = t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error {
		b = s.bounds()
		return nil
	})
	return b
}

func (t *turn) toolNames() string {
	names := make([]string, len(t.offered))
	for i, spec := range t.offered {
		names[i] = spec.Name
	}
	return strings.Join(names, ", ")
}
