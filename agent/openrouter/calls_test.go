package openrouter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
)

// streamOf frames deltas as a stream that ends with the finish reason.
func streamOf(finish string, deltas ...string) []byte {
	var b strings.Builder
	for _, d := range deltas {
		fmt.Fprintf(&b, "data: {\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":null}]}\n\n", d)
	}
	fmt.Fprintf(&b, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":%q}]}\n\ndata: [DONE]\n\n", finish)
	return []byte(b.String())
}

// fragments frames tool call fragments, one a chunk.
func fragments(finish string, list ...string) []byte {
	for i, f := range list {
		list[i] = `{"tool_calls":[` + f + `]}`
	}
	return streamOf(finish, list...)
}

// What providers do to streamed calls, as recorded or reported, and what must come of it.
func TestCallsOfAllProviders(t *testing.T) {
	tests := []struct {
		name   string
		stream []byte
		want   string // ToolCalled and ToolInputFailed, in order
	}{
		{"the usual", fragments("tool_calls", `{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}`, `{"index":0,"function":{"arguments":"{\"x\":"}}`, `{"index":0,"function":{"arguments":"1}"}}`), `called a f {"x":1}`},
		{"no arguments at first (Fireworks)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"function":{"arguments":null}}`, `{"index":0,"function":{"arguments":"{}"}}`), `called a f {}`},
		{"all in one piece (Groq)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`), `called a f {"x":1}`},
		{"null id and name later (Together)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":""}}`, `{"index":0,"id":null,"function":{"name":null,"arguments":"{}"}}`), `called a f {}`},
		{"id again and empty name (BaseTen)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`, `{"index":0,"id":"a","function":{"name":"","arguments":"}"}}`), `called a f {}`},
		{"a new call under the same index (SiliconFlow)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"index":0,"id":"b","function":{"name":"f"}}`), "called a f {\"x\":1}\ncalled b f {}"},
		{"two calls, interleaved", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":1,"id":"b","function":{"name":"g"}}`, `{"index":0,"function":{"arguments":"{\"x\":0}"}}`, `{"index":1,"function":{"arguments":"{\"x\":1}"}}`), "called a f {\"x\":0}\ncalled b g {\"x\":1}"},
		{"no index (Ollama)", fragments("stop", `{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}`, `{"function":{"arguments":"1}"}}`, `{"id":"b","function":{"name":"f","arguments":"{}"}}`), "called a f {\"x\":1}\ncalled b f {}"},
		{"all index 0, no ids (Gemini)", fragments("stop", `{"index":0,"id":"","function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"index":0,"id":"","function":{"name":"f","arguments":"{\"x\":2}"}}`, `{"index":0,"function":{"name":"g","arguments":""}}`), "called fresh1 f {\"x\":1}\ncalled fresh2 f {\"x\":2}\ncalled fresh3 g {}"},
		{"no index, no id", fragments("stop", `{"function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"function":{"name":"g","arguments":"{}"}}`), "called fresh1 f {\"x\":1}\ncalled fresh2 g {}"},
		{"all index 0 with ids", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":""}}`, `{"index":0,"id":"a","function":{"arguments":" "}}`, `{"index":0,"id":"b","function":{"arguments":"{}"}}`), "called a f {}\ncalled b f {}"},
		{"the same id twice", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":1,"id":"a","function":{"name":"g","arguments":"{}"}}`), "called a f {}\ncalled fresh1 g {}"},
		{"an id of an earlier answer (Kimi)", fragments("tool_calls", `{"index":0,"id":"functions.f:0","function":{"name":"f","arguments":"{}"}}`), `called fresh1 f {}`},
		{"arguments as an object", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}`), `called a f {"x":1}`},
		{"index as text", fragments("tool_calls", `{"index":"0","id":"a","function":{"name":"f"}}`, `{"index":"0","function":{"arguments":"{}"}}`), `called a f {}`},
		{"blanks after complete JSON (Kimi)", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"function":{"arguments":"  \n"}}`), `called a f {}`},
		{"the name comes late", fragments("tool_calls", `{"index":0,"id":"a","function":{"arguments":"{\"x\":"}}`, `{"index":0,"function":{"name":"f","arguments":"1}"}}`), `called a f {"x":1}`},
		{"no name at all", fragments("tool_calls", `{"index":0,"id":"a","function":{"arguments":"{}"}}`), `called a unknown {}`},
		{"null arguments", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"null"}}`), `called a f {}`},
		{"index from 1", fragments("tool_calls", `{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}`), `called a f {}`},
		{"not JSON", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"src/main.go{}"}}`), `failed a f "src/main.go{}": the arguments of this call are not valid JSON, so it was not run: invalid character 's' looking for beginning of value after "s"; send the call again`},
		{"not an object", fragments("tool_calls", `{"index":0,"id":"a","function":{"name":"f","arguments":"[1]"}}`), `failed a f [1]: the arguments of this call are not a JSON object: [1]; send the call again with an object`},
		{"cut by the output limit", fragments("length", `{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":"{\"x\":\"lo"}}`), "called a f {}\nfailed b g \"{\\\"x\\\":\\\"lo\": the answer reached the output limit before the arguments of this call were complete, so it was not run; send less at once, for example in several smaller calls"},
		{"cut before any argument", fragments("length", `{"index":0,"id":"a","function":{"name":"f","arguments":""}}`), "failed a f \"\": the answer reached the output limit before the arguments of this call were complete, so it was not run; send less at once, for example in several smaller calls"},
		{"complete at the output limit", fragments("length", `{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`), `called a f {"x":1}`},
		{"filtered", fragments("content_filter", `{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), "failed a f \"{\": a content filter ended the answer before the arguments of this call were complete, so it was not run"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := answerWith(t, tt.stream)
			before := assistant("m", []chat.Part{call("functions.f:0", "f", `{}`, "x")})
			events, err := ask(t, c, user("u", "go"), before)
			var got []string
			for line := range strings.Lines(summary(events, err)) {
				if strings.HasPrefix(line, "called") || strings.HasPrefix(line, "failed") || strings.HasPrefix(line, "error") {
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
			checkOrder(t, events)
		})
	}
}

// checkOrder checks what agent.Model promises of the order of a complete response's events.
func checkOrder(t *testing.T, events []chat.Event) {
	t.Helper()
	began, input, ended := map[string]bool{}, map[string]string{}, map[string]bool{}
	for i, e := range events {
		switch e := e.(type) {
		case chat.ToolInputStarted:
			if began[e.ToolCallID] {
				t.Errorf("call %s begins twice", e.ToolCallID)
			}
			began[e.ToolCallID] = true
		case chat.ToolInputDelta:
			if !began[e.ToolCallID] {
				t.Errorf("input of %s before its beginning", e.ToolCallID)
			}
			input[e.ToolCallID] += e.InputTextDelta
		case chat.ToolCalled:
			if !began[e.ToolCallID] || ended[e.ToolCallID] {
				t.Errorf("call %s ends without a beginning, or twice", e.ToolCallID)
			}
			ended[e.ToolCallID] = true
			if in, err := compactJSON([]byte(input[e.ToolCallID])); err == nil && in[0] == '{' && string(in) != string(e.Input) {
				t.Errorf("call %s: the deltas say %s, the call %s", e.ToolCallID, in, e.Input)
			}
		case chat.ToolInputFailed:
			ended[e.ToolCallID] = true
			if !json.Valid(e.Input) || e.ErrorText == "" {
				t.Errorf("failed call %s has input %q and error %q", e.ToolCallID, e.Input, e.ErrorText)
			}
		case chat.Answered:
			if i != len(events)-1 {
				t.Errorf("Answered is event %d of %d", i+1, len(events))
			}
		}
	}
	if len(began) != len(ended) {
		t.Errorf("%d calls began, %d ended", len(began), len(ended))
	}
}

func TestDetailsAreMerged(t *testing.T) {
	details := func(list ...string) string { return `{"reasoning_details":[` + strings.Join(list, ",") + `]}` }
	tests := []struct {
		name   string
		deltas []string
		want   string
	}{
		{
			"Claude's signature comes after the text of the answer",
			[]string{details(`{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0}`), details(`{"type":"reasoning.text","text":"b","format":"anthropic-claude-v1","index":0}`), `{"content":"x"}`, details(`{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}`)},
			`[{"format":"anthropic-claude-v1","index":0,"signature":"s","text":"ab","type":"reasoning.text"}]`,
		},
		{
			"a second block after a signature",
			[]string{details(`{"type":"reasoning.text","text":"a","signature":"s","index":0}`), details(`{"type":"reasoning.text","text":"b","index":0}`), `{"content":"x"}`},
			`[{"index":0,"signature":"s","text":"a","type":"reasoning.text"},{"index":0,"text":"b","type":"reasoning.text"}]`,
		},
		{
			"encrypted ones with different ids stay apart, unknown fields stay",
			[]string{details(`{"type":"reasoning.encrypted","data":"1","id":"a","index":0,"x":{"y":1}}`, `{"type":"reasoning.encrypted","data":"2","id":"b","index":0}`), `{"content":"x"}`},
			`[{"data":"1","id":"a","index":0,"type":"reasoning.encrypted","x":{"y":1}},{"data":"2","id":"b","index":0,"type":"reasoning.encrypted"}]`,
		},
		{
			"a summary, then what is encrypted with the same index",
			[]string{details(`{"type":"reasoning.summary","summary":"a","index":0}`), details(`{"type":"reasoning.summary","summary":"<b>","index":0,"id":null}`), details(`{"type":"reasoning.encrypted","data":"d","id":"rs_1","index":0}`), `{"content":"x"}`},
			`[{"id":null,"index":0,"summary":"a<b>","type":"reasoning.summary"},{"data":"d","id":"rs_1","index":0,"type":"reasoning.encrypted"}]`,
		},
		{
			"unknown types are kept as they are",
			[]string{details(`{"type":"new","text":"a"}`, `{"type":"new","text":"b"}`), `{"content":"x"}`},
			`[{"text":"a","type":"new"},{"text":"b","type":"new"}]`,
		},
		{"an empty list is one", []string{`{"reasoning_details":[]}`, `{"content":"x"}`}, `[]`},
		{"none is none", []string{`{"content":"x","reasoning_details":null}`}, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := ask(t, answerWith(t, streamOf("stop", tt.deltas...)))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(events[len(events)-1].(chat.Answered).Details); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPlainAnswers(t *testing.T) {
	tests := []struct {
		name   string
		stream []byte
		want   string
	}{
		{"blank text before a call is dropped", streamOf("tool_calls", `{"content":"\n\n"}`, `{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}`), "began a f\ninput a \"{}\"\ncalled a f {}\nanswered tool-calls"},
		{"blank text before text is kept", streamOf("stop", `{"content":"\n"}`, `{"content":" "}`, `{"content":"x"}`), "text \"\\n x\"\nanswered stop"},
		{"only reasoning is an answer", streamOf("stop", `{"reasoning":"hm"}`), "reasoning \"hm\"\nanswered stop"},
		{"reasoning_content", streamOf("stop", `{"reasoning_content":"hm"}`, `{"content":"x"}`), "reasoning \"hm\"\ntext \"x\"\nanswered stop"},
		{"reasoning only in the details", streamOf("stop", `{"reasoning_details":[{"type":"reasoning.summary","summary":"hm"}]}`, `{"content":"x"}`), "reasoning \"hm\"\ntext \"x\"\nanswered stop"},
		{"content in parts", streamOf("stop", `{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]}`), "reasoning \"hm\"\ntext \"x\"\nanswered stop"},
		{"a refusal is text", streamOf("stop", `{"refusal":"no"}`), "text \"no\"\nanswered stop"},
		{"length without anything", streamOf("length"), "answered length"},
		{"an unknown finish reason", streamOf("network_error", `{"content":"x"}`), "text \"x\"\nanswered other"},
		{"an unknown finish reason with nothing", streamOf("network_error"), "retrying 2 of 4: the model sent an empty answer"},
		{"finish reason error without an error", streamOf("error", `{"content":"x"}`), "text \"x\"\nerror the provider ended the answer with an error and did not say which"},
		{"a whole message", []byte(`data: {"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"), "text \"x\"\nanswered stop"},
		{"other choices do not count", []byte(`data: {"choices":[{"index":1,"delta":{"content":"y"}},{"index":0,"delta":{"content":"x"}}]}` + "\n\ndata: [DONE]\n\n"), "text \"x\"\nanswered stop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(ask(t, answerWith(t, tt.stream))); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestUsageWhereverItComes(t *testing.T) {
	full := `{"prompt_tokens":100,"completion_tokens":20.0,"cost":0.5,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30},"completion_tokens_details":{"reasoning_tokens":7}}`
	want := chat.Usage{Input: 100, Output: 20, Cached: 60, CacheWrite: 30, Reasoning: 7, Cost: 0.5}
	const text = `data: {"id":"gen-1","model":"a/b","provider":"P","choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n"
	tests := []struct {
		name, chunk string
		want        chat.Usage
	}{
		{"without choices", `{"choices":[],"usage":` + full + `}`, want},
		{"with a choice that says nothing", `{"choices":[{"delta":{},"finish_reason":null}],"usage":` + full + `}`, want},
		{"with the finish reason again", `{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":` + full + `}`, want},
		{"in the choice", `{"choices":[{"delta":{},"usage":` + full + `}]}`, want},
		{"in x_groq", `{"choices":[{"delta":{}}],"x_groq":{"usage":` + full + `}}`, want},
		{"nulls", `{"choices":[],"usage":{"prompt_tokens":1,"cost":null,"prompt_tokens_details":null}}`, chat.Usage{Input: 1}},
		{"an own key", `{"choices":[],"usage":{"prompt_tokens":1,"cost":0.25,"is_byok":true,"cost_details":{"upstream_inference_cost":0.5}}}`, chat.Usage{Input: 1, Cost: 0.75}},
		{"DeepSeek", `{"choices":[],"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":5}}`, chat.Usage{Input: 9, Cached: 5}},
	}
	for _, tt := range tests {
		events, err := ask(t, answerWith(t, []byte(text+"data: "+tt.chunk+"\n\ndata: [DONE]\n\n")))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		a := events[len(events)-1].(chat.Answered)
		if a.Usage != tt.want || a.Served != "a/b" || a.Provider != "P" || a.Generation != "gen-1" || a.Model != "test/model" {
			t.Errorf("%s: got %+v, want usage %+v", tt.name, a, tt.want)
		}
	}
}
