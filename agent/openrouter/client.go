// Package openrouter asks models over OpenRouter's chat-completions API, or any other server that speaks OpenAI's.
//
// Client.Stream turns a chat.Request into one HTTP request and its event stream into chat events. The HTTP client and
// the stream reader are those of go-openai; what that library does not carry (fields of OpenRouter, errors inside
// streams, Retry-After, streams that end too soon) is added around it: an own request body, an HTTP doer that makes
// typed errors, a reader that normalises server-sent events, and own chunk types. No type of the library leaves the
// package.
package openrouter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/coder-agent/coder/agent/chat"
)

// DefaultBaseURL is where OpenRouter's API is.
const DefaultBaseURL = "https://openrouter.ai/api/v1"

// Options configure a Client. Every zero value but those of Key and Model works.
type Options struct {
	Key     string // sent as a bearer token; "" sends none, as a local model server wants it
	BaseURL string // "" means DefaultBaseURL
	Model   string // for requests that name none

	// Referer and Title name the app in OpenRouter's rankings. They are sent to openrouter.ai only.
	Referer string
	Title   string

	IdleTimeout time.Duration // the longest silence of the server; comments end it too; 0 means 180 s
	Retries     int           // how often a request is sent at most; 0 means 4

	Proxy     func(*http.Request) (*url.URL, error) // the proxy of the default Transport; nil means none
	Transport http.RoundTripper                     // nil means one of the Client's own

	Sleep func(context.Context, time.Duration) error // waits between attempts; nil means a timer
	Now   func() time.Time                           // nil means time.Now
}

// A Client asks models. It is safe for concurrent use and keeps connections open between requests.
type Client struct {
	opts       Options
	base       *url.URL
	openrouter bool // the server is OpenRouter itself and knows the fields of its own
	http       *http.Client
	api        *openai.Client
	sessions   *sessions
	catalog    *catalog
	newID      func() string // makes ids for calls that come without a usable one
}

// New returns a Client for the server at opts.BaseURL.
func New(opts Options) (*Client, error) {
	if opts.BaseURL == "" {
		opts.BaseURL = DefaultBaseURL
	}
	base, err := url.Parse(strings.TrimRight(opts.BaseURL, "/"))
	if err != nil {
		return nil, fmt.Errorf("openrouter: base URL: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("openrouter: base URL %q is no http or https URL", base.Redacted())
	}
	if base.Scheme == "http" && !local(base.Hostname()) {
		return nil, fmt.Errorf("openrouter: base URL %q would send prompts and key unencrypted", base.Redacted())
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = 180 * time.Second
	}
	if opts.Retries == 0 {
		opts.Retries = 4
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Sleep == nil {
		opts.Sleep = sleep
	}
	if opts.Transport == nil {
		opts.Transport = newTransport(opts.Proxy)
	}
	c := &Client{
		opts:       opts,
		base:       base,
		openrouter: isOpenRouter(base.Hostname()),
		sessions:   newSessions(opts.Now),
		catalog:    newCatalog(),
		newID:      func() string { return "call_" + rand.Text() },
	}
	c.http = &http.Client{
		Transport: opts.Transport,
		// A redirect would carry the key to another place: it is an answer like any other, and no good one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	config := openai.DefaultConfig(opts.Key)
	config.BaseURL = base.String()
	config.HTTPClient = doer{c}
	c.api = openai.NewClientWithConfig(config)
	return c, nil
}

// Close closes the connections that no stream uses and forgets what is kept of sessions. Streams end by their contexts.
func (c *Client) Close() error {
	c.sessions.forget()
	c.http.CloseIdleConnections()
	return nil
}

// isOpenRouter reports whether host belongs to OpenRouter.
func isOpenRouter(host string) bool {
	host = strings.ToLower(host)
	return host == "openrouter.ai" || strings.HasSuffix(host, ".openrouter.ai")
}

func newTransport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = proxy
	t.DisableCompression = true // a compressing proxy holds events back
	t.MaxIdleConnsPerHost = 16  // one for each agent that works at the same time
	return t
}

// Stream asks the model and yields its response as agent.Model says. Requests that fail before the first output are
// sent again, with a Retrying event before each wait, when the error is one that may pass.
func (c *Client) Stream(ctx context.Context, req chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if req.Model == "" {
			req.Model = c.opts.Model
		}
		s := &stream{client: c, req: req, yield: yield}
		if err := s.run(ctx); err != nil && !s.stopped {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			yield(nil, err)
		}
	}
}

// A stream is one call of Client.Stream: its attempts, one after the other.
type stream struct {
	client  *Client
	req     chat.Request
	yield   func(chat.Event, error) bool
	stopped bool // the consumer wants no more
	output  bool // something of the response was yielded: it cannot be asked for again here

	change change // what a refused request is sent again with
}

// emit hands an event to the consumer and reports whether it wants more.
func (s *stream) emit(e chat.Event) bool {
	if s.stopped {
		return false
	}
	s.stopped = !s.yield(e, nil)
	return !s.stopped
}

var errStopped = errors.New("openrouter: the consumer stopped reading")

func (s *stream) run(ctx context.Context) error {
	retry := newRetry(s.client.opts.Retries)
	for {
		err := s.attempt(ctx)
		if err == nil || s.stopped || s.output || ctx.Err() != nil {
			return err
		}
		var e *Error
		if !errors.As(err, &e) {
			return err
		}
		e.attached = attached(s.req.Messages)
		next, wait := s.mend(e), time.Duration(0)
		if next == "" {
			var again bool
			if wait, again = retry.after(e); !again {
				return err
			}
			next = e.Error()
		}
		if !s.emit(chat.Retrying{Attempt: retry.next(), Of: retry.most, Wait: wait, Reason: next, Usage: e.Usage}) {
			return errStopped
		}
		if err := s.client.opts.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
