package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// pipes is a listener whose connections are net.Pipes. They hold nothing back: a write waits until it is read. So time
// in a synctest bubble stands still while anything is under way, and what waits for a peer waits for the bubble's clock.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4096} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// inBubble runs do with a house whose sockets are pipes and whose clock is the bubble's.
func inBubble(t *testing.T, model *agenttest.Model, do func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		h := serveOn(t, p, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model)), func(s *Server) { s.times = defaultTimes })
		h.http = &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}}
		do(t, h)
	})
}

// idle opens a socket by hand and reads its connect frames: what follows is in the test's hands.
func (h *house) idle(t *testing.T) net.Conn {
	t.Helper()
	c, err := h.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "GET /agents/coder-agent/dead?token=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", token, h.addr)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { // until there is nothing more to read
		defer close(read)
		_, _ = io.Copy(io.Discard, c)
	}()
	synctest.Wait()
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n := h.server.Connections().Sockets; n != 1 {
		t.Fatalf("there are %d sockets, want the one that was opened", n)
	}
	return c
}

// gone waits, on the bubble's clock, until the server has given its only socket up, and returns how long that took. It
// gives up itself after a minute.
func (h *house) gone(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) < time.Minute {
		synctest.Wait()
		if h.server.Connections().Sockets == 0 {
			return time.Since(begin)
		}
		<-time.After(time.Second)
	}
	t.Fatal("the socket is still there after a minute")
	return 0
}

func TestADeadPeerIsFoundWithin45Seconds(t *testing.T) {
	t.Run("it neither reads nor answers", func(t *testing.T) {
		inBubble(t, agenttest.NewModel(), func(t *testing.T, h *house) {
			h.idle(t)
			if took := h.gone(t); took > 45*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("it reads and never answers", func(t *testing.T) {
		inBubble(t, agenttest.NewModel(), func(t *testing.T, h *house) {
			c := h.idle(t)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			if took := h.gone(t); took > 45*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
}

func TestAPeerThatAnswersPingsStays(t *testing.T) {
	inBubble(t, agenttest.NewModel(), func(t *testing.T, h *house) {
		p := h.join("alive")
		ctx := p.ws.CloseRead(t.Context()) // answers pings
		<-time.After(time.Hour)
		if err := ctx.Err(); err != nil || h.server.Connections().Sockets != 1 {
			t.Errorf("after an hour the socket is gone: %v", err)
		}
	})
}

// A client that reads, but too slowly, is told so. It comes back and gets everything.
func TestASlowReaderIsDroppedAndResumes(t *testing.T) {
	const answers, deltas = 38, 9 // together 34 MB, more than may wait for a client; one answer has less than 1 MiB
	big := strings.Repeat("x", 100_000)
	much := func(_ context.Context, _ chat.Request, yield func(chat.Event) bool) error {
		for range deltas {
			if !yield(chat.TextDelta{Delta: big}) {
				return errors.New("nobody listens")
			}
			<-time.After(20 * time.Millisecond) // so that none are joined
		}
		return nil
	}
	model := agenttest.NewModel()
	inBubble(t, model, func(t *testing.T, h *house) {
		reached, release := make(chan struct{}), make(chan struct{})
		hold := agenttest.Hold(reached, release, agenttest.Say("the end"))
		for i := range answers {
			next := agenttest.Call(agenttest.Use{ID: fmt.Sprint("call_", i), Tool: "none", Args: i}) // there is none: it is asked again
			model.Add(func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
				return errors.Join(much(ctx, req, yield), next(ctx, req, yield))
			})
		}
		model.Add(hold)
		slow := h.join("slow?_pk=slow")
		slow.ask("q1", "much")
		<-reached
		code := websocket.StatusCode(0)
		for code == 0 {
			_, _, err := slow.ws.Read(t.Context())
			if err != nil {
				code = websocket.CloseStatus(err)
			}
			<-time.After(2 * time.Second)
		}
		if code != websocket.StatusTryAgainLater {
			t.Errorf("the slow reader was closed with %d, want %d", code, websocket.StatusTryAgainLater)
		}
		again := h.dial("slow?_pk=slow")
		again.expect("resuming q1")
		again.put(wire.ResumeAck{ID: "q1"})
		close(release)
		if got, want := again.text(), answers*deltas*len(big)+len("the end"); got != want {
			t.Errorf("the reader got %d bytes after it came back, want %d", got, want)
		}
	})
}

// text reads to the end of the turn and tells how many bytes of text came.
func (p *peer) text() (size int) {
	p.t.Helper()
	for {
		f, ok := p.recv().(wire.ChatResponse)
		if !ok {
			continue
		}
		if e, err := f.Event(); err == nil {
			if d, ok := e.(chat.TextDelta); ok {
				size += len(d.Delta)
			}
		}
		if f.Done {
			return size
		}
	}
}

// The connections of a deleted session end, and in ending do not wake it again.
func TestADeletedSessionStaysAsleep(t *testing.T) {
	inBubble(t, agenttest.NewModel(), func(t *testing.T, h *house) {
		round := func(name string) (goroutines int) {
			p := h.join(name)
			if err := h.host.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if got := p.closed(); got != statusDeleted {
				t.Errorf("the socket was closed with %d, want %d", got, statusDeleted)
			}
			synctest.Wait()
			return runtime.NumGoroutine()
		}
		first := round("one")
		if second := round("two"); second > first {
			t.Errorf("there are %d goroutines after the first session and %d after the second", first, second)
		}
	})
}
