package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/agent/trust"
)

// A state is a session in memory. Only the agent's own goroutine touches it.
type state struct {
	agent    *CoderAgent
	session  store.Session
	known    bool     // the session has its row on disk
	cleared  []string // ids of user messages that clears have removed
	script   *chat.Transcript
	queue    []store.Turn      // prompts whose turn has not begun
	turn     *turn             // the turn that runs
	failed   *Turn             // the last turn, if it ended in an error
	stalled  *stalled          // the last turn, if its end is not on disk
	seen     map[string]string // hashes of the files that the model can see, by path
	told     map[string]bool   // folders of whose own instructions the model was told
	environ  []string          // of the client that spoke last; nil: the host's
	rules    []store.Rule      // that hold for this session
	tools    []chat.ToolSpec   // that clients run, as the last request declared them
	system   *store.System     // as it is on disk; nil before the first request
	git      Project           // what git's files say of the workdir
	folder   trust.Folder      // what the workdir brings, and how far it is trusted
	todo     []chat.Todo
	untold   []chat.Task      // in the background, of whose end the model was not told
	children []Child          // the sessions below, by their addresses
	orphans  []chat.Task      // whose calls have got another end: their children are to be stopped
	context  int              // tokens of the last request and its answer
	window   int              // tokens that the model takes, once somebody has asked; 0 when not known
	confirm  *Confirmation    // a loosening that waits for it
	docs     documents        // the state documents that subscribers know
	firings  []time.Time      // when schedules came of late
	again    *time.Timer      // looks whether what stands still can go on
	held     string           // the prompt of which was told that it cannot begin
	soon     *time.Timer      // publishes the state document if it has changed
	undone   []store.Snapshot // undos of which the model has not heard
	undoing  bool             // an undo is at work: no turn begins
	subs     map[*Subscription]struct{}
	closing  bool  // the host closes: no new work
	gone     error // the loop must end, for this reason
}

// load reads the session and goes on with the turn that is open on disk.
func (a *CoderAgent) load(ctx context.Context) (*state, error) {
	s := &state{agent: a, subs: make(map[*Subscription]struct{}), seen: make(map[string]string), told: make(map[string]bool), soon: time.NewTimer(soon), again: time.NewTimer(againAfter)}
	s.again.Stop()
	db := a.host.store
	var err error
	if s.session, s.known, err = db.Session(ctx, a.key); err != nil {
		return nil, err
	}
	if !s.known {
		if err := a.forget(ctx); err != nil {
			return nil, err
		}
		now := a.host.opts.Now()
		s.session = store.Session{
			Name: a.name, Key: a.key, Workdir: a.host.opts.Workdir, Model: a.host.opts.ModelID,
			Mode: string(a.host.opts.Mode), MaxCost: a.host.opts.MaxCost, DenyAfter: a.host.opts.DenyAfter, Status: string(Idle), Created: now, Updated: now,
		}
		if s.session, err = a.inherit(ctx, s.session); err != nil {
			return nil, err
		}
		s.script = chat.NewTranscript(nil)
		s.git, s.folder = a.host.lookAt(s.session.Workdir)
		s.docs.add(s.document())
		return s, nil
	}
	s.git, s.folder = a.host.lookAt(s.session.Workdir)
	if system, ok, err := db.System(ctx, a.key); err != nil {
		return nil, err
	} else if ok {
		s.system = &system
	}
	kept, err := db.ClientTools(ctx, a.key)
	if err != nil {
		return nil, err
	}
	if s.tools, err = a.host.decodeTools(kept); err != nil {
		return nil, err
	}
	if s.cleared, err = db.Cleared(ctx, a.key); err != nil {
		return nil, err
	}
	if s.rules, err = db.Rules(ctx, a.key); err != nil {
		return nil, err
	}
	snapshots, err := db.Snapshots(ctx, a.key)
	if err != nil {
		return nil, err
	}
	s.undone = untold(snapshots)
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
	s.relearn()
	if err := s.loadChildren(ctx); err != nil {
		return nil, err
	}
	s.docs.add(s.document())
	s.countQueue(len(s.queue))
	switch {
	case s.interrupted():
		a.host.opts.Logger.Info("a session waits for its provider", "session", a.key, "provider", s.session.Provider)
	case s.turn != nil:
		a.host.count(1)
		s.launch(s.turn)
	default:
		s.next()
	}
	return s, nil
}

