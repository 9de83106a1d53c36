package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/server/wire"
)

// Why a connection closes. Clients reconnect after each of these; 1008 and 4000 to 4999 would end that.
const (
	statusGoingAway    = websocket.StatusGoingAway
	statusInvalidText  = websocket.StatusInvalidFramePayloadData
	statusInternal     = websocket.StatusInternalError
	statusTooSlow      = websocket.StatusTryAgainLater
	statusNoneReceived = websocket.StatusNoStatusRcvd
)

// Bounds of what a client can have under way.
const (
	maxCalls    = 32 // RPC calls at once; later frames wait
	maxCommands = 64 // answers that wait for the pump; later frames wait
)

// maxTether bounds how long a client that has gone keeps its turns.
const maxTether = time.Hour

// A connection is one WebSocket on one session. Three goroutines serve it: the reader (of the HTTP request) handles the
// client's frames in their order; the pump owns the stream state, turns updates of the agent into frames and runs the
// reader's commands between them; the writer writes frames. A fourth pings.
type connection struct {
	server *Server
	agent  *agent.CoderAgent
	sub    *agent.Subscription
	ws     *websocket.Conn
	net    net.Conn

	id       string // the client's _pk, kept over reconnects
	name     string // the session, as the URL spells it
	page     bool   // came with an Origin
	readOnly bool
	quiet    bool // wants no identity, state and MCP frames
	tether   time.Duration

	out      *outbox
	commands chan func()
	calls    chan struct{} // a token per running RPC call
	owned    sync.WaitGroup
	stream   stream // the pump's

	done   chan struct{} // closed by close
	once   sync.Once
	code   websocket.StatusCode
	reason string

	poke struct {
		sync.Mutex
		ctx    context.Context // of the pump's Next: done when a command waits
		cancel context.CancelFunc
	}
}

// socket serves one WebSocket until it is closed.
func (s *Server) socket(w http.ResponseWriter, r *http.Request, name string) {
	if s.stopping.Load() {
		refuse(w, agent.ErrShutdown)
		return
	}
	a, err := s.opts.Host.Agent(r.Context(), name)
	if err != nil {
		refuse(w, err)
		return
	}
	c := newConnection(s, a, name, r)
	s.sockets.Add(1)
	defer s.sockets.Done()
	if status := s.connections.add(c, s.opts.Now()); status != 0 {
		text(w, status, http.StatusText(status))
		return
	}
	defer s.leave(c)
	s.opts.Changed()
	if c.sub, err = a.Subscribe(s.life); err != nil {
		s.opts.Logger.Error("subscribing", "session", name, "err", err)
		refuse(w, err)
		return
	}
	defer c.sub.Close()
	// Origin has been checked, by the guard: the library would compare it with Host only.
	opts := &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true}
	if c.ws, err = websocket.Accept(w, r, opts); err != nil {
		s.opts.Logger.Debug("handshake", "session", name, "err", err)
		return
	}
	c.ws.SetReadLimit(wire.MaxFrame)
	c.run()
}

func newConnection(s *Server, a *agent.CoderAgent, name string, r *http.Request) *connection {
	q := r.URL.Query()
	c := &connection{
		server: s, agent: a, name: name,
		id: q.Get("_pk"), page: len(r.Header["Origin"]) > 0, readOnly: flag(q, "readonly"), quiet: flag(q, "noproto"),
		out: newOutbox(), commands: make(chan func(), maxCommands), calls: make(chan struct{}, maxCalls),
		done: make(chan struct{}),
	}
	c.net, _ = r.Context().Value(netConnKey{}).(net.Conn)
	if c.id == "" {
		c.id = rand.Text()
	}
	if seconds, err := strconv.Atoi(q.Get("tether")); err == nil && seconds > 0 {
		c.tether = min(time.Duration(seconds)*time.Second, maxTether)
	}
	c.poke.ctx, c.poke.cancel = context.WithCancel(s.life)
	return c
}

func flag(q url.Values, name string) bool { return q.Get(name) == "1" || q.Get(name) == "true" }

// run serves the socket. It returns once everything that belongs to it has ended.
func (c *connection) run() {
	c.start("pump", c.pump)
	c.start("writer", c.write)
	c.start("pinger", c.ping)
	func() {
		defer c.recovered("reader")
		c.read()
	}()
	c.close(statusNoneReceived, "")
	c.owned.Wait()
	_ = c.ws.CloseNow() // closed already, unless a panic came first
}

func (c *connection) start(what string, do func()) {
	c.owned.Go(func() {
		defer c.recovered(what)
		do()
	})
}

// recovered ends a panic of one of the connection's goroutines: it costs this connection and no other.
func (c *connection) recovered(what string) {
	v := recover()
	if v == nil {
		return
	}
	c.server.panicked(what, v)
	c.close(statusInternal, "internal error")
	if what == "writer" { // nobody is left who would hang up
		_ = c.ws.CloseNow()
	}
}

// close begins the end of the connection, with the code for the client. Only the first call counts.
func (c *connection) close(code websocket.StatusCode, reason string) {
	c.once.Do(func() {
		c.code, c.reason = code, reason
		close(c.done)
		c.wakePump()
		c.out.end(code != statusGoingAway)
	})
}

// read handles the client's frames until the socket ends.
func (c *connection) read() {
	for {
		kind, data, err := c.ws.Read(c.server.life)
		if err != nil {
			return
		}
		select {
		case <-c.done:
			continue // until the closing handshake is over
		default:
		}
		c.server.connections.seen(c.server.opts.Now())
		if kind == websocket.MessageText {
			c.frame(data)
		}
	}
}

// frame handles one text frame. What is no frame, or none that we know, is not answered.
func (c *connection) frame(data []byte) {
	if !utf8.Valid(data) { // the library does not look
		c.close(statusInvalidText, "invalid UTF-8")
		return
	}
	f, err := wire.Decode(data)
	if err != nil {
		c.server.opts.Logger.Debug("frame ignored", "session", c.name, "err", err)
		return
	}
	c.handle(f)
}

// write writes frames until the connection closes, and then closes the socket.
func (c *connection) write() {
	for frames := c.out.take(); frames != nil; frames = c.out.take() {
		for _, frame := range frames {
			if err := c.writeFrame(frame); err != nil {
				c.close(statusTooSlow, "too slow")
				c.hangUp()
				return
			}
		}
	}
	<-c.done
	c.hangUp()
}

// writeFrame gives the client the write timeout for one frame. A deadline costs less than a context per frame.
func (c *connection) writeFrame(frame []byte) error {
	err := c.net.SetWriteDeadline(time.Now().Add(c.server.times.write))
	if err == nil {
		err = c.ws.Write(context.WithoutCancel(c.server.life), websocket.MessageText, frame)
	}
	return errors.Join(err, c.net.SetWriteDeadline(time.Time{}))
}

// hangUp closes the socket, with the handshake if the client takes part in it.
func (c *connection) hangUp() {
	if c.code == statusNoneReceived { // the client has gone
		_ = c.ws.CloseNow()
		return
	}
	grace := time.AfterFunc(c.server.times.closeGrace, func() { _ = c.net.Close() })
	defer grace.Stop()
	_ = c.ws.Close(c.code, c.reason)
}

// ping closes the socket when a ping is not answered in time.
func (c *connection) ping() {
	ticker := time.NewTicker(c.server.times.ping)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(c.server.life, c.server.times.pong)
		err := c.ws.Ping(ctx)
		cancel()
		if err != nil {
			c.close(statusGoingAway, "no pong")
			_ = c.net.Close()
			return
		}
	}
}
