package openrouter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

func TestTheRequest(t *testing.T) {
	c, s := serve(t, openroutertest.Response{Text: "a"}, openroutertest.Response{Text: "b"})
	c.opts.Referer, c.opts.Title = "https://coder.example", "coder"
	if _, err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	c.openrouter = true
	if _, err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.Requests() {
		h := r.Header
		if h.Get("Authorization") != "Bearer sk-or-v1-secret" || h.Get("Accept") != "text/event-stream" || h.Get("Content-Type") != "application/json" {
			t.Errorf("request %d has the headers %v", i, h)
		}
		own := h.Get("HTTP-Referer") == "https://coder.example" && h.Get("X-OpenRouter-Title") == "coder" && h.Get("X-OpenRouter-Categories") == "cli-agent"
		if own != (i == 1) {
			t.Errorf("request %d names the app: %v; headers %v", i, own, h)
		}
		if r.Model != "test/model" || r.Last() != "hello" {
			t.Errorf("request %d asks %s %q", i, r.Model, r.Last())
		}
	}
}

func TestBaseURLs(t *testing.T) {
	for base, openrouter := range map[string]bool{
		"": true, "https://openrouter.ai/api/v1/": true, "https://eu.openrouter.ai/api/v1": true,
		"http://localhost:11434/v1": false, "https://notopenrouter.ai/": false, "https://openrouter.ai.evil.test": false,
	} {
		c, err := New(Options{BaseURL: base})
		if err != nil || c.openrouter != openrouter {
			t.Errorf("New(%q): error %v, OpenRouter %v, want %v", base, err, c != nil && c.openrouter, openrouter)
		}
	}
	for _, base := range []string{"localhost:11434", "ftp://x", "https://", "://", "http://user:secret@", "http://user:secret@models.example.com/v1"} {
		if _, err := New(Options{BaseURL: base}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%q): error %v", base, err)
		}
	}
}

func TestTheKeyIsInNoError(t *testing.T) {
	for _, fault := range openroutertest.Faults() {
		c, _ := serve(t, openroutertest.Response{Fault: fault, Message: "bad key sk-or-v1-secret", Repeat: true})
		c.opts.IdleTimeout = 20 * time.Millisecond
		if got := summary(ask(t, c)); strings.Contains(got, "sk-or-v1-secret") {
			t.Errorf("%s: %s", fault, got)
		}
	}
	c := client(t, Options{Key: "sk-or-v1-\nsecret", BaseURL: "http://127.0.0.1:1"})
	if got := summary(ask(t, c)); strings.Contains(got, "sk-or-v1-") {
		t.Errorf("a key with a newline: %s", got)
	}
}

func TestARedirectDoesNotGetTheKey(t *testing.T) {
	elsewhere := openroutertest.New()
	if err := elsewhere.Start(); err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	c := client(t, Options{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host != "openrouter.ai" {
			t.Errorf("%s is asked too", req.URL)
		}
		return &http.Response{StatusCode: 307, Header: http.Header{"Location": {elsewhere.URL()}}, Body: http.NoBody, Request: req}, nil
	})})
	if got := summary(ask(t, c)); !strings.Contains(got, "error 307") {
		t.Errorf("got %s", got)
	}
}

var errUser = errors.New("the user pressed escape")

func TestCancelEndsAStreamWithItsCause(t *testing.T) {
	gate := openroutertest.NewGate(2)
	c, _ := serve(t, openroutertest.Response{Text: "one two three four", Gate: gate})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for e, err := range c.Stream(ctx, chat.Request{Messages: []chat.Message{user("u", "x")}}) {
		if last = err; e != nil {
			cancel(errUser) // the rest stands at the gate
		}
	}
	if last != errUser {
		t.Errorf("got %v, want the cause", last)
	}

	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(errUser)
	if events, err := collect(c, ctx, chat.Request{Messages: []chat.Message{user("u", "x")}}); err != errUser || len(events) > 0 {
		t.Errorf("cancelled before: got %s", summary(events, err))
	}

	c, _ = serve(t, openroutertest.Response{Fault: "429", RetryAfter: 60})
	c.opts.Sleep = sleep
	ctx, cancel = context.WithCancelCause(t.Context())
	defer cancel(nil)
	for e, err := range c.Stream(ctx, chat.Request{Messages: []chat.Message{user("u", "x")}}) {
		if r, ok := e.(chat.Retrying); ok && r.Wait == time.Minute {
			cancel(errUser)
			continue
		}
		if err != errUser {
			t.Errorf("cancelled while waiting: got %v, %v", e, err)
		}
	}
}

