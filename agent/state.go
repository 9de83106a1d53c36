package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A state is a session in memory. Only the agent's own goroutine touches it.
type state struct {
	agent   *CoderAgent
	session store.Session
	known   bool // the session has its row on disk
	script  *chat.Transcript
	queue   []store.Turn // prompts whose turn has not begun
	turn    *turn        // the turn that runs
	failed  *Turn        // the last turn, if it ended in an error
	stalled *stalled     // the last turn, if its end is not on disk
	seen    map[string]string
	environ []string        // of the client that spoke last; nil: the host's
	tools   []chat.ToolSpec // that clients run, as the last request declared them
	system  *string         // the system prompt as it is on disk; nil before the first request
	doc     []byte          // the state document that subscribers know
	subs    map[*Subscription]struct{}
	closing bool  // the host closes: no new work
	gone    error // the loop must end, for this reason
}

// load reads the session and goes on with the turn that is open on disk.
func (a *CoderAgent) load(ctx context.Context) (*state, error) {
	s := &state{agent: a, subs: make(map[*Subscription]struct{}), seen: make(map[string]string)}
	db := a.host.store
	var err error
	if s.session, s.known, err = db.Session(ctx, a.key); err != nil {
		return nil, err
	}
	if !s.known {
		now := a.host.opts.Now()
		s.session = store.Session{
			Name: a.name, Key: a.key, Workdir: a.host.opts.Workdir, Model: a.host.opts.ModelID,
			Mode: string(a.host.opts.Mode), Status: string(Idle), Created: now, Updated: now,
		}
		if s.session, err = a.inherit(ctx, s.session); err != nil {
			return nil, err
		}
		s.script = chat.NewTranscript(nil)
		s.doc = s.document()
		return s, nil
	}
	if text, ok, err := db.System(ctx, a.key); err != nil {
		return nil, err
	} else if ok {
		s.system = &text
	}
	kept, err := db.ClientTools(ctx, a.key)
	if err != nil {
		return nil, err
	}
	if s.tools, err = a.host.decodeTools(kept); err != nil {
		return nil, err
	}
	messages, err := db.Messages(ctx, a.key)
	if err != nil {
		return nil, err
	}
	s.script = chat.NewTranscript(messages)
	turns, err := db.Turns(ctx, a.key)
	if err != nil {
		return nil, err
	}
	if err := s.loadTurns(ctx, turns); err != nil {
		return nil, err
	}
	for _, m := range s.script.Snapshot() {
		s.learn(m.Parts...)
	}
	s.doc = s.document()
	a.host.count(len(s.queue))
	if s.turn != nil {
		a.host.count(1)
		s.launch(s.turn)
	} else {
		s.next()
	}
	return s, nil
}

func (s *state) loadTurns(ctx context.Context, turns []store.Turn) error {
	for _, row := range turns {
		if row.Status == store.TurnQueued {
			s.queue = append(s.queue, row)
			continue
		}
		bodies, err := s.agent.host.store.Events(ctx, s.agent.key, row.ID)
		if err != nil {
			return err
		}
		for _, body := range bodies {
			e, err := chat.DecodeEvent(body)
			if err != nil {
				return err
			}
			s.script.Apply(e)
		}
		s.turn = newTurn(s.agent, row, len(bodies))
		s.turn.stepOpen = s.script.TurnSteps() > 0
	}
	if s.turn == nil {
		last, ok, err := s.agent.host.store.LastTurn(ctx, s.agent.key)
		if err != nil {
			return err
		}
		if ok && last.Reason == chat.FinishError {
			s.failed = new(turnOf(last))
		}
	}
	return nil
}

// learn notes which files the model has seen.
func (s *state) learn(parts ...chat.Part) {
	for _, p := range parts {
		if c, ok := p.(chat.ToolCall); ok && c.Output != nil {
			for _, f := range c.Output.Files {
				s.seen[f.Path] = f.Hash
			}
		}
	}
}

