package openrouter

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// faultCase is what must come of a fault when every attempt meets it.
type faultCase struct {
	fault     string
	after     int
	retries   int    // Retrying events
	output    bool   // text or reasoning came before the end
	answer    string // finish reason, if the response counts
	status    int
	err       string // part of the error's text
	retryable bool
	hint      string // part of the hint
}

var faultCases = []faultCase{
	{fault: "400", status: 400, err: "400 Bad Request: This model does not accept the request"},
	{fault: "401", status: 401, err: "401 Unauthorized", hint: "OPENROUTER_API_KEY"},
	{fault: "402", status: 402, err: "402 Payment Required", hint: "add credits"},
	{fault: "403", status: 403, err: "403 Forbidden", hint: "forbid"},
	{fault: "404", status: 404, err: "404 Not Found: No endpoints found that support tool use", hint: "check the model id"},
	{fault: "408", retries: 3, status: 408, err: "408 Request Timeout", retryable: true, hint: "try again"},
	{fault: "413", status: 413, err: "too large", hint: "smaller"},
	{fault: "429", retries: 3, status: 429, err: "429 Too Many Requests: Rate limit exceeded", retryable: true, hint: "wait"},
	{fault: "500", retries: 3, status: 500, err: "500: Internal Server Error", retryable: true, hint: "another model"},
	{fault: "502html", retries: 3, status: 502, err: "502 Bad Gateway: an HTML page: 502 Bad Gateway", retryable: true, hint: "another model"},
	{fault: "503", retries: 1, status: 503, err: "503 Service Unavailable", retryable: true, hint: "another model"},
	{fault: "504", retries: 3, status: 504, err: "504 Gateway Timeout", retryable: true, hint: "another model"},
	{fault: "529", retries: 3, status: 529, err: "529: The provider is overloaded", retryable: true, hint: "another model"},
	{fault: "html", err: "without an event stream: an HTML page", hint: "base URL"},
	{fault: "json", retries: 3, status: 502, err: "Provider returned error: upstream fell over (provider Scripted)", retryable: true, hint: "another model"},
	{fault: "redirect", status: 302, err: "redirects", hint: "base URL"},
	{fault: "reset", retries: 3, err: "cannot reach 127.0.0.1", retryable: true, hint: "running? The base URL (OPENROUTER_BASE_URL)"},
	{fault: "silent", retries: 3, err: "sent nothing for", retryable: true, hint: "try again"},
	{fault: "empty", retries: 2, err: "the model sent an empty answer", retryable: true, hint: "another"},
	{fault: "huge", output: true, answer: "tool-calls"},
	{fault: "bad-args", output: true, answer: "tool-calls"},
	{fault: "length", output: true, answer: "length"},
	{fault: "no-done", output: true, answer: "tool-calls"},
	{fault: "stall", retries: 3, err: "sent nothing for", retryable: true, hint: "try again"},
	{fault: "stall", after: 2, output: true, err: "sent nothing for", retryable: true, hint: "try again"},
	{fault: "cut", retries: 3, err: "cut off", retryable: true, hint: "try again"},
	{fault: "cut", after: 2, output: true, err: "cut off: unexpected EOF", retryable: true, hint: "try again"},
	{fault: "truncate", retries: 3, err: "cut off", retryable: true, hint: "try again"},
	{fault: "truncate", after: 2, output: true, err: "cut off", retryable: true, hint: "try again"},
	{fault: "error-chunk", retries: 3, status: 502, err: "502 Bad Gateway: Provider disconnected (provider Scripted)", retryable: true, hint: "another model"},
	{fault: "error-chunk", after: 2, output: true, status: 502, err: "502 Bad Gateway: Provider disconnected", retryable: true, hint: "another model"},
	{fault: "error-event", retries: 3, status: 400, err: "Provider disconnected", retryable: true},
	{fault: "error-event", after: 2, output: true, status: 400, err: "Provider disconnected", retryable: true},
	{fault: "garbage", retries: 3, err: "not JSON", retryable: true, hint: "try again"},
	{fault: "garbage", after: 2, output: true, err: "not JSON", retryable: true, hint: "try again"},
}

