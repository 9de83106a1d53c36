package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

const (
	readLimit    = 256 << 20 // bytes of one frame: a long session's whole transcript
	dialTimeout  = 10 * time.Second
	setupTimeout = 30 * time.Second // from the open socket to the answer to Setup
	writeTimeout = time.Minute
	pingEvery    = 15 * time.Second
	closeGrace   = time.Second // for the closing handshake
)

// shuttingDown is how a host that ends refuses what it is asked. Its text is agent.ErrShutdown's.
const shuttingDown = "shutting down"

var errShuttingDown = errors.New("the host is shutting down")

// A connection is one socket of a session. Its reader alone touches the fields below conn.
type connection struct {
	session *Session
	conn    *websocket.Conn

	setupID   string          // of the Setup call that was sent
	acked     map[string]bool // offers that were accepted
	ready     chan struct{}   // closed when the frames of the session may go out
	unsure    []string        // turns of earlier connections, which may have ended meanwhile
	tellReady func()
	deadline  *time.Timer // ends a connection that never becomes ready
}

// connect makes one connection and serves it until it breaks. It calls open once the socket is there, and ready once
// the session is set up.
func (s *Session) connect(ctx context.Context, open, ready func()) error {
	address, err := s.opts.Host(ctx)
	if err != nil {
		return &fatalError{err}
	}
	conn, err := s.dial(ctx, address)
	if err != nil {
		return err
	}
	open()
	ctx, cancel := context.WithCancelCause(ctx)
	c := &connection{
		session: s, conn: conn, acked: make(map[string]bool), ready: make(chan struct{}), tellReady: ready,
		deadline: time.AfterFunc(setupTimeout, func() { cancel(errors.New("the host does not answer")) }),
	}
	var owned sync.WaitGroup
	owned.Go(func() { cancel(c.write(ctx)) })
	owned.Go(func() { cancel(c.ping(ctx)) })
	reading, endRead := context.WithCancel(context.WithoutCancel(ctx)) // a read that is cancelled leaves no time to say goodbye
	defer endRead()
	owned.Go(func() { c.hangUp(ctx, endRead) })
	cancel(c.read(reading))
	c.deadline.Stop()
	owned.Wait()
	return context.Cause(ctx)
}

// hangUp closes the socket once the connection has to end.
func (c *connection) hangUp(ctx context.Context, endRead context.CancelFunc) {
	<-ctx.Done()
	if errors.Is(context.Cause(ctx), ErrClosed) {
		grace := time.AfterFunc(closeGrace, endRead)        // the library itself would wait for 5 s
		_ = c.conn.Close(websocket.StatusNormalClosure, "") // the host may be gone already
		grace.Stop()
	}
	_ = c.conn.CloseNow() // what could fail here has failed before
}

// hostClient goes to loopback only: no proxy, and no connection is kept for another request.
var hostClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (s *Session) dial(ctx context.Context, a Address) (*websocket.Conn, error) {
	query := url.Values{"_pk": {s.opts.ConnectionID}}
	maps.Copy(query, s.opts.Query)
	address := "ws://" + a.Addr + wire.Path(s.opts.Name) + "?" + query.Encode()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: hostClient, HTTPHeader: http.Header{"Authorization": {"Bearer " + a.Token}},
	})
	if err != nil {
		return nil, dialError(a, resp, err)
	}
	conn.SetReadLimit(readLimit)
	return conn, nil
}

// dialError tells a host that will never take us from one that is not there (any more). A wrong token is of the second
// kind: the host was replaced.
func dialError(a Address, resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
		return fmt.Errorf("connecting to the host at %s: %w", a.Addr, err)
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // only for the message
	return &fatalError{fmt.Errorf("the host at %s answers %s: %s", a.Addr, resp.Status, strings.TrimSpace(string(body)))}
}

func (c *connection) read(ctx context.Context) error {
	for {
		kind, data, err := c.conn.Read(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			continue
		}
		frame, err := wire.Decode(data)
		if _, ok := errors.AsType[*wire.UnknownTypeError](err); ok {
			continue // a newer host may say more than we know
		}
		if err != nil {
			return err
		}
		if err := c.handle(ctx, frame); err != nil {
			return err
		}
	}
}

func (c *connection) handle(ctx context.Context, frame wire.Frame) error {
	switch f := frame.(type) {
	case wire.Identity:
		return c.identified(ctx)
	case wire.Resuming:
		return c.offered(ctx, f.ID)
	case wire.Pending:
		c.session.know(f.ID)
	case wire.ResumeNone:
		if f.Reason == wire.ResumeIdle {
			return c.claim(ctx)
		}
	case wire.CallResult:
		return c.called(ctx, f)
	case wire.ChatResponse:
		return c.response(ctx, f)
	case wire.CoderEvent:
		return c.event(f)
	case wire.State:
		c.session.updates.push(State{f.State})
	case wire.ChatMessages:
		c.session.updates.push(Messages{f.Messages, f.Client})
	case wire.MessageUpdated:
		c.session.updates.push(MessageUpdated{f.Message, f.Client})
	case wire.ChatClear:
		c.session.updates.push(Cleared{f.Client})
	}
	return nil
}

// identified carries out Setup, or what stands for it after the first time; without one the connection is ready.
func (c *connection) identified(ctx context.Context) error {
	setup := c.session.opts.Setup
	c.session.mu.Lock()
	if again := c.session.opts.SetupAgain; again != nil && c.session.setup != nil {
		setup = again
	}
	c.session.mu.Unlock()
	if setup == nil {
		c.begin()
		return nil
	}
	frame, err := callFrame(*setup)
	if err != nil {
		return &fatalError{err}
	}
	c.setupID = frame.ID
	return c.send(ctx, frame)
}

