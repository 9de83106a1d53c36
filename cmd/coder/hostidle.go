package main

import "time"

// firstVisit is how long a host that ends with its last client waits for its first.
const firstVisit = 30 * time.Second

// An idleWatch ends a host that nobody has used for a time. Who tells of a change does not say which, and several may be told as one:
// a client that comes and goes meanwhile is known by visited alone.
type idleWatch struct {
	most    time.Duration   // that nobody may use it; 0: it ends with its last client
	changed <-chan struct{} // work or clients may have come or gone
	stopped <-chan struct{} // it ends for another reason
	visited func() bool     // somebody has been there
	used    func() bool     // somebody is there, or work that must not end
	end     func() bool     // ends the host, unless it is used again
}

// wait returns when the host ends.
func (w idleWatch) wait() {
	worked := false
	timer := time.NewTimer(max(w.most, firstVisit))
	defer timer.Stop()
	for {
		select {
		case <-w.changed:
		case <-timer.C:
			if w.end() {
				return
			}
		case <-w.stopped:
			return
		}
		switch {
		case w.used():
			worked = true
			timer.Stop()
		case worked || w.visited():
			timer.Reset(w.most)
		}
	}
}

// keepsOpen reports whether somebody is connected, a turn runs or something is planned. Jobs keep the host, unless it is to end with
// its last client: nobody asked for them to stay.
func (h *host) keepsOpen() bool { return h.works() || h.server.Connections().Sockets > 0 }

func (h *host) works() bool {
	turns, _ := h.agents.Busy()
	return turns > 0 || h.stays() || h.command.config.Idle > 0 && h.agents.RunningJobs() > 0
}

// endIdle ends the host, unless somebody has come meanwhile.
func (h *host) endIdle() bool {
	if !h.server.CloseUnless(h.works) {
		return false
	}
	h.log.Info("stopping: idle")
	h.stop()
	return true
}
