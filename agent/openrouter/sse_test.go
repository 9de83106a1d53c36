package openrouter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest/recorded"
)

// normalised reads a stream through the normaliser.
func normalised(source io.Reader) (string, error) {
	out, err := io.ReadAll(noEOF{newEvents(bufio.NewReaderSize(source, 64), io.NopCloser(source))})
	if errors.Is(err, errDone) {
		err = nil
	}
	return string(out), err
}

var errDone = errors.New("done")

// noEOF makes the normaliser's own end visible: io.ReadAll would swallow it.
type noEOF struct{ r io.Reader }

func (n noEOF) Read(p []byte) (int, error) {
	count, err := n.r.Read(p)
	if err == io.EOF {
		err = errDone
	}
	return count, err
}

func TestEventsOfAllServers(t *testing.T) {
	tests := []struct {
		name, in, want string
		err            error
	}{
		{"the usual", "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n", "data: { \"a\":1}\ndata: { \"b\":2}\ndata: [DONE]\n", nil},
		{"comments, ids, names", ": hi\n\nevent: x\nid: 1\nretry: 3\ndata: {}\n: hi\n\ndata: [DONE]\n\n", "data: { }\ndata: [DONE]\n", nil},
		{"a byte order mark", "\ufeffdata: {}\n\ndata: [DONE]\n\n", "data: { }\ndata: [DONE]\n", nil},
		{"CRLF", "data: {}\r\n\r\ndata: [DONE]\r\n\r\n", "data: { }\ndata: [DONE]\n", nil},
		{"no space", "data:{}\n\ndata:[DONE]\n\n", "data: { }\ndata: [DONE]\n", nil},
		{"no blank lines", "data: {}\ndata: {\"a\":1}\ndata: [DONE]\n", "data: { }\ndata: { \"a\":1}\ndata: [DONE]\n", nil},
		{"several lines", "data: {\"a\":\ndata: 1}\n\ndata: [DONE]\n\n", "data: { \"a\": 1}\ndata: [DONE]\n", nil},
		{"error first", "data: {\"error\":{}}\n\n", "data: { \"error\":{}}\n", errTruncated},
		{"a bare error", "{\"error\":{}}\n", "data: { \"error\":{}}\n", errTruncated},
		{"a bare error over lines", "{\n \"error\": {}\n}\n", "data: {  \"error\": {} }\n", errTruncated},
		{"a bare error after data", "data: {}\n\n{\"error\":{}}\n", "data: { }\ndata: { \"error\":{}}\n", errTruncated},
		{"anything after [DONE]", "data: [DONE]\n\n{\"error\":{}}\n", "data: [DONE]\n", nil},
		{"no end", "data: {}\n\n", "data: { }\n", errTruncated},
		{"no newline at the end", "data: {}", "data: { }\n", errTruncated},
		{"[DONE] without a newline", "data: {}\n\ndata: [DONE]", "data: { }\ndata: [DONE]\n", nil},
		{"half an event", "data: {}\n\ndata: {\"a\"", "data: { }\n", errTruncated},
		{"empty data", "data:\n\ndata: {}\n\ndata: [DONE]\n\n", "data: { }\ndata: [DONE]\n", nil},
		{"text", "data: hello\n\ndata: [DONE]\n\n", "data: hello\ndata: [DONE]\n", nil},
		{"nothing", "", "", errTruncated},
		{"other lines", "hello\n<html>\n", "", errTruncated},
	}
	for _, tt := range tests {
		for how, source := range map[string]io.Reader{
			"whole": strings.NewReader(tt.in), "by bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			got, err := normalised(source)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s, %s: got %q, %v; want %q, %v", tt.name, how, got, err, tt.want, tt.err)
			}
		}
	}
	broken := errors.New("connection reset")
	got, err := normalised(io.MultiReader(strings.NewReader("data: {\"a\":1}\n"), iotest.ErrReader(broken)))
	if got != "data: { \"a\":1}\n" || !errors.Is(err, broken) {
		t.Errorf("a broken connection: got %q, %v; want the complete event and its error", got, err)
	}
}

func TestEventsAreBounded(t *testing.T) {
	endless := newEvents(bufio.NewReader(io.MultiReader(strings.NewReader("data: {\"a\":\""), endlessly{'x'})), io.NopCloser(nil))
	if endless.most != 32<<20 {
		t.Errorf("an event may have %d bytes, want 32 MiB", endless.most)
	}
	endless.most = 1 << 20
	if n, err := io.Copy(io.Discard, endless); n > 0 || !errors.Is(err, errTooLarge) {
		t.Errorf("an endless line ends in %v after %d bytes", err, n)
	}
	lines := strings.NewReader("data: [\n" + strings.Repeat("data: 1,\n", 300))
	if _, err := normalised(lines); !errors.Is(err, errTooLarge) {
		t.Errorf("an event over 300 lines ends in %v", err)
	}
	s := &stream{client: onOpenRouter(t)}
	if got := summary(nil, s.describe(t.Context(), errTooLarge, newAnswer(s))); !strings.Contains(got, "larger than 32 MiB") || !strings.Contains(got, "retryable false") {
		t.Errorf("an event that is too large: got\n%s", got)
	}
}