func (c *connection) called(ctx context.Context, r wire.CallResult) error {
	if r.ID != c.setupID {
		c.session.answered(r)
		return nil
	}
	if !r.Success && r.Error == shuttingDown {
		return errShuttingDown
	}
	if !r.Success {
		return &fatalError{&RefusedError{Method: c.session.opts.Setup.Method, Text: r.Error}}
	}
	c.session.mu.Lock()
	c.session.setup = r.Result
	c.session.mu.Unlock()
	c.begin()
	return nil
}

// begin lets the frames of the session out.
func (c *connection) begin() {
	c.deadline.Stop()
	c.unsure = c.session.requeue()
	c.tellReady()
	close(c.ready)
}

// offered takes an offer. One of a turn that has ended here too is the host's reminder of a failure: nothing runs.
func (c *connection) offered(ctx context.Context, id string) error {
	if len(c.session.unfinished([]string{id})) == 0 {
		return c.claim(ctx)
	}
	return c.accept(ctx, id)
}

// accept asks for a turn from its beginning, once.
func (c *connection) accept(ctx context.Context, id string) error {
	c.session.know(id)
	if c.acked[id] {
		return nil
	}
	c.acked[id] = true
	return c.send(ctx, wire.ResumeAck{ID: id})
}

// claim asks for the rest of each turn that ended while nobody listened: the host says that none runs or waits.
func (c *connection) claim(ctx context.Context) error {
	for _, id := range c.session.unfinished(c.unsure) {
		if err := c.accept(ctx, id); err != nil {
			return err
		}
	}
	c.unsure = nil
	return nil
}

// settle asks again what has become of earlier turns, now that another one is over.
func (c *connection) settle() {
	c.unsure = c.session.unfinished(c.unsure)
	if len(c.unsure) > 0 {
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		c.session.send(wire.ResumeRequest{ProbeID: rand.Text()})
	}
}

// response tells a chunk, or the end of a turn, if it is new.
func (c *connection) response(ctx context.Context, r wire.ChatResponse) error {
	switch {
	case r.ReplayComplete:
		return nil
	case r.Seq != nil:
		return c.session.chunk(r)
	case r.Unstreamed:
		return c.accept(ctx, r.ID) // our ack was not there yet: its answer tells all, the end too
	}
	if r.Error && r.Body == shuttingDown {
		return errShuttingDown // the prompt was not taken: the next host will
	}
	c.session.ending(r)
	if r.Done {
		c.settle()
	}
	return nil
}

// chunk tells the event that a chunk is. Chunks that are none of our events only matter to browsers.
func (s *Session) chunk(r wire.ChatResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns.turn(r.ID)
	t.known = true
	fresh, gap := t.chunk(*r.Seq)
	if gap {
		return fmt.Errorf("chunk %d of turn %s came too early", *r.Seq, r.ID)
	}
	if !fresh || t.ended {
		return nil
	}
	e, err := r.Event()
	if _, ok := errors.AsType[*chat.UnknownEventError](err); ok {
		return nil
	}
	if err != nil {
		return fmt.Errorf("turn %s: %w", r.ID, err)
	}
	s.updates.push(Event{Turn: r.ID, Continuation: r.Continuation, Event: e, Body: []byte(r.Body), Client: r.Client})
	return nil
}

// ending notes an error frame and tells the end of a turn, once.
func (s *Session) ending(r wire.ChatResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns.turn(r.ID)
	t.known = true
	if r.Error {
		t.failure, t.hint = strings.TrimSuffix(r.Body, "\n"+r.Hint), r.Hint
	}
	if r.Done && !t.ended {
		t.ended = true
		cancelled := r.Outcome == wire.Aborted
		lost := !t.closing && !cancelled && t.failure == ""
		s.updates.push(TurnEnded{Turn: r.ID, Cancelled: cancelled, Error: t.failure, Hint: t.hint, Lost: lost})
	}
}

// know notes that the agent has the turn.
func (s *Session) know(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" {
		s.turns.turn(id).known = true
	}
}

func (c *connection) event(f wire.CoderEvent) error {
	e, err := chat.DecodeEvent(f.Event)
	var unknown *chat.UnknownEventError
	if err != nil && !errors.As(err, &unknown) {
		return fmt.Errorf("turn %s: %w", f.ID, err)
	}
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns.turn(f.ID)
	t.known = true
	if !t.event(f.N) || t.ended || err != nil {
		return nil
	}
	if _, last := e.(chat.TurnFinished); last {
		t.closing = true
	}
	s.updates.push(Event{Turn: f.ID, Continuation: f.Continuation, Event: e, Body: f.Event, Client: f.Client})
	return nil
}

// send writes one frame.
func (c *connection) send(ctx context.Context, f wire.Frame) error {
	data, err := wire.Encode(f)
	if err != nil {
		return &fatalError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, data)
}

// write sends the session's frames once the connection is ready.
func (c *connection) write(ctx context.Context) error {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		o, ok := c.session.nextOut()
		if !ok {
			select {
			case <-c.session.outNow:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err := c.send(ctx, o.frame); err != nil {
			return err
		}
		c.session.sent(o)
	}
}

// ping notices a host that has stopped without closing the socket.
func (c *connection) ping(ctx context.Context) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		answer, cancel := context.WithTimeout(ctx, pingEvery)
		err := c.conn.Ping(answer)
		cancel()
		if err != nil {
			return fmt.Errorf("the host does not answer: %w", err)
		}
	}
}
