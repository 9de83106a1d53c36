package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/server/wire"
)

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watched makes the server tell of every change, and returns what waits for a number of sockets.
func watched(s *Server) (wait func(t *testing.T, sockets int)) {
	changed := make(chan struct{}, 1)
	s.opts.Changed = func() { signal(changed) }
	return func(t *testing.T, sockets int) {
		t.Helper()
		timeout := time.After(patience)
		for s.Connections().Sockets != sockets {
			select {
			case <-changed:
			case <-timeout:
				t.Fatalf("there are %d sockets, want %d", s.Connections().Sockets, sockets)
			}
		}
	}
}

func TestAClientThatNeverReadsSlowsNobody(t *testing.T) {
	const answers, deltas = 7, 9 // together 6 MB: more than the buffers between two sockets hold
	big := strings.Repeat("x", 100_000)
	model := agenttest.NewModel()
	for i := range answers {
		model.Add(func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
			for range deltas {
				yield(chat.TextDelta{Delta: big})
			}
			return agenttest.Call(agenttest.Use{ID: fmt.Sprint("call_", i), Tool: "none", Args: i})(ctx, req, yield)
		})
	}
	model.Add(agenttest.Say("end"))
	var wait func(*testing.T, int)
	h := serve(t, agenttest.Options(t, model), func(s *Server) {
		s.times.write = 2 * time.Second
		wait = watched(s)
	})
	a := h.join("slow?_pk=a")
	h.deaf("slow?_pk=b")
	a.ask("q1", "much")
	if got, want := a.text(), answers*deltas*len(big)+len("end"); got != want {
		t.Errorf("the reading client got %d bytes, want %d", got, want)
	}
	wait(t, 1)
}

// deaf opens a socket with a small buffer that is never read.
func (h *house) deaf(path string) {
	h.t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetReadBuffer(4096)
	}}
	ws, _, err := websocket.Dial(h.t.Context(), "ws://"+h.addr+"/agents/coder-agent/"+path+"&token="+token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = ws.CloseNow() })
}

func TestOneLargeFrameIsDelivered(t *testing.T) {
	h := simple(t, agenttest.Say("ok"))
	a, b := h.join("big1?_pk=a"), h.join("big1?_pk=b")
	text := strings.Repeat("0123456789abcde\n", 5<<15) // 2.5 MiB
	a.ask("q1", text)
	a.until("q1 done of u-q1")
	m, ok := b.recv().(wire.ChatMessages)
	if !ok || m.Messages[0].Text() != text {
		t.Errorf("the other connection did not get the prompt of %d bytes", len(text))
	}
	b.until("q1 done")
}

func TestWhatEndsASocket(t *testing.T) {
	for _, tt := range []struct {
		name string
		send []byte
		want websocket.StatusCode
	}{
		{"invalid UTF-8", []byte("{\"type\":\"\xff\"}"), websocket.StatusInvalidFramePayloadData},
		{"a frame of one byte over 32 MiB", callOf(wire.MaxFrame + 1), websocket.StatusMessageTooBig},
		{"a frame far over 32 MiB", callOf(wire.MaxFrame + 8<<20), websocket.StatusMessageTooBig},
	} {
		h := serve(t, agenttest.Options(t, agenttest.NewModel()), func(s *Server) { s.times = defaultTimes })
		p := h.join("end")
		p.send(string(tt.send))
		if got := p.closed(); got != tt.want {
			t.Errorf("%s: closed with %d, want %d", tt.name, got, tt.want)
		}
		h.join("end").quiet()
	}
}

func TestAFrameMayHave32MiB(t *testing.T) {
	h := simple(t)
	p := h.join("large")
	p.send(string(callOf(32 << 20)))
	p.expect(largeCall)
}

// largeCall is the answer to a call that was read whole, and is then more than a call may be.
const largeCall = "rpc quiet error the call is larger than 1 MiB\ncall the method with less, or flatter, arguments"

