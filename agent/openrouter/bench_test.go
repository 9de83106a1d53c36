package openrouter

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// answerWith returns a client whose server gives the same stream to every request, from memory.
func answerWith(t testing.TB, body []byte) *Client {
	return client(t, Options{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, req.Body)
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: req,
			Body: io.NopCloser(bytes.NewReader(body)), ProtoMajor: 2,
		}, nil
	})})
}

// manyChunks is a stream of n deltas as OpenRouter sends them, about 270 bytes each.
func manyChunks(n int, delta func(i int) string) []byte {
	var b bytes.Buffer
	b.WriteString(": OPENROUTER PROCESSING\n\n")
	for i := range n {
		fmt.Fprintf(&b, `data: {"id":"gen-1777319799-zuunrpiKsDif28jflHYf","object":"chat.completion.chunk","created":1777319799,`+
			`"model":"anthropic/claude-4.5-haiku-20251001","provider":"Amazon Bedrock","choices":[{"index":0,"delta":{%s,"role":"assistant"},`+
			`"finish_reason":null,"native_finish_reason":null}]}`+"\n\n", delta(i))
	}
	b.WriteString(`data: {"id":"g","choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\ndata: [DONE]\n\n")
	return b.Bytes()
}

func text(i int) string { return fmt.Sprintf(`"content":"word%d "`, i) }

func benchmarkStream(b *testing.B, n int, body []byte) {
	c := answerWith(b, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		events := 0
		for _, err := range c.Stream(b.Context(), chat.Request{Messages: []chat.Message{user("u", "hi")}}) {
			if err != nil {
				b.Fatal(err)
			}
			events++
		}
		if events < n {
			b.Fatalf("%d events, want %d", events, n)
		}
	}
}

func BenchmarkStream20000Chunks(b *testing.B) {
	b.Run("text", func(b *testing.B) { benchmarkStream(b, 20000, manyChunks(20000, text)) })
	b.Run("escapes", func(b *testing.B) {
		benchmarkStream(b, 20000, manyChunks(20000, func(i int) string { return fmt.Sprintf(`"content":"\n\tword%d\""`, i) }))
	})
	b.Run("reasoning", func(b *testing.B) {
		benchmarkStream(b, 20000, manyChunks(20000, func(i int) string {
			return fmt.Sprintf(`"content":"","reasoning":"word%d ","reasoning_details":[{"type":"reasoning.text","text":"word%d ","format":"anthropic-claude-v1","index":0}]`, i, i)
		}))
	})
	b.Run("arguments", func(b *testing.B) {
		benchmarkStream(b, 20000, manyChunks(20000, func(i int) string {
			if i == 0 {
				return `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"write","arguments":""}}]`
			}
			if i == 1 {
				return `"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":\""}}]`
			}
			if i == 19999 {
				return `"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]`
			}
			return fmt.Sprintf(`"tool_calls":[{"index":0,"function":{"arguments":"word%d "}}]`, i)
		}))
	})
}

// The same over a real connection, server included.
func BenchmarkStreamOverSocket(b *testing.B) {
	body := manyChunks(20000, text)
	s := openroutertest.New(openroutertest.Response{Body: body, Repeat: true})
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := client(b, Options{BaseURL: s.URL()})
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range c.Stream(b.Context(), chat.Request{Messages: []chat.Message{user("u", "hi")}}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkLineOf1MB(b *testing.B) {
	benchmarkStream(b, 1, manyChunks(1, func(int) string { return `"content":"` + strings.Repeat("0123456789abcdef", 1<<16) + `"` }))
}