func TestAConsumerMayStopAtAnyEvent(t *testing.T) {
	resp := openroutertest.Response{
		Reasoning: "a b", Text: "c d", Calls: []openroutertest.Call{{Name: "f"}, {Name: "g", Raw: "{"}}, Repeat: true,
	}
	c, s := serve(t, openroutertest.Response{Fault: "500"}, resp)
	total := 0
	for _, err := range c.Stream(t.Context(), chat.Request{Messages: []chat.Message{user("u", "x")}}) {
		if err != nil {
			t.Fatal(err)
		}
		total++
	}
	for stop := 1; stop <= total; stop++ {
		n := 0
		for _, err := range c.Stream(t.Context(), chat.Request{Messages: []chat.Message{user("u", "x")}}) {
			if n++; n == stop {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(s.Requests()); got != total+2 {
		t.Errorf("%d requests, want %d", got, total+2)
	}
}

// slow is a body whose pieces come at their times.
type slow struct {
	ctx    context.Context
	pieces []string
	every  time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		<-s.ctx.Done()
		return 0, context.Cause(s.ctx)
	}
	select {
	case <-time.After(s.every):
	case <-s.ctx.Done():
		return 0, context.Cause(s.ctx)
	}
	n := copy(p, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

func (s *slow) Close() error { return nil }

// slowly returns a client whose server sends the pieces at their times and then nothing more.
func slowly(t *testing.T, every time.Duration, pieces ...string) *Client {
	return client(t, Options{Retries: 1, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: req, ProtoMajor: 1,
			Body: &slow{req.Context(), pieces, every},
		}, nil
	})})
}

func TestCommentsKeepAStreamAlive(t *testing.T) {
	const done = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	synctest.Test(t, func(t *testing.T) {
		var pieces []string
		for range 20 {
			pieces = append(pieces, ": OPENROUTER PROCESSING\n\n")
		}
		start := time.Now()
		got := summary(ask(t, slowly(t, 100*time.Second, append(pieces, done)...)))
		if !strings.HasPrefix(got, "text \"x\"\nanswered stop") {
			t.Errorf("after %v: %s", time.Since(start), got)
		}
		if took, want := time.Since(start), 2100*time.Second+endPatience; took != want {
			t.Errorf("it took %v, want %v: the end is waited for no longer", took, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := summary(ask(t, slowly(t, 200*time.Second, done)))
		if !strings.Contains(got, "error openrouter.ai sent nothing for 3m0s") || time.Since(start) != 180*time.Second {
			t.Errorf("after %v: %s", time.Since(start), got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		finished, _, _ := strings.Cut(done, "data: [DONE]")
		start := time.Now()
		got := summary(ask(t, slowly(t, time.Second, finished)))
		if !strings.HasPrefix(got, "text \"x\"\nanswered stop") || time.Since(start) != time.Second+usagePatience {
			t.Errorf("silence after the finish reason, after %v: %s", time.Since(start), got)
		}
	})
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	c, s := serve(t, openroutertest.Response{Text: "a", Repeat: true})
	for range 5 {
		if _, err := ask(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections for 5 requests, want 1", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, c); err != nil || s.Connections() != 2 {
		t.Errorf("after Close: error %v, %d connections, want 2", err, s.Connections())
	}
}

func TestSessionsAtTheSameTime(t *testing.T) {
	c, _ := serve(t, openroutertest.Response{Text: "fine", Repeat: true})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			var s script
			for range 12 {
				s.next()
				req := s.request(fmt.Sprint("session", i%4)) // four for each: what is kept is theirs together
				if _, err := collect(c, t.Context(), req); err != nil {
					t.Errorf("session %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestABodyCanBeReadTwice(t *testing.T) {
	b := body{[]byte("a"), []byte("b"), []byte("c")}
	for range 2 {
		if got, err := io.ReadAll(b.reader()); string(got) != "abc" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
