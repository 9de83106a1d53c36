package openrouter

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// attempt sends the request once and yields what comes back.
func (s *stream) attempt(ctx context.Context) error {
	c := s.client
	body, err := c.sessions.body(c, s.req, s.change)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var quiet atomic.Bool
	x := &exchange{body: body, limit: c.opts.IdleTimeout}
	x.idle = time.AfterFunc(x.limit, func() {
		quiet.Store(true)
		cancel(errSilent)
	})
	defer x.idle.Stop()

	a := newAnswer(s)
	err = s.receive(context.WithValue(ctx, exchangeKey{}, x), x, a)
	var e *Error
	if quiet.Load() && err != nil && !errors.As(err, &e) && errors.Is(context.Cause(ctx), errSilent) {
		e = c.failure(silent, c.base.Host+" sent nothing for "+x.limit.String())
		e.cause = errSilent
		return usageOf(e, a)
	}
	return err
}

var errSilent = errors.New("openrouter: no byte for the idle timeout")

// receive sends the request and reads the response to its end.
func (s *stream) receive(ctx context.Context, x *exchange, a *answer) error {
	// The library's own request is thrown away by the doer; an id that it knows might fail its checks.
	events, err := s.client.api.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{Model: "coder"})
	if err != nil {
		return s.describe(ctx, err, a)
	}
	defer events.Close()
	a.generation, a.provider = x.header.Get("X-Generation-Id"), x.header.Get("X-Provider-Name")
	for {
		raw, err := events.RecvRaw()
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			if err = a.take(raw); err == nil {
				if a.finish != "" {
					x.hurry()
				}
				continue
			}
			return s.describe(ctx, err, a)
		}
		if errors.Is(context.Cause(ctx), errSilent) {
			err = errSilent
		}
		if err = a.end(err); err != nil {
			return s.describe(ctx, err, a)
		}
		x.drain()
		return nil
	}
}

// describe makes an *Error of whatever ended a response.
func (s *stream) describe(ctx context.Context, err error, a *answer) error {
	if ctx.Err() != nil || errors.Is(err, errStopped) {
		return err
	}
	var e *Error
	if errors.As(err, &e) {
		return usageOf(e, a)
	}
	c := s.client
	switch {
	case errors.Is(err, errTooLarge):
		e = c.failure(tooLarge, "the answer holds an event larger than 32 MiB")
	case errors.Is(err, errTruncated):
		e = c.failure(truncated, "the answer was cut off: the stream ended before the model had finished")
	default:
		e = c.failure(truncated, "the answer was cut off: "+string(scrub([]byte(err.Error()), c.opts.Key)))
	}
	e.cause = err
	return usageOf(e, a)
}

// usageOf adds what a failed response cost to its error.
func usageOf(e *Error, a *answer) *Error {
	e.Usage = e.Usage.Add(a.usage)
	e.Generation = defaultTo(e.Generation, a.generation)
	return e
}