// endlessly reads one byte for ever.
type endlessly struct{ b byte }

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.b
	}
	return len(p), nil
}

// FuzzEvents checks that the normaliser gives out the same however its input is cut, only whole lines of the one form,
// and that each JSON event keeps its meaning.
func FuzzEvents(f *testing.F) {
	for _, a := range recordings(f) {
		f.Add(a.Body[:min(len(a.Body), 3000)], uint64(1))
	}
	f.Add([]byte("\ufeffdata: {\"a\":\r\ndata:1}\n\n: c\n{\"error\":1}\ndata: [DONE]\n\nx"), uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		want, wantErr := normalised(bytes.NewReader(in))
		got, err := normalised(&randomly{in, rand.New(rand.NewPCG(seed, 0))})
		if got != want || !errors.Is(err, wantErr) {
			t.Fatalf("whole: %q, %v\ncut: %q, %v", want, wantErr, got, err)
		}
		for line := range strings.Lines(want) {
			if !strings.HasPrefix(line, "data: ") || !strings.HasSuffix(line, "\n") || strings.HasPrefix(line, `data: {"error":`) {
				t.Fatalf("a line %q comes out of %q", line, in)
			}
		}
		if wantErr == nil && !strings.HasSuffix(want, "data: [DONE]\n") {
			t.Fatalf("a good end without [DONE]: %q", want)
		}
	})
}

// randomly reads pieces of random size.
type randomly struct {
	data []byte
	r    *rand.Rand
}

func (r *randomly) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+r.r.IntN(40))], r.data)
	r.data = r.data[n:]
	return n, nil
}

func recordings(t testing.TB) []recorded.Answer {
	answers, err := recorded.Load("testdata/recorded")
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// FuzzDecoder checks that templates change nothing: a decoder that has learned from what came before says of each event
// what parsing it alone says.
func FuzzDecoder(f *testing.F) {
	for _, a := range recordings(f) {
		f.Add(a.Body[:min(len(a.Body), 6000)])
	}
	plain := `data: {"choices":[{"index":0,"delta":{"content":"%","role":"assistant"}}]}` + "\n\n"
	f.Add([]byte(strings.ReplaceAll(plain, "%", "one") + strings.ReplaceAll(plain, "%", `t\"w\u00e9o`) + strings.ReplaceAll(plain, "%", `"}}],"x":[{"y":{"z":"`) + strings.ReplaceAll(plain, "%", "\xff")))
	both := `data: {"choices":[{"delta":{"reasoning":"%","reasoning_details":[{"type":"reasoning.text","text":"%","index":0}]}}]}` + "\n\n"
	f.Add([]byte(strings.ReplaceAll(both, "%", "one") + strings.ReplaceAll(both, "%", "two") + strings.ReplaceAll(both, "%", "") + strings.Replace(both, "%", "three", 1)))
	args := `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%"}}]}}]}` + "\n\n"
	f.Add([]byte(strings.ReplaceAll(args, "%", "{") + strings.ReplaceAll(args, "%", `\\`) + strings.ReplaceAll(args, "%", "}")))
	f.Fuzz(func(t *testing.T, in []byte) {
		events, _ := normalised(bytes.NewReader(in))
		var d decoder
		var fast, slow details
		for line := range strings.Lines(events) {
			raw := []byte(strings.TrimSpace(strings.TrimPrefix(line, "data:")))
			got, err := d.decode(raw)
			want, wantErr := parseChunk(raw)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: got error %v, want %v", raw, err, wantErr)
			}
			if err != nil {
				continue
			}
			fast.add(got)
			slow.add(want)
			got.details, got.more, want.details = nil, false, nil
			a, b := asJSON(t, got), asJSON(t, want)
			if a != b {
				t.Fatalf("%q: got %s, want %s", raw, a, b)
			}
		}
		if got, want := fast.merged(), slow.merged(); !bytes.Equal(got, want) {
			t.Fatalf("details: got %s, want %s", got, want)
		}
	})
}

func asJSON(t *testing.T, p piece) string {
	t.Helper()
	type call struct {
		Index          int
		ID, Name, Args string
	}
	var calls []call
	for _, c := range p.calls {
		calls = append(calls, call{c.index, c.id, c.name, c.args})
	}
	out, err := json.Marshal([]any{p.id, p.model, p.provider, p.text, p.reasoning, p.detailed, calls, p.finish, p.usage, string(p.err)})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
