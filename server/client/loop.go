package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/coder/websocket"
)

const (
	firstWait   = 50 * time.Millisecond
	longestWait = 5 * time.Second
	maxFailures = 10 // attempts in a row that reach no agent; with the waits, about half a minute
)

// ErrDeleted says that the session was deleted while this client was there. Another attempt would make it anew.
var ErrDeleted = errors.New("the session was deleted")

// statusDeleted is the code with which a host closes the connections of such a session.
const statusDeleted = 4004

// A fatalError ends the session: another attempt would end the same way.
type fatalError struct{ Err error }

func (e *fatalError) Error() string { return e.Err.Error() }
func (e *fatalError) Unwrap() error { return e.Err }

// run keeps a connection up until ctx is done or an error is fatal. It tells first how the first attempts went.
func (s *Session) run(ctx context.Context, first chan<- error) {
	defer close(s.done)
	failures, everUp := 0, false
	open := func() {
		if everUp {
			s.updates.push(Connected{})
		}
	}
	ready := func() {
		failures = 0
		if !everUp {
			everUp = true
			first <- nil
		}
	}
	for {
		err := s.connect(ctx, open, ready)
		s.loseCalls()
		failures++
		if fatal := s.fatal(ctx, err, failures); fatal != nil {
			s.err = fatal
			s.updates.end(fatal)
			if !everUp {
				first <- fatal
			}
			return
		}
		wait := backoff(failures)
		if everUp {
			s.updates.push(Disconnected{Err: err, Wait: wait})
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// fatal returns why the session must end, or nil when it is worth another attempt.
func (s *Session) fatal(ctx context.Context, err error, failures int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if fatal, ok := errors.AsType[*fatalError](err); ok {
		return fatal.Err
	}
	switch code := websocket.CloseStatus(err); {
	case code == statusDeleted:
		return ErrDeleted
	case code == websocket.StatusPolicyViolation, code >= 4000 && code < 5000:
		return fmt.Errorf("the host closed the connection: %w", err)
	}
	if failures >= maxFailures {
		return fmt.Errorf("gave up after %d attempts: %w", failures, err)
	}
	return nil
}

// backoff doubles from attempt to attempt, with jitter so that many clients do not come at once.
func backoff(failures int) time.Duration {
	wait := min(firstWait<<min(failures-1, 10), longestWait)
	return wait/2 + rand.N(wait/2+1)
}