// forget deletes what may be left of a session that was half deleted under this name.
func (a *CoderAgent) forget(ctx context.Context) error {
	keys, err := a.host.store.Removed(ctx)
	if err != nil || !slices.Contains(keys, a.key) {
		return err
	}
	return a.erase()
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

// learn notes which files the model has seen, and of which instructions it was told.
func (s *state) learn(parts ...chat.Part) {
	for _, p := range parts {
		if c, ok := p.(chat.ToolCall); ok && c.Output != nil {
			for _, f := range c.Output.Files {
				s.seen[f.Path] = f.Hash
			}
			for _, folder := range c.Output.Told {
				s.told[folder] = true
			}
		}
	}
}

// relearn reads from the transcript what the model knows: the todo list, and the files that it can still see. What was
// compacted away, or has gone with its message, the edit guard must not count on.
func (s *state) relearn() {
	clear(s.seen)
	clear(s.told)
	said := s.script.Said()
	for _, m := range said {
		if m.Role == chat.Assistant {
			s.learn(m.Parts...)
		}
	}
	s.todo, s.context = s.script.Todo(), lastTokens(said)
	s.untold = s.backgroundTasks()
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
	return s.recordAlso(t, d, func(*store.Tx) error { return nil }, events...)
}

// recordAlso is record with something else in the same commit.
func (s *state) recordAlso(t *turn, d store.Durability, also func(*store.Tx) error, events ...chat.Event) error {
	if len(events) == 0 {
		return nil
	}
	events = s.agent.host.redacted(events)
	bodies, err := encode(events)
	if err != nil {
		return err
	}
	row := s.session
	if !t.launched { // a client acts on a turn that waits for its provider
		row.Provider = s.agent.host.opts.Provider
	}
	err = s.agent.host.store.Write(context.WithoutCancel(s.agent.host.ctx), d, func(tx *store.Tx) error {
		if !t.launched {
			if err := tx.PutSession(row); err != nil {
				return err
			}
		}
		if err := also(tx); err != nil {
			return err
		}
		return tx.AppendEvents(s.agent.key, t.row.ID, t.n, bodies)
	})
	if err != nil {
		return fmt.Errorf("recording the turn: %w", err)
	}
	from := s.session.Provider
	s.session = row
	defer s.takeUp(from) // once the events are told
	for _, e := range events {
		s.script.Apply(e)
		switch e := e.(type) {
		case chat.Decided:
			s.noteDecided(e)
		case chat.ToolFinished:
			s.learn(chat.ToolCall{Output: &e.Output})
			if e.Output.Todo != nil {
				s.todo = s.script.Todo()
			}
		case chat.TaskGiven:
			s.untold = chat.Tell(s.untold, chat.Task(e))
		case chat.Noted:
			s.untold = chat.Note(e).Tell(s.untold)
		case chat.Answered:
			s.context = e.Usage.Input + e.Usage.Output
		case chat.Compacted:
			if e.Status == chat.CompactionDone {
				s.relearn()
			}
		}
	}
	s.publishEvents(t, events, bodies)
	if slices.ContainsFunc(events, changesDocument) {
		s.refresh("")
	}
	return nil
}

func changesDocument(e chat.Event) bool {
	switch e := e.(type) {
	case chat.Answered, chat.ApprovalAsked, chat.Delegated, chat.Compacted, chat.TaskWaits:
		return true
	case chat.ToolFinished:
		return e.Output.Todo != nil
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
			u.Messages, u.Encoded = s.view(), new(Encoding)
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

// remove deletes the session from disk and memory. Once it is hidden it is gone, whatever happens then: erase is called
// again when a session of that name is loaded, and by the next host.
func (s *state) remove() error {
	a := s.agent
	err := a.host.store.Write(context.WithoutCancel(a.host.ctx), store.Safe, func(tx *store.Tx) error { return tx.HideSession(a.key) })
	if err != nil {
		return fmt.Errorf("deleting session %s: %w", a.name, err)
	}
	s.gone = ErrDeleted
	a.host.replan()
	return a.erase()
}

// erase deletes what is on disk of a session that is hidden.
func (a *CoderAgent) erase() error {
	if err := errors.Join(os.RemoveAll(a.scratch()), os.RemoveAll(a.pictureDir())); err != nil {
		return fmt.Errorf("deleting what session %s left behind: %w", a.name, err)
	}
	if err := a.host.store.Remove(context.WithoutCancel(a.host.ctx), a.key); err != nil {
		return fmt.Errorf("deleting session %s: %w", a.name, err)
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
