package server

import (
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
)

// hostRoute serves the commands that are not conversations. A page may ask how the host is, and no more: the commands are
// of all sessions, and a page knows those of its own workdir.
func (s *Server) hostRoute(segments []string) http.HandlerFunc {
	route := s.hostCommand(segments)
	if route == nil || slices.Equal(segments, []string{"status"}) {
		return route
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if ofPage(r) {
			s.opts.Logger.Warn("a page may not do this", "path", s.forLog(r.URL.Path), "origin", s.forLog(r.Header.Get("Origin")))
			answer(w, http.StatusForbidden, errorBody{Error: "a page may not do this", Hint: "in a terminal: coder --help"})
			return
		}
		route(w, r)
	}
}

// ofPage reports whether a page has sent the request. Browsers leave Origin out of a GET to the page's own host, but say
// where it comes from; "none" is what a person has typed.
func ofPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return len(r.Header["Origin"]) > 0 || site != "" && site != "none"
}

// hostCommand finds the command. Every route of docs/host-api.md stands here.
func (s *Server) hostCommand(segments []string) http.HandlerFunc {
	switch {
	case slices.Equal(segments, []string{"status"}):
		return only(http.MethodGet, s.status)
	case slices.Equal(segments, []string{"sessions"}):
		return only(http.MethodGet, s.sessions)
	case len(segments) > 1 && segments[0] == "sessions" && agent.ValidAddress(strings.Join(segments[1:], "/")):
		name := strings.Join(segments[1:], "/")
		return only(http.MethodDelete, func(w http.ResponseWriter, r *http.Request) { s.deleteSession(w, r, name) })
	case len(segments) > 2 && segments[0] == "sessions" && segments[len(segments)-1] == "pin":
		name := strings.Join(segments[1:len(segments)-1], "/")
		return only(http.MethodPost, func(w http.ResponseWriter, r *http.Request) { s.pin(w, r, name) })
	case slices.Equal(segments, []string{"prune"}):
		return only(http.MethodPost, s.prune)
	case slices.Equal(segments, []string{"schedules"}):
		return only(http.MethodGet, s.schedules)
	case len(segments) == 2 && segments[0] == "schedules":
		return only(http.MethodDelete, func(w http.ResponseWriter, r *http.Request) { s.cancelSchedule(w, r, segments[1]) })
	case slices.Equal(segments, []string{"jobs"}):
		return only(http.MethodGet, s.jobs)
	case len(segments) > 2 && segments[0] == "jobs" && agent.ValidAddress(strings.Join(segments[1:len(segments)-1], "/")):
		name, id := strings.Join(segments[1:len(segments)-1], "/"), segments[len(segments)-1]
		return only(http.MethodDelete, func(w http.ResponseWriter, r *http.Request) { s.endJob(w, r, name, id) })
	case slices.Equal(segments, []string{"stop"}) && s.opts.Stop != nil:
		return only(http.MethodPost, s.stop)
	}
	return nil
}

// only lets one method through, and of POST only JSON: a form of another page cannot send that.
func only(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			answer(w, http.StatusMethodNotAllowed, errorBody{Error: "use " + method})
			return
		}
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); method == http.MethodPost && kind != "application/json" {
			answer(w, http.StatusUnsupportedMediaType, errorBody{Error: "send application/json"})
			return
		}
		next(w, r)
	}
}

// Status is the answer of GET /host/status.
type Status struct {
	Version     string        `json:"version"`
	PID         int           `json:"pid"`
	Addr        string        `json:"addr"`
	Turns       int           `json:"turns"`       // that run or wait
	Subscribers int           `json:"subscribers"` // of agents
	Jobs        int           `json:"jobs"`        // that run, in all sessions
	Schedules   agent.Planned `json:"schedules"`
	Connections Counts        `json:"connections"`
	Host        any           `json:"host,omitempty"` // what the program adds; not for pages
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st := Status{Version: s.opts.Version, PID: os.Getpid(), Addr: s.addr, Connections: s.Connections()}
	st.Turns, st.Subscribers = s.opts.Host.Busy()
	st.Schedules, st.Jobs = s.opts.Host.Planned(), s.opts.Host.RunningJobs()
	if s.opts.Status != nil && !ofPage(r) {
		st.Host = s.opts.Status()
	}
	answer(w, http.StatusOK, st)
}

