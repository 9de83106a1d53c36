package client

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// A fakeHost hands each connection to the test, which plays the host's part frame by frame.
type fakeHost struct {
	t      *testing.T
	addr   string
	conns  chan *hostConn
	refuse int // answer handshakes with this status
}

type hostConn struct {
	t     *testing.T
	ws    *websocket.Conn
	query map[string][]string
	done  chan struct{}
}

func newFakeHost(t *testing.T) *fakeHost {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &fakeHost{t: t, addr: l.Addr().String(), conns: make(chan *hostConn)}
	server := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return h
}

func (h *fakeHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuse != 0 {
		http.Error(w, "Invalid request", h.refuse)
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer secret" {
		h.t.Errorf("Authorization = %q, want the token", got)
	}
	if strings.Contains(r.RequestURI, "secret") {
		h.t.Errorf("the token is in the URL %s", r.RequestURI)
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		h.t.Error(err)
		return
	}
	ws.SetReadLimit(wire.MaxFrame)
	c := &hostConn{t: h.t, ws: ws, query: r.URL.Query(), done: make(chan struct{})}
	select {
	case h.conns <- c:
		select {
		case <-c.done:
		case <-r.Context().Done():
		}
	case <-r.Context().Done():
	}
	_ = ws.CloseNow()
}

func (h *fakeHost) address(context.Context) (Address, error) {
	return Address{Addr: h.addr, Token: "secret"}, nil
}

// dial makes a session; greet plays the host's part until the session is ready.
func (h *fakeHost) dial(opts Options, greet func(*hostConn)) (*Session, *hostConn) {
	h.t.Helper()
	opts.Host, opts.Name = h.address, "demo"
	first := make(chan *hostConn, 1)
	go func() {
		c := <-h.conns
		greet(c)
		first <- c
	}()
	s, err := Dial(h.t.Context(), opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	return s, <-first
}

func identify(c *hostConn) {
	c.send(wire.Identity{Name: "demo", Agent: "coder-agent"})
}

func (c *hostConn) send(f wire.Frame) {
	data, err := wire.Encode(f)
	if err == nil {
		err = c.ws.Write(context.Background(), websocket.MessageText, data)
	}
	if err != nil {
		c.t.Errorf("sending %s: %v", wire.TypeOf(f), err)
	}
}

// chunk sends an event as the chunk of the turn with the index.
func (c *hostConn) chunk(turn string, seq int, e chat.Event, replay bool) {
	body, err := chat.EncodeEvent(e)
	if err != nil {
		c.t.Error(err)
	}
	c.send(wire.ChatResponse{ID: turn, Body: string(body), Seq: &seq, Replay: replay})
}

func (c *hostConn) event(turn string, n int, e chat.Event, replay bool) {
	body, err := chat.EncodeEvent(e)
	if err != nil {
		c.t.Error(err)
	}
	c.send(wire.CoderEvent{ID: turn, N: n, Event: body, Replay: replay})
}

// expect reads the next frame, which must be an F.
func expect[F wire.Frame](c *hostConn) F {
	c.t.Helper()
	var want F
	_, data, err := c.ws.Read(c.t.Context())
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", wire.TypeOf(want), err)
	}
	f, err := wire.Decode(data)
	if err != nil {
		c.t.Fatal(err)
	}
	got, ok := f.(F)
	if !ok {
		c.t.Fatalf("got %s, want %s", data, wire.TypeOf(want))
	}
	return got
}

// drop breaks the connection without a word.
func (c *hostConn) drop() {
	_ = c.ws.CloseNow()
	close(c.done)
}

// texts reads updates until the turn ends and returns its text and its end.
func texts(t *testing.T, s *Session, turn string) (string, TurnEnded) {
	t.Helper()
	var b strings.Builder
	for {
		u, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch u := u.(type) {
		case Event:
			if d, ok := u.Event.(chat.TextDelta); ok && u.Turn == turn {
				b.WriteString(d.Delta)
			}
		case TurnEnded:
			if u.Turn == turn {
				return b.String(), u
			}
		}
	}
}

func delta(s string) chat.TextDelta { return chat.TextDelta{ID: "1", Delta: s} }
