package openrouter

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
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
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		e.kind = untrusted
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without "Post https://…"
	}
	e.Message = "cannot reach " + e.host + ": " + string(scrub([]byte(err.Error()), c.opts.Key))
	return e
}

// failure returns an error of ours about the server.
func (c *Client) failure(k kind, message string) *Error {
	return &Error{kind: k, Message: message, host: c.base.Host, openrouter: c.openrouter}
}

// refused makes the error of an answer that is not an event stream.
func (c *Client) refused(resp *http.Response, source io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(source, mostErrorBody))
	if len(raw) == 0 && err != nil && resp.Request.Context().Err() != nil {
		return context.Cause(resp.Request.Context())
	}
	e := c.failure(answered, "")
	e.Raw = scrub(raw, c.opts.Key)
	e.Generation = resp.Header.Get("X-Generation-Id")
	e.Provider = resp.Header.Get("X-Provider-Name")
	e.RetryAfter = retryAfter(resp.Header, c.opts.Now())
	if resp.StatusCode != http.StatusOK {
		e.Status = resp.StatusCode
	}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
		Choices []struct {
			Error json.RawMessage `json:"error"`
		} `json:"choices"`
	}
	valid := json.Unmarshal(e.Raw, &answer) == nil
	if len(answer.Choices) > 0 && len(answer.Choices[0].Error) > 0 {
		answer.Error = answer.Choices[0].Error
	}
	switch {
	case len(answer.Error) > 0 && string(answer.Error) != "null":
		e.parse(answer.Error)
	case answer.Message != "":
		e.Message = clip(answer.Message, 2000)
	case plainText(answer.Detail) != "":
		e.Message = clip(plainText(answer.Detail), 2000)
	case resp.StatusCode == http.StatusOK:
		e.kind = unstreamed
		e.Message = c.base.Host + " answered without an event stream: " + describe(e.Raw, valid)
	default:
		e.Message = describe(e.Raw, valid)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.kind = unstreamed
		e.Message = "the server redirects to another address, which is not followed because it would get the key"
	}
	return e
}

// describe says in a few words what a body is that holds no error object.
func describe(raw []byte, isJSON bool) string {
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "":
		return "an empty answer"
	case isJSON:
		return clip(text, 200)
	case strings.HasPrefix(text, "<"):
		_, title, found := strings.Cut(text, "<title>")
		title, _, closed := strings.Cut(title, "</title>")
		if found && closed {
			return "an HTML page: " + clip(strings.Join(strings.Fields(title), " "), 200)
		}
		return "an HTML page"
	}
	return clip(strings.Join(strings.Fields(text), " "), 200)
}

// retryAfter reads the header, which holds seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, 1e6) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
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
	if quiet.Load() && err != nil && errors.Is(context.Cause(ctx), errSilent) {
		e := c.failure(silent, c.base.Host+" sent nothing for "+x.limit.String())
		e.Generation, e.cause = a.generation, errSilent
		return e
	}
	return err
}

var errSilent = errors.New("openrouter: no byte for the idle timeout")

// usageOf adds what a failed response cost to its error.
func usageOf(e *Error, a *answer) *Error {
	e.Usage = e.Usage.Add(a.usage)
	e.Generation = defaultTo(e.Generation, a.generation)
	return e
}
