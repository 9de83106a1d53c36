package openrouter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// serve starts a fake that plays the script and a Client for it that does not wait between attempts. It makes ids
// "fresh1", "fresh2", …
func serve(t testing.TB, script ...openroutertest.Response) (*Client, *openroutertest.Server) {
	t.Helper()
	s := openroutertest.New(script...)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return client(t, Options{BaseURL: s.URL()}), s
}

func client(t testing.TB, opts Options) *Client {
	t.Helper()
	opts.Key = defaultTo(opts.Key, "sk-or-v1-secret")
	opts.Model = defaultTo(opts.Model, "test/model")
	if opts.Sleep == nil {
		opts.Sleep = func(context.Context, time.Duration) error { return nil }
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	c.newID = func() string { n++; return fmt.Sprintf("fresh%d", n) }
	return c
}

// ask returns everything that the model yields for one prompt.
func ask(t testing.TB, c *Client, messages ...chat.Message) ([]chat.Event, error) {
	t.Helper()
	if len(messages) == 0 {
		messages = []chat.Message{user("u1", "hello")}
	}
	return collect(c, t.Context(), chat.Request{System: "be brief", Messages: messages})
}

func collect(c *Client, ctx context.Context, req chat.Request) (events []chat.Event, err error) {
	for e, fail := range c.Stream(ctx, req) {
		if err != nil {
			return events, errors.New("an event after the error")
		}
		if err = fail; err == nil {
			events = append(events, e)
		}
	}
	return events, err
}

func user(id, text string) chat.Message {
	return chat.Message{ID: id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
}

// summary writes events in short, deltas of a kind joined: equal for all ways to cut the same answer.
func summary(events []chat.Event, err error) string {
	var out []string
	kind, text := "", ""
	flush := func() {
		if kind != "" {
			out = append(out, fmt.Sprintf("%s %q", kind, text))
		}
		kind, text = "", ""
	}
	grow := func(k, s string) {
		if k != kind {
			flush()
		}
		kind, text = k, text+s
	}
	for _, e := range events {
		switch e := e.(type) {
		case chat.TextDelta:
			grow("text", e.Delta)
			continue
		case chat.ReasoningDelta:
			grow("reasoning", e.Delta)
			continue
		case chat.ToolInputDelta:
			grow("input "+e.ToolCallID, e.InputTextDelta)
			continue
		}
		flush()
		switch e := e.(type) {
		case chat.ToolInputStarted:
			out = append(out, "began "+e.ToolCallID+" "+e.ToolName)
		case chat.ToolCalled:
			out = append(out, fmt.Sprintf("called %s %s %s", e.ToolCallID, e.ToolName, e.Input))
		case chat.ToolInputFailed:
			out = append(out, fmt.Sprintf("failed %s %s %s: %s", e.ToolCallID, e.ToolName, e.Input, e.ErrorText))
		case chat.Retrying:
			out = append(out, fmt.Sprintf("retrying %d of %d: %s", e.Attempt, e.Of, e.Reason))
		case chat.Answered:
			out = append(out, fmt.Sprintf("answered %s: model %s, served %s by %s, %s, %+v", e.Reason, e.Model, e.Served, e.Provider, e.Generation, e.Usage))
			if e.Details != nil {
				out = append(out, "details "+string(e.Details))
			}
		default:
			out = append(out, fmt.Sprintf("%T", e))
		}
	}
	flush()
	if err != nil {
		out = append(out, "error "+err.Error())
		if e, ok := errors.AsType[*Error](err); ok {
			out = append(out, fmt.Sprintf("retryable %v, hint %q", e.Retryable(), e.Hint()))
		}
	}
	return strings.Join(out, "\n") + "\n"
}