// callOf is a call of an unknown method in so many bytes.
func callOf(size int) []byte {
	frame := append(make([]byte, 0, size), `{"type":"rpc","id":"quiet","method":"nosuch","args":["`...)
	frame = append(frame, bytes.Repeat([]byte("x"), size-len(frame)-3)...)
	return append(frame, `"]}`...)
}

func TestAPanicEndsOneConnection(t *testing.T) {
	var broken atomic.Bool
	h := serve(t, agenttest.Options(t, agenttest.NewModel()), func(s *Server) {
		s.opts.Now = func() time.Time {
			if broken.CompareAndSwap(true, false) {
				panic("a bug")
			}
			return time.Now()
		}
	})
	a, b := h.join("pa1?_pk=a"), h.join("pa1?_pk=b")
	broken.Store(true)
	a.send(`{"type":"cf_agent_stream_resume_request"}`)
	if got := a.closed(); got != websocket.StatusInternalError {
		t.Errorf("the socket closed with %d, want %d", got, websocket.StatusInternalError)
	}
	b.quiet()
}

func TestShutdown(t *testing.T) {
	reply, reached, _ := held("word ")
	draining, drained := make(chan struct{}), make(chan struct{})
	h := serve(t, agenttest.Options(t, agenttest.NewModel(reply)), func(s *Server) {
		s.opts.Drain = func() { close(draining); <-drained }
	})
	a, b := h.join("sh1?_pk=a"), h.join("sh2?_pk=b")
	a.ask("q1", "slow please")
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- h.stop() }()
	<-draining
	b.ask("q2", "too late")
	if f, ok := b.recv().(wire.ChatResponse); !ok || !f.Error || !f.Done || f.Body != "shutting down" {
		t.Errorf("a prompt in the shutdown got %#v", f)
	}
	if _, err := net.Dial("tcp", h.addr); err == nil {
		t.Error("the listener is still open")
	}
	if err := h.host.Close(); err != nil {
		t.Error(err)
	}
	close(drained)
	if got := a.closed(); got != websocket.StatusGoingAway {
		t.Errorf("the busy socket closed with %d", got)
	}
	if got := b.closed(); got != websocket.StatusGoingAway {
		t.Errorf("the idle socket closed with %d", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A client whose host stops in the middle of its turn finds the next host at the same address by itself, and the turn
// goes on there.
func TestAClientComesBackAfterAShutdown(t *testing.T) {
	reply, reached, _ := held("lost ")
	opts, dir := agenttest.Options(t, agenttest.NewModel(reply, agenttest.Say("kept"))), t.TempDir()
	on := func(addr string) *house {
		return serveAt(t, addr, dir, opts, nil)
	}
	first := on("127.0.0.1:0")
	session, err := client.Dial(t.Context(), client.Options{Name: "back", Host: func(context.Context) (client.Address, error) {
		return client.Address{Addr: first.addr, Token: token}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	turn := session.Prompt(client.UserMessage("go"))
	<-reached
	if err := errors.Join(first.stop(), first.host.Close()); err != nil {
		t.Fatal(err)
	}
	on(first.addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, broken := "", false
	for {
		u, err := session.Next(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		switch u := u.(type) {
		case client.Disconnected:
			broken = true
		case client.Event:
			if d, ok := u.Event.(chat.TextDelta); ok {
				text += d.Delta
			}
		case client.TurnEnded:
			if u.Turn != turn || u.Error != "" || text != "lost kept" || !broken {
				t.Errorf("the turn ended as %+v with the text %q; the connection broke: %t", u, text, broken)
			}
			return
		}
	}
}

func TestATetheredTurnEndsWithItsClient(t *testing.T) {
	reply, reached, _ := held("word ")
	h := simple(t, reply)
	a, b := h.join("te1?_pk=a&tether=1"), h.join("te1?_pk=b")
	a.ask("q1", "slow please")
	<-reached
	_ = a.ws.CloseNow()
	b.until("q1 done aborted of u-q1")
}

func TestATetheredClientMayComeBack(t *testing.T) {
	reply, reached, release := held("word ")
	var wait func(*testing.T, int)
	h := serve(t, agenttest.Options(t, agenttest.NewModel(reply)), func(s *Server) { wait = watched(s) })
	a := h.join("te2?_pk=a&tether=30")
	a.ask("q1", "slow please")
	<-reached
	_ = a.ws.CloseNow()
	wait(t, 0)
	again := h.dial("te2?_pk=a&tether=30")
	again.expect("resuming q1")
	again.put(wire.ResumeAck{ID: "q1"})
	again.until("q1 complete")
	h.server.connections.mu.Lock()
	waiting := len(h.server.connections.tethers)
	h.server.connections.mu.Unlock()
	if waiting != 0 {
		t.Errorf("%d tethers still run", waiting)
	}
	if n := h.server.Connections(); n.Tethered != 1 {
		t.Errorf("counts are %+v", n)
	}
	close(release)
	again.until("q1 done of u-q1")
}

func TestASessionHasBoundedSockets(t *testing.T) {
	h := simple(t)
	for range maxSocketsSession {
		h.join("many")
	}
	_, resp, err := websocket.Dial(t.Context(), "ws://"+h.addr+"/agents/coder-agent/MANY?token="+token, nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("one more socket: %v", err)
	}
	_ = resp.Body.Close()
	h.join("other").quiet()
}

// wire gives the connection a socket and returns the other end.
func (c *connection) wire(t *testing.T) *peer {
	t.Helper()
	accepted := make(chan struct{})
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(accepted)
		c.net, _ = r.Context().Value(netConnKey{}).(net.Conn)
		c.ws, _ = websocket.Accept(w, r, nil) // the client would tell
	}))
	hs.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, netConnKey{}, c) }
	hs.Start()
	t.Cleanup(hs.Close)
	ws, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(hs.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	t.Cleanup(func() { _, _ = ws.CloseNow(), c.ws.CloseNow() })
	return &peer{t: t, ws: ws, name: "client"}
}

// What the agent seldom does, a connection must still say rightly.
func TestATurnThatWaitsIsPending(t *testing.T) {
	s := New(Options{})
	s.forever = context.WithoutCancel(t.Context())
	s.life, s.end = context.WithCancelCause(s.forever)
	c := &connection{server: s, id: "a", name: "p", done: make(chan struct{}), quiet: true}
	client := c.wire(t)
	one, two := agent.Turn{ID: "q1", Client: "x"}, agent.Turn{ID: "q2", Client: "x"}
	c.sub = &agent.Subscription{Snapshot: agent.Snapshot{Queue: []agent.Turn{one, two}}}
	shapes := func() (list []string) {
		c.send(wire.ChatClear{}) // the end of the list
		for got := shape(client.recv()); got != "clear"; got = shape(client.recv()) {
			list = append(list, got)
		}
		return list
	}
	check := func(what string, want ...string) {
		t.Helper()
		if got := shapes(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	start := func(turn agent.Turn) agent.TurnEvent {
		e := chat.TurnStarted{MessageID: "m"}
		body, err := chat.EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		return agent.TurnEvent{Turn: turn, Event: e, Body: body}
	}
	c.greet()
	check("on connect", "pending q1")
	c.resume(wire.ResumeRequest{ProbeID: "p1"})
	check("a request", "pending q1 p1")
	c.replay(wire.ResumeAck{ID: "q2"})
	check("an ack of a turn that waits")
	c.forward(agent.Dropped{Turn: one})
	check("a dropped turn", "q1 done aborted")
	c.forward(start(two))
	check("a started turn", "resuming q2")
	c.forward(agent.TurnEvent{Turn: two, N: 1, Event: chat.TurnFinished{Reason: chat.FinishStop}})
	check("its end", "messages", "q2 done")

	c.forward(agent.Queued{Turn: one})
	c.resume(wire.ResumeRequest{})
	c.forward(agent.Dropped{Turn: one})
	check("the last one dropped", "pending q1", "q1 done aborted", "none")
	s.end(nil)
}
