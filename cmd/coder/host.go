package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/server"
	"github.com/coder-agent/coder/tools"
	"github.com/coder-agent/coder/tools/sandbox"
)

// A host is the agents of a data dir with a server in front of them.
type host struct {
	command  *serveCommand
	log      *slog.Logger
	box      *sandbox.Box // bounds the agents' commands
	agents   *agent.Host
	server   *server.Server
	listener net.Listener
	port     atomic.Int32 // of the listener
	audit    *audit.Log
	finder   *tools.Finder // of files of the sessions' workdirs
	file     hostFile
	changed  chan struct{}      // has room for one; work or clients may have come or gone
	stop     context.CancelFunc // ends serve
	stopped  context.Context    // done when serve must end
}

// open takes the data dir, listens and writes the host file.
func (s *serveCommand) open(ctx context.Context, log *slog.Logger) (*host, error) {
	h := &host{command: s, log: log, changed: make(chan struct{}, 1)}
	h.stopped, h.stop = context.WithCancel(ctx)
	token, err := s.token()
	if err == nil {
		err = ownDataDir(s.config.DataDir)
	}
	if err != nil {
		return nil, err
	}
	s.app.secrets.AddKey("server token", token)
	if h.audit, err = s.app.openAudit(s.config.DataDir); err != nil {
		return nil, err
	}
	if h.agents, err = h.openAgents(ctx); err != nil {
		return nil, errors.Join(err, h.audit.Close())
	}
	var lc net.ListenConfig
	if h.listener, err = lc.Listen(ctx, "tcp", s.config.Addr); err != nil {
		return nil, errors.Join(
			&hintedError{fmt.Errorf("listening: %w", err), "choose another --addr: 127.0.0.1:0 takes a free port"}, h.agents.Close(), h.audit.Close())
	}
	h.port.Store(int32(portOf(h.listener.Addr())))
	h.file = hostFile{
		Addr: dialAddr(h.listener.Addr().String()), Token: token, PID: os.Getpid(), Version: version(), Started: time.Now().UTC(),
		BaseURL: s.config.BaseURL, Model: s.config.Model, Mode: string(s.config.Mode), Detached: s.detached, Hold: s.hold,
		RulesHash: rulesHash(s.config.Rules),
	}
	h.file.sign(s.config.key())
	h.server = server.New(server.Options{
		Host: h.agents, Token: token, AllowOrigins: s.allowOrigins, AllowHosts: s.allowHosts, Version: version(), Logger: log,
		Audit: h.audit, Stop: h.stop, Changed: h.noteChange, Drain: h.drain, Stays: h.used, Status: func() any { return h.info() },
	})
	if err := h.file.write(s.config.DataDir); err != nil {
		return nil, errors.Join(err, h.listener.Close(), h.agents.Close(), h.audit.Close())
	}
	h.noteStarted()
	return h, nil
}

// dialAddr is where clients on this machine find a listener. One on all addresses is on loopback too, and there alone the
// server's own names lead to it.
func dialAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// portOf is the port of a listener's address.
func portOf(a net.Addr) int {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// openAgents opens the host of the agents; a damaged store is moved aside if the user wants that.
func (h *host) openAgents(ctx context.Context) (*agent.Host, error) {
	s := h.command
	var err error
	if h.box, err = openBox(ctx, s.config, h.log); err != nil {
		return nil, err
	}
	opts, err := agentOptions(s.config, s.app.environ(), h.box, tools.NewJobs(h.log, h.noteChange), func() int { return int(h.port.Load()) })
	if err != nil {
		return nil, err
	}
	opts.Secrets = s.app.secrets
	opts.Logger, opts.Changed, opts.HoldSchedules, opts.Workdir = h.log, h.noteChange, s.hold, s.folder
	opts.Audit = h.audit
	h.finder = tools.NewFinder(h.stopped)
	opts.FindFiles = h.finder.Find
	agents, err := agent.Open(ctx, s.config.DataDir, opts)
	if damage, ok := errors.AsType[*store.CorruptError](err); ok {
		if err := s.mend(damage); err != nil {
			return nil, err
		}
		return agent.Open(ctx, s.config.DataDir, opts)
	}
	return agents, unusable(err)
}

// A hostInfo is what coder status shows beyond what the server knows.
type hostInfo struct {
	Started  time.Time `json:"started"`
	BaseURL  string    `json:"baseURL"`
	Model    string    `json:"model"`
	Mode     string    `json:"mode"`
	Detached bool      `json:"detached"`
	Sandbox  string    `json:"sandbox"` // what bounds commands
	Level    int       `json:"level"`   // how much that is, 0 to 3
}

func (h *host) info() hostInfo {
	return hostInfo{h.file.Started, h.file.BaseURL, h.file.Model, h.file.Mode, h.file.Detached, h.box.Name(), h.box.Level()}
}

// stays reports whether the host has schedules to look after, calls to deny if nobody decides on them in time, or a look to end at what
// a turn has changed: it ends for nobody who only wants another one, least of all one that would send their prompts elsewhere.
func (h *host) stays() bool {
	planned := h.agents.Planned()
	return planned.Count+planned.Deadlines > 0 && !h.command.hold || h.agents.Looking()
}

// used is stays for who wants another host: jobs would end with this one.
func (h *host) used() bool { return h.stays() || h.agents.RunningJobs() > 0 }

func (h *host) noteChange() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// serve answers until a signal, coder stop or idleness ends it, and leaves nothing behind.
func (h *host) serve(ctx context.Context) error {
	var owned sync.WaitGroup
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	defer owned.Wait()
	defer end()
	defer h.finder.Close()
	defer h.stop()
	owned.Go(func() { h.obey(ended) })
	owned.Go(func() { h.pruneCaches(h.stopped) })
	if h.command.idle {
		owned.Go(func() {
			w := idleWatch{most: h.command.config.Idle, changed: h.changed, stopped: h.stopped.Done(), visited: h.server.Visited, used: h.keepsOpen, end: h.endIdle}
			w.wait()
		})
	}
	h.log.Info("listening", "addr", h.file.Addr, "data", h.command.config.DataDir)
	err := h.server.Serve(h.stopped, h.listener)
	h.log.Info("stopped", "err", err)
	h.noteStopped(err)
	return err
}

// obey ends the host on the first signal and the process on the second, or when ending takes too long: what was told
// to anybody is on disk.
func (h *host) obey(ended context.Context) {
	signals := h.command.app.takeSignals()
	select {
	case got := <-signals:
		h.log.Info("stopping", "signal", got.String())
	case <-h.stopped.Done():
	}
	h.stop()
	select {
	case <-signals:
	case <-time.After(shutdownTimeout):
		h.log.Error("ending took too long", "limit", shutdownTimeout)
	case <-ended.Done():
		return
	}
	h.withdraw()
	h.command.app.exit(exitFailed)
}

// withdraw takes the host file away: from now on nobody finds us.
func (h *host) withdraw() {
	if err := h.file.remove(h.command.config.DataDir); err != nil {
		h.log.Error("removing the host file", "err", err)
	}
}

// drain ends the agents' work once no new client can come.
func (h *host) drain() {
	h.withdraw()
	if err := h.agents.Close(); err != nil {
		h.log.Error("closing the agents", "err", err)
	}
}