// write runs do in a transaction, together with the session's row.
func (s *state) write(d store.Durability, do func(*store.Tx) error) error {
	row := s.session
	row.Updated = s.agent.host.opts.Now()
	err := s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), d, func(tx *store.Tx) error {
		if err := tx.PutSession(row); err != nil {
			return err
		}
		return do(tx)
	})
	if err == nil {
		s.session, s.known = row, true
	}
	return err
}

// record commits events of the running turn, applies them and publishes them: nothing else publishes them.
func (s *state) record(t *turn, d store.Durability, events ...chat.Event) error {
	if len(events) == 0 {
		return nil
	}
	bodies, err := encode(events)
	if err != nil {
		return err
	}
	err = s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), d, func(tx *store.Tx) error {
		return tx.AppendEvents(s.agent.key, t.row.ID, t.n, bodies)
	})
	if err != nil {
		return fmt.Errorf("recording the turn: %w", err)
	}
	for _, e := range events {
		s.script.Apply(e)
		if f, ok := e.(chat.ToolFinished); ok {
			s.learn(chat.ToolCall{Output: &f.Output})
		}
	}
	s.publishEvents(t, events, bodies)
	if slices.ContainsFunc(events, changesDocument) {
		s.refresh("")
	}
	return nil
}

func changesDocument(e chat.Event) bool {
	switch e.(type) {
	case chat.Answered, chat.ApprovalAsked, chat.Delegated:
		return true
	}
	return false
}

func encode(events []chat.Event) ([][]byte, error) {
	bodies := make([][]byte, len(events))
	for i, e := range events {
		body, err := chat.EncodeEvent(e)
		if err != nil {
			return nil, err
		}
		bodies[i] = body
	}
	return bodies, nil
}

// publishEvents tells the subscribers events that are committed and applied.
func (s *state) publishEvents(t *turn, events []chat.Event, bodies [][]byte) {
	about := turnOf(t.row)
	for i, e := range events {
		u := TurnEvent{Turn: about, N: t.n + i, Event: e, Body: bodies[i]}
		if _, last := e.(chat.TurnFinished); last && len(s.subs) > 0 {
			u.Messages = s.view()
		}
		s.publish(u)
	}
	t.n += len(events)
}

func (s *state) publish(u Update) {
	for sub := range s.subs {
		if !sub.push(u) {
			s.unsubscribe(sub)
		}
	}
}

// view is the transcript for clients: prompts that wait stand at its end.
func (s *state) view() []chat.Message {
	messages := s.script.Snapshot()
	settled := len(messages)
	for _, q := range s.queue {
		for _, m := range q.Prompt {
			_, known := s.script.Find(m.ID)
			known = known || slices.ContainsFunc(messages[settled:], func(have chat.Message) bool { return have.ID == m.ID })
			if m.Role == chat.User && !known {
				messages = append(messages, m)
			}
		}
	}
	return messages
}

// A Document is the state that every client sees. Clients may set the title.
type Document struct {
	Title   string          `json:"title"`
	Workdir string          `json:"workdir"`
	Model   string          `json:"model"`
	Mode    permission.Mode `json:"mode"`
	Sandbox string          `json:"sandbox"` // what bounds the commands; "none" in this version
	Status  Status          `json:"status"`
	Queued  int             `json:"queued"`  // prompts that wait
	Pending []Pending       `json:"pending"` // calls that wait for a decision
	Usage   chat.Usage      `json:"usage"`   // of the whole session

	ClientCalls []ClientCall `json:"clientCalls"` // calls that wait for their results from a client
}

// ClientCall is a call of a client's tool that waits for its result.
type ClientCall struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input"`
}

// Pending is a tool call that waits for a decision.
type Pending struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input"`
	Summary    string          `json:"summary"`
	Reason     string          `json:"reason"` // why it asks
}

// usage is what the session has cost so far, the running turn included.
func (s *state) usage() chat.Usage {
	if s.turn != nil || s.stalled != nil {
		return s.session.Usage.Add(s.script.TurnUsage())
	}
	return s.session.Usage
}

