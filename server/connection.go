package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/server/wire"
)

// Why a connection closes. Clients reconnect after each of these but the last: 1008 and 4000 to 4999 are final, and a
// client that came back would make the session anew that somebody has deleted.
const (
	statusGoingAway    = websocket.StatusGoingAway
	statusInvalidText  = websocket.StatusInvalidFramePayloadData
	statusTooBig       = websocket.StatusMessageTooBig
	statusInternal     = websocket.StatusInternalError
	statusTooSlow      = websocket.StatusTryAgainLater
	statusNoneReceived = websocket.StatusNoStatusRcvd
	statusDeleted      = websocket.StatusCode(4004)
)

// Bounds of what a client can have under way.
const (
	maxCalls    = 32 // RPC calls at once; later frames wait
	maxCommands = 64 // answers that wait for the pump; later frames wait
)

// maxTether bounds how long a client that has gone keeps its turns.
const maxTether = time.Hour

// A connection is one WebSocket on one session. Two goroutines serve it: the reader handles the client's frames in their
// order; the pump owns the stream state, turns updates of the agent into frames, writes them, and runs the reader's
// commands between them. Nothing of the HTTP request outlives the handshake.
type connection struct {
	server *Server
	agent  *agent.CoderAgent
	sub    *agent.Subscription
	ws     *websocket.Conn
	net    net.Conn

	id       string // the client's _pk, kept over reconnects
	name     string // the session, as the URL spells it
	page     bool   // came with an Origin
	kind     string // of the client, for the state document
	readOnly bool
	quiet    bool // wants no identity, state and MCP frames
	tether   time.Duration

	commands chan func()
	calls    chan struct{} // a token per running RPC call
	owned    sync.WaitGroup
	stream   stream // the pump's

	done   chan struct{} // closed by close
	once   sync.Once
	large  atomic.Int64 // how often a large frame began or ended: odd from when it waits for a place until it is served
	warned time.Time    // when the log was told last of a frame that could not be read; the reader's
	unsaid int          // how many there were since

	code   websocket.StatusCode
	reason string

	heart struct {
		sync.Mutex
		timer   *time.Timer // its function pings
		stopped bool
	}
}

// socket makes the handshake of one WebSocket. Its connection lives on when the request is over.
func (s *Server) socket(w http.ResponseWriter, r *http.Request, name string) {
	if s.stopping.Load() {
		s.refuse(w, agent.ErrShutdown)
		return
	}
	a, err := s.opts.Host.Agent(r.Context(), name)
	if err != nil {
		s.refuse(w, err)
		return
	}
	c := newConnection(s, a, name, r)
	if status := s.connections.add(c, s.opts.Now()); status != 0 {
		text(w, status, http.StatusText(status))
		return
	}
	accepted := false
	defer func() {
		if !accepted {
			s.leave(c)
		}
	}()
	s.opts.Changed()
	if accepted = c.accept(w, r); accepted {
		s.noteConnected(c, r)
		go c.serve()
	}
}

func newConnection(s *Server, a *agent.CoderAgent, name string, r *http.Request) *connection {
	q := r.URL.Query()
	c := &connection{
		server: s, agent: a, name: strings.Clone(name), // not the request's whole URL
		id: strings.Clone(q.Get("_pk")), page: len(r.Header["Origin"]) > 0, readOnly: flag(q, "readonly"), quiet: flag(q, "noproto"),
		commands: make(chan func(), maxCommands), calls: make(chan struct{}, maxCalls),
		done: make(chan struct{}),
	}
	c.net, _ = r.Context().Value(netConnKey{}).(net.Conn)
	if c.id == "" {
		c.id = rand.Text()
	}
	c.kind = kindOf(c.page, q.Get("client"))
	if seconds, err := strconv.Atoi(q.Get("tether")); err == nil && seconds > 0 {
		c.tether = min(time.Duration(seconds)*time.Second, maxTether)
	}
	return c
}

func flag(q url.Values, name string) bool { return q.Get(name) == "1" || q.Get(name) == "true" }