func TestEveryFaultHasItsEvents(t *testing.T) {
	met := make(map[string]bool)
	for _, tt := range faultCases {
		met[tt.fault] = true
		name := tt.fault
		if tt.after > 0 {
			name += " after output"
		}
		t.Run(name, func(t *testing.T) {
			c, s := serve(t, openroutertest.Response{
				Fault: tt.fault, After: tt.after, Reasoning: "Let me think", Text: "hello big world", Comments: 1,
				Calls: []openroutertest.Call{{Name: "read", Args: json.RawMessage(`{"path":"a.go"}`)}}, Repeat: true,
			})
			if tt.fault == "silent" || tt.fault == "stall" {
				c.opts.IdleTimeout = 30 * time.Millisecond
			}
			events, err := ask(t, c)
			checkFault(t, tt, events, err)
			if got := len(s.Requests()); got != tt.retries+1 {
				t.Errorf("%d requests, want %d", got, tt.retries+1)
			}
		})
	}
	for _, f := range openroutertest.Faults() {
		if !met[f] {
			t.Errorf("fault %s of the fake is not tested", f)
		}
	}
}

func checkFault(t *testing.T, tt faultCase, events []chat.Event, err error) {
	t.Helper()
	retries, output, answer := 0, false, ""
	for _, e := range events {
		switch e := e.(type) {
		case chat.Retrying:
			retries++
			if output || e.Attempt != retries+1 || e.Of != 4 || e.Reason == "" {
				t.Errorf("retry %d is %+v, after output: %v", retries, e, output)
			}
		case chat.TextDelta, chat.ReasoningDelta:
			output = true
		case chat.Answered:
			answer = string(e.Reason)
		}
	}
	if retries != tt.retries || output != tt.output || answer != tt.answer {
		t.Errorf("got %d retries, output %v, answer %q; want %d, %v, %q", retries, output, answer, tt.retries, tt.output, tt.answer)
	}
	if (err != nil) != (tt.err != "") {
		t.Fatalf("got error %v, want %q", err, tt.err)
	}
	if err == nil {
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got a %T, want an *Error", err)
	}
	if e.Status != tt.status || !strings.Contains(e.Error(), tt.err) || e.Retryable() != tt.retryable || !strings.Contains(e.Hint(), tt.hint) || (tt.hint == "") != (e.Hint() == "") {
		t.Errorf("got status %d, %q, retryable %v, hint %q; want %+v", e.Status, e, e.Retryable(), e.Hint(), tt)
	}
}

// The page that promises what users see names every fault.
func TestTheFaultsPageNamesEveryFault(t *testing.T) {
	page, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range openroutertest.Faults() {
		if !strings.Contains(string(page), "`"+f+"`") {
			t.Errorf("docs/faults.md does not name fault %s", f)
		}
	}
}

func TestAFaultThatPassesIsForgotten(t *testing.T) {
	c, _ := serve(t,
		openroutertest.Response{Fault: "429", RetryAfter: 2.5},
		openroutertest.Response{Fault: "empty"},
		openroutertest.Response{Fault: "503"},
		openroutertest.Response{Text: "here"},
	)
	var waits []time.Duration
	c.opts.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	events, err := ask(t, c)
	got := summary(events, err)
	want := `retrying 2 of 4: 429 Too Many Requests: Rate limit exceeded
retrying 3 of 4: the model sent an empty answer
retrying 4 of 4: 503 Service Unavailable: No provider is available
text "here"
answered stop`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(waits) != 3 || waits[0] != 2500*time.Millisecond || waits[1] < time.Second || waits[1] > 3*time.Second || waits[2] < 2*time.Second || waits[2] > 6*time.Second {
		t.Errorf("waits are %v, want 2.5 s as asked, then about 2 s and 4 s", waits)
	}
	for i, e := range events[:3] {
		if e.(chat.Retrying).Wait != waits[i] {
			t.Errorf("event %d says it waits %v, it waits %v", i, e.(chat.Retrying).Wait, waits[i])
		}
	}
}

