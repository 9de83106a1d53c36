package recorded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest/recorded"
)

func TestAllFormatsAreRead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.sse":        "data: {}\n\n",
		"b.chunks.txt": "{\"a\":1}\n\n{\"b\":2}\n",
		"c/go-vcr.yaml": `
interactions:
- response: {status: 200 OK, code: 200, body: "data: {}\n\n"}
- response: {status: 200 OK, code: 200, body: "{}"}
`,
		"d/vcrpy.yaml": `
interactions:
- response: {status: {code: 429, message: Too Many}, parsed_body: {error: {b: 1, a: x}}}
- response: {status: {code: 200, message: OK}, body: {string: !!binary ZGF0YToge30KCg==}}
`,
		"README.md": "not a recording",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := recorded.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name   string
		status int
		body   string
		stream bool
	}{
		{"a.sse", 200, "data: {}\n\n", true},
		{"b.chunks.txt", 200, "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n", true},
		{"c/go-vcr.yaml", 200, "data: {}\n\n", true},
		{"c/go-vcr.yaml#2", 200, "{}", false},
		{"d/vcrpy.yaml", 429, `{"error":{"a":"x","b":1}}`, false},
		{"d/vcrpy.yaml#2", 200, "data: {}\n\n", true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d answers, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if a := got[i]; a.Name != w.name || a.Status != w.status || string(a.Body) != w.body || a.Stream() != w.stream {
			t.Errorf("got %q %d %q stream %v, want %+v", a.Name, a.Status, a.Body, a.Stream(), w)
		}
	}
}
