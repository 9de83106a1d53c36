package server

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent"
)

// connections is the table of who is connected.
type connections struct {
	mu      sync.Mutex
	open    map[*connection]struct{}
	session map[string]int              // sockets by session, its name in lower case
	tethers map[tetherKey]chan struct{} // of clients that are away: closed when they come back
	active  time.Time
	visited bool // somebody has been there
	closed  bool
	running sync.WaitGroup // each that was entered and is not yet out
}

// A tetherKey is one client of one session.
type tetherKey struct{ session, client string }

func (t *connections) init(now time.Time) {
	t.active = now
	t.open = make(map[*connection]struct{})
	t.session = make(map[string]int)
	t.tethers = make(map[tetherKey]chan struct{})
}

// add enters c, or returns the status that refuses it.
func (t *connections) add(c *connection, now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := c.key()
	switch {
	case t.closed, len(t.open) >= maxSockets:
		return http.StatusServiceUnavailable
	case t.session[key.session] >= maxSocketsSession:
		return http.StatusTooManyRequests
	}
	t.running.Add(1)
	t.open[c] = struct{}{}
	t.session[key.session]++
	t.active, t.visited = now, true
	if back, ok := t.tethers[key]; ok {
		close(back)
		delete(t.tethers, key)
	}
	return 0
}

// remove takes c out. If it was tethered and the last of its client, it returns the channel that is closed when the
// client comes back.
func (t *connections) remove(c *connection, now time.Time) (back chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := c.key()
	delete(t.open, c)
	if t.session[key.session]--; t.session[key.session] == 0 {
		delete(t.session, key.session)
	}
	t.active = now
	if c.tether == 0 || t.closed {
		return nil
	}
	for other := range t.open {
		if other.key() == key {
			return nil
		}
	}
	if old, ok := t.tethers[key]; ok {
		close(old)
	}
	came := make(chan struct{})
	t.tethers[key] = came
	return came
}

// forget drops a tether that has run out.
func (t *connections) forget(key tetherKey, back chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tethers[key] == back {
		delete(t.tethers, key)
	}
}

// seen notes a sign of life.
func (t *connections) seen(now time.Time) {
	t.mu.Lock()
	t.active = now
	t.mu.Unlock()
}

// close ends every connection and lets no other in.
func (t *connections) close() {
	t.mu.Lock()
	t.closed = true
	open := make([]*connection, 0, len(t.open))
	for c := range t.open {
		open = append(open, c)
	}
	t.mu.Unlock()
	for _, c := range open {
		c.close(statusGoingAway, agent.ErrShutdown.Error())
	}
}

// closeUnless lets no connection in any more, unless there is one, or busy says that there is work. A client that
// comes too late finds the next host.
func (t *connections) closeUnless(busy func() bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) > 0 || busy() {
		return false
	}
	t.closed = true
	return true
}

// Visited reports whether anybody has ever been connected: a client may come and go before its owner looks.
func (s *Server) Visited() bool {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	return s.connections.visited
}

// CloseUnless lets no socket in any more, unless one is there or busy, which must not block, says that there is work. Whoever
// ends a host that nobody uses does this first: a client that comes at that moment is sent to the next host, and not cut off in the
// middle of a call.
func (s *Server) CloseUnless(busy func() bool) bool { return s.connections.closeUnless(busy) }

// cut ends what close has not: a client that takes no part in the closing handshake.
func (t *connections) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.open {
		_ = c.net.Close()
	}
}

// Connections counts who is connected.
func (s *Server) Connections() Counts {
	t := &s.connections
	t.mu.Lock()
	defer t.mu.Unlock()
	n := Counts{Sockets: len(t.open), LastActivity: t.active}
	for c := range t.open {
		if c.page {
			n.Pages++
		}
		if c.tether > 0 {
			n.Tethered++
		}
		if c.readOnly {
			n.ReadOnly++
		}
	}
	return n
}

// kinds are what our own clients call themselves in the query parameter client. An Origin makes a page, whatever it says.
var kinds = []string{"run", "chat", "attach", "editor"}

// kindOf names the kind of a client; of others than ours nothing is known but that they have a socket.
func kindOf(page bool, said string) string {
	switch {
	case page:
		return "page"
	case slices.Contains(kinds, said):
		return said
	}
	return "socket"
}

func (c *connection) key() tetherKey { return tetherKey{strings.ToLower(c.name), c.id} }

// leave takes c out of the table and, if it was tethered, watches whether its client comes back.
func (s *Server) leave(c *connection) {
	defer s.connections.running.Done()
	back := s.connections.remove(c, s.opts.Now())
	if back != nil {
		s.owned.Go(func() { s.watch(c, back) })
	}
	s.opts.Changed()
}

// watch cancels the turns of a tethered client that stays away.
func (s *Server) watch(c *connection, back chan struct{}) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked("tether", v)
		}
	}()
	timer := time.NewTimer(c.tether)
	defer timer.Stop()
	select {
	case <-back:
		return
	case <-s.life.Done():
		return
	case <-timer.C:
	}
	s.connections.forget(c.key(), back)
	sub, err := c.agent.Subscribe(s.life)
	if err != nil {
		s.opts.Logger.Error("cancelling the turns of a client that has gone", "session", c.name, "err", err)
		return
	}
	defer sub.Close()
	turns := sub.Snapshot.Queue
	if sub.Snapshot.Turn != nil {
		turns = append(turns, *sub.Snapshot.Turn)
	}
	for _, t := range turns {
		if t.Client != c.id {
			continue
		}
		s.opts.Logger.Info("cancelling the turn of a client that has gone", "session", c.name, "turn", t.ID)
		if err := c.agent.Cancel(s.life, t.ID); err != nil {
			s.opts.Logger.Error("cancelling a turn", "session", c.name, "turn", t.ID, "err", err)
		}
	}
}