func TestRequestsThatAreRefusedAreMended(t *testing.T) {
	low := "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 3000."
	c, s := serve(t, openroutertest.Response{Fault: "402", Message: low}, openroutertest.Response{Text: "cheap"})
	got := summary(ask(t, c))
	if want := "retrying 2 of 4: credits are low: asking for at most 3000 tokens\ntext \"cheap\"\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if body := string(s.Requests()[1].Body); !strings.HasSuffix(body, `],"max_tokens":3000}`) {
		t.Errorf("the second request ends in %q", body[len(body)-60:])
	}

	c, _ = serve(t, openroutertest.Response{Fault: "402", Message: low, Repeat: true})
	if got := summary(ask(t, c)); strings.Count(got, "retrying") != 1 || !strings.Contains(got, "error 402") {
		t.Errorf("a second 402: got\n%s", got)
	}

	c, s = serve(t,
		openroutertest.Response{Fault: "400", Message: "messages.1.content.0: Invalid signature in thinking block"},
		openroutertest.Response{Text: "without"}, openroutertest.Response{Text: "again"},
	)
	c.openrouter = true
	m := assistant("a", []chat.Part{chat.Text{Text: "x"}})
	m.Steps[0].Details = json.RawMessage(`[{"type":"reasoning.text","text":"hm","signature":"old"}]`)
	req := chat.Request{Model: "anthropic/claude-sonnet-4", Session: "s", Messages: []chat.Message{user("u", "1"), m, user("v", "2")}}
	for range 2 {
		got = summary(collect(c, t.Context(), req))
	}
	var sent []bool
	for _, r := range s.Requests() {
		sent = append(sent, strings.Contains(string(r.Body), "reasoning_details"))
	}
	if len(sent) != 3 || !sent[0] || sent[1] || sent[2] || !strings.Contains(got, "again") {
		t.Errorf("details were sent: %v, want once and never again; last answer:\n%s", sent, got)
	}
}

func TestErrorsAreReadInAllShapes(t *testing.T) {
	c := onOpenRouter(t)
	tests := []struct {
		name, body, want string
		status           int
		retryable        bool
		hint             string
	}{
		{"raw JSON in a string", `{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Z.AI","raw":"{\"error\":{\"message\":\"busy\"}}"}}}`, "429 Too Many Requests: Provider returned error: busy (provider Z.AI)", 429, true, "wait"},
		{"availability", `{"error":{"error_type":"not_found","http_status":404,"message":"No endpoint","availability":{"code":"no_endpoints","retryable":false,"excluded_by":["zdr"],"fallback_models":["a/b","c/d"]}}}`, "404 Not Found: No endpoint", 404, false, "excluded by [zdr]; available instead: a/b, c/d"},
		{"availability that passes", `{"error":{"message":"Busy","availability":{"code":"capacity_exhausted","retryable":true,"retry_after":7}}}`, "503 Service Unavailable: Busy", 503, true, ""},
		{"a daily limit", `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day"}}`, "429 Too Many Requests: Rate limit exceeded: free-models-per-day", 429, false, "add credits"},
		{"error as text", `{"error":"model not found, try pulling it first"}`, "404 Not Found: model not found, try pulling it first", 404, false, "model id"},
		{"detail only", `{"detail":"nope"}`, "422 Unprocessable Entity: nope", 422, false, ""},
		{"moderation", `{"error":{"code":403,"message":"Flagged","metadata":{"reasons":["violence"],"provider_name":"OpenAI"}}}`, "403 Forbidden: Flagged: violence (provider OpenAI)", 403, false, "forbid"},
		{"too long", `{"error":{"code":400,"message":"This endpoint's maximum context length is 8192 tokens"}}`, "400 Bad Request: This endpoint's maximum context length is 8192 tokens", 400, false, "compact"},
		{"the key in the text", `{"error":{"code":401,"message":"Incorrect API key provided: sk-or-v1-secret"}}`, "401 Unauthorized: Incorrect API key provided: [key]", 401, false, "create a key"},
		{"nothing", ``, "520: an empty answer", 520, true, "later"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{}, Request: &http.Request{}}
			var e *Error
			if err := c.refused(resp, strings.NewReader(tt.body)); !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Error() != tt.want || e.Retryable() != tt.retryable || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("got %q, retryable %v, hint %q; want %q, %v, %q", e, e.Retryable(), e.Hint(), tt.want, tt.retryable, tt.hint)
			}
			if strings.Contains(string(e.Raw), c.opts.Key) {
				t.Errorf("the key is in the raw body: %s", e.Raw)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "soon": 0,
		"Sun, 01 Nov 2026 12:01:00 GMT": time.Minute, "Sun, 01 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", value, got, want)
		}
	}
	e := &Error{Status: 429, RetryAfter: time.Hour}
	if e.Retryable() || !strings.Contains(e.Hint(), "1h0m0s") {
		t.Errorf("an hour to wait: retryable %v, hint %q", e.Retryable(), e.Hint())
	}
}
