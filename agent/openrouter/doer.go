package openrouter

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// mostErrorBody bounds what is read of an answer that is no stream, in bytes.
const mostErrorBody = 1 << 20

// An exchange is one HTTP request on its way through go-openai: it brings our body in and the answer's headers out.
type exchange struct {
	body   body
	header http.Header
	idle   *time.Timer
	limit  time.Duration
	http1  bool
	source *bufio.Reader // of the answer
}

// alive puts the idle timer off.
func (x *exchange) alive() { x.idle.Reset(x.limit) }

// What an answer is waited for when the model has finished: usage may come seconds later, the end follows [DONE] at once.
const (
	usagePatience = 10 * time.Second
	endPatience   = 25 * time.Millisecond
)

// hurry shortens the idle timeout once the model has finished.
func (x *exchange) hurry() {
	if x.limit > usagePatience {
		x.limit = usagePatience
		x.alive()
	}
}

// drain lets the connection be used again: over HTTP/1 only one whose answer was read to its end can be.
// It ends the exchange: the timer may fire now.
func (x *exchange) drain() {
	if !x.http1 {
		return
	}
	x.limit = endPatience
	x.alive()
	_, _ = io.CopyN(io.Discard, x.source, 4<<10) // an error means that the connection is not used again
}

type exchangeKey struct{}

// A doer is what go-openai takes for its HTTP client.
type doer struct{ *Client }

// Do sends the exchange's body in place of the library's and returns only answers that are event streams, normalised.
func (d doer) Do(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	req.Body, req.ContentLength = x.body.reader(), x.body.len()
	req.GetBody = func() (io.ReadCloser, error) { return x.body.reader(), nil }
	d.attribute(req.Header)
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, d.unreachable(req.Context(), err)
	}
	x.alive()
	x.header, x.http1 = resp.Header, resp.ProtoMajor == 1
	source := bufio.NewReaderSize(&watched{resp.Body, x}, 32<<10)
	x.source = source
	if resp.StatusCode != http.StatusOK || !streams(resp.Header, source) {
		defer resp.Body.Close()
		return nil, d.refused(resp, source)
	}
	resp.Body = newEvents(source, resp.Body)
	return resp, nil
}

// attribute adds the headers by which OpenRouter knows the app.
func (c *Client) attribute(h http.Header) {
	if !c.openrouter || c.opts.Referer == "" {
		return
	}
	h.Set("HTTP-Referer", c.opts.Referer)
	if c.opts.Title != "" {
		h.Set("X-OpenRouter-Title", c.opts.Title)
	}
	h.Set("X-OpenRouter-Categories", "cli-agent")
}

// streams reports whether the answer is an event stream. A server that names another type is believed only if its
// first bytes do not look like one.
func streams(h http.Header, source *bufio.Reader) bool {
	if kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); kind == "text/event-stream" {
		return true
	}
	for n := 1; n <= 64; n++ {
		head, err := source.Peek(n)
		if err != nil {
			return false
		}
		line := bytes.TrimLeft(head, "\r\n\ufeff")
		if bytes.HasPrefix(line, []byte("data:")) || bytes.HasPrefix(line, []byte(": ")) || bytes.HasPrefix(line, []byte("event:")) {
			return true
		}
		if len(line) >= len("event:") {
			return false
		}
	}
	return false
}

// unreachable makes the error of a request that got no answer. A cancelled context is its own reason.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := c.failure(unreachable, "")
	e.cause = err
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.kind = untrusted
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without "Post https://…"
	}
	e.Message = "cannot reach " + e.host + ": " + string(scrub([]byte(err.Error()), c.opts.Key))
	return e
}

// failure returns an error of ours about the server.
func (c *Client) failure(k kind, message string) *Error {
	return &Error{kind: k, Message: message, host: c.base.Host, openrouter: c.openrouter}
}

// watched puts the idle timer off with every byte.
type watched struct {
	source io.Reader
	x      *exchange
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.source.Read(p)
	if n > 0 {
		w.x.alive()
	}
	return n, err
}
