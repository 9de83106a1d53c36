package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "test-token"

// patience bounds every wait of a test: reaching it is a failure.
const patience = 20 * time.Second

// A house is a served host.
type house struct {
	t      testing.TB
	host   *agent.Host
	server *Server
	addr   string
	stop   func() error // ends Serve and returns its error
	http   *http.Client // that peers dial with; nil: over TCP
}

// serve serves a host that has the model and the tools. change, if any, changes the server before it serves.
func serve(t testing.TB, opts agent.Options, change func(*Server)) *house {
	t.Helper()
	return serveIn(t, t.TempDir(), opts, change)
}

// serveIn serves a host of the data dir.
func serveIn(t testing.TB, dir string, opts agent.Options, change func(*Server)) *house {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", dir, opts, change)
}

// serveAt serves a host of the data dir at an address.
func serveAt(t testing.TB, addr, dir string, opts agent.Options, change func(*Server)) *house {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, agenttest.Open(t, dir, opts), change)
}

func serveOn(t testing.TB, l net.Listener, host *agent.Host, change func(*Server)) *house {
	t.Helper()
	h := &house{t: t, host: host}
	h.server = New(Options{
		Host: h.host, Token: token, Version: "test", Stop: func() {},
		AllowOrigins: []string{"http://dev.example:5173"}, AllowHosts: []string{"coder.test"},
	})
	h.server.times.closeGrace = 100 * time.Millisecond // a test's peers do not read while it stops
	if change != nil {
		change(h.server)
	}
	h.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx, l) }()
	var once bool
	h.stop = func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-served
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h
}

// simple serves a host whose model plays the replies.
func simple(t *testing.T, replies ...agenttest.Reply) *house {
	t.Helper()
	return serve(t, agenttest.Options(t, agenttest.NewModel(replies...)), nil)
}

// A peer is a raw client.
type peer struct {
	t    testing.TB
	ws   *websocket.Conn
	name string
}

// dial opens a socket; path is what follows /agents/coder-agent/. The token is added.
func (h *house) dial(path string) *peer {
	h.t.Helper()
	return h.dialFrom("", path)
}

// dialFrom opens the socket as a page of the origin does, or as a program for "".
func (h *house) dialFrom(origin, path string) *peer {
	h.t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://"+h.addr+"/agents/coder-agent/"+path+sep+"token="+token,
		&websocket.DialOptions{HTTPClient: h.http, HTTPHeader: header})
	if err != nil {
		h.t.Fatalf("dialing %s: %v", path, err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	ws.SetReadLimit(-1)
	p := &peer{t: h.t, ws: ws, name: path}
	h.t.Cleanup(func() { _ = ws.CloseNow() })
	return p
}

// join opens a socket and reads the three connect frames of an idle session.
func (h *house) join(path string) *peer {
	h.t.Helper()
	p := h.dial(path)
	p.expect("identity", "state", "mcp")
	return p
}

func (p *peer) send(frame string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.ws.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		p.t.Fatalf("%s: sending %.80s: %v", p.name, frame, err)
	}
}

func (p *peer) put(f wire.Frame) {
	p.t.Helper()
	data, err := wire.Encode(f)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(string(data))
}

// ask sends a prompt with the request id; its message has the id "u-"+id.
func (p *peer) ask(id, text string) {
	p.t.Helper()
	p.put(wire.ChatRequest{ID: id, Trigger: wire.Submit, Messages: []chat.Message{
		{ID: "u-" + id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}},
	}})
}

func (p *peer) recv() wire.Frame {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	_, data, err := p.ws.Read(ctx)
	if err != nil {
		p.t.Fatalf("%s: reading: %v", p.name, err)
	}
	f, err := wire.Decode(data)
	if err != nil {
		p.t.Fatalf("%s: %.200s: %v", p.name, data, err)
	}
	return f
}

// until reads frames up to and with the first whose shape begins with prefix, and returns their shapes. State frames
// and frames of ours are left out, unless they are what is looked for: when they come is not the protocol's business.
func (p *peer) until(prefix string) []string {
	p.t.Helper()
	var shapes []string
	for {
		s := shape(p.recv())
		if found := strings.HasPrefix(s, prefix); found || !aside(s) {
			shapes = append(shapes, s)
			if found {
				return shapes
			}
		}
	}
}

func aside(s string) bool { return strings.HasPrefix(s, "state") || strings.HasPrefix(s, "coder ") }

