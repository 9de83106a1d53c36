package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// kind is the only class of agents there is, in kebab case as URLs have it.
const kind = "coder-agent"

// serveHTTP guards and routes. Paths are split raw: a mux would redirect //agents//x and decode names, which the
// protocol does not want.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked("request", v)
			panic(http.ErrAbortHandler) // closes the connection without another word in the log
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status := s.guard.place(r); status != 0 {
		s.opts.Logger.Warn("request refused", "status", status, "host", s.forLog(r.Host), "origin", s.forLog(r.Header.Get("Origin")))
		s.noteRefused(r, status, "from a place that may not come in")
		text(w, status, http.StatusText(status))
		return
	}
	if s.guard.share(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if raw == "/healthz" {
		s.health(w, r)
		return
	}
	route := s.route(raw)
	if route == nil {
		text(w, http.StatusNotFound, "Not found")
		return
	}
	if !s.guard.knows(r) {
		s.opts.Logger.Warn("request without the token", "path", s.forLog(raw), "remote", r.RemoteAddr)
		s.noteRefused(r, http.StatusUnauthorized, "without the token, or with a wrong one")
		w.Header().Set("WWW-Authenticate", "Bearer")
		text(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	route(w, r)
}

// route returns what serves the raw path, or nil when nothing does.
func (s *Server) route(raw string) http.HandlerFunc {
	var segments []string
	for part := range strings.SplitSeq(raw, "/") {
		if part != "" {
			segments = append(segments, part)
		}
	}
	if len(segments) < 2 {
		return nil
	}
	switch segments[0] {
	case "agents":
		if len(segments) < 3 {
			return nil
		}
		return s.agentRoute(segments[1:])
	case "host":
		return s.hostRoute(segments[1:])
	}
	return nil
}

// agentRoute serves KIND/NAME and whatever follows, which is the agent's own business.
func (s *Server) agentRoute(segments []string) http.HandlerFunc {
	if segments[0] != kind || !agent.ValidName(segments[1]) {
		return func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusBadRequest, "Invalid request") }
	}
	name, rest, ok := address(segments[1:])
	if !ok {
		return func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusBadRequest, "Invalid request") }
	}
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case upgrades(r):
			s.socket(w, r, name)
		case len(rest) > 0 && rest[len(rest)-1] == "get-messages":
			s.messages(w, r, name)
		default:
			text(w, http.StatusNotFound, "Not implemented")
		}
	}
}

// address follows NAME/sub/KIND/CHILD as far as it goes and returns the address of the agent that it names, with the
// segments that are left for it. A child's name is decoded, once; a kind that we do not have is no child but more path of
// the agent so far. It is false for a child that cannot be.
func address(segments []string) (name string, rest []string, ok bool) {
	name, rest = segments[0], segments[1:]
	for len(rest) > 2 && rest[0] == "sub" && agent.ChildKind(rest[1]) {
		child, err := url.PathUnescape(rest[2])
		if err != nil || !agent.ValidName(child) {
			return "", nil, false
		}
		name, rest = name+"/sub/"+rest[1]+"/"+child, rest[3:]
	}
	return name, rest, agent.ValidAddress(name)
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		text(w, http.StatusMethodNotAllowed, "Method not allowed")
		return
	}
	answer(w, http.StatusOK, struct {
		OK bool `json:"ok"`
	}{true})
}

// messages answers with the transcript, whatever the method: reading is all it does.
func (s *Server) messages(w http.ResponseWriter, r *http.Request, name string) {
	list, err := s.opts.Host.Messages(r.Context(), name)
	if err != nil {
		s.opts.Logger.Error("reading messages", "session", name, "err", err)
		s.refuse(w, err)
		return
	}
	if list == nil {
		list = []chat.Message{}
	}
	answer(w, http.StatusOK, list)
}

// An errorBody is the JSON of a request that failed.
type errorBody struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// refuse answers with the error, and its hint if it has one.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var name *agent.NameError
	var none *agent.NoScheduleError
	var noJob *agent.NoJobError
	var noSession *agent.NoSessionError
	var crowded *agent.CrowdedError
	switch {
	case errors.Is(err, agent.ErrShutdown), errors.As(err, &crowded):
		status = http.StatusServiceUnavailable
	case errors.As(err, &name):
		status = http.StatusBadRequest
	case errors.As(err, &none), errors.As(err, &noJob), errors.As(err, &noSession):
		status = http.StatusNotFound
	}
	body := errorBody{Error: s.told(err)}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		body.Hint = hinted.Hint()
	}
	answer(w, status, body)
}

// told is the text of an error as whoever asked may read it.
func (s *Server) told(err error) string { return s.opts.Host.Redact(err.Error()) }

// answer writes v as JSON. That the client has gone meanwhile is not worth a word.
func answer(w http.ResponseWriter, status int, v any) {
	hurry(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func text(w http.ResponseWriter, status int, body string) {
	hurry(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// forLog makes what a request brought fit for the log: short, visible and without the token. A query string is never
// logged.
func (s *Server) forLog(text string) string {
	return plain.VisibleLine(strings.ReplaceAll(text, s.opts.Token, "TOKEN"), 200)
}

// hurry bounds how long a client may take for an answer that begins now: one that reads nothing would keep a transcript in
// memory.
func hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder of a test has none
}
