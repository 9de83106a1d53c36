package openroutertest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

const hello = `{"model":"a/b","stream":true,"messages":[{"role":"user","content":"hello"}]}`

func start(t *testing.T, script ...openroutertest.Response) *openroutertest.Server {
	t.Helper()
	s := openroutertest.New(script...)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func post(t *testing.T, s *openroutertest.Server, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer k")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func answer(t *testing.T, s *openroutertest.Server, body string) (int, string) {
	t.Helper()
	resp := post(t, s, body)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestAScriptIsServedInOrderAndByWhatTheLastMessageSays(t *testing.T) {
	script, err := openroutertest.Load(strings.NewReader(`
# a comment
{"text":"first"}
{"when":"weather","text":"sunny","repeat":true}
// another
{"text":"second","calls":[{"name":"read","args":{"path":"a"}}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, script...)
	ask := func(prompt, want string) {
		t.Helper()
		if status, got := answer(t, s, strings.Replace(hello, "hello", prompt, 1)); !strings.Contains(got, want) {
			t.Errorf("%q is answered with %d and\n%s\nwant %q in it", prompt, status, got, want)
		}
	}
	ask("hello", `"content":"first"`)
	ask("the weather?", `"content":"sunny"`)
	if s.Left() != 1 {
		t.Errorf("%d responses are left, want 1", s.Left())
	}
	ask("hello", `"name":"read"`)
	ask("weather", `"content":"sunny"`)
	ask("hello", "the script has no response left for request 4, whose last message is \\\"hello\\\"")
	if got := s.Requests(); len(got) != 5 || got[1].Last() != "the weather?" || got[0].Model != "a/b" || string(got[0].Body) != hello {
		t.Errorf("%d requests are recorded", len(got))
	}
}

func TestABrokenScriptIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		`{"txet":"x"}`:      "unknown field",
		`{"text":`:          "line 1",
		`{"fault":"flood"}`: "unknown fault",
	} {
		if _, err := openroutertest.Load(strings.NewReader(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", line, err, want)
		}
	}
}

func TestChunksAreCutAsAsked(t *testing.T) {
	s := start(t, openroutertest.Response{
		Reasoning: "hm", Text: "aböc", Chunk: 3, Fragments: true, Comments: 1, Cost: 0.5,
		Usage: &openroutertest.Usage{Prompt: 10, Completion: 2, Cached: 8},
		Calls: []openroutertest.Call{{ID: "x", Name: "f", Args: json.RawMessage(`{"a":1}`)}},
	})
	status, got := answer(t, s, hello)
	for _, want := range []string{
		": OPENROUTER PROCESSING\n\n", `"reasoning":"hm"`, `"content":"abö"`, `"content":"c"`, `"id":"x"`, `"arguments":"{\"a"`, `"arguments":"\":1"`, `"arguments":"}"`,
		`"finish_reason":"tool_calls"`, `"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"cost":0.5`, `"cached_tokens":8`, "data: [DONE]\n\n",
	} {
		if status != 200 || !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestAGateHoldsAnAnswer(t *testing.T) {
	gate := openroutertest.NewGate(1)
	s := start(t, openroutertest.Response{Text: "one two", Gate: gate})
	lines := bufio.NewScanner(post(t, s, hello).Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), "one") {
		t.Fatalf("the first line is %q", lines.Text())
	}
	<-gate.Reached()
	gate.Release()
	rest := ""
	for lines.Scan() {
		rest += lines.Text()
	}
	if !strings.Contains(rest, "two") || !strings.HasSuffix(rest, "[DONE]") {
		t.Errorf("the rest is %s", rest)
	}
}

func TestAProgramMayAnswer(t *testing.T) {
	s := start(t)
	s.Key = "k"
	s.Reply(func(r *openroutertest.Request) openroutertest.Response {
		return openroutertest.Response{Text: strings.ToUpper(r.Last())}
	})
	if _, got := answer(t, s, hello); !strings.Contains(got, "HELLO") {
		t.Errorf("got %s", got)
	}
	s.Key = "another"
	if status, got := answer(t, s, hello); status != 401 {
		t.Errorf("a wrong key is answered with %d %s", status, got)
	}
	resp, err := http.Get(s.URL() + "/models")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("another path is answered with %d", resp.StatusCode)
	}
}

func TestCheckRefusesWhatProvidersRefuse(t *testing.T) {
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	result := `{"role":"tool","tool_call_id":"1","content":"x"}`
	tests := []struct{ name, messages, want string }{
		{"good", `{"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":"u"},` + call + `,` + result, ""},
		{"no result", call, "without a result"},
		{"a message between", call + `,{"role":"user","content":"u"},` + result, "without a result"},
		{"two results", call + `,` + result + `,` + result, "answers no call"},
		{"a result for nothing", result, "answers no call"},
		{"the same id again", call + `,` + result + `,` + call + `,` + result, "used before"},
		{"broken arguments", strings.Replace(call, `"{}"`, `"{"`, 1), "no JSON object"},
		{"no name", strings.Replace(call, `"f"`, `""`, 1), "without a name"},
		{"an empty prompt", `{"role":"user","content":""}`, "empty"},
		{"an empty answer", `{"role":"assistant","content":null}`, "empty"},
		{"an empty result", call + `,{"role":"tool","tool_call_id":"1","content":""}`, "empty"},
		{"an unknown role", `{"role":"robot","content":"x"}`, "unknown role"},
		{"nothing", ``, "messages are missing"},
	}
	for _, tt := range tests {
		err := openroutertest.Check([]byte(`{"model":"m","stream":true,"messages":[` + tt.messages + `]}`))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.want)
		}
	}
	for body, want := range map[string]string{
		`{`: "JSON", `{"stream":true}`: "model is missing", `{"model":"m"}`: "stream",
	} {
		if err := openroutertest.Check([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", body, err, want)
		}
	}
	s := start(t, openroutertest.Response{Text: "x", Repeat: true})
	if status, got := answer(t, s, `{"model":"m","stream":true,"messages":[]}`); status != 400 || !strings.Contains(got, "messages are missing") {
		t.Errorf("a wrong request is answered with %d %s", status, got)
	}
	s.Lenient = true
	if status, _ := answer(t, s, `{"model":"m","stream":true,"messages":[]}`); status != 200 {
		t.Errorf("a wrong request is answered with %d by a lenient server", status)
	}
}

// The package is part of the binary: it must not bring the testing package with it, nor work at start.
func TestTheFakeIsFitForTheBinary(t *testing.T) {
	s := openroutertest.New(openroutertest.Response{Text: "x"})
	r := &recorder{header: make(http.Header)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	s.ServeHTTP(r, req)
	if !strings.Contains(r.String(), `"content":"x"`) {
		t.Errorf("as a handler it answers %s", r.String())
	}
}

type recorder struct {
	bytes.Buffer
	header http.Header
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
