package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder-agent/coder/server/wire"
)

// A pendingCall waits for its answer.
type pendingCall struct {
	method string
	sent   bool
	answer chan answer // has room for one

	pieces []json.RawMessage // of the answer, that nobody has taken; the session's mu guards them
	more   chan struct{}     // has room for one
}

type answer struct {
	result json.RawMessage
	err    error
}

// Call calls an RPC method and decodes its result into result, unless that is nil. A refusal is a *RefusedError. A
// call that was sent over a connection that broke is ErrLost; one that was not sent yet waits for the next.
func (s *Session) Call(ctx context.Context, method string, result any, args ...any) error {
	return s.CallStreaming(ctx, method, func(json.RawMessage) {}, result, args...)
}

// Ask is Call for a method that changes nothing: when the connection breaks before the answer has come, it asks again over the next.
func (s *Session) Ask(ctx context.Context, method string, result any, args ...any) error {
	for {
		if err := s.Call(ctx, method, result, args...); !errors.Is(err, ErrLost) {
			return err
		}
		select {
		case <-time.After(firstWait): // a host that ends still answers for a while, with a refusal
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// CallStreaming is Call for a method that streams: tell gets each piece of the answer, in order, before it returns.
func (s *Session) CallStreaming(ctx context.Context, method string, tell func(piece json.RawMessage), result any, args ...any) error {
	frame, err := callFrame(Call{Method: method, Args: args})
	if err != nil {
		return err
	}
	pending := &pendingCall{method: method, answer: make(chan answer, 1), more: make(chan struct{}, 1)}
	s.mu.Lock()
	s.calls[frame.ID] = pending
	s.sendAs(outgoing{frame: frame, call: frame.ID})
	s.mu.Unlock()
	for {
		select {
		case <-pending.more:
			s.tellPieces(pending, tell)
		case a := <-pending.answer:
			s.tellPieces(pending, tell)
			return decodeAnswer(method, a, result)
		case <-s.done:
			return fmt.Errorf("calling %s: %w", method, s.err)
		case <-ctx.Done():
			s.mu.Lock()
			delete(s.calls, frame.ID)
			s.mu.Unlock()
			return context.Cause(ctx)
		}
	}
}

func (s *Session) tellPieces(p *pendingCall, tell func(json.RawMessage)) {
	s.mu.Lock()
	pieces := p.pieces
	p.pieces = nil
	s.mu.Unlock()
	for _, piece := range pieces {
		tell(piece)
	}
}

func callFrame(c Call) (wire.Call, error) {
	frame := wire.Call{ID: rand.Text(), Method: c.Method, Args: make([]json.RawMessage, 0, len(c.Args))}
	for i, arg := range c.Args {
		raw, err := json.Marshal(arg)
		if err != nil {
			return wire.Call{}, fmt.Errorf("calling %s: argument %d: %w", c.Method, i+1, err)
		}
		frame.Args = append(frame.Args, raw)
	}
	return frame, nil
}

func decodeAnswer(method string, a answer, result any) error {
	if a.err != nil || result == nil || len(a.result) == 0 {
		return a.err
	}
	if err := json.Unmarshal(a.result, result); err != nil {
		return fmt.Errorf("calling %s: its answer: %w", method, err)
	}
	return nil
}

// answered hands the answer to whoever waits for it.
func (s *Session) answered(r wire.CallResult) {
	s.mu.Lock()
	pending, ok := s.calls[r.ID]
	last := r.Done || !r.Success
	if ok && last {
		delete(s.calls, r.ID)
	}
	if ok && !last {
		pending.pieces = append(pending.pieces, r.Result)
	}
	s.mu.Unlock()
	switch {
	case !ok:
	case !r.Success && r.Error == shuttingDown:
		pending.answer <- answer{err: ErrLost}
	case !r.Success:
		pending.answer <- answer{err: &RefusedError{Method: pending.method, Text: r.Error}}
	case r.Done:
		pending.answer <- answer{result: r.Result}
	default:
		select {
		case pending.more <- struct{}{}:
		default:
		}
	}
}

// loseCalls fails the calls that went out on a connection that broke.
func (s *Session) loseCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, pending := range s.calls {
		if pending.sent {
			pending.answer <- answer{err: ErrLost}
			delete(s.calls, id)
		}
	}
}

// Flush waits until the agent has taken, or refused, all prompts before it. They are durable then.
func (s *Session) Flush(ctx context.Context) error {
	return s.Ask(ctx, "usage", nil) // calls are sent after the prompts that wait, on every connection
}