// expect reads frames whose shapes must be these.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for i, w := range want {
		got := shape(p.recv())
		for aside(got) && !aside(w) {
			got = shape(p.recv())
		}
		if got != w {
			p.t.Fatalf("%s: frame %d is %q, want %q", p.name, i, got, w)
		}
	}
}

// closed reads until the socket closes and returns the code.
func (p *peer) closed() websocket.StatusCode {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := p.ws.Read(ctx); err != nil {
			if ctx.Err() != nil {
				p.t.Fatalf("%s: still open after %v", p.name, patience)
			}
			return websocket.CloseStatus(err)
		}
	}
}

// quiet checks that nothing is under way: the next frame is the answer to a question.
func (p *peer) quiet() {
	p.t.Helper()
	p.put(wire.Call{ID: "quiet", Method: "nosuch", Args: []json.RawMessage{}})
	p.expect("rpc quiet error Method nosuch does not exist")
}

// shape tells in a line what matters in a frame.
func shape(f wire.Frame) string {
	switch f := f.(type) {
	case wire.Identity:
		return "identity"
	case wire.State:
		return "state"
	case wire.StateError:
		return "refused " + f.Error
	case wire.MCPServers:
		return "mcp"
	case wire.CallResult:
		if f.Error != "" {
			return "rpc " + f.ID + " error " + f.Error
		}
		return fmt.Sprintf("rpc %s %s done=%t", f.ID, f.Result, f.Done)
	case wire.ChatMessages:
		return "messages" + outline(f.Messages)
	case wire.MessageUpdated:
		return "updated" + outline([]chat.Message{f.Message})
	case wire.ChatClear:
		return "clear"
	case wire.Resuming:
		return strings.TrimSpace("resuming " + f.ID + " " + f.ProbeID)
	case wire.Pending:
		return strings.TrimSpace("pending " + f.ID + " " + f.ProbeID)
	case wire.ResumeNone:
		return strings.TrimSpace("none " + f.Reason + " " + f.ProbeID)
	case wire.CoderEvent:
		e, err := chat.DecodeEvent(f.Event)
		return fmt.Sprintf("coder %s %v", chat.Type(e), err)
	case wire.ChatResponse:
		return responseShape(f)
	}
	return wire.TypeOf(f)
}

func responseShape(f wire.ChatResponse) string {
	var b strings.Builder
	b.WriteString(f.ID)
	switch {
	case f.Error:
		fmt.Fprintf(&b, " error %q", f.Body)
	case f.Seq != nil:
		var chunk struct{ Type, Delta, InputTextDelta, ToolCallID string }
		if err := json.Unmarshal([]byte(f.Body), &chunk); err != nil {
			return "bad chunk " + f.Body
		}
		fmt.Fprintf(&b, " %d %s", *f.Seq, chunk.Type)
		if chunk.Delta != "" {
			fmt.Fprintf(&b, " %q", chunk.Delta)
		}
	case f.ReplayComplete:
		b.WriteString(" complete")
	case f.Body != "":
		b.WriteString(" body " + f.Body)
	}
	if f.Replay && !f.ReplayComplete {
		b.WriteString(" replay")
	}
	if f.Continuation {
		b.WriteString(" cont")
	}
	if f.Done {
		b.WriteString(" done")
		if f.Outcome != "" {
			b.WriteString(" " + string(f.Outcome))
		}
	}
	if len(f.MessageIDs) > 0 {
		b.WriteString(" of " + strings.Join(f.MessageIDs, ","))
	}
	return b.String()
}

// outline lists roles and parts.
func outline(messages []chat.Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(" " + string(m.Role) + "(")
		for i, p := range m.Parts {
			if i > 0 {
				b.WriteString(" ")
			}
			switch p := p.(type) {
			case chat.Text:
				fmt.Fprintf(&b, "%q%s", p.Text, map[chat.PartState]string{chat.PartStreaming: "…"}[p.State])
			case chat.StepStart:
				b.WriteString("step")
			case chat.ToolCall:
				b.WriteString(p.Name + ":" + string(p.State))
			default:
				fmt.Fprintf(&b, "%T", p)
			}
		}
		b.WriteString(")")
	}
	return b.String()
}

// get makes a plain request with headers as name, value pairs and returns status and body.
func (h *house) get(method, target, body string, headers ...string) (int, string, http.Header) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+h.addr+target, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		if pair[0] == "Host" {
			req.Host = pair[1]
			continue
		}
		req.Header.Add(pair[0], pair[1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(data), resp.Header
}
