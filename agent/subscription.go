package agent

import (
	"context"
	"sync"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A subscriber that has this much before it is too slow. It loses nothing: it begins anew with a snapshot.
const (
	maxQueued      = 8192
	maxQueuedBytes = 32 << 20
)

// A Subscription is a bounded queue of updates. A subscriber that falls behind loses the subscription, not the agent
// its time.
type Subscription struct {
	Snapshot Snapshot

	agent *CoderAgent
	kind  string        // of the client, for the state document; "" is none to count
	doc   []byte        // the state document that it knows; the agent's goroutine changes it
	ready chan struct{} // holds a token while there is something to take

	mu    sync.Mutex
	queue []Update
	bytes int // of the bodies in queue
	err   error
}

// Subscribe begins a subscription: first its Snapshot, then every Update after it, without a gap. It must be closed.
func (a *CoderAgent) Subscribe(ctx context.Context) (*Subscription, error) {
	return a.SubscribeAs(ctx, "")
}

// SubscribeAs is Subscribe for a client of a kind, which the state document counts as connected until the end of its
// subscription. A session that is not in memory, in a host that is full, is a *CrowdedError.
func (a *CoderAgent) SubscribeAs(ctx context.Context, kind string) (*Subscription, error) {
	if err := a.room(); err != nil {
		return nil, err
	}
	return a.subscribe(ctx, kind)
}

// subscribe is SubscribeAs for whoever needs the session to go on, however full the host is.
func (a *CoderAgent) subscribe(ctx context.Context, kind string) (*Subscription, error) {
	sub := &Subscription{agent: a, kind: kind, ready: make(chan struct{}, 1)}
	err := a.do(ctx, func(s *state) error {
		if s.closing {
			return ErrShutdown
		}
		s.subs[sub] = struct{}{}
		sub.doc = s.docs.add(s.document()) // a child's mode follows its parent's
		s.counted(sub)
		sub.Snapshot = Snapshot{State: sub.doc, Messages: s.view(), Failed: s.failed}
		if s.known {
			sub.Snapshot.Updated = s.session.Updated
		}
		if s.stalled != nil {
			sub.Snapshot.Failed, sub.Snapshot.Stalled = &s.stalled.about, true
		}
		if s.turn != nil {
			sub.Snapshot.Turn = new(turnOf(s.turn.row))
		}
		for _, q := range s.queue {
			sub.Snapshot.Queue = append(sub.Snapshot.Queue, turnOf(q))
		}
		a.host.subscribers.Add(1)
		a.host.opts.Changed()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func (s *state) unsubscribe(sub *Subscription) {
	if _, ok := s.subs[sub]; ok {
		delete(s.subs, sub)
		s.counted(sub)
		s.agent.host.subscribers.Add(-1)
		s.agent.host.opts.Changed()
	}
}

// push adds an update; false says that the subscriber is too slow and has been ended.
func (s *Subscription) push(u Update) bool {
	size := 0
	if e, ok := u.(TurnEvent); ok {
		size = len(e.Body)
	}
	s.mu.Lock()
	slow := len(s.queue) >= maxQueued || len(s.queue) > 0 && s.bytes+size > maxQueuedBytes
	if !slow {
		s.queue = append(s.queue, u)
		s.bytes += size
	}
	s.mu.Unlock()
	if slow {
		s.end(ErrSlow)
		return false
	}
	s.signal()
	return true
}

// end lets Next return err. What a slow subscriber has not taken is dropped; otherwise it can still be taken.
func (s *Subscription) end(err error) {
	s.mu.Lock()
	s.err = err
	if err == ErrSlow { //nolint:errorlint // our own sentinel, never wrapped here
		s.queue, s.bytes = nil, 0
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Next waits for the next update and returns it, or the error of Take.
func (s *Subscription) Next(ctx context.Context) (Update, error) {
	for {
		if u, err := s.Take(); u != nil || err != nil {
			return u, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Ready holds a token when there may be something to take. One token may stand for many updates.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Take returns the next update, or nil when there is none yet. ErrSlow says that the subscriber fell behind and must
// begin anew, ErrShutdown that the host closes, ErrDeleted that the session is gone.
func (s *Subscription) Take() (Update, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.queue = nil // what a burst has needed
		return nil, s.err
	}
	u := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	if e, ok := u.(TurnEvent); ok {
		s.bytes -= len(e.Body)
	}
	return u, nil
}

// Close ends the subscription. It may be called more than once. It wakes nobody: an agent with a subscriber does not
// sleep, and one that has ended has let its subscribers go.
func (s *Subscription) Close() {
	a := s.agent
	a.mu.Lock()
	done := a.done
	a.mu.Unlock()
	c := command{reply: make(chan error, 1), run: func(st *state) error {
		st.unsubscribe(s)
		return nil
	}}
	select {
	case a.mailbox <- c:
		<-c.reply
	case <-done:
	}
}

// Replay returns the events of a turn so far, from the first; ok is false when they are not kept (any more). The turn
// has a Reason when it has finished or stands still.
func (a *CoderAgent) Replay(ctx context.Context, turnID string) (t Turn, events []TurnEvent, ok bool, err error) {
	if a == nil {
		return Turn{}, nil, false, ErrNoAgent
	}
	t, ok, err = a.turn(ctx, turnID)
	if err != nil || !ok {
		return Turn{}, nil, false, err
	}
	bodies, err := a.host.store.Events(ctx, a.key, turnID)
	if err != nil || len(bodies) == 0 {
		return t, nil, false, err
	}
	for n, body := range bodies {
		e, err := chat.DecodeEvent(body)
		if err != nil {
			return t, nil, false, err
		}
		events = append(events, TurnEvent{Turn: t, N: n, Event: e, Body: body})
	}
	return t, events, true, nil
}

// turn returns what is known of a turn, or false.
func (a *CoderAgent) turn(ctx context.Context, id string) (Turn, bool, error) {
	row, ok, err := a.host.store.Turn(ctx, a.key, id)
	if err != nil || !ok {
		return Turn{}, false, err
	}
	if about, stands := a.host.stallOf(a.key); stands && about.ID == id && row.Status == store.TurnOpen {
		return about, true, nil
	}
	return turnOf(row), true, nil
}
