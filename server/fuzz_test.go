package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"iter"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/server/wire"
)

// FuzzConnection sends whatever the input holds, a frame a line, over a real socket. Whatever it is, nothing panics, only
// invalid UTF-8 ends the socket, the session's other connection is served on, and nothing is left running.
func FuzzConnection(f *testing.F) {
	for _, frames := range recordedClients(f) {
		f.Add(frames)
	}
	f.Add([]byte("{\"type\":\"\xff\"}"))
	f.Add([]byte(`{"type":"rpc","id":"1","method":"setMode","args":["plan"]}` + "\n" + `{"type":"rpc","id":"2","method":"getMessages","args":[]}`))
	h := newFuzzHouse(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		name := rand.Text()
		odd, other := h.open(t, name+"?_pk=odd"), h.open(t, name+"?_pk=other")
		lines := bytes.Split(data, []byte("\n"))
		valid := true
		for _, line := range lines[:min(len(lines), 100)] {
			if err := odd.ws.Write(t.Context(), websocket.MessageText, line); err != nil {
				break // the next read says why
			}
			valid = valid && utf8.Valid(line)
		}
		if err := odd.alive(); valid && err != nil || !valid && websocket.CloseStatus(err) != websocket.StatusInvalidFramePayloadData {
			t.Errorf("the socket ended with %v; the frames are UTF-8: %t", err, valid)
		}
		if err := other.alive(); err != nil {
			t.Errorf("the other connection: %v", err)
		}
		if what := h.panicked.Load(); what != nil {
			t.Fatalf("a panic: %s", *what)
		}
		h.end(t, name, odd, other)
	})
}

// fuzzPatience is shorter than that of other tests: after 10 s the fuzzer kills an input and does not say where it was.
const fuzzPatience = 5 * time.Second

// A fuzzHouse is a host for all inputs of a process.
type fuzzHouse struct {
	*house
	panicked atomic.Pointer[string]
	resting  int // goroutines when nobody is connected
	left     chan struct{}
}

func newFuzzHouse(f *testing.F) *fuzzHouse {
	h := &fuzzHouse{left: make(chan struct{}, 1)}
	type args struct {
		Path string `json:"path"`
	}
	touch := agent.NewTool("touch", permission.Writes, "Touches nothing.", func(context.Context, args) (agent.Result, error) {
		return agent.Result{Text: "touched"}, nil
	})
	opts := agent.Options{Model: parrot{}, Tools: []agent.Tool{touch}, Mode: permission.ModeAsk, Workdir: f.TempDir()}
	h.house = serve(f, opts, func(s *Server) {
		s.opts.Logger = slog.New(panics{&h.panicked})
		s.opts.Changed = func() { signal(h.left) }
	})
	h.end(f, "nobody", h.open(f, "nobody"))
	h.resting = runtime.NumGoroutine()
	return h
}

// A parrot is a model that answers for ever: it calls its tool when the prompt has a T in it, until that has a result.
type parrot struct{}

func (parrot) Stream(ctx context.Context, req chat.Request) iter.Seq2[chat.Event, error] {
	model := agenttest.NewModel(agenttest.Say("one ", "two"))
	if last := req.Messages[len(req.Messages)-1]; last.Role == chat.User && strings.Contains(last.Text(), "T") {
		model = agenttest.NewModel(agenttest.Call(agenttest.Use{ID: rand.Text(), Tool: "touch", Args: map[string]string{"path": "x"}}))
	}
	return model.Stream(ctx, req)
}

// panics is a log that keeps what it is told of a panic: the server recovers from them.
type panics struct{ last *atomic.Pointer[string] }

func (panics) Enabled(context.Context, slog.Level) bool { return true }
func (p panics) WithAttrs([]slog.Attr) slog.Handler     { return p }
func (p panics) WithGroup(string) slog.Handler          { return p }

func (p panics) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "panic" {
		var text strings.Builder
		r.Attrs(func(a slog.Attr) bool { text.WriteString(a.String() + "\n"); return true })
		p.last.Store(new(text.String()))
	}
	return nil
}

// open is house.dial for whoever fuzzes.
func (h *fuzzHouse) open(t testing.TB, path string) *peer {
	t.Helper()
	on := *h.house
	on.t = t
	return on.dial(path)
}

// alive asks a question that only a served connection answers, and reads up to the answer.
func (p *peer) alive() error {
	id := rand.Text()
	frame, err := wire.Encode(wire.Call{ID: id, Method: "nosuch", Args: []json.RawMessage{}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), fuzzPatience)
	defer cancel()
	_ = p.ws.Write(ctx, websocket.MessageText, frame) // reading says more of a socket that has ended
	for {
		_, data, err := p.ws.Read(ctx)
		if err != nil {
			return err
		}
		f, err := wire.Decode(data)
		if err != nil {
			return err
		}
		if r, ok := f.(wire.CallResult); ok && r.ID == id {
			return nil
		}
	}
}

// end closes the sockets, takes the session away and waits until everything of both has ended.
func (h *fuzzHouse) end(t testing.TB, name string, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		_ = p.ws.CloseNow()
	}
	h.until(t, func() bool { return h.server.Connections().Sockets == 0 }) // then its calls have ended too
	if err := h.host.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	h.until(t, func() bool { return h.resting == 0 || runtime.NumGoroutine() <= h.resting+4 })
}

func (h *fuzzHouse) until(t testing.TB, done func() bool) {
	t.Helper()
	timeout := time.After(fuzzPatience)
	for !done() {
		select {
		case <-h.left:
		case <-time.After(time.Millisecond): // goroutines do not say when they end
		case <-timeout:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d sockets and %d goroutines are left:\n%s", h.server.Connections().Sockets, runtime.NumGoroutine(),
				stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// recordedClients are, for each recording, the frames that its clients sent.
func recordedClients(f *testing.F) (inputs [][]byte) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "agents", "*.jsonl"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		var frames [][]byte
		for _, l := range recording(f, strings.TrimSuffix(filepath.Base(file), ".jsonl")) {
			if l.Dir != "c2s" {
				continue
			}
			frame := []byte(l.Frame)
			if text := ""; json.Unmarshal(frame, &text) == nil { // what was no JSON object
				frame = []byte(text)
			}
			frames = append(frames, frame)
		}
		inputs = append(inputs, bytes.Join(frames, []byte("\n")))
	}
	return inputs
}