func (s *state) document() []byte {
	usage, status := s.usage(), Status(s.session.Status)
	if s.stalled != nil {
		status = Idle
	}
	data, err := json.Marshal(Document{
		Title: s.session.Title, Workdir: s.session.Workdir, Model: s.session.Model,
		Mode: s.mode(), Sandbox: s.agent.host.opts.Sandbox, Status: status,
		Queued: len(s.queue), Pending: s.pending(), Usage: usage, ClientCalls: s.clientCalls(),
	})
	if err != nil {
		panic(fmt.Sprintf("agent: the state document: %v", err)) // its inputs were valid JSON when they came in
	}
	return data
}

// pending lists what waits. Why a call asks is judged anew: the answer depends on nothing but the call, the mode and
// the workdir.
func (s *state) pending() []Pending {
	list := []Pending{}
	for _, c := range s.script.Waiting() {
		p := Pending{ToolCallID: c.ID, ToolName: c.Name, Input: c.Input}
		if tool, ok := s.agent.host.tools[c.Name]; ok {
			judged := judge(tool, c, s.bounds())
			p.Summary, p.Reason = judged.summary, judged.verdict.Reason
		}
		list = append(list, p)
	}
	return list
}

func (s *state) clientCalls() []ClientCall {
	list := []ClientCall{}
	for _, c := range s.script.Delegated() {
		list = append(list, ClientCall{ToolCallID: c.ID, ToolName: c.Name, Input: c.Input})
	}
	return list
}

// refresh publishes the state document if it has changed. by is the connection that changed it, or "".
func (s *state) refresh(by string) {
	doc := s.document()
	if slices.Equal(doc, s.doc) {
		return
	}
	s.doc = doc
	s.publish(StateChanged{By: by, State: doc})
}

// remove deletes the session from disk and memory.
func (s *state) remove() error {
	key := s.agent.key
	err := s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), store.Safe, func(tx *store.Tx) error {
		return tx.DeleteSession(key)
	})
	if err != nil {
		return fmt.Errorf("deleting session %s: %w", s.agent.name, err)
	}
	s.agent.host.replan()
	if err := os.RemoveAll(s.agent.scratch()); err != nil {
		return fmt.Errorf("deleting what session %s left behind: %w", s.agent.name, err)
	}
	return nil
}

// count notes that turns began to run or wait (or, with a negative n, ended).
func (h *Host) count(n int) {
	if n != 0 {
		h.turns.Add(int64(n))
		h.opts.Changed()
	}
}

func turnOf(r store.Turn) Turn {
	t := Turn{
		ID: r.ID, Continuation: r.Continuation, Client: r.Client, MessageIDs: r.MessageIDs,
		Reason: r.Reason, Error: r.Error,
	}
	if t.Client == "" {
		t.MessageIDs = nil
	}
	return t
}

// SetState changes the part of the state document that clients own, the title. When another key differs it is a
// *StateError and nothing changes.
func (a *CoderAgent) SetState(ctx context.Context, doc json.RawMessage) error {
	var want map[string]json.RawMessage
	if err := json.Unmarshal(doc, &want); err != nil {
		return &StateError{Key: "the document itself"}
	}
	return a.do(ctx, func(s *state) error {
		var have map[string]json.RawMessage
		if err := json.Unmarshal(s.document(), &have); err != nil {
			return err
		}
		for key, value := range want {
			if key != "title" && !equalJSON(value, have[key]) {
				return &StateError{Key: key}
			}
		}
		var title string
		if err := json.Unmarshal(want["title"], &title); err != nil || len(title) > 200 {
			return &StateError{Key: "title"}
		}
		old := s.session
		s.session.Title, s.session.Titled = title, title != ""
		if err := s.write(store.Fast, func(*store.Tx) error { return nil }); err != nil {
			s.session = old
			return errors.Join(errors.New("setting the title"), err)
		}
		s.refresh(callerFrom(ctx).Connection)
		return nil
	})
}

func equalJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, errA := json.Marshal(x)
	q, errB := json.Marshal(y)
	return errA == nil && errB == nil && slices.Equal(p, q)
}
