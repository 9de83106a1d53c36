// Package server is the one door to the agents of a host: a loopback HTTP listener that speaks the Cloudflare Agents
// protocol over WebSocket under /agents/coder-agent/NAME, and JSON for commands under /host/ (see docs/host-api.md).
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/audit"
)

// Options configure a Server. Host and Token are required; the zero value of every other field is usable.
type Options struct {
	Host         *agent.Host
	Token        string           // what every client must show
	AllowOrigins []string         // besides the server's own, such as http://localhost:5173
	AllowHosts   []string         // values of the Host header besides the server's own
	Version      string           // for GET /host/status
	Logger       *slog.Logger     // nil discards
	Audit        *audit.Log       // of who came and who was refused; nil: none is kept. The server does not close it
	Now          func() time.Time // nil means time.Now
	Stop         func()           // POST /host/stop calls it, once answered; nil: the route does not exist
	Status       func() any       // what GET /host/status shows as "host"; nil: nothing
	Changed      func()           // called after Connections may have changed; must not block
	Stays        func() bool      // reports that the host is in use though nobody is connected; must not block; nil: never
	Drain        func()           // called after the listener has closed and before the sockets close: end the host's work
}

// Limits and times, in the order in which a connection meets them.
const (
	maxSockets        = 4096
	maxSocketsSession = 64
	maxHeader         = 28 << 10 // net/http adds 4 KiB
	maxBody           = 1 << 20
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 20 * time.Second // for an answer, from its first byte
	idleTimeout       = 60 * time.Second
	shutdownTimeout   = 2 * time.Second // for plain HTTP requests that are still being answered
)

// times are what a test wants shorter.
type times struct {
	write      time.Duration // for one frame; a client that takes longer is too slow
	ping       time.Duration // between pings
	pong       time.Duration // until the answer: with the next line, 45 s after its last sign of life a socket is gone
	large      time.Duration // for reading a large frame, once there is a place for it
	closeGrace time.Duration // for the closing handshake
}

var defaultTimes = times{write: 10 * time.Second, ping: 20 * time.Second, pong: 22 * time.Second, large: 5 * time.Second, closeGrace: 3 * time.Second}

// A Server serves the agents of one host. Make one with New.
type Server struct {
	opts  Options
	guard guard
	times times

	connections connections
	large       chan struct{}  // a token per large frame that is being read or served
	stopping    atomic.Bool    // no new sockets and prompts
	owned       sync.WaitGroup // the accept loop and tethers
	life        context.Context
	end         context.CancelCauseFunc
	forever     context.Context // that of a read and a write: closing the socket ends them
	addr        string
}

// New returns a server that does not listen yet.
func New(opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Changed == nil {
		opts.Changed = func() {}
	}
	s := &Server{opts: opts, times: defaultTimes, large: make(chan struct{}, maxLarge)}
	s.connections.init(opts.Now())
	return s
}

type netConnKey struct{}

// Serve answers requests on l until ctx is done. Then it closes l, refuses new prompts, calls Options.Drain, closes the
// sockets with 1001 and waits for everything it owns. A Server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.opts.Token == "" {
		return errors.Join(errors.New("server: no token"), l.Close())
	}
	s.addr = l.Addr().String()
	s.guard = newGuard(s.opts, s.addr)
	s.forever = context.WithoutCancel(ctx)
	s.life, s.end = context.WithCancelCause(s.forever)
	hs := &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// The library's answer to OPTIONS * would pass by the guard.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		BaseContext:                  func(net.Listener) context.Context { return s.life },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, netConnKey{}, c)
		},
	}
	served := make(chan error, 1)
	s.owned.Go(func() { served <- hs.Serve(l) })
	var err error
	select {
	case err = <-served: // the listener broke
		err = fmt.Errorf("server: serving %s: %w", s.addr, err)
	case <-ctx.Done():
		s.stopping.Store(true)
		err = errors.Join(l.Close(), s.drain(hs, served))
	}
	s.connections.close()
	late := time.AfterFunc(2*s.times.closeGrace, func() {
		s.end(agent.ErrShutdown)
		s.connections.cut()
	})
	defer late.Stop()
	s.connections.running.Wait()
	s.end(agent.ErrShutdown)
	s.owned.Wait()
	return err
}

// drain lets the host end its work and plain requests be answered.
func (s *Server) drain(hs *http.Server, served <-chan error) error {
	<-served // says only that the listener is closed
	if s.opts.Drain != nil {
		s.opts.Drain()
	}
	ctx, cancel := context.WithTimeout(s.life, shutdownTimeout)
	defer cancel()
	if err := hs.Shutdown(ctx); err != nil {
		return hs.Close()
	}
	return nil
}

// panicked logs a panic that was caught.
func (s *Server) panicked(where string, v any) {
	s.opts.Logger.Error("panic", "in", where, "value", v, "stack", string(debug.Stack()))
}