// Sessions is the answer of GET /host/sessions.
type Sessions struct {
	Sessions []agent.Session `json:"sessions"`
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	list, err := s.opts.Host.Sessions(r.Context())
	if err != nil {
		s.failed(w, "listing sessions", err)
		return
	}
	if list == nil {
		list = []agent.Session{}
	}
	answer(w, http.StatusOK, Sessions{list})
}

func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request, name string) {
	list, err := s.opts.Host.Sessions(r.Context())
	if err != nil {
		s.failed(w, "listing sessions", err)
		return
	}
	if !slices.ContainsFunc(list, func(have agent.Session) bool { return strings.EqualFold(have.Name, name) }) {
		answer(w, http.StatusNotFound, errorBody{Error: "there is no session " + name, Hint: "coder sessions list shows what there is"})
		return
	}
	if err := s.opts.Host.Delete(r.Context(), name); err != nil {
		s.failed(w, "deleting session "+name, err)
		return
	}
	answer(w, http.StatusOK, struct {
		Deleted string `json:"deleted"`
	}{name})
}

// failed answers a request that the host could not carry out. While it ends, that is the reason, whatever broke first.
func (s *Server) failed(w http.ResponseWriter, deed string, err error) {
	if s.stopping.Load() {
		err = agent.ErrShutdown
	} else {
		s.opts.Logger.Error(deed, "err", err)
	}
	s.refuse(w, err)
}

// Schedules is the answer of GET /host/schedules.
type Schedules struct {
	Schedules []agent.Schedule `json:"schedules"`
}

func (s *Server) schedules(w http.ResponseWriter, r *http.Request) {
	list, err := s.opts.Host.Schedules(r.Context())
	if err != nil {
		s.failed(w, "listing schedules", err)
		return
	}
	answer(w, http.StatusOK, Schedules{list})
}

func (s *Server) cancelSchedule(w http.ResponseWriter, r *http.Request, id string) {
	if err := s.opts.Host.CancelSchedule(r.Context(), id); err != nil {
		s.refuse(w, err)
		return
	}
	answer(w, http.StatusOK, struct {
		Cancelled string `json:"cancelled"`
	}{id})
}

// Jobs is the answer of GET /host/jobs.
type Jobs struct {
	Jobs []agent.Job `json:"jobs"`
}

func (s *Server) jobs(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, Jobs{s.opts.Host.Jobs()})
}

func (s *Server) endJob(w http.ResponseWriter, _ *http.Request, session, id string) {
	if err := s.opts.Host.EndJob(session, id); err != nil {
		s.refuse(w, err)
		return
	}
	answer(w, http.StatusOK, struct {
		Ended string `json:"ended"`
	}{id})
}

// stop answers first: once the program stops, nobody may be left to answer. With ifIdle it refuses while the host is in
// use; when it does not, nobody comes in any more.
func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	var want struct {
		IfIdle bool `json:"ifIdle"`
	}
	if r.ContentLength != 0 && !decode(w, r, &want) {
		return
	}
	if want.IfIdle && !s.closeIdle() {
		answer(w, http.StatusConflict, errorBody{
			Error: "the host is in use", Hint: "coder status shows by whom; coder stop ends it all the same",
		})
		return
	}
	w.Header().Set("Connection", "close")
	answer(w, http.StatusAccepted, struct {
		Stopping bool `json:"stopping"`
	}{true})
	_ = http.NewResponseController(w).Flush() // a client that has gone wants it stopped all the same
	s.opts.Stop()
}

// closeIdle lets no socket in any more, unless one is there, a turn runs or waits, or the host must stay. A prompt is
// counted before its socket goes, so that looking at the sockets first misses none.
func (s *Server) closeIdle() bool {
	return s.connections.closeUnless(func() bool {
		turns, _ := s.opts.Host.Busy()
		return turns > 0 || s.opts.Stays != nil && s.opts.Stays()
	})
}

// Counts says who is connected.
type Counts struct {
	Sockets      int       `json:"sockets"`
	Pages        int       `json:"pages"`    // of them with an Origin: browser pages
	Tethered     int       `json:"tethered"` // of them with a tether: coder run
	ReadOnly     int       `json:"readOnly"`
	LastActivity time.Time `json:"lastActivity"` // when a socket last opened, closed or sent a frame; else the start
}
