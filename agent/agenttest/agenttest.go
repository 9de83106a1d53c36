// Package agenttest holds what tests of agents need: a Model that plays scripts and a Host in a temporary data dir.
package agenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// A Reply plays one response of the model. It returns early when yield returns false, and ends with Answered or with
// the returned error.
type Reply func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error

// A Model plays its replies in order, one for each request, and keeps the requests. When there are no more replies
// the request fails.
type Model struct {
	mu       sync.Mutex
	replies  []Reply
	requests []chat.Request
}

// NewModel returns a model with replies to play.
func NewModel(replies ...Reply) *Model { return &Model{replies: replies} }

// Add appends replies.
func (m *Model) Add(replies ...Reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replies = append(m.replies, replies...)
}

// Requests returns the requests so far.
func (m *Model) Requests() []chat.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]chat.Request(nil), m.requests...)
}

// Stream plays the next reply.
func (m *Model) Stream(ctx context.Context, req chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		m.mu.Lock()
		m.requests = append(m.requests, req)
		var reply Reply
		if len(m.replies) > 0 {
			reply, m.replies = m.replies[0], m.replies[1:]
		}
		m.mu.Unlock()
		if reply == nil {
			yield(nil, fmt.Errorf("agenttest: no reply is left for request %d", len(m.Requests())))
			return
		}
		open := true
		err := reply(ctx, req, func(e chat.Event) bool {
			open = open && yield(e, nil)
			return open
		})
		if err != nil && open {
			yield(nil, err)
		}
	}
}

// Say streams the deltas and ends the response.
func Say(deltas ...string) Reply {
	return func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for _, d := range deltas {
			if !yield(chat.TextDelta{Delta: d}) {
				return nil
			}
		}
		yield(chat.Answered{Model: "test", Reason: chat.ModelStop, Usage: chat.Usage{Input: 10, Output: 5, Cost: 0.001}})
		return nil
	}
}

// A Use is one tool call of a response.
type Use struct {
	ID, Tool string
	Args     any // marshals to the arguments
}

// Call makes the calls in one response.
func Call(uses ...Use) Reply {
	return func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for _, u := range uses {
			input, err := json.Marshal(u.Args)
			if err != nil {
				return err
			}
			ok := yield(chat.ToolInputStarted{ToolCallID: u.ID, ToolName: u.Tool}) &&
				yield(chat.ToolInputDelta{ToolCallID: u.ID, InputTextDelta: string(input)})
			if !ok {
				return nil
			}
		}
		for _, u := range uses {
			input, err := json.Marshal(u.Args)
			if err != nil {
				return err
			}
			if !yield(chat.ToolCalled{ToolCallID: u.ID, ToolName: u.Tool, Input: input}) {
				return nil
			}
		}
		yield(chat.Answered{Model: "test", Reason: chat.ModelTools, Usage: chat.Usage{Input: 10, Output: 5, Cost: 0.001}})
		return nil
	}
}

// Fail streams the deltas and then fails.
func Fail(err error, deltas ...string) Reply {
	return func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for _, d := range deltas {
			yield(chat.TextDelta{Delta: d})
		}
		return err
	}
}

// Hold streams the deltas, closes reached, and then plays next once release is closed; it fails when the request is
// cancelled first.
func Hold(reached chan<- struct{}, release <-chan struct{}, next Reply, deltas ...string) Reply {
	return func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
		for _, d := range deltas {
			if !yield(chat.TextDelta{Delta: d}) {
				return nil
			}
		}
		close(reached)
		select {
		case <-release:
			return next(ctx, req, yield)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Options are those of a host that serves model in mode auto, as if a sandbox bounded its commands, with a temporary folder
// as the workdir.
func Options(t testing.TB, model agent.Model, tools ...agent.Tool) agent.Options {
	t.Helper()
	return agent.Options{Model: model, Tools: tools, Mode: permission.ModeAuto, Level: 3, Workdir: t.TempDir()}
}

// Open opens a host and closes it with the test.
func Open(t testing.TB, dir string, opts agent.Options) *agent.Host {
	t.Helper()
	h, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatalf("opening a host: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("closing the host: %v", err)
		}
	})
	return h
}

// Agent returns an agent of the host.
func Agent(t testing.TB, h *agent.Host, name string) *agent.CoderAgent {
	t.Helper()
	a, err := h.Agent(t.Context(), name)
	if err != nil {
		t.Fatalf("agent %s: %v", name, err)
	}
	return a
}

// Ask sends a prompt with the request id; its message has the id "user-"+id.
func Ask(t testing.TB, a *agent.CoderAgent, id, text string) {
	t.Helper()
	err := a.Prompt(t.Context(), agent.Prompt{ID: id, Client: "test", Messages: []chat.Message{
		{ID: "user-" + id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}},
	}})
	if err != nil {
		t.Fatalf("prompt %s: %v", id, err)
	}
}

// Finish reads the subscription until the turn has finished and returns its events.
func Finish(t testing.TB, sub *agent.Subscription, turn string) []chat.Event {
	t.Helper()
	var events []chat.Event
	for {
		u, err := sub.Next(t.Context())
		if err != nil {
			t.Fatalf("waiting for the end of turn %s: %v", turn, err)
		}
		e, ok := u.(agent.TurnEvent)
		if !ok || turn != "" && e.Turn.ID != turn {
			continue
		}
		events = append(events, e.Event)
		if _, last := e.Event.(chat.TurnFinished); last {
			return events
		}
	}
}
