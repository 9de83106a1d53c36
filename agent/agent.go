// Package agent keeps durable agents alive. An agent is an actor with a name: one goroutine, one mailbox, one
// transcript on disk. Two rules carry the design. Commit, then tell: an event is in the store before any subscriber
// sees it. A turn does what the transcript owes: a first run, a resume after a crash and a late approval are one loop.
package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// ErrDeleted says that the session was deleted.
var ErrDeleted = errors.New("the session was deleted")

// A CoderAgent serves one session. Its methods may be called from any goroutine; on a nil agent they return
// ErrNoAgent. It is a light handle: the session is in memory only while there is work, a subscriber, or for a while
// after the last command.
type CoderAgent struct {
	host    *Host
	key     string // the name, or a child's address, in lower case
	name    string // as it was first spelled in this process
	mailbox chan command

	mu   sync.Mutex
	done chan struct{} // closed when the loop that runs now has ended; nil when none runs
}

// Name returns the session's name as it was first spelled; of a child, its address.
func (a *CoderAgent) Name() string {
	if a == nil {
		return ""
	}
	return a.name
}

type command struct {
	run   func(*state) error
	reply chan error
}

// do runs command on the agent's goroutine and waits for it. command may commit, but must not wait for a model, a tool
// or a client: they wait for the agent.
func (a *CoderAgent) do(ctx context.Context, run func(*state) error) error {
	if a == nil {
		return ErrNoAgent
	}
	c := command{run: run, reply: make(chan error, 1)}
	for {
		done, err := a.awake()
		if err != nil {
			return err
		}
		select {
		case a.mailbox <- c: // unbuffered: once received, it runs
			return <-c.reply
		case <-done: // it fell asleep at this moment
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// awake makes sure that a loop runs and returns the channel that its end closes.
func (a *CoderAgent) awake() (<-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done != nil {
		select {
		case <-a.done:
		default:
			return a.done, nil
		}
	}
	a.host.mu.Lock()
	defer a.host.mu.Unlock()
	if a.host.closed {
		return nil, ErrShutdown
	}
	done := make(chan struct{})
	a.done = done
	a.host.loaded.Add(1)
	a.host.owned.Go(func() {
		defer close(done)
		defer a.host.loaded.Add(-1)
		a.loop(a.host.ctx)
	})
	return done, nil
}

// wake loads the session and goes on with the work it has.
func (a *CoderAgent) wake() error {
	_, err := a.awake()
	return err
}

// loop owns the session's state from loading it until there is nothing to do, or the host closes.
func (a *CoderAgent) loop(ctx context.Context) {
	s, err := a.load(ctx)
	if err != nil {
		a.refuse(ctx, err)
		return
	}
	idle := time.NewTimer(a.host.opts.IdleAfter)
	defer idle.Stop()
	defer s.soon.Stop()
	defer s.leaveOpen()
	defer s.again.Stop()
	closing := ctx.Done()
	for {
		if !s.runs() && (closing == nil || s.gone != nil) {
			break
		}
		select {
		case c := <-a.mailbox:
			a.serve(s, c)
			idle.Reset(a.host.opts.IdleAfter)
		case <-closing:
			closing, s.closing = nil, true // from here on only the running turn has something to say
			if s.turn != nil {
				s.turn.cancel(ErrShutdown)
			}
		case <-s.soon.C:
			s.refresh("")
		case <-s.again.C:
			s.retry()
		case <-a.spareOf(s):
			return
		case <-idle.C:
			if s.sleepy() {
				return
			}
			idle.Reset(a.host.opts.IdleAfter)
		}
	}
	if s.gone == nil {
		s.gone = ErrShutdown
	}
	for sub := range s.subs {
		sub.end(s.gone)
		s.unsubscribe(sub)
	}
}

// sleepy reports whether nothing goes on: what waits for another provider is on disk, and waits as well there.
func (s *state) sleepy() bool {
	waits := len(s.queue) > 0 && !s.foreign()
	return !s.runs() && !s.undoing && s.stalled == nil && !waits && len(s.subs) == 0
}

// leaveOpen leaves what waits to the next who loads the session.
func (s *state) leaveOpen() {
	s.countQueue(-len(s.queue))
	if s.turn != nil {
		s.turn.cancel(nil)
	}
}

// refuse answers commands with the error for which the session cannot be loaded, until nobody asks any more.
func (a *CoderAgent) refuse(ctx context.Context, err error) {
	a.host.opts.Logger.Error("loading a session", "session", a.key, "err", err)
	idle := time.NewTimer(time.Second)
	defer idle.Stop()
	for {
		select {
		case c := <-a.mailbox:
			c.reply <- fmt.Errorf("loading session %s: %w", a.name, err)
		case <-idle.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Messages returns the transcript as get-messages shows it: the open turn's message as far as it is, then prompts that
// wait.
func (a *CoderAgent) Messages(ctx context.Context) (messages []chat.Message, err error) {
	err = a.do(ctx, func(s *state) error {
		messages = s.view()
		return nil
	})
	return messages, err
}

// Messages returns the transcript of the session with the name, as its agent does. A session that is not there has none,
// and is not begun by the question.
func (h *Host) Messages(ctx context.Context, name string) ([]chat.Message, error) {
	key := strings.ToLower(name)
	h.mu.Lock()
	_, used := h.agents[key]
	h.mu.Unlock()
	if !used && ValidAddress(name) {
		if _, known, err := h.store.Session(ctx, key); err != nil || !known {
			return nil, err
		}
	}
	a, err := h.Agent(ctx, name)
	if err == nil {
		err = a.room()
	}
	if err != nil {
		return nil, err
	}
	return a.Messages(ctx)
}

// delete cancels all turns, removes the session from disk and ends its subscriptions.
func (a *CoderAgent) delete(ctx context.Context) error {
	return a.still(ctx, (*state).remove)
}

// still cancels all turns, waits until none runs, and then runs command.
func (a *CoderAgent) still(ctx context.Context, run func(*state) error) error {
	for {
		var running <-chan struct{}
		err := a.do(ctx, func(s *state) error {
			if err := s.dropQueue(""); err != nil {
				return err
			}
			if err := s.unstall(); err != nil {
				return err
			}
			if s.turn == nil {
				return run(s)
			}
			s.stop(s.turn)
			running = s.turn.ended
			return nil
		})
		if err != nil || running == nil {
			return err
		}
		select {
		case <-running:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