// accept subscribes and makes the handshake, or answers why not and returns false.
func (c *connection) accept(w http.ResponseWriter, r *http.Request) bool {
	s := c.server
	var err error
	if c.sub, err = c.agent.SubscribeAs(s.life, c.kind); err != nil {
		s.opts.Logger.Error("subscribing", "session", c.name, "err", err)
		s.refuse(w, err)
		return false
	}
	// Origin has been checked, by the guard: the library would compare it with Host only.
	opts := &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true}
	if c.ws, err = websocket.Accept(w, r, opts); err != nil {
		s.opts.Logger.Debug("handshake", "session", c.name, "err", err)
		c.sub.Close()
		return false
	}
	c.ws.SetReadLimit(wire.MaxFrame)
	return true
}

// serve serves the socket. It returns once everything that belongs to it has ended.
func (c *connection) serve() {
	defer c.server.leave(c)
	defer c.sub.Close()
	c.start("pump", c.pump)
	c.beat()
	func() {
		defer c.recovered("reader")
		c.read()
	}()
	c.close(statusNoneReceived, "")
	c.stopHeart()
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
	if what == "pump" { // nobody else is left who would
		c.hangUp()
	}
}

// close begins the end of the connection, with the code for the client. Only the first call counts.
func (c *connection) close(code websocket.StatusCode, reason string) {
	c.once.Do(func() {
		c.code, c.reason = code, reason
		close(c.done)
	})
}

func (c *connection) closing() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// read handles the client's frames until the socket ends.
func (c *connection) read() {
	for {
		kind, data, release, err := c.readFrame()
		if errors.Is(err, websocket.ErrMessageTooBig) {
			c.close(statusTooBig, "a frame may have 32 MiB")
		}
		if err != nil {
			return
		}
		c.serveFrame(kind, data, release)
	}
}

// serveFrame serves a frame, unless the closing handshake has begun.
func (c *connection) serveFrame(kind websocket.MessageType, data []byte, release func()) {
	defer release()
	if c.closing() {
		return
	}
	c.server.connections.seen(c.server.opts.Now())
	if kind == websocket.MessageText {
		c.frame(data)
	}
}

// frame handles one text frame. What is no frame, or none that we know, is not answered; a request that we refuse is.
func (c *connection) frame(data []byte) {
	if !utf8.Valid(data) { // the library does not look
		c.close(statusInvalidText, "invalid UTF-8")
		return
	}
	f, err := wire.Decode(data)
	if err != nil {
		c.ignore(err)
		return
	}
	c.handle(f)
}

// write gives the client the write timeout for one frame. Only the pump calls it. It waits for the client, and nobody
// else does: meanwhile updates gather in the subscription, whose bound ends it. A deadline costs less than a context per
// frame.
func (c *connection) write(frame []byte) {
	if c.closing() && c.code != statusGoingAway {
		return
	}
	err := c.net.SetWriteDeadline(time.Now().Add(c.server.times.write))
	if err == nil {
		err = c.ws.Write(c.server.forever, websocket.MessageText, frame)
	}
	if errors.Join(err, c.net.SetWriteDeadline(time.Time{})) != nil {
		c.close(statusTooSlow, "too slow")
	}
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

// beat begins to ping. Between two pings there is a timer and no goroutine.
func (c *connection) beat() {
	c.owned.Add(1) // for the timer, whose function may run
	c.heart.Lock()
	c.heart.timer = time.AfterFunc(c.server.times.ping, c.ping)
	c.heart.Unlock()
}

// ping closes the socket when a ping is not answered in time. One that could not be sent says nothing: the frame that is
// being written has a time of its own. So has a large frame, behind which the answer stands.
func (c *connection) ping() {
	defer c.nextBeat()
	defer c.recovered("ping")
	ctx, cancel := context.WithTimeout(c.server.forever, c.server.times.pong)
	defer cancel()
	large := c.large.Load()
	behind := func() bool { return large%2 == 1 || c.large.Load() != large }
	if err := c.ws.Ping(ctx); err != nil && ctx.Err() != nil && !behind() {
		c.close(statusGoingAway, "no pong")
		c.hangUp() // the pump may wait for the client
	}
}

func (c *connection) nextBeat() {
	c.heart.Lock()
	defer c.heart.Unlock()
	if c.heart.stopped {
		c.owned.Done()
		return
	}
	c.heart.timer.Reset(c.server.times.ping)
}

func (c *connection) stopHeart() {
	c.heart.Lock()
	defer c.heart.Unlock()
	c.heart.stopped = true
	if c.heart.timer.Stop() {
		c.owned.Done()
	}
}
