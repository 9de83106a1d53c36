package openrouter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// built returns the body of a request.
func built(t testing.TB, c *Client, req chat.Request) []byte {
	t.Helper()
	if req.Model == "" {
		req.Model = c.opts.Model
	}
	b, err := c.sessions.body(c, req, change{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(b.reader())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != b.len() {
		t.Fatalf("the body has %d bytes and says %d", len(data), b.len())
	}
	return data
}

// onOpenRouter returns a client that believes to talk to OpenRouter itself.
func onOpenRouter(t testing.TB) *Client {
	return client(t, Options{Model: "anthropic/claude-sonnet-4"})
}

// messagesOf cuts the list of messages out of a body.
func messagesOf(t testing.TB, body []byte) string {
	t.Helper()
	if err := openroutertest.Check(body); err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	_, list, _ := strings.Cut(string(body), `"messages":[`)
	list, _, _ = strings.Cut(list, `],"max_tokens"`)
	return strings.TrimSuffix(strings.TrimSuffix(list, "}"), "]")
}

func call(id, name, input, result string) chat.ToolCall {
	return chat.ToolCall{
		ID: id, Name: name, State: chat.OutputAvailable, Input: json.RawMessage(input), Output: &chat.Output{Text: result},
	}
}

// assistant makes a message of steps that are all answered.
func assistant(id string, steps ...[]chat.Part) chat.Message {
	m := chat.Message{ID: id, Role: chat.Assistant}
	for _, parts := range steps {
		m.Parts = append(append(m.Parts, chat.StepStart{}), parts...)
		m.Steps = append(m.Steps, chat.Step{Status: chat.StepAnswered, Model: "anthropic/claude-sonnet-4"})
	}
	return m
}

func TestMessagesOnTheWire(t *testing.T) {
	no := false
	details := json.RawMessage(`[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0}]`)
	with := func(m chat.Message, change func(*chat.Step)) chat.Message {
		change(&m.Steps[len(m.Steps)-1])
		return m
	}
	tests := []struct {
		name string
		in   []chat.Message
		want []string
	}{
		{"a prompt", []chat.Message{user("u", "a <b> & \"c\"\n")}, []string{`{"role":"user","content":"a <b> & \"c\"\n"}`}},
		{"a blank prompt is nothing", []chat.Message{user("u", " \n"), user("v", "x")}, []string{`{"role":"user","content":"x"}`}},
		{
			"an answer with text and two calls",
			[]chat.Message{assistant("a", []chat.Part{chat.Text{Text: "so"}, call("1", "read", `{"p": 1}`, "one"), call("2", "read", `{}`, "")})},
			[]string{
				`{"role":"assistant","content":"so","tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{\"p\":1}"}},{"id":"2","type":"function","function":{"name":"read","arguments":"{}"}}]}`,
				`{"role":"tool","content":"one","tool_call_id":"1"}`,
				`{"role":"tool","content":"(no output)","tool_call_id":"2"}`,
			},
		},
		{
			"only calls have null content",
			[]chat.Message{assistant("a", []chat.Part{chat.Text{Text: "\n"}, call("1", "ls", ``, "x")})},
			[]string{
				`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"ls","arguments":"{}"}}]}`,
				`{"role":"tool","content":"x","tool_call_id":"1"}`,
			},
		},
		{
			"broken arguments, a denial, an error, no result, a strange name",
			[]chat.Message{assistant("a", []chat.Part{
				chat.ToolCall{ID: "1", Name: "read", State: chat.OutputError, Input: json.RawMessage(`"{\"p\":"`), Error: "not valid JSON"},
				chat.ToolCall{ID: "2", Name: "bash", State: chat.OutputDenied, Input: json.RawMessage(`{}`), Approval: &chat.Approval{Approved: &no, Reason: "too risky"}},
				chat.ToolCall{ID: "3", Name: "a b<|x|>", State: chat.InputAvailable, Input: json.RawMessage(`[1]`)},
			})},
			[]string{
				`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{}"}},{"id":"2","type":"function","function":{"name":"bash","arguments":"{}"}},{"id":"3","type":"function","function":{"name":"a_b__x__","arguments":"{}"}}]}`,
				`{"role":"tool","content":"error: not valid JSON","tool_call_id":"1"}`,
				`{"role":"tool","content":"denied by the user: too risky","tool_call_id":"2"}`,
				`{"role":"tool","content":"(there is no result: the call was not run to its end)","tool_call_id":"3"}`,
			},
		},
		{
			"steering stands behind the results",
			[]chat.Message{assistant("a", []chat.Part{chat.Steering{Text: "faster"}, call("1", "ls", `{}`, "x")}, []chat.Part{chat.Text{Text: "ok"}})},
			[]string{
				`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"ls","arguments":"{}"}}]}`,
				`{"role":"tool","content":"x","tool_call_id":"1"}`,
				`{"role":"user","content":"faster"}`,
				`{"role":"assistant","content":"ok"}`,
			},
		},
		{
			"an interrupted step is left out, steering in it is not",
			[]chat.Message{user("u", "x"), with(assistant("a", []chat.Part{chat.Text{Text: "half"}, chat.Steering{Text: "s"}}), func(s *chat.Step) { s.Status = chat.StepInterrupted })},
			[]string{`{"role":"user","content":"x"}`, `{"role":"user","content":"s"}`},
		},
		{
			"an open step is left out",
			[]chat.Message{user("u", "x"), with(assistant("a", []chat.Part{chat.Text{Text: "half"}}), func(s *chat.Step) { s.Status = chat.StepOpen })},
			[]string{`{"role":"user","content":"x"}`},
		},
		{
			"a cancelled step keeps its text",
			[]chat.Message{with(assistant("a", []chat.Part{chat.Text{Text: "half"}}), func(s *chat.Step) { s.Status = chat.StepCancelled })},
			[]string{`{"role":"assistant","content":"half"}`, `{"role":"user","content":"[I interrupted your answer here.]"}`},
		},
		{
			"only reasoning is left out",
			[]chat.Message{user("u", "x"), with(assistant("a", []chat.Part{chat.Reasoning{Text: "hm"}}), func(s *chat.Step) { s.Details = details })},
			[]string{`{"role":"user","content":"x"}`},
		},
		{
			"details of the same family go back",
			[]chat.Message{with(assistant("a", []chat.Part{chat.Text{Text: "x"}}), func(s *chat.Step) { s.Details, s.Model = details, "anthropic/claude-opus" })},
			[]string{`{"role":"assistant","content":"x","reasoning_details":[{"format":"anthropic-claude-v1","index":0,"signature":"s","text":"hm","type":"reasoning.text"}]}`},
		},
		{
			"details of another family do not",
			[]chat.Message{with(assistant("a", []chat.Part{chat.Text{Text: "x"}}), func(s *chat.Step) { s.Details, s.Model = details, "openai/gpt" })},
			[]string{`{"role":"assistant","content":"x"}`},
		},
		{
			"a text of Claude without signature does not",
			[]chat.Message{with(assistant("a", []chat.Part{chat.Text{Text: "x"}}), func(s *chat.Step) {
				s.Details = json.RawMessage(`[{"type":"reasoning.text","text":"hm"}]`)
			})},
			[]string{`{"role":"assistant","content":"x"}`},
		},
		{
			"an empty list of details goes back",
			[]chat.Message{with(assistant("a", []chat.Part{chat.Text{Text: "x"}}), func(s *chat.Step) { s.Details = json.RawMessage(`[]`) })},
			[]string{`{"role":"assistant","content":"x","reasoning_details":[]}`},
		},
		{
			"an encrypted id goes back once",
			[]chat.Message{
				with(assistant("a", []chat.Part{chat.Text{Text: "x"}}), func(s *chat.Step) {
					s.Details = json.RawMessage(`[{"type":"reasoning.encrypted","id":"rs_1","data":"d"}]`)
				}),
				with(assistant("b", []chat.Part{chat.Text{Text: "y"}}), func(s *chat.Step) {
					s.Details = json.RawMessage(`[{"type":"reasoning.encrypted","id":"rs_1","data":"d"},{"type":"new","x":1}]`)
				}),
			},
			[]string{
				`{"role":"assistant","content":"x","reasoning_details":[{"data":"d","id":"rs_1","type":"reasoning.encrypted"}]}`,
				`{"role":"assistant","content":"y","reasoning_details":[{"type":"new","x":1}]}`,
			},
		},
		{
			"files",
			[]chat.Message{{ID: "u", Role: chat.User, Parts: []chat.Part{
				chat.File{MediaType: "image/png", URL: "data:image/png;base64,AA=="},
				chat.Text{Text: "look"},
				chat.File{MediaType: "application/pdf", URL: "https://x.test/a.pdf", Filename: "a.pdf"},
				chat.File{MediaType: "text/plain; charset=utf-8", URL: "data:text/plain;base64,aGk=", Filename: "n.txt"},
				chat.File{MediaType: "video/mp4", URL: "data:video/mp4;base64,AA==", Filename: "v.mp4"},
			}}},
			[]string{`{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},` +
				`{"type":"file","file":{"filename":"a.pdf","file_data":"https://x.test/a.pdf"}},{"type":"text","text":"[attached file n.txt]\nhi"},` +
				`{"type":"text","text":"[attached file v.mp4 of type video/mp4: its content cannot be sent to a model]"}]}`},
		},
		{
			"a client's own answer has no steps",
			[]chat.Message{{ID: "a", Role: chat.Assistant, Parts: []chat.Part{chat.Text{Text: "x"}, chat.Unknown{Raw: json.RawMessage(`{}`)}}}},
			[]string{`{"role":"assistant","content":"x"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := messagesOf(t, built(t, onOpenRouter(t), chat.Request{Messages: tt.in}))
			if want := strings.Join(tt.want, ","); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestOnlyOpenRouterGetsFieldsOfItsOwn(t *testing.T) {
	req := chat.Request{
		Session: "s1", System: "sys", Tools: []chat.ToolSpec{{Name: "read", Description: "Reads <a> file.", Schema: json.RawMessage(`{"type": "object"}`)}, {Name: "ls"}},
		Messages: []chat.Message{user("u", "x")},
	}
	req.Messages = append(req.Messages, assistant("a", []chat.Part{chat.Text{Text: "y"}}))
	req.Messages[1].Steps[0].Details = json.RawMessage(`[]`)
	const tools = `"tools":[{"type":"function","function":{"name":"read","description":"Reads <a> file.","parameters":{"type":"object"}}},{"type":"function","function":{"name":"ls","parameters":{"type":"object","properties":{}}}}]`
	tests := []struct{ base, model, want string }{
		{"", "anthropic/claude-sonnet-4", `{"model":"anthropic/claude-sonnet-4","stream":true,"stream_options":{"include_usage":true},"session_id":"s1","cache_control":{"type":"ephemeral"},` + tools +
			`,"messages":[{"role":"system","content":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"x"},{"role":"assistant","content":"y","reasoning_details":[]}]}`},
		{"", "anthropic/claude-3:free", `{"model":"anthropic/claude-3:free","stream":true,"stream_options":{"include_usage":true},"session_id":"s1","cache_control":{"type":"ephemeral"},` + tools +
			`,"messages":[{"role":"system","content":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"x"},{"role":"assistant","content":"y","reasoning_details":[]}]}`},
		{"", "qwen/qwen3-coder", `{"model":"qwen/qwen3-coder","stream":true,"stream_options":{"include_usage":true},"session_id":"s1",` + tools +
			`,"messages":[{"role":"system","content":"sys"},{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}`},
		{"http://localhost:11434/v1/", "qwen3", `{"model":"qwen3","stream":true,"stream_options":{"include_usage":true},` + tools +
			`,"messages":[{"role":"system","content":"sys"},{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}`},
	}
	for _, tt := range tests {
		req.Model = tt.model
		if got := string(built(t, client(t, Options{BaseURL: tt.base}), req)); got != tt.want {
			t.Errorf("%s for %s: got\n%s\nwant\n%s", tt.base, tt.model, got, tt.want)
		}
	}
	broken := chat.Request{Model: "m", Tools: []chat.ToolSpec{{Name: "x", Schema: json.RawMessage(`{`)}}}
	if _, err := onOpenRouter(t).sessions.body(onOpenRouter(t), broken, change{}); err == nil || !strings.Contains(err.Error(), "tool x") {
		t.Errorf("a broken schema: got error %v, want one that names the tool", err)
	}
}

// script plays a conversation of the given number of steps: prompts, reading and editing, an answer with details, all
// in the way the transcript folds them.
type script struct {
	t    chat.Transcript
	step int
	turn int // steps of a turn; 0 means 10
}

// next adds what happens until the next request.
func (s *script) next() {
	n := s.step
	s.step++
	if n%defaultTo(s.turn, 10) == 0 {
		if n > 0 {
			s.t.Apply(chat.TurnFinished{Reason: chat.FinishStop})
		}
		s.t.Append(user(fmt.Sprintf("u%d", n), fmt.Sprintf("prompt %d: fix the <bug> & test", n)))
		s.t.Apply(chat.TurnStarted{MessageID: fmt.Sprintf("a%d", n)})
		return
	}
	id := fmt.Sprintf("call%d", n)
	s.t.Apply(chat.StepStarted{})
	s.t.Apply(chat.TextStarted{ID: id})
	s.t.Apply(chat.TextDelta{ID: id, Delta: "Now I look at file " + id})
	s.t.Apply(chat.TextEnded{ID: id})
	s.t.Apply(chat.ToolCalled{ToolCallID: id, ToolName: "read", Input: json.RawMessage(`{"path":"` + id + `.go"}`)})
	s.t.Apply(chat.Answered{Model: "anthropic/claude-sonnet-4", Reason: chat.ModelTools, Details: json.RawMessage(
		fmt.Sprintf(`[{"type":"reasoning.text","text":"thinking","signature":"sig%d","format":"anthropic-claude-v1"}]`, n),
	)})
	s.t.Apply(chat.ToolStarted{ToolCallID: id})
	s.t.Apply(chat.ToolFinished{ToolCallID: id, Output: chat.Output{Text: strings.Repeat("line of code\n", 40)}})
	s.t.Apply(chat.StepFinished{})
	if n%7 == 0 {
		s.t.Apply(chat.Steered{ID: "s" + id, Text: "hurry"})
	}
}

func (s *script) request(session string) chat.Request {
	return chat.Request{Model: "anthropic/claude-sonnet-4", Session: session, System: "You are coder.", Messages: s.t.Snapshot()}
}

func TestEachRequestExtendsTheOneBeforeByteForByte(t *testing.T) {
	c := onOpenRouter(t)
	var s script
	var last []byte
	for n := range 30 {
		s.next()
		body := built(t, c, s.request("s"))
		if fresh := built(t, onOpenRouter(t), s.request("s")); !bytes.Equal(body, fresh) {
			t.Fatalf("request %d differs from one that is built anew:\n%s\n%s", n, body, fresh)
		}
		messagesOf(t, body)
		if prefix := bytes.TrimSuffix(last, []byte("]}")); !bytes.HasPrefix(body, prefix) {
			t.Fatalf("request %d does not extend the one before:\n%s\n%s", n, last, body)
		}
		if len(body) <= len(last) {
			t.Fatalf("request %d has %d bytes, the one before %d", n, len(body), len(last))
		}
		last = body
	}
}

func TestWhatChangedIsEncodedAnew(t *testing.T) {
	c := onOpenRouter(t)
	var s script
	for range 5 {
		s.next()
	}
	req := s.request("s")
	before := built(t, c, req)
	check := func(name string, req chat.Request) {
		t.Helper()
		if got, want := built(t, c, req), built(t, onOpenRouter(t), req); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	edited := req
	edited.Messages = append([]chat.Message{user("u0", "another prompt with the same id")}, req.Messages[1:]...)
	check("an edited prompt", edited)
	check("the old prompt again", req)
	shorter := req
	shorter.Messages = req.Messages[:1]
	check("a shorter conversation", shorter)
	check("the longer again", req)
	system := req
	system.System = "You are another."
	check("another system prompt", system)
	other := req
	other.Model = "openai/gpt-5"
	check("another model", other)
	if body := built(t, c, other); bytes.Contains(body, []byte("reasoning_details")) {
		t.Errorf("details of Claude go to another family: %s", body)
	}
	if after := built(t, c, req); !bytes.Equal(before, after) {
		t.Errorf("back at the first model: got\n%s\nwant\n%s", after, before)
	}
}

func TestWhatIsKeptOfSessionsIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	c := client(t, Options{Now: func() time.Time { return now }})
	for i := range 3 * mostSessions {
		built(t, c, chat.Request{Session: fmt.Sprint(i), Messages: []chat.Message{user("u", "x")}})
	}
	k := c.sessions
	if len(k.byName) != mostSessions || k.recent.Len() != mostSessions {
		t.Errorf("%d sessions are kept, want %d", len(k.byName), mostSessions)
	}
	k.most = 1 << 20
	big := user("u", strings.Repeat("x", k.most))
	built(t, c, chat.Request{Session: "big", Messages: []chat.Message{big}})
	if len(k.byName) != 1 || k.size < k.most {
		t.Errorf("%d sessions of %d bytes are kept beside a very large one, want 1", len(k.byName), k.size)
	}
	now = now.Add(keptFor)
	k.expire()
	if len(k.byName) != 0 || k.size != 0 || k.sweep != nil {
		t.Errorf("%d sessions of %d bytes are kept of those that rest, want none", len(k.byName), k.size)
	}
}

// Request 200 of a session must cost what request 10 costs: what is new is encoded, the rest is compared and copied.
func BenchmarkBuildRequest(b *testing.B) {
	for _, bench := range []struct{ steps, turn int }{{10, 10}, {50, 10}, {200, 10}, {10, 1000}, {200, 1000}, {4000, 2}} {
		b.Run(fmt.Sprintf("step%d/turnsOf%d", bench.steps, bench.turn), func(b *testing.B) {
			steps := bench.steps + 1
			c := onOpenRouter(b)
			s := script{turn: bench.turn}
			for range steps {
				s.next()
			}
			before := s.request("s")
			s.next()
			after := s.request("s")
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				if _, err := c.sessions.body(c, before, change{}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if _, err := c.sessions.body(c, after, change{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
