package openrouter

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A lister answers GET /models.
type lister struct {
	status int
	body   string
	asked  int
	url    string
}

func (l *lister) RoundTrip(r *http.Request) (*http.Response, error) {
	l.asked++
	l.url = r.URL.String()
	return &http.Response{
		StatusCode: l.status, Status: http.StatusText(l.status), Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(l.body)), Request: r,
	}, nil
}

const models = `{"data":[
	{"id":"a/big","canonical_slug":"a/big-2026","context_length":1000000,"top_provider":{"context_length":200000}},
	{"id":"a/small","context_length":8192},
	{"id":"a/sees","architecture":{"input_modalities":["image","text"]}},
	{"id":"a/blind","architecture":{"input_modalities":["text","file"]}},
	{"id":"a/unsaid","context_length":null,"top_provider":{"context_length":null}},
	{"id":"local","max_model_len":32768}
]}`

func TestTheListOfModelsIsRead(t *testing.T) {
	l := &lister{status: 200, body: models}
	c := client(t, Options{BaseURL: "https://openrouter.ai/api/v1", Model: "a/small", Transport: l})
	for id, want := range map[string]chat.ModelInfo{
		"a/big":           {Window: 200_000},
		"a/big-2026":      {Window: 200_000},
		"a/big:nitro":     {Window: 200_000},
		"":                {Window: 8192},
		"a/unsaid":        {},
		"a/sees":          {},
		"a/blind:free":    {Blind: true},
		"local":           {Window: 32_768},
		"a/none":          {Missing: true},
		"openrouter/auto": {},
		"~a/latest":       {},
		"@preset/mine":    {},
	} {
		if got, err := c.Describe(t.Context(), id); err != nil || got != want {
			t.Errorf("Describe(%q) = %+v, %v; want %+v", id, got, err, want)
		}
	}
	if l.asked != 1 || l.url != "https://openrouter.ai/api/v1/models" {
		t.Errorf("the server was asked %d times, last %s", l.asked, l.url)
	}
}

// TestAServerThatListsNothingIsBelieved, and not asked again at once.
func TestAServerThatListsNothingIsBelieved(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := &lister{status: 404, body: "no"}
	c := client(t, Options{BaseURL: "http://127.0.0.1:1/v1", Transport: l, Now: func() time.Time { return now }})
	for range 3 {
		if _, err := c.Describe(t.Context(), "x"); err == nil {
			t.Error("a server without a list gives no error")
		}
	}
	if l.asked != 1 {
		t.Errorf("a server without a list was asked %d times", l.asked)
	}
	now = now.Add(noModelsFor)
	l.status, l.body = 200, models
	if got, err := c.Describe(t.Context(), "y"); err != nil || got != (chat.ModelInfo{}) {
		t.Errorf("of a server that is not OpenRouter nothing is certain: %+v, %v", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	now = now.Add(modelsFor)
	<-c.catalog.turn // somebody else asks
	if _, err := c.Describe(gone, "y"); err == nil {
		t.Error("who does not want to wait gets no error")
	}
	c.catalog.turn <- struct{}{}
}

func TestARequestThatIsTooLongIsKnownByItsWords(t *testing.T) {
	for message, want := range map[string]bool{
		"This endpoint's maximum context length is 200000 tokens.":                 true,
		"prompt is too long: 210000 tokens > 200000 maximum":                       true,
		"the request exceeds the available context size (8192 tokens), try others": true,
		"This model does not accept the request":                                   false,
	} {
		if got := (&Error{Status: 400, Message: message}).TooLong(); got != want {
			t.Errorf("TooLong of %q is %t, want %t", message, got, want)
		}
	}
}
